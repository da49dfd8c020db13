#pragma once
// Symbols as an ELF file: the one form of names that a gdb without PDBs understands.
#include <cstdint>
#include <vector>

#include "sim/faces/gdb/target.h"

namespace faces::gdb {

/// A file without contents, with a symbol table: a section for each image, from its first to its last symbol's page.
/// Names are "module!symbol"; what has namespaces is there without them too, where that is clear. Where images of
/// several processes overlap only the first is kept: gdb knows one address space.
[[nodiscard]] std::vector<uint8_t> symbol_file(std::vector<Symbol> symbols);

}  // namespace faces::gdb
