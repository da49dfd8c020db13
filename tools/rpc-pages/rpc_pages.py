"""Writes docs/reference/rpc.md and the interfaces of the Python client and of the pages in ui/ from the table sim/rpc/methods.def.

usage: rpc_pages.py RPC-SCHEMA --write ROOT    write the files
       rpc_pages.py RPC-SCHEMA --check ROOT    compare them with what is there; 1 if anything differs
RPC-SCHEMA is the program that prints the table, ROOT the repository.
"""

import json
import keyword
import os
import subprocess
import sys
import textwrap

import typescript

PAGE = "docs/reference/rpc.md"
CLIENT = "clients/python/airlock_client/interface.py"
PAGES = "ui/src/rpc/interface.ts"
REGENERATE = "cmake --build --preset dev --target rpc-pages"

EFFECTS = {
    "Looks": "changes nothing",
    "Moves": "changes the session's focus, breakpoints or bookmarks",
    "Forks": "begins or changes a what-if branch",
    "Writes": "writes a file of the host: not over HTTP",
}


def take_apart(text):
    """"text[]?" -> ("text", is a list, may be absent)."""
    optional = text.endswith("?")
    text = text.removesuffix("?")
    return text.removesuffix("[]"), text.endswith("[]"), optional


def field_text(field):
    """What the table says of a field, made to a sentence."""
    return field["text"] or field["name"].replace("_", " ")


# ---- The page ------------------------------------------------------------------------------------------------------

INTRODUCTION = """\
# The debugger's interface

<!-- Written by tools/rpc-pages from the table sim/rpc/methods.def. Do not edit: change the table, then
     cmake --build --preset dev --target rpc-pages -->

JSON-RPC 2.0, over standard input and output (`airlock debug --rpc-stdio`), HTTP and WebSockets (`--http`); how
to begin is in [the debugger](../debugger.md). One request a message: batches are refused. Parameters have
names; one that is not listed here is refused, and so is every value that is not of its type. Methods with a
parameter `focus` look from there, else from the session's own focus, which only methods that move it change.

## Types

| Type       | In JSON                                                                             |
|------------|-------------------------------------------------------------------------------------|
| `boolean`  | true or false                                                                       |
| `text`     | a text                                                                              |
| `integer`  | a number from 0 to 2^53 - 1: instants, counts, numbers of VTLs and processors       |
| `signed`   | the same with a sign                                                                |
| `hex`      | a text of `0x` and up to 32 hexadecimal digits: addresses, registers, sizes in memory |
| `bytes`    | a text of pairs of hexadecimal digits                                               |
| `a\\|b\\|c`  | one of these words                                                                  |
| `Name`     | an object, one of the records below                                                 |
| `T[]`      | a list                                                                              |
| `T?`       | may be absent; never null                                                           |

## Errors

| Code   | Meaning                                                                    |
|--------|----------------------------------------------------------------------------|
| -32700 | this is not JSON                                                           |
| -32600 | no request: malformed, a batch, too long, nested too deeply                |
| -32601 | no such method                                                             |
| -32602 | parameters that the table does not permit; the message names the first one |
| -32603 | a defect of this program                                                   |
| -32000 | not implemented                                                            |
| -32001 | refused: understood, and not possible here; the message says why           |
| -32002 | what was named is not there: a symbol, an image, a process                 |
| -32003 | callers over a network may not do that                                     |
| -32004 | busy: a motion is under way                                                |

## Notifications

Sent to every client that can hear them (not to plain HTTP):

| Method        | Parameters                 | When                                                  |
|---------------|----------------------------|-------------------------------------------------------|
| `moved`       | a Stop                     | the session's focus has moved, whoever moved it       |
| `breakpoints` | as breakpoint.list answers | breakpoints were set, changed, removed or met         |
| `branch`      | `branch`, absent: the run  | a what-if branch began, was changed or has ended      |
| `output`      | `text`                     | a guest printed it while it ran for the first time    |
| `bookmarks`   | as bookmark.list answers   | somebody added, changed or removed one                |
| `opened`      | as hello answers           | another run is debugged from now on                   |
"""


def cell(text):
    return text.replace("|", "\\|")


