#!/usr/bin/python3
"""Checks the documents: relative links and their anchors lead somewhere; a path in backquotes that begins with a folder of
the tree exists.

usage: links.py ROOT
"""

import os
import re
import sys

TOP_FOLDERS = ("cmake/", "docs/", "tools/", "vtl/", "mmu/", "sim/", "securekernel/", "iumdll/", "images/", "tests/",
               "fuzz/", "bench/")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)", re.S)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.S | re.M)
PATH = re.compile(r"`((?:%s)[\w./{},*-]*)`" % "|".join(TOP_FOLDERS))


def documents(root):
    for name in sorted(os.listdir(root)):
        if name.endswith(".md"):
            yield name
    for folder, folders, names in os.walk(os.path.join(root, "docs")):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def anchors(text):
    """What a renderer makes of the headings: lower case, words joined by dashes, punctuation dropped."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        number, unique = 0, slug
        while unique in found:
            number += 1
            unique = f"{slug}-{number}"
        found.add(unique)
    return found


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def alternatives(path):
    """a/{b,c}.h names a/b.h and a/c.h."""
    match = re.search(r"\{([^}]*)\}", path)
    if not match:
        return [path]
    return [p for one in match.group(1).split(",") for p in alternatives(path[:match.start()] + one + path[match.end():])]


def check_link(root, path, target):
    if re.match(r"[a-z]+:", target):
        return None
    file, _, anchor = target.partition("#")
    full = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
    if full.startswith("..") or not os.path.exists(os.path.join(root, full)):
        return f"{target}: no such file"
    if anchor and full.endswith(".md") and anchor not in anchors(read(root, full)):
        return f"{target}: no such heading"
    return None


def check_path(root, name):
    for path in alternatives(name):
        if "*" not in path and "NNNN" not in path and not os.path.exists(os.path.join(root, path)):
            return f"`{path}` does not exist"
    return None


def findings(root, path):
    text = read(root, path)
    prose = FENCE.sub(lambda match: "\n" * match.group(0).count("\n"), text)
    for match in LINK.finditer(prose):
        why = check_link(root, path, match.group(1))
        if why:
            yield line_of(prose, match.start()), why
    if not path.startswith("docs/reference/"):
        for match in PATH.finditer(prose):
            why = check_path(root, match.group(1))
            if why:
                yield line_of(prose, match.start()), why


def main():
    root = sys.argv[1]
    wrong = checked = 0
    for path in documents(root):
        checked += 1
        for line, why in findings(root, path):
            wrong += 1
            print(f"{path}:{line}: {why}")
    print(f"{checked} documents, {wrong} findings")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
