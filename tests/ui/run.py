#!/usr/bin/python3
"""Runs a test of the debugger's page. Exits with 77, and a sentence, where it cannot be run on this machine.

usage: run.py types|unit|tasks|tasks_long --page FOLDER --node NODE --airlock PROGRAM --root ROOT --folder FOLDER --chromium CHROMIUM

  types   svelte-check over the sources
  unit    vitest
  tasks   ui/tasks/*.task.mjs, one after the other, in a browser; tasks_long: those that take minutes (LONG). They are told by the environment (ui/tasks/world.mjs): AIRLOCK,
          CHROMIUM, PACKAGES, and folders for RECORDINGS and PICTURES, which are new for each run
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys

SKIPPED = 77
LONG = ("access", "compare", "keys", "tour")


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


def tasks(arguments):
    if not os.path.exists(arguments.chromium):
        skip("there is no chromium on this machine (the package chromium of Debian)")
    folder = arguments.folder
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    environment = {**os.environ, "AIRLOCK": arguments.airlock, "CHROMIUM": arguments.chromium, "PACKAGES": arguments.page,
                   "RECORDINGS": os.path.join(folder, "recordings"), "PICTURES": os.path.join(folder, "pictures")}
    files = sorted(glob.glob(os.path.join(arguments.root, "ui/tasks/*.task.mjs")))
    is_long = arguments.test == "tasks_long"
    files = [file for file in files if (os.path.basename(file).split(".")[0] in LONG) == is_long]
    command = [arguments.node, "--test", "--test-concurrency=1", "--test-reporter=spec", *files]
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=["types", "unit", "tasks", "tasks_long"])
    for name in ("page", "node", "airlock", "root", "folder", "chromium"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    for name in ("page", "airlock", "root", "folder"):
        setattr(arguments, name, os.path.abspath(getattr(arguments, name)))
    require_packages(arguments)
    if arguments.test.startswith("tasks"):
        sys.exit(tasks(arguments))
    command = {"types": ["svelte-check/bin/svelte-check", "--tsconfig", "./tsconfig.json", "--fail-on-warnings"],
               "unit": ["vitest/vitest.mjs", "run"]}[arguments.test]
    command[0] = os.path.join("node_modules", command[0])
    sys.exit(subprocess.run([arguments.node, *command], cwd=arguments.page, check=False).returncode)


if __name__ == "__main__":
    main()
