#!/usr/bin/python3
"""Runs scripts of the console over a recording of the default boot and compares what they print.

usage: run.py --airlock PROGRAM --folder FOLDER [--write]

Beside each SCRIPT.kd stands SCRIPT.expected. What moves when a guest is built anew is masked: addresses, values of
registers, instants, displacements, bytes of code, lines of source. --write writes what is printed now, for a person to read.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL = 1 << 20  # what a script wrote itself, not where a guest lies


def unless_small(mask):
    return lambda match: match.group(0) if int(match.group(0).replace("`", ""), 16) < SMALL else mask


MASKS = [
    (re.compile(r"\b[0-9a-f]{8}`[0-9a-f]{8}\b"), unless_small("ADDRESS")),
    (re.compile(r"(?<==)[0-9a-f]{16}\b"), unless_small("VALUE")),
    (re.compile(r"\b0x[0-9a-f]{5,16}\b"), "0xVALUE"),
    (re.compile(r"(?<=!)([A-Za-z_]\w*)\+0x[0-9a-f]+"), r"\1+N"),
    (re.compile(r"^((?:ADDRESS|[0-9a-f`]{17}) )[0-9a-f]+ +", re.M), r"\1BYTES "),
    (re.compile(r"(?<![\w.])\d[\d_]{4,}(?!\w)"), "INSTANT"),
    (re.compile(r"(?<=:\n) *\d+ .*"), "    N SOURCE"),
    (re.compile(r"(?<=\.cpp\()\d+(?=\))"), "N"),
    (re.compile(r" +$", re.M), ""),
]


def masked(text):
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


def refusals(airlock, recording, folder):
    """What a script and the command line are refused with. Returns what is wrong."""
    script = os.path.join(folder, "refused.kd")
    with open(script, "w", encoding="utf-8") as file:
        file.write(".echo before\n!ptee 1000\n.echo behind\n")
    cases = [
        (["--script", script], 2, "before\n0: VTL 0> !ptee 1000\nthere is no command '!ptee'; did you mean `!pte`?\n", None),
        (["--script", os.path.join(folder, "missing.kd")], 3, None, "missing.kd: No such file or directory"),
        (["--console", "--dap"], 2, None, "has the standard input"),
        (["--console", "--rpc-stdio"], 2, None, "has the standard input"),
    ]
    wrong = []
    cut = os.path.join(folder, "cut.air")
    with open(recording, "rb") as whole, open(cut, "wb") as part:
        part.write(whole.read(5000))
    opened = subprocess.run([airlock, "debug", cut, "--console"], input="q\n", capture_output=True, text=True, check=False)
    if opened.returncode != 0 or "the file ends inside the chunk at offset" not in opened.stderr:
        wrong.append(f"a recording that was cut off: exit code {opened.returncode}\n{opened.stdout}{opened.stderr}")
    for arguments, code, end, error in cases:
        result = subprocess.run([airlock, "debug", recording, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if result.returncode != code or (end is not None and not result.stdout.endswith(end)) or (error is not None and error not in result.stderr):
            wrong.append(f"{arguments}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--airlock", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    recording = os.path.join(arguments.folder, "boot.air")
    subprocess.run([arguments.airlock, "run", "-q", "--record", recording], check=True, stdout=subprocess.DEVNULL)
    scripts = sorted(name[:-3] for name in os.listdir(HERE) if name.endswith(".kd"))
    failures = 0 if scripts else 1
    for name in scripts:
        with open(os.path.join(HERE, name + ".kd"), encoding="utf-8") as script:
            result = subprocess.run([arguments.airlock, "debug", recording, "--console"], stdin=script, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
        printed = masked(result.stdout)
        expected_file = os.path.join(HERE, name + ".expected")
        if arguments.write:
            with open(expected_file, "w", encoding="utf-8") as file:
                file.write(printed)
            continue
        with open(expected_file, encoding="utf-8") as file:
            expected = file.read()
        if result.returncode != 0 or printed != expected:
            failures += 1
            print(f"{name}: exit code {result.returncode}\n{result.stderr}")
            sys.stdout.writelines(difflib.unified_diff(expected.splitlines(True), printed.splitlines(True), "expected", "printed"))
    for problem in [] if arguments.write else refusals(arguments.airlock, recording, arguments.folder):
        failures += 1
        print(problem)
    print(f"{len(scripts)} scripts, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
