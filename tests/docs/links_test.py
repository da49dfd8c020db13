#!/usr/bin/python3
"""links.py must find what is broken and accept what is not."""

import os
import subprocess
import sys
import tempfile

CASES = [
    ("a link to a file that exists is accepted", "[x](docs/a.md)", True),
    ("a link to a missing file is found", "[x](docs/none.md)", False),
    ("a link to a heading is accepted", "[x](docs/a.md#two-words)", True),
    ("the second of two equal headings has a number", "[x](docs/a.md#two-words-1)", True),
    ("a link to a missing heading is found", "[x](docs/a.md#three-words)", False),
    ("a link whose text is broken over two lines is checked", "[x\ny](docs/none.md)", False),
    ("a link out of the tree is found", "[x](../a.md)", False),
    ("an address is left alone", "[x](https://example.org/none)", True),
    ("code is not prose", "```\n[x](docs/none.md)\n```", True),
    ("a path in backquotes that exists is accepted", "`docs/a.md` and `docs/{a,b}.md`", True),
    ("a path in backquotes that does not exist is found", "`docs/c.md`", False),
    ("each alternative in braces is checked", "`docs/{a,c}.md`", False),
]


def main():
    wrong = 0
    for name, text, good in CASES:
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, "docs"))
            for path, content in (("README.md", text), ("docs/a.md", "# Two words\n\n## Two words\n"), ("docs/b.md", "")):
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(content)
            result = subprocess.run([sys.executable, sys.argv[1], root], capture_output=True, text=True, check=False)
            if (result.returncode == 0) != good:
                wrong += 1
                print(f"{name}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    print(f"{len(CASES)} cases, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
