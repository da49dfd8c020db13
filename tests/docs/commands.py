#!/usr/bin/python3
"""Commands and options that the documents show exist.

usage: commands.py ROOT PROGRAM

In code of the documents, `./airlock WORD` is a command of the wrapper or of the program, `airlock WORD` one of the
program; options behind it are in that command's help.
"""

import os
import re
import subprocess
import sys

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
CALL = re.compile(r"(?:^|[\s=(])((?:\./)?airlock)((?: +(?:--?)?[A-Za-z][\w.:/-]*)+)")


def output(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return result.stdout.decode(errors="replace")


def code(text):
    """Code spans and fenced blocks."""
    fences = re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)
    return [line for block in fences for line in block.splitlines()] + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def documents(root):
    for name in DOCUMENTS:
        yield name
    for folder, folders, names in os.walk(os.path.join(root, "docs")):
        folders.sort()
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in sorted(names) if name.endswith(".md"))


class Help:
    def __init__(self, root, program):
        self.program = program
        top = output(program, "--help").split("Subcommands:", 1)
        self.commands = set(re.findall(r"^  (\w+) ", top[-1], re.M)) if len(top) == 2 else set()
        self.wrapper = output(os.path.join(root, "airlock"), "--help")
        self.wrapper_commands = set(re.findall(r"^  (\w+)", self.wrapper, re.M))
        self.pages = {}

    def page(self, command):
        if command not in self.pages:
            self.pages[command] = output(self.program, command, "--help") if command in self.commands else self.wrapper
        return self.pages[command]


def wrong_call(known, caller, words):
    command, options = words[0], [word for word in words[1:] if word.startswith("-")]
    if command.startswith("-"):
        return None
    if command not in known.commands and not (caller == "./airlock" and command in known.wrapper_commands):
        return f"{caller} has no command {command}"
    for option in options:
        if command == "test" and option == "-R":
            continue  # handed on to ctest
        if not re.search(rf"(^|[\s,\[]){re.escape(option)}\b", known.page(command)):
            return f"{caller} {command} has no option {option}"
    return None


def main():
    root, program = sys.argv[1:3]
    known = Help(root, program)
    if not known.commands:
        sys.exit(f"{program} --help lists no subcommands")
    wrong = checked = 0
    for name in documents(root):
        with open(os.path.join(root, name), encoding="utf-8") as file:
            for line in code(file.read()):
                for caller, rest in CALL.findall(line):
                    checked += 1
                    why = wrong_call(known, caller, rest.split())
                    if why:
                        wrong += 1
                        print(f"{name}: `{line.strip()}`: {why}")
    print(f"{checked} calls, {wrong} findings")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
