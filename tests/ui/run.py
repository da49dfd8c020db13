#!/usr/bin/python3
"""Runs a test of the debugger's page. Exits with 77, and a sentence, where it cannot be run on this machine.

usage: run.py types|unit|tasks --page FOLDER --node NODE --airlock PROGRAM --root ROOT --folder FOLDER --chromium CHROMIUM

  types   svelte-check over the sources
  unit    vitest
  tasks   tasks/run.mjs, in a browser. It is run in --folder, where `import 'playwright-core'` finds the page's packages, and
          is told by the environment:
            AIRLOCK     the program
            CHROMIUM    the browser
            RECORDINGS  a folder with boot.air (the default machine) and no-vsm.air (machines/no-vsm.toml), made for this run
            SCREENSHOTS a folder for pictures
"""

import argparse
import os
import shutil
import subprocess
import sys

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def require_packages(arguments):
    complaint = os.path.join(arguments.page, "packages.txt")
    if not os.path.exists(complaint):
        sys.exit("the page was not built: ninja ui")
    with open(complaint, encoding="utf-8") as file:
        why = file.read()
    if why:
        skip(f"this build has no page: {why}")


def record(arguments, folder):
    os.makedirs(folder, exist_ok=True)
    for name, machine in (("boot.air", []), ("no-vsm.air", [os.path.join(arguments.root, "machines/no-vsm.toml")])):
        subprocess.run([arguments.airlock, "run", *machine, "-q", "--record", os.path.join(folder, name)], check=True, stdout=subprocess.DEVNULL)


def tasks(arguments):
    if not os.path.exists(arguments.chromium):
        skip("there is no chromium on this machine (the package chromium of Debian)")
    folder = arguments.folder
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "tasks"), folder)
    os.symlink(os.path.join(arguments.page, "node_modules"), os.path.join(folder, "node_modules"))
    recordings, screenshots = os.path.join(folder, "recordings"), os.path.join(folder, "screenshots")
    record(arguments, recordings)
    os.makedirs(screenshots)
    environment = {**os.environ, "AIRLOCK": arguments.airlock, "CHROMIUM": arguments.chromium, "RECORDINGS": recordings, "SCREENSHOTS": screenshots}
    return subprocess.run([arguments.node, "run.mjs"], cwd=folder, env=environment, check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=["types", "unit", "tasks"])
    for name in ("page", "node", "airlock", "root", "folder", "chromium"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    for name in ("page", "airlock", "root", "folder"):
        setattr(arguments, name, os.path.abspath(getattr(arguments, name)))
    require_packages(arguments)
    if arguments.test == "tasks":
        sys.exit(tasks(arguments))
    command = {"types": ["svelte-check/bin/svelte-check", "--tsconfig", "./tsconfig.json", "--fail-on-warnings"],
               "unit": ["vitest/vitest.mjs", "run"]}[arguments.test]
    command[0] = os.path.join("node_modules", command[0])
    sys.exit(subprocess.run([arguments.node, *command], cwd=arguments.page, check=False).returncode)


if __name__ == "__main__":
    main()
