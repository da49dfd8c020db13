#!/usr/bin/python3
"""Runs a scripted session of a real gdb or lldb against `airlock debug --gdb`, and compares what it says.

usage: session.py AIRLOCK SCRIPT [--update]

A script is the transcript itself: lines with a prompt, (gdb) or (lldb), are typed, the others are what is expected. PORT
stands for the port. Lines that begin with "# " are for readers. The line that begins with "#:" says over what the session
is, `#: recording` (of the default machine) or `#: machine` (a live one), and may have options of `airlock debug` behind it.
Numbers that move with the guests' code are compared as ~: addresses, instants, distances from symbols.

Exit codes: 0 equal; 1 different (the difference is printed); 77 the debugger is not installed: skipped.
--update writes what was said into the script.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

PATIENCE = 900  # seconds against hanging, never a measure of speed
SKIPPED = 77


def mask(line):
    line = re.sub(r"0x[0-9a-f]+", lambda number: "0x~" if int(number.group(), 16) >= 0x10000 else number.group(), line)
    line = re.sub(r"\b([0-9a-f]{2}):[0-9a-f]{16};", r"\1:~;", line)  # registers in a packet
    line = re.sub(r"\b[0-9a-f]{8}`[0-9a-f]{8}\b( +[0-9a-f]{2,30}\b)?", "~", line)  # as the console has them, with bytes
    line = line.replace(os.getcwd(), ".")
    line = re.sub(r"(?<=[\w)])\+(0x[0-9a-f]+|\d+)(?=[>),\s]|$)", "+~", line)
    line = re.sub(r"\b[1-9]\d{4,}\b", "~", line)
    line = re.sub(r"\.build-id/\S+", ".build-id/~", line)
    return re.sub(r"(?<=\S) {2,}", "  ", line.rstrip())  # columns are as wide as what is masked


def read_script(path):
    """(what it is over and options, the tool, its commands, all lines)"""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    over = next((line[2:].split() for line in lines if line.startswith("#:")), None)
    prompts = [re.match(r"\((gdb|lldb)\) ?(.*)", line) for line in lines]
    commands = [match.group(2) for match in prompts if match]
    tools = {match.group(1) for match in prompts if match}
    if over is None or len(tools) != 1:
        sys.exit(f"{path}: a script needs a line with #: and commands of one debugger")
    return over, tools.pop(), commands, lines


class Host:
    """airlock debug, on a free port."""

    def __init__(self, airlock, arguments):
        self.process = subprocess.Popen([airlock, "debug", *arguments, "--gdb", "0"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.port = None
        said = []
        for line in self.process.stderr:
            said.append(line)
            match = re.search(r"target remote 127\.0\.0\.1:(\d+)", line)
            if match:
                self.port = match.group(1)
                return
        sys.exit("airlock debug did not start:\n" + "".join(said))

    def end(self):
        """False if it was gone already."""
        alive = self.process.poll() is None
        self.process.terminate()
        self.process.wait()
        return alive


def gdb_command(commands):
    line = ["gdb", "-nx", "-batch", "-ex", "set width 0", "-ex", "set confirm off", "-ex", "set style enabled off"]
    for command in commands:
        shown = command.replace("\\", "\\\\")
        line += ["-ex", f"echo (gdb) {shown}\\n", "-ex", command]
    return line


def lldb_command(commands, folder):
    path = os.path.join(folder, "commands")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(commands) + "\n")
    return ["lldb", "--no-lldbinit", "--batch", "-o", "settings set use-color false",
            "-o", "settings set interpreter.stop-command-source-on-error false", "-s", path]


def talk(tool, commands, port, folder):
    typed = [command.replace("PORT", port) for command in commands]
    line = gdb_command(typed) if tool == "gdb" else lldb_command(typed, folder)
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=PATIENCE, check=False)
    said = done.stdout.splitlines()
    first = next((i for i, text in enumerate(said) if text.startswith(f"({tool}) {typed[0]}")), len(said))
    return [re.sub(rf"\b{port}\b", "PORT", text) for text in said[first:]]


def is_note(line):
    return line.startswith(("# ", "#:"))  # not "#0", a frame


def compared(lines, tool):
    lines = [mask(line) for line in lines]
    # lldb prints what stopped and what is typed from two threads: which is first differs from run to run.
    return sorted(lines) if tool == "lldb" else lines


def updated(script, said, tool):
    """The script with its notes, each before the command that it stood before, and with what was said."""
    prompt = f"({tool})"
    notes, pending = [], []
    for line in script:
        if is_note(line):
            pending.append(line)
        elif line.startswith(prompt):
            notes.append(pending)
            pending = []
    result = []
    for line in said:
        if line.startswith(prompt) and notes:
            result += notes.pop(0)
        result.append(mask(line) if not line.startswith(prompt) else line.rstrip())
    return result + pending


def run(airlock, path, update):
    over, tool, commands, script = read_script(path)
    if shutil.which(tool) is None:
        print(f"{tool} is not installed: this session was not held")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        arguments = over[1:]
        if over[0] == "recording":
            recording = os.path.join(folder, "boot.air")
            subprocess.run([airlock, "run", "-q", "--record", recording], stdout=subprocess.DEVNULL, timeout=PATIENCE,
                           check=True)
            arguments = [recording] + arguments
        host = Host(airlock, arguments)
        try:
            said = talk(tool, commands, host.port, folder)
        finally:
            alive = host.end()
    if not alive:
        print("airlock debug ended before the session did")
        return 1
    if update:
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(updated(script, said, tool)) + "\n")
        return 0
    wanted = compared([line for line in script if not is_note(line)], tool)
    got = compared(said, tool)
    difference = list(difflib.unified_diff(wanted, got, path, "what was said", lineterm="", n=5))
    print("\n".join(difference))
    return 1 if difference else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(run(sys.argv[1], sys.argv[2], "--update" in sys.argv[3:]))
