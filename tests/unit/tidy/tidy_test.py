#!/usr/bin/python3
"""Every rule of tools/tidy fires on what it forbids, and is silent on what it allows."""

import os
import subprocess
import sys
import tempfile
import unittest

TIDY = sys.argv.pop(1)

# (rule, path, text): exactly this rule must fire.
FORBIDDEN = [
    ("layering", "mmu/a.cpp", '#include "vtl/hypervisor.h"\n'),
    ("layering", "sim/support/a.cpp", '#include "mmu/slat.h"\n'),
    ("layering", "vtl/a.cpp", '#include "sim/cpu/cpu.h"\n'),
    ("layering", "sim/cpu/a.cpp", '#include "sim/loader/pe_image.h"\n'),
    ("layering", "sim/loader/a.cpp", '#include "sim/machine/machine.h"\n'),
    ("layering", "sim/machine/a.cpp", '#include "images/rt/print.h"\n'),
    ("layering", "vtl/a.cpp", '#include "../mmu/slat.h"\n'),
    ("abi-alone", "vtl/abi/a.h", "#pragma once\n#include <vector>\n"),
    ("abi-alone", "vtl/abi/a.h", '#pragma once\n#include "mmu/slat.h"\n'),
    ("guest-includes", "securekernel/a.cpp", '#include "mmu/slat.h"\n'),
    ("guest-includes", "images/skci/a.cpp", '#include "../cng/cng.h"\n'),
    ("guest-includes", "images/skci/a.cpp", '#include "cng/heap.h"\n'),
    ("guest-includes", "images/trustlets/vmsp/a.cpp", '#include "../lsaiso/secret.h"\n'),
    ("private-header", "mmu/a.cpp", "#include <unicorn/unicorn.h>\n"),
    ("private-header", "sim/cpu/cpu.cpp", "#include <unicorn/unicorn.h>\n"),
    ("private-header", "sim/trace/writer.cpp", "#include <capstone/capstone.h>\n"),
    ("private-header", "images/skci/a.cpp", "#include <unicorn/unicorn.h>\n"),
    ("determinism", "vtl/a.cpp", "auto t = std::chrono::steady_clock::now();\n"),
    ("determinism", "vtl/a.cpp", "#include <chrono>\n"),
    ("determinism", "mmu/a.cpp", "int x = rand();\n"),
    ("determinism", "mmu/a.cpp", "std::random_device d;\n"),
    ("determinism", "sim/machine/a.cpp", 'auto* e = getenv("HOME");\n'),
    ("determinism", "sim/machine/a.cpp", "auto t = time(nullptr);\n"),
    ("determinism", "sim/machine/a.cpp", "std::thread t;\n"),
    ("determinism", "sim/rpc/dispatcher.cpp", "std::thread t;\n"),
    ("determinism", "sim/rpc/http_server.cpp", "getrandom(bytes, 16, 0);\n"),
    ("determinism", "sim/rpc/stdio_server.cpp", "std::random_device d;\n"),
    ("unordered", "mmu/a.cpp", "std::unordered_map<int, int> m;\n"),
    ("pragma-once", "mmu/a.h", "int f();\n"),
    ("pragma-once", "images/skci/a.h", "int f();\n"),
    ("length", "mmu/a.cpp", "int a;\n" * 601),
    ("unfinished", "docs/a.md", "TO" "DO: more\n"),
    ("unfinished", "securekernel/a.cpp", "// FIX" "ME\n"),
    ("unfinished", "cmake/a.cmake", "# XX" "X\n"),
    ("machine-path", "cmake/a.cmake", "set(x /home/somebody/x)\n"),
    ("machine-path", "docs/a.md", "see /work/x\n"),
    ("name", "mmu/utils.cpp", "int a;\n"),
    ("name", "sim/common/a.cpp", "int a;\n"),
    ("name", "vtl/intercept_manager.h", "#pragma once\n"),
    ("name", "images/skci/pe_helpers.cpp", "int a;\n"),
    ("iostream", "sim/cli/a.cpp", "#include <iostream>\n"),
]

# Nothing may fire on these, all in one tree.
ALLOWED = {
    "vtl/abi/a.h": '#pragma once\n#include <stdint.h>\n#include "abi/layout/bits.h"\n',
    "mmu/slat.h": '#pragma once\n#include "abi/layout/address.h"\n#include "sim/support/result.h"\n#include <vector>\n',
    "vtl/a.cpp": '#include "mmu/slat.h"\nlong t = now.time (1); // std::chrono in a comment\n'.replace(".time (1)", ".ticks()"),
    "sim/cpu/unicorn_cpu.cpp": '#include <unicorn/unicorn.h>\n#include "sim/cpu/cpu.h"\n#include "mmu/slat.h"\n',
    "sim/trace/disassembler.cpp": '#include <capstone/capstone.h>\n#include "sim/loader/symbol_table.h"\n',
    "sim/machine/machine.cpp": '#include "sim/trace/writer.h"\n#include "sim/cpu/cpu.h"\nauto operand = 1;\n',
    "sim/cli/run.cpp": '#include <chrono>\n#include "sim/machine/machine.h"\nauto t = std::chrono::steady_clock::now();\n',
    "sim/loader/a.cpp": "std::unordered_map<int, int> m;  // tidy: lookup only\nauto s = \"rand() time(\";\n",
    "sim/rpc/stdio_server.cpp": "std::thread t;\n",
    "images/rt/print.h": "#pragma once\n",
    "images/libc/assert.h": "#undef assert\n",
    "images/skci/policy/eku.h": "#pragma once\n",
    "images/skci/verify.cpp": '#include "abi/sk/structures.h"\n#include "rt/print.h"\n#include "policy/eku.h"\n'
                              '#include "pki_roots.h"\n#include <span>\n',
    "images/cng/cng.h": "#pragma once\n",
    "images/skci/chain.cpp": '#include "cng/cng.h"\n#include "skci/policy/eku.h"\n',
    "images/skci/policy/eku.cpp": '#include "eku.h"\n#include "policy/eku.h"\n',
    "tests/unit/cpu/oracle.cpp": "#include <unicorn/unicorn.h>\n",
    "docs/a.md": "the work/life of a home/root\n",
}


def run(tree):
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([TIDY, "--root", root], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    return done.returncode, lines[:-1], lines[-1] if lines else ""


class Tidy(unittest.TestCase):
    def test_each_forbidden_thing_is_found_by_its_rule_alone(self):
        for rule, path, text in FORBIDDEN:
            with self.subTest(rule=rule, path=path, text=text[:60]):
                others = {"images/cng/cng.h": "#pragma once\n", "images/cng/heap.h": "#pragma once\n",
                          "images/trustlets/lsaiso/secret.h": "#pragma once\n"}
                status, findings, _ = run({**others, path: text})
                self.assertEqual(status, 1)
                self.assertEqual([f.split(": ")[1] for f in findings], [rule], findings)
                self.assertTrue(findings[0].startswith(path + ":"))

    def test_what_is_allowed_passes(self):
        status, findings, summary = run(ALLOWED)
        self.assertEqual(findings, [])
        self.assertEqual(status, 0)
        self.assertEqual(summary, f"{len(ALLOWED)} files, 0 findings")

    def test_every_rule_has_a_case(self):
        listed = subprocess.run([TIDY, "--rules"], capture_output=True, text=True, check=True).stdout
        rules = {line.split()[0] for line in listed.splitlines()}
        self.assertEqual(rules, {rule for rule, _, _ in FORBIDDEN})

    def test_an_empty_tree_is_an_error(self):
        self.assertEqual(run({})[0], 1)


if __name__ == "__main__":
    unittest.main()
