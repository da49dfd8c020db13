#!/usr/bin/python3
"""Runs a test of this folder with the packages of its lock file. Exits with 77 where that cannot be done here.

usage: run.py session|manifest --airlock PROGRAM --folder FOLDER --node NODE --npm NPM-CLI.JS
"""

import argparse
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def fetch(folder, node, npm):
    """The packages, once for each lock file."""
    lock = os.path.join(HERE, "package-lock.json")
    stamp = os.path.join(folder, "fetched.json")
    with open(lock, encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == wanted:
                return
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, name), folder)
    fetched = subprocess.run([node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        if "EINTEGRITY" in fetched.stderr or "EUSAGE" in fetched.stderr:  # a changed package, a lock file that does not fit
            sys.exit(fetched.stderr)
        skip("npm could not fetch the packages:\n" + fetched.stderr[-2000:])
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=["session", "manifest"])
    for name in ("airlock", "folder", "node", "npm"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    for program in (arguments.node, arguments.npm):
        if not os.path.exists(program):
            skip("node and npm are not installed")
    fetch(arguments.folder, arguments.node, arguments.npm)
    # Packages are found from where a module lies: the tests are run from beside them.
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".mjs"):
            shutil.copy(os.path.join(HERE, name), arguments.folder)
    environment = {**os.environ, "AIRLOCK": arguments.airlock,
                   "MANIFEST": os.path.join(HERE, "..", "..", "editors", "vscode", "package.json")}
    if arguments.test == "session":
        recording = os.path.join(arguments.folder, "boot.air")
        subprocess.run([arguments.airlock, "run", "-q", "--record", recording], check=True, stdout=subprocess.DEVNULL)
        environment["RECORDING"] = recording
    result = subprocess.run([arguments.node, "--test", f"{arguments.test}_test.mjs"], cwd=arguments.folder, env=environment, check=False)
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