def table(heads, rows):
    """Padded; nothing for no rows."""
    if not rows:
        return ""
    rows = [[cell(text) for text in row] for row in rows]
    widths = [max(len(row[i]) for row in [heads] + rows) for i in range(len(heads))]
    line = lambda row: "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |\n"
    return "\n" + line(heads) + "|" + "|".join("-" * (width + 2) for width in widths) + "|\n" + "".join(map(line, rows))


def field_table(head, fields):
    return table([head, "Type", "Meaning"], [[f"`{f['name']}`", f"`{f['type']}`", f["text"]] for f in fields])


def method_section(method):
    words = [method["text"], f"It {EFFECTS[method['effect']]}."]
    text = f"\n### {method['name']}\n\n" + textwrap.fill(" ".join(filter(None, words)), 100) + "\n"
    if not method["parameters"]:
        text += "\nNo parameters.\n"
    text += field_table("Parameter", method["parameters"])
    return text + (field_table("Result", method["results"]) or "\nThe result is an empty object.\n")


def page(schema):
    text = INTRODUCTION + "\n## Methods\n"
    text += "".join(map(method_section, schema["methods"]))
    text += "\n## Records\n"
    for record in schema["records"]:
        text += f"\n### {record['name']}\n" + (f"\n{record['text']}.\n" if record["text"] else "")
        text += field_table("Member", record["fields"])
    return text


# ---- The client ----------------------------------------------------------------------------------------------------

HEADER = '''\
"""The debugger's interface, typed: records as dataclasses, one method per row.

Written by tools/rpc-pages from the table sim/rpc/methods.def. Do not edit: change the table, then
    cmake --build --preset dev --target rpc-pages
Numbers that are texts in JSON ("0x1000") are int here, bytes are bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, cast

'''

PLAIN = {"boolean": "bool", "text": "str", "integer": "int", "signed": "int", "hex": "int", "bytes": "bytes"}


def python_name(name):
    name = name.replace(".", "_")
    return name + "_" if keyword.iskeyword(name) else name


def python_type(text):
    element, is_list, optional = take_apart(text)
    if "|" in element:
        element = "Literal[" + ", ".join(f'"{word}"' for word in element.split("|")) + "]"
    element = PLAIN.get(element, element)
    if is_list:
        element = f"list[{element}]"
    return f"{element} | None" if optional else element


def result_name(method):
    return "".join(word.capitalize() for word in method["name"].replace("_", ".").split(".")) + "Result"


def dataclass_of(name, text, fields):
    lines = ["", "", "@dataclass(frozen=True, slots=True)", f"class {name}:"]
    lines.append(f'    """{(text or name).rstrip(".")}."""')
    ordered = sorted(fields, key=lambda field: take_apart(field["type"])[2])  # those that may be absent come last
    lines += [""] if ordered else []
    for field in ordered:
        absent = " = None" if take_apart(field["type"])[2] else ""
        remark = f"  # {field['text']}" if field["text"] else ""
        lines.append(f"    {python_name(field['name'])}: {python_type(field['type'])}{absent}{remark}")
    return "\n".join(lines) + "\n"


def layout(name, fields):
    """How the members of a record are called and typed in JSON."""
    rows = "".join(f'        "{f["name"]}": ("{python_name(f["name"])}", "{f["type"]}"),\n' for f in fields)
    return f"    {name}: {{\n{rows}    }},\n" if rows else f"    {name}: {{}},\n"


def method_of(method):
    required = [p for p in method["parameters"] if not take_apart(p["type"])[2]]
    optional = [p for p in method["parameters"] if take_apart(p["type"])[2]]
    arguments = ["self"] + [f"{python_name(p['name'])}: {python_type(p['type'])}" for p in required]
    if optional:
        arguments += ["*"] + [f"{python_name(p['name'])}: {python_type(p['type'])} = None" for p in optional]
    answer = result_name(method) if method["results"] else "None"
    head = f"    def {python_name(method['name'])}({', '.join(arguments)}) -> {answer}:"
    if len(head) > 118:
        head = f"    def {python_name(method['name'])}(\n        " + ",\n        ".join(arguments) + f",\n    ) -> {answer}:"
    documentation = [method["text"] or f"{method['name']}."]
    documentation += [f"{python_name(p['name'])}: {p['text']}" for p in method["parameters"] if p["text"]]
    lines = [head]
    if len(documentation) == 1:
        lines.append(f'        """{documentation[0]}"""')
    else:
        lines += [f'        """{documentation[0]}', ""]
        for remark in documentation[1:]:
            lines += textwrap.wrap(remark, 108, initial_indent=" " * 8, subsequent_indent=" " * 12)
        lines.append('        """')
    values = "".join(f'            ("{p["name"]}", "{p["type"]}", {python_name(p["name"])}),\n' for p in method["parameters"])
    call = f'"{method["name"]}", [\n{values}        ]' if values else f'"{method["name"]}", []'
    if method["results"]:
        lines.append(f"        return cast({answer}, decode_record({answer}, self._call({call})))")
    else:
        lines.append(f"        self._call({call})")
    return "\n".join(lines) + "\n"


