#include "sim/loader/symbol_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sim/loader/pe_directories.h"

namespace loader {

using support::Error;
using support::Result;

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
std::string lower_case(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool path_ends_with(std::string_view path, std::string_view end) {
  if (end.empty() || end.size() > path.size()) return false;
  const auto plain = [](char c) { return c == '\\' ? '/' : lower(c); };
  const size_t start = path.size() - end.size();
  for (size_t i = 0; i < end.size(); ++i)
    if (plain(path[start + i]) != plain(end[i])) return false;
  return start == 0 || plain(path[start - 1]) == '/' || plain(end[0]) == '/';
}

}  // namespace

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
    table.has_pdb_ = true;
  }
  const ExportTable exports = TRY(read_exports(image));
  for (const PeExport& entry : exports.entries)
    if (entry.forwarder.empty() && !entry.name.empty())
      table.symbols_.push_back({entry.rva, plain_symbol_name(entry.name)});
  std::sort(table.symbols_.begin(), table.symbols_.end(),
            [](const PdbSymbol& a, const PdbSymbol& b) {
              return std::tie(a.rva, a.name) < std::tie(b.rva, b.name);
            });
  const auto same = [](const PdbSymbol& a, const PdbSymbol& b) { return a.rva == b.rva && a.name == b.name; };
  table.symbols_.erase(std::unique(table.symbols_.begin(), table.symbols_.end(), same), table.symbols_.end());
  table.index_names();
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

void SymbolTable::index_names() {
  by_last_part_.reserve(symbols_.size());
  for (uint32_t i = 0; i < symbols_.size(); ++i)
    by_last_part_.emplace_back(lower_case(last_name_part(symbols_[i].name)), i);
  std::sort(by_last_part_.begin(), by_last_part_.end());
}

std::optional<uint32_t> SymbolTable::find(std::string_view name) const {
  const std::string last = lower_case(last_name_part(name));
  auto candidate = std::lower_bound(by_last_part_.begin(), by_last_part_.end(), std::pair{last, uint32_t{0}});
  // How well it fits: the whole name, its last part, the whole name without case, its last part without case.
  int best = 4;
  std::optional<uint32_t> found;
  const std::string lower = lower_case(name);
  for (; candidate != by_last_part_.end() && candidate->first == last; ++candidate) {
    const std::string& whole = symbols_[candidate->second].name;
    const std::string_view part = last_name_part(whole);
    const int fit = whole == name                ? 0
                    : part == name               ? 1
                    : lower_case(whole) == lower ? 2
                    : part.size() == name.size() ? 3
                                                 : 4;
    if (fit < best) {
      best = fit;
      found = symbols_[candidate->second].rva;
    }
  }
  return found;
}

SymbolTable::LineCode SymbolTable::code_of(std::string_view file, uint32_t line) const {
  std::vector<bool> wanted(files_.size());
  for (size_t i = 0; i < files_.size(); ++i) wanted[i] = path_ends_with(files_[i], file);
  LineCode out;
  const PdbLine* before = nullptr;
  for (const PdbLine& entry : lines_) {
    const bool continues = before != nullptr && before->file == entry.file && before->line == entry.line;
    before = &entry;
    if (entry.line < line || !wanted[entry.file] || continues) continue;
    if (out.rvas.empty() || entry.line < out.line) out = {entry.line, {}};
    if (entry.line == out.line) out.rvas.push_back(entry.rva);
  }
  return out;
}

std::string_view last_name_part(std::string_view name) {
  int depth = 0;
  for (size_t i = name.size(); i > 1; --i) {
    const char c = name[i - 1];
    if (c == '>') ++depth;
    if (c == '<') --depth;
    if (depth == 0 && c == ':' && name[i - 2] == ':') return name.substr(i);
  }
  return name;
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
