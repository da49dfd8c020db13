#include "sim/loader/symbol_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sim/loader/pe_directories.h"

namespace loader {

using support::Error;
using support::Result;

Result<SymbolTable> SymbolTable::make(const PeImage& image, const PdbFile* pdb) {
  SymbolTable table;
  if (pdb != nullptr) {
    const DebugInfo debug = TRY(read_debug(image));
    if (!debug.pdb || debug.pdb->guid != pdb->guid)
      return Error{
          fmt::format("the PDB {} does not belong to the image{}", format_guid(pdb->guid),
                      debug.pdb ? ", which asks for " + format_guid(debug.pdb->guid) : "")};
    for (const PdbSymbol& symbol : pdb->symbols)
      table.symbols_.push_back({symbol.rva, plain_symbol_name(symbol.name)});
    table.lines_ = pdb->lines;
    table.files_ = pdb->files;
  }
  const ExportTable exports = TRY(read_exports(image));
  for (const PeExport& entry : exports.entries)
    if (entry.forwarder.empty() && !entry.name.empty())
      table.symbols_.push_back({entry.rva, plain_symbol_name(entry.name)});
  std::sort(table.symbols_.begin(), table.symbols_.end(),
            [](const PdbSymbol& a, const PdbSymbol& b) {
              return std::tie(a.rva, a.name) < std::tie(b.rva, b.name);
            });
  return table;
}

std::optional<SymbolTable::Place> SymbolTable::nearest(uint32_t rva) const {
  auto after =
      std::upper_bound(symbols_.begin(), symbols_.end(), rva,
                       [](uint32_t value, const PdbSymbol& symbol) { return value < symbol.rva; });
  if (after == symbols_.begin()) return std::nullopt;
  // Of several names for one address the alphabetically first, whatever the files' order.
  const uint32_t found = std::prev(after)->rva;
  const auto first =
      std::lower_bound(symbols_.begin(), after, found,
                       [](const PdbSymbol& symbol, uint32_t value) { return symbol.rva < value; });
  return Place{first->name, rva - found};
}

std::optional<SymbolTable::SourceLine> SymbolTable::line(uint32_t rva) const {
  const auto after =
      std::upper_bound(lines_.begin(), lines_.end(), rva,
                       [](uint32_t value, const PdbLine& line) { return value < line.rva; });
  if (after == lines_.begin()) return std::nullopt;
  return SourceLine{files_[std::prev(after)->file], std::prev(after)->line};
}

std::optional<uint32_t> SymbolTable::find(std::string_view name) const {
  for (const PdbSymbol& symbol : symbols_)
    if (symbol.name == name) return symbol.rva;
  return std::nullopt;
}

std::string plain_symbol_name(std::string_view decorated) {
  if (decorated.size() < 2 || decorated[0] != '?' || decorated[1] == '?')
    return std::string{decorated};
  const size_t end = decorated.find("@@");
  if (end == std::string_view::npos) return std::string{decorated};
  std::string plain;
  // Scopes are written innermost first.
  for (std::string_view rest = decorated.substr(1, end - 1);;) {
    const size_t at = rest.find('@');
    const std::string_view scope = rest.substr(0, at);
    if (scope.empty() || scope[0] == '?' || (scope[0] >= '0' && scope[0] <= '9'))
      return std::string{decorated};
    plain = plain.empty() ? std::string{scope} : fmt::format("{}::{}", scope, plain);
    if (at == std::string_view::npos) return plain;
    rest = rest.substr(at + 1);
  }
}

}  // namespace loader
