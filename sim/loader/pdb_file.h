#pragma once
// The part of a PDB that makes addresses readable: names of functions and data, and line tables. Everything in
// the file is checked before it is used; the layout is Microsoft's published "microsoft-pdb"
// (MSF 7.00, DBI, C13 line information).
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/result.h"

namespace loader {

struct PdbSymbol {
  uint32_t rva{};
  std::string name;
};

struct PdbLine {
  uint32_t rva{};
  uint32_t line{};
  uint32_t file{};  ///< index in PdbFile::files
};

struct PdbFile {
  std::array<uint8_t, 16> guid{};  ///< equals the image's RSDS record when the two belong together
  uint32_t age{};
  std::vector<PdbSymbol>
      symbols;  ///< public ones, and functions and data as their modules name them; by RVA, then name
  std::vector<PdbLine> lines;      ///< ascending by RVA, one per RVA; each reaches to the next one
  std::vector<std::string> files;
};

[[nodiscard]] support::Result<PdbFile> read_pdb(Bytes file);

}  // namespace loader
