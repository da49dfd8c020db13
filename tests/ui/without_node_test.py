#!/usr/bin/python3
"""A build on a machine without Node, or with one that is too old: the program gets a text, unless the page was demanded.

usage: without_node_test.py ROOT CMAKE

The build's own files (cmake/ui.cmake and what it includes) are run in a project of their own, with a PATH that has what the
test put there, and an empty cache.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, CMAKE = os.path.abspath(sys.argv[1]), sys.argv[2]
del sys.argv[1:]
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(ui_alone LANGUAGES NONE)
include(cmake/dependencies.cmake)
include(cmake/ui.cmake)
"""


class Machine:
    """A machine's programs, and a tree with what the build of the page needs."""

    def __init__(self, node=None, cached=False):
        self.folder = tempfile.TemporaryDirectory()
        self.programs, self.tree, self.cache, self.build = (os.path.join(self.folder.name, name) for name in ("bin", "tree", "cache", "build"))
        for folder in (self.programs, self.tree, self.cache):
            os.makedirs(folder)
        for name in ("ninja", "gzip", "sh"):
            os.symlink(shutil.which(name), os.path.join(self.programs, name))
        for name in ("ui", "cmake", "sim"):
            os.symlink(os.path.join(ROOT, name), os.path.join(self.tree, name))
        with open(os.path.join(self.tree, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write(PROJECT)
        if node:
            self.program(os.path.join(self.programs, "node"), f"echo {node}")
            self.program(os.path.join(self.programs, "npm-cli.js"), "exit 1")
            os.symlink("npm-cli.js", os.path.join(self.programs, "npm"))
        if cached:
            versions = self.rows()
            self.program(os.path.join(self.cache, f"node-{versions['node']}/bin/node"), "exit 1")
            self.program(os.path.join(self.cache, f"npm-{versions['npm']}/bin/npm-cli.js"), "exit 1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    @staticmethod
    def rows():
        with open(os.path.join(ROOT, "cmake/dependencies.cmake"), encoding="utf-8") as file:
            return dict(re.findall(r"^airlock_npm\((\S+) (\S+)", file.read(), re.M))

    @staticmethod
    def program(path, line):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{line}\n")
        os.chmod(path, 0o755)

    def run(self, *command):
        environment = {"PATH": self.programs, "HOME": self.folder.name}
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def configure(self, mode="AUTO"):
        return self.run(CMAKE, "-G", "Ninja", "-S", self.tree, "-B", self.build, f"-DAIRLOCK_UI={mode}", f"-DAIRLOCK_CACHE={self.cache}",
                        "-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF")

    def make(self):
        return self.run(CMAKE, "--build", self.build, "--target", "ui")

    def file(self, name):
        with open(os.path.join(self.build, name), encoding="utf-8") as file:
            return file.read()

    def embedded(self):
        """Path to content, from the table that is compiled."""
        text = self.file("generated/embedded_assets.cpp")
        arrays = dict(re.findall(r"constexpr unsigned char (gzip_\d+)\[\] = \{([^}]*)\}", text))
        rows = re.findall(r'\{"([^"]+)", "([0-9a-f]{64})", (gzip_\d+), (?:brotli_\d+|\{\}), (\d+)\}', text)
        content = {path: gzip.decompress(bytes(int(number, 16) for number in arrays[array].split(",") if number.strip())) for path, _, array, _ in rows}
        assert all(len(content[path]) == int(size) for path, _, _, size in rows)
        return content


class WithoutNode(unittest.TestCase):
    def assert_text(self, machine, reason):
        made = machine.make()
        self.assertEqual(made.returncode, 0, made.stdout)
        content = machine.embedded()
        self.assertEqual(list(content), ["/index.txt"])
        self.assertIn(reason, content["/index.txt"].decode())
        self.assertIn("--console", content["/index.txt"].decode())
        return made.stdout

    def test_a_text_is_embedded_and_the_build_says_so_once(self):
        for node in (None, "v18.20.4"):
            with self.subTest(node=node), Machine(node) as machine:
                configured = machine.configure()
                self.assertEqual(configured.returncode, 0, configured.stdout)
                self.assertIn("the debugger's page is left out", self.assert_text(machine, "there is no Node"))
                self.assertNotIn("left out", self.assert_text(machine, "there is no Node"))

    def test_it_is_an_error_where_the_page_was_demanded(self):
        with Machine() as machine:
            machine.configure("ON")
            made = machine.make()
            self.assertNotEqual(made.returncode, 0)
            self.assertIn("The debugger's page cannot be built: there is no Node", made.stdout)

    def test_who_wants_none_is_told_nothing(self):
        with Machine("v22.12.0") as machine:
            machine.configure("OFF")
            self.assertNotIn("left out", self.assert_text(machine, "AIRLOCK_UI=OFF"))

    def test_an_npm_that_fetches_nothing_is_no_error(self):
        with Machine("v22.12.0") as machine:
            machine.program(os.path.join(machine.programs, "node"), 'test "$1" = --version && echo v22.12.0 && exit; echo npm error network >&2; exit 1')
            machine.configure()
            self.assertIn("npm error network", self.assert_text(machine, "npm could not fetch its packages"))
            machine.configure("ON")
            self.assertNotEqual(machine.make().returncode, 0)

    def test_packages_that_were_changed_are_an_error(self):
        with Machine("v22.12.0") as machine:
            machine.program(os.path.join(machine.programs, "node"), 'test "$1" = --version && echo v22.12.0 && exit; echo npm error code EINTEGRITY >&2; exit 1')
            machine.configure()
            made = machine.make()
            self.assertNotEqual(made.returncode, 0)
            self.assertIn("EINTEGRITY", made.stdout)

    def test_another_mode_is_no_mode(self):
        with Machine() as machine:
            self.assertNotEqual(machine.configure("MAYBE").returncode, 0)


class WhichNode(unittest.TestCase):
    """CMake and tools/setup have the same rule."""

    VERSIONS = {"v18.20.4": False, "v20.18.9": False, "v20.19.0": True, "v20.20.2": True, "v21.7.3": False, "v22.11.0": False, "v22.12.0": True,
                "v22.9.0": False, "v23.0.0": True, "v26.10.0": True, "nonsense": False}

    def test_the_machines_own_if_it_will_do(self):
        for version, will_do in self.VERSIONS.items():
            with self.subTest(version), Machine(version) as machine:
                machine.configure()
                self.assertEqual(machine.file("ui/way.txt").split()[1:2], [os.path.join(machine.programs, "node")] if will_do else [])
                environment = {**os.environ, "PATH": machine.programs + ":" + os.environ["PATH"], "AIRLOCK_CACHE": machine.cache}
                checked = subprocess.run([os.path.join(ROOT, "tools/setup"), "--check"], env=environment, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(f"node {Machine.rows()['node']}" not in checked.stderr, will_do, checked.stderr)

    def test_an_npm_that_leads_elsewhere_is_found_by_its_node(self):
        with Machine("v22.12.0") as machine:
            npm, real = os.path.join(machine.programs, "npm"), os.path.join(machine.folder.name, "real")
            os.remove(npm)
            machine.program(npm, "exec somewhere/npm")
            machine.program(os.path.join(machine.programs, "node"), f'test "$1" = --version && echo v22.12.0 || echo {real}/bin/node')
            machine.configure()
            self.assertEqual(machine.file("ui/way.txt").split(), ["AUTO"])
            machine.program(os.path.join(real, "lib/node_modules/npm/bin/npm-cli.js"), "exit 1")
            os.makedirs(os.path.join(real, "bin"))
            machine.configure()
            self.assertIn("npm-cli.js", machine.file("ui/way.txt"))

    def test_else_that_of_the_cache(self):
        for version in (None, "v18.20.4"):
            with self.subTest(version), Machine(version, cached=True) as machine:
                machine.configure()
                self.assertIn(machine.cache, machine.file("ui/way.txt"))


if __name__ == "__main__":
    unittest.main()
