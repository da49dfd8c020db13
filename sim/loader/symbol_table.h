#pragma once
// Names of the code and data of one image: its exports, and its PDB's public symbols and lines
// where there is one.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/loader/pdb_file.h"
#include "sim/loader/pe_image.h"

namespace loader {

class SymbolTable {
 public:
  struct Place {
    std::string_view name;
    uint32_t displacement{};  ///< bytes from the symbol
  };
  struct SourceLine {
    std::string_view file;
    uint32_t line{};
  };

  /// Exports of `image`, and `pdb` where its GUID and age are those of the image's RSDS record;
  /// another PDB is refused.
  [[nodiscard]] static support::Result<SymbolTable> make(const PeImage& image, const PdbFile* pdb);

  /// The nearest symbol at or before `rva`.
  [[nodiscard]] std::optional<Place> nearest(uint32_t rva) const;
  [[nodiscard]] std::optional<SourceLine> line(uint32_t rva) const;
  [[nodiscard]] std::optional<uint32_t> find(std::string_view name) const;
  [[nodiscard]] size_t size() const { return symbols_.size(); }
  /// Ascending by RVA, then name.
  [[nodiscard]] const std::vector<PdbSymbol>& symbols() const { return symbols_; }

 private:
  std::vector<PdbSymbol> symbols_;  ///< ascending by RVA, then name
  std::vector<PdbLine> lines_;
  std::vector<std::string> files_;
};

/// "?SkiStart@ke@@YAXXZ" -> "ke::SkiStart": the qualified name without the signature. Other names
/// stay as they are.
[[nodiscard]] std::string plain_symbol_name(std::string_view decorated);

}  // namespace loader
