#!/usr/bin/python3
"""Reads a 64-bit Windows kernel dump and prints what it says, one "name value" per line.

usage: kernel_dump.py FILE [GVA LENGTH]...

An independent reader: it shares nothing with the writer but the published layout (DUMP_HEADER64, CONTEXT of AMD64,
x86 paging of four levels). Virtual addresses are read through the tables at DirectoryTableBase, as a debugger does.
Exits with 1 and a message where the file contradicts itself.
"""

import struct
import sys

PAGE = 4096
GENERAL = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] + [f"r{n}" for n in range(8, 16)]


class Broken(Exception):
    pass


class Dump:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        if len(self.bytes) < 0x2000:
            raise Broken("shorter than its header")
        if self.bytes[0:8] != b"PAGEDU64":
            raise Broken("no 64-bit dump")
        self.read_header()
        self.read_runs()

    def u16(self, at):
        return struct.unpack_from("<H", self.bytes, at)[0]

    def u32(self, at):
        return struct.unpack_from("<I", self.bytes, at)[0]

    def u64(self, at):
        return struct.unpack_from("<Q", self.bytes, at)[0]

    def read_header(self):
        self.directory = self.u64(0x10)
        if self.u32(0x30) != 0x8664:
            raise Broken("not of an x64 machine")
        if self.u32(0xF98) != 1:
            raise Broken("no full dump")
        if self.u64(0xFA0) != len(self.bytes):
            raise Broken(f"says {self.u64(0xFA0)} bytes and has {len(self.bytes)}")
        if self.u32(0x348 + 0x34) != self.u32(0x348 + 0x118):
            raise Broken("the two MXCSR of the context differ")

    def read_runs(self):
        """PFN -> offset in the file."""
        self.runs, self.offsets, at = [], {}, 0x2000
        if self.u32(0x88) > 43:
            raise Broken("more runs than the header has room for")
        for i in range(self.u32(0x88)):
            first, count = struct.unpack_from("<QQ", self.bytes, 0x98 + 16 * i)
            if self.runs and first < sum(self.runs[-1]):
                raise Broken("runs overlap or are out of order")
            self.runs.append((first, count))
            for page in range(first, first + count):
                self.offsets[page] = at
                at += PAGE
        if sum(count for _, count in self.runs) != self.u64(0x90) or at != len(self.bytes):
            raise Broken("the runs and the file's size do not agree")

    def physical(self, address, length):
        offset = self.offsets.get(address // PAGE)
        if offset is None:
            raise Broken(f"no page for physical address {address:#x}")
        at = offset + address % PAGE
        return self.bytes[at:at + length]

    def translate(self, address):
        table = self.directory & 0x000F_FFFF_FFFF_F000
        for level in (4, 3, 2, 1):
            index = address >> (3 + 9 * level) & 511
            entry = struct.unpack("<Q", self.physical(table + 8 * index, 8))[0]
            if entry & 1 == 0:
                return None
            table = entry & 0x000F_FFFF_FFFF_F000
            if level == 1 or (level < 4 and entry & 0x80):
                size = 1 << (3 + 9 * level)
                return (table & ~(size - 1)) | (address & (size - 1))
        return None

    def virtual(self, address, length):
        out = b""
        while length:
            part = min(length, PAGE - address % PAGE)
            physical = self.translate(address)
            if physical is None:
                raise Broken(f"{address:#x} is not mapped")
            out += self.physical(physical, part)
            address, length = address + part, length - part
        return out

    def facts(self):
        yield "directory", hex(self.directory)
        yield "processors", self.u32(0x34)
        yield "bugcheck", " ".join(hex(v) for v in [self.u32(0x38)] + [self.u64(0x40 + 8 * i) for i in range(4)])
        yield "debugger_data", hex(self.u64(0x80))
        for first, count in self.runs:
            yield "run", f"{first:#x} {count:#x}"
        context = 0x348
        yield "context_flags", hex(self.u32(context + 0x30))
        for i, name in enumerate(GENERAL):
            yield name, hex(self.u64(context + 0x78 + 8 * i))
        yield "rip", hex(self.u64(context + 0xF8))
        yield "eflags", hex(self.u32(context + 0x44))
        yield "cs", hex(self.u16(context + 0x38))
        yield "ss", hex(self.u16(context + 0x42))
        yield "exception", f"{self.u32(0xF00):#x} {self.u64(0xF10):#x}"
        yield "comment", self.bytes[0xFB0:0xFB0 + 128].split(b"\0")[0].decode()


def main():
    try:
        dump = Dump(sys.argv[1])
        for name, value in dump.facts():
            print(name, value)
        for address, length in zip(sys.argv[2::2], sys.argv[3::2]):
            print("memory", address, dump.virtual(int(address, 0), int(length, 0)).hex())
    except (Broken, OSError, struct.error) as wrong:
        print(f"{sys.argv[1]}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
