// The PDB reader: symbols and lines of any file, or a message.
#include <algorithm>
#include <cstdlib>

#include "sim/loader/pdb_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto pdb = loader::read_pdb({data, size});
  if (!pdb) {
    if (pdb.error().message.empty()) std::abort();
    return 0;
  }
  const auto by_rva = [](const auto& a, const auto& b) { return a.rva < b.rva; };
  const auto& lines = pdb.value().lines;
  if (!std::is_sorted(pdb.value().symbols.begin(), pdb.value().symbols.end(), by_rva)) std::abort();
  if (!std::is_sorted(lines.begin(), lines.end(), by_rva)) std::abort();
  for (const auto& line : lines)
    if (line.file >= pdb.value().files.size()) std::abort();
  return 0;
}
