#!/usr/bin/python3
"""What comments in the code cite can be looked up: facts (S51), sections (section 7.5), decisions (decisions 5, 0012).

usage: citations.py ROOT
"""

import os
import re
import sys

FOLDERS = ("vtl", "mmu", "sim", "securekernel", "iumdll", "images", "tests/unit", "fuzz", "bench")
CODE = (".h", ".cpp", ".def", ".S", ".c")
CITATIONS = {
    "fact": re.compile(r"\bS(\d{1,3})\b(?!\w)"),
    "section": re.compile(r"\bsections? (\d+\.\d+)(?:(?: to |, | and )(\d+\.\d+))*"),
    "decision": re.compile(r"\bdecisions (\d+(?:\.\d+)?)\b"),
    "record": re.compile(r"\bdocs/decisions/(\d{4})"),
}


def expand(cell):
    """"2.1, 2.2" and "3.2 to 3.6" as a set of sections."""
    found = set()
    for part in cell.split(","):
        match = re.match(r"\s*(\d+)\.(\d+) to \d+\.(\d+)\s*$", part)
        if match:
            found |= {f"{match.group(1)}.{n}" for n in range(int(match.group(2)), int(match.group(3)) + 1)}
        else:
            found.add(part.strip())
    return found


def column(text, heading):
    """First cells of the rows below a heading."""
    below = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [row.split("|")[1].strip() for row in below.splitlines() if row.startswith("|") and "---" not in row]


def known(root):
    with open(os.path.join(root, "docs/facts.md"), encoding="utf-8") as file:
        facts = set(re.findall(r"^\| S(\d+) \|", file.read(), re.M))
    with open(os.path.join(root, "docs/sources.md"), encoding="utf-8") as file:
        sources = file.read()
    sections = set().union(*(expand(cell) for cell in column(sources, "Sections")))
    decisions = set()
    for cell in column(sources, "Decisions"):
        decisions |= set(re.findall(r"\d+(?:\.\d+)?", cell))
    records = {name[:4] for name in os.listdir(os.path.join(root, "docs/decisions"))}
    return {"fact": facts, "section": sections, "decision": decisions, "record": records}


def comments(line):
    match = re.search(r"//.*|/\*.*|^\s*#.*", line)
    return match.group(0) if match else ""


def main():
    root = sys.argv[1]
    answers = known(root)
    wrong = cited = 0
    for top in FOLDERS:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(n for n in names if n.endswith(CODE)):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    for number, line in enumerate(file, 1):
                        for kind, pattern in CITATIONS.items():
                            for match in pattern.finditer(comments(line)):
                                for value in (v for v in match.groups() if v):
                                    cited += 1
                                    if value not in answers[kind]:
                                        wrong += 1
                                        print(f"{os.path.relpath(path, root)}:{number}: {kind} {value} is not in docs")
    print(f"{cited} citations, {wrong} findings")
    return 1 if wrong or not cited else 0


if __name__ == "__main__":
    sys.exit(main())
