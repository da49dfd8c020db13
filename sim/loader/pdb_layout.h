#pragma once
// Where things are in a PDB: its identity, the image's sections, and the streams of its modules. What the streams say
// is read by pdb_file.h (names and lines) and sim/symbols (types, functions, locals).
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/loader/msf_file.h"

namespace loader {

/// One object file of the link.
struct PdbModule {
  std::string name;
  uint16_t stream{};  ///< has its symbols, then C11 and C13 line information, of the sizes that follow
  uint32_t symbols_size{}, c11_size{}, c13_size{};
};

struct PdbLayout {
  std::array<uint8_t, 16> guid{};
  uint32_t age{};
  std::vector<uint8_t> strings;      ///< the stream /names: file names; empty if there is none
  std::vector<uint32_t> sections;    ///< RVA of each
  uint16_t symbol_stream{};          ///< public symbols
  std::vector<PdbModule> modules;    ///< those that have a stream

  /// Segments count from 1. Absolute symbols have a segment past the last one and no address here.
  [[nodiscard]] std::optional<uint32_t> rva(uint16_t segment, uint32_t offset) const {
    if (segment == 0 || segment > sections.size()) return std::nullopt;
    const uint64_t value = uint64_t{sections[segment - 1u]} + offset;
    if (value > 0xffffffff) return std::nullopt;
    return static_cast<uint32_t>(value);
  }
};

inline constexpr uint32_t pdb_type_stream = 2, pdb_id_stream = 4;

[[nodiscard]] support::Result<PdbLayout> read_pdb_layout(const MsfFile& msf);

/// The streams of all modules, each once: together they are smaller than the file. A file in which several modules
/// claim the same stream is refused.
[[nodiscard]] support::Result<std::vector<std::vector<uint8_t>>> read_module_streams(const MsfFile& msf,
                                                                                     const PdbLayout& layout);

}  // namespace loader
