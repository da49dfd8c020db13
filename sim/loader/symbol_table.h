#pragma once
// Names of the code and data of one image: its exports, and its PDB's public symbols and lines
// where there is one.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  /// The symbol of that name: exactly, else by its last part ("SkeProcessorLoop" finds sk::SkeProcessorLoop), else
  /// the same without case. Of several the one with the lowest RVA.
  [[nodiscard]] std::optional<uint32_t> find(std::string_view name) const;
  /// Where code of a source line begins, ascending: of the first line at or after `line` that has code in a file
  /// whose path ends with `file` (whole parts of the path, without case, either slash).
  struct LineCode {
    uint32_t line{};
    std::vector<uint32_t> rvas;
  };
  [[nodiscard]] LineCode code_of(std::string_view file, uint32_t line) const;
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }
  [[nodiscard]] const std::vector<PdbLine>& lines() const { return lines_; }
  /// The names come from a PDB; else from exports.
  [[nodiscard]] bool has_pdb() const { return has_pdb_; }
  [[nodiscard]] size_t size() const { return symbols_.size(); }
  /// Ascending by RVA, then name.
  [[nodiscard]] const std::vector<PdbSymbol>& symbols() const { return symbols_; }

 private:
  void index_names();

  std::vector<PdbSymbol> symbols_;  ///< ascending by RVA, then name
  /// The last part of each name in lower case, and which symbol it is; ascending.
  std::vector<std::pair<std::string, uint32_t>> by_last_part_;
  bool has_pdb_{};
  std::vector<PdbLine> lines_;
  std::vector<std::string> files_;
};

/// "?SkiStart@ke@@YAXXZ" -> "ke::SkiStart": the qualified name without the signature. Other names
/// stay as they are.
[[nodiscard]] std::string plain_symbol_name(std::string_view decorated);

/// "SkeProcessorLoop" of "sk::SkeProcessorLoop"; scopes within template arguments do not count.
[[nodiscard]] std::string_view last_name_part(std::string_view name);

}  // namespace loader
