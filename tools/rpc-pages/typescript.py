"""The table of the debugger's interface as types of TypeScript, for the pages in ui/."""

HEADER = """\
// The debugger's interface, typed: records, and the parameters and result of each method.
//
// Written by tools/rpc-pages from the table sim/rpc/methods.def. Do not edit: change the table, then
//     cmake --build --preset dev --target rpc-pages

/** 0 to 2^53 - 1: instants, counts, numbers of VTLs and processors. */
export type Integer = number;
/** "0x" and up to 32 hexadecimal digits: addresses, registers, sizes in memory. */
export type Hex = string;
/** Pairs of hexadecimal digits. */
export type Bytes = string;
"""

PLAIN = {"boolean": "boolean", "text": "string", "integer": "Integer", "signed": "number", "hex": "Hex", "bytes": "Bytes"}


def type_of(element, is_list):
    if "|" in element:
        element = " | ".join(f"'{word}'" for word in element.split("|"))
        return f"({element})[]" if is_list else element
    element = PLAIN.get(element, element)
    return f"{element}[]" if is_list else element


def members(fields, take_apart, indent):
    lines = []
    for field in fields:
        element, is_list, optional = take_apart(field["type"])
        if field["text"]:
            lines.append(f"{indent}/** {field['text']} */")
        lines.append(f"{indent}{field['name']}{'?' if optional else ''}: {type_of(element, is_list)};")
    return "".join(line + "\n" for line in lines)


def interface(schema, take_apart):
    text = HEADER
    for record in schema["records"]:
        text += f"\n/** {(record['text'] or record['name']).rstrip('.')}. */\n"
        text += f"export interface {record['name']} {{\n{members(record['fields'], take_apart, '  ')}}}\n"
    text += "\n/** By the method's name. */\nexport interface Methods {\n"
    for method in schema["methods"]:
        text += f"  /** {method['text'] or method['name'] + '.'} */\n" if method["text"] else ""
        text += f"  '{method['name']}': {{\n    effect: '{method['effect']}';\n"
        for part, fields in (("parameters", method["parameters"]), ("result", method["results"])):
            inner = members(fields, take_apart, "      ")
            text += f"    {part}: {{\n{inner}    }};\n" if inner else f"    {part}: Record<string, never>;\n"
        text += "  };\n"
    return text + "}\n\nexport type MethodName = keyof Methods;\n"
