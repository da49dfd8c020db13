#!/usr/bin/python3
"""A run is a function of its configuration: everything that `airlock run --json` says, but the wall time, is the same again.

usage: determinism.py PROGRAM ROOT             two runs and both gears of each machine in ROOT/machines
       determinism.py PROGRAM ROOT --build-type TYPE FOLDER
                                               builds the program once more, with TYPE, in FOLDER, and compares the two

The second run of a pair has another working folder, environment, locale and time zone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

OTHER_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "tr_TR.UTF-8", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "HOME": "/nowhere",
                     "PADDING": "x" * 5000}  # moves the stack


def run(program, machine, gear, elsewhere=False):
    """The document of a run, without what may differ."""
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run([program, "run", machine, "--gear", gear, "--json"], capture_output=True, check=False,
                                cwd=folder if elsewhere else None, env=OTHER_ENVIRONMENT if elsewhere else None)
    if result.returncode != 0:
        sys.exit(f"{os.path.basename(machine)}, {gear}: exit code {result.returncode}\n{result.stderr.decode(errors='replace')}")
    document = json.loads(result.stdout)
    if not document.pop("wall_seconds", None):
        sys.exit("the document says no wall_seconds: what else does it not say?")
    if not document["fingerprint"] or document["stop"] != "power-off":
        sys.exit(f"{os.path.basename(machine)}: the machine did not switch off: {document['stop']}")
    return document


def first_difference(a, b, where=""):
    """The first value that differs, by its path."""
    if type(a) is not type(b):
        return f"{where}: {a!r} and {b!r}"
    if isinstance(a, dict):
        keys = list(a) + [key for key in b if key not in a]
        pairs = ((f"{where}.{key}", a.get(key), b.get(key)) for key in keys if key != "fingerprint")
    elif isinstance(a, list):
        pairs = [(f"{where}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b))] + [(where + " length", len(a), len(b))]
    else:
        return None if a == b else f"{where}: {a!r} and {b!r}"
    return next((found for path, x, y in pairs if (found := first_difference(x, y, path))), None)


def compare(what, machine, a, b):
    if a == b:
        print(f"{machine}: {what}: {a['fingerprint']}")
        return 0
    print(f"{machine}: {what}: DIFFERENT\n  fingerprints {a['fingerprint']} and {b['fingerprint']}\n"
          f"  {first_difference(a, b) or 'the report is equal, the state is not'}\n"
          f"  to find the instant: run both with --until N and compare fingerprints")
    return 1


def machines(root):
    folder = os.path.join(root, "machines")
    found = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".toml"))
    if not found:
        sys.exit(f"no machines in {folder}")
    return found


def runs_and_gears(program, root):
    wrong = 0
    for machine in machines(root):
        name = os.path.basename(machine)
        first = run(program, machine, "fast")
        wrong += compare("two runs", name, first, run(program, machine, "fast", elsewhere=True))
        wrong += compare("two gears", name, first, run(program, machine, "exact"))
    return wrong


def build(root, build_type, folder, compiler, cache):
    configure = ["cmake", "-G", "Ninja", "-S", root, "-B", folder, f"-DCMAKE_BUILD_TYPE={build_type}",
                 f"-DCMAKE_CXX_COMPILER={compiler}", f"-DAIRLOCK_CACHE={cache}", "-DAIRLOCK_TESTS=OFF", "-DAIRLOCK_BENCH=OFF",
                 "-DAIRLOCK_GUESTS=OFF"]
    for command in (configure, ["ninja", "-C", folder, "airlock"]):
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if result.returncode != 0:
            sys.exit(result.stdout.decode(errors="replace")[-4000:])
    return os.path.join(folder, "airlock")


def two_builds(program, arguments):
    build_type, folder = arguments.build_type
    other = build(arguments.root, build_type, folder, arguments.compiler, arguments.cache)
    guests = os.path.join(folder, "guests")
    if not os.path.lexists(guests):
        os.symlink(os.path.join(os.path.dirname(program), "guests"), guests)
    wrong = 0
    for machine in machines(arguments.root):
        wrong += compare(f"this build and {build_type}", os.path.basename(machine), run(program, machine, "fast"),
                         run(other, machine, "fast"))
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("root")
    parser.add_argument("--build-type", nargs=2, metavar=("TYPE", "FOLDER"))
    parser.add_argument("--compiler", default="clang++-19")
    parser.add_argument("--cache", default="")
    arguments = parser.parse_args()
    program = os.path.abspath(arguments.program)
    wrong = two_builds(program, arguments) if arguments.build_type else runs_and_gears(program, arguments.root)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