CODEC = '''

def decode(type_name: str, value: Any) -> Any:
    """A JSON value of a type of the table."""
    type_name = type_name.removesuffix("?")
    if type_name.endswith("[]"):
        return [decode(type_name.removesuffix("[]"), element) for element in value]
    if type_name == "hex":
        return int(value, 16)
    if type_name == "bytes":
        return bytes.fromhex(value)
    record = RECORDS.get(type_name)
    return value if record is None else decode_record(record, value)


def decode_record(record: type[Any], value: dict[str, Any]) -> Any:
    """Members that this version of the client does not know are passed over."""
    members = LAYOUTS[record]
    known = {members[name][0]: decode(members[name][1], member) for name, member in value.items() if name in members}
    return record(**known)


def encode(type_name: str, value: Any) -> Any:
    """The other way."""
    type_name = type_name.removesuffix("?")
    if type_name.endswith("[]"):
        return [encode(type_name.removesuffix("[]"), element) for element in value]
    if type_name == "hex":
        return hex(value)
    if type_name == "bytes":
        return bytes(value).hex()
    record = RECORDS.get(type_name)
    if record is None:
        return value
    members = ((name, member[1], getattr(value, member[0])) for name, member in LAYOUTS[record].items())
    return {name: encode(member_type, member) for name, member_type, member in members if member is not None}


class Interface(ABC):
    """All methods. Who implements call() decides how they get there."""

    @abstractmethod
    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Calls a method by name, with JSON values. Raises AirlockError if it is refused."""

    def _call(self, method: str, parameters: list[tuple[str, str, Any]]) -> dict[str, Any]:
        given = {name: encode(type_name, value) for name, type_name, value in parameters if value is not None}
        return self.call(method, given)

'''


def client(schema):
    text = HEADER.rstrip() + "\n"
    layouts = []
    for record in schema["records"]:
        text += dataclass_of(record["name"], record["text"], record["fields"])
        layouts.append(layout(record["name"], record["fields"]))
    for method in schema["methods"]:
        if method["results"]:
            text += dataclass_of(result_name(method), f"What {method['name']} answers", method["results"])
            layouts.append(layout(result_name(method), method["results"]))
    text += "\n\nRECORDS: dict[str, type[Any]] = {\n"
    text += "".join(f'    "{record["name"]}": {record["name"]},\n' for record in schema["records"]) + "}\n"
    text += "\n# Of each class: JSON name -> (attribute, type of the table).\n"
    text += "LAYOUTS: dict[type[Any], dict[str, tuple[str, str]]] = {\n" + "".join(layouts) + "}\n"
    return text + CODEC + "\n".join(map(method_of, schema["methods"]))


# ---- Writing and checking ------------------------------------------------------------------------------------------


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def difference(committed, wanted):
    for number, (old, new) in enumerate(zip(committed.split("\n"), wanted.split("\n")), 1):
        if old != new:
            return f"line {number}\n  committed: {old}\n  table:     {new}"
    return "one is longer"


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in ("--write", "--check"):
        print(__doc__, file=sys.stderr)
        return 2
    schema = json.loads(subprocess.run([sys.argv[1]], check=True, capture_output=True).stdout)
    wrong = 0
    files = {PAGE: page(schema), CLIENT: client(schema), PAGES: typescript.interface(schema, take_apart)}
    for name, text in files.items():
        path = os.path.join(sys.argv[3], name)
        committed = read(path)
        if committed == text:
            continue
        wrong += 1
        if sys.argv[2] == "--write":
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            print(path)
        else:
            print(f"{name} is not what the table says, {difference(committed, text)}")
    if wrong and sys.argv[2] == "--check":
        print(f"To regenerate:\n  {REGENERATE}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
