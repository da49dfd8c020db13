#include "sim/symbols/places.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "sim/symbols/type_table.h"

namespace symbols {
namespace {

using loader::LoadedImage;
using loader::SymbolTable;

/// "module!name": the two patterns; without a mark any module.
std::pair<std::string_view, std::string_view> split(std::string_view pattern) {
  const size_t mark = pattern.find('!');
  if (mark == std::string_view::npos) return {"*", pattern};
  return {pattern.substr(0, mark), pattern.substr(mark + 1)};
}

/// By the name that debuggers show, or the file's.
bool is_module(const LoadedImage& image, std::string_view pattern) {
  return matches_pattern(image.module, pattern) || matches_pattern(image.name, pattern);
}

/// One image may be announced in several address spaces: each address once.
struct Found {
  std::string module;
  std::string_view name;
  uint64_t address{};
  friend bool operator<(const Found& a, const Found& b) {
    return std::tie(a.module, a.name, a.address) < std::tie(b.module, b.name, b.address);
  }
};

}  // namespace

Place place_at(const loader::ImageCatalog& images, uint64_t address, uint64_t cr3) {
  Place place;
  place.address = address;
  const LoadedImage* image = images.find(address, cr3);
  if (image == nullptr) {
    place.text = fmt::format("{:#x}", address);
    return place;
  }
  place.module = image->module;
  const uint64_t offset = address - image->base;
  place.displacement = offset;
  if (image->symbols != nullptr && offset <= 0xffffffff) {
    const auto rva = static_cast<uint32_t>(offset);
    if (const auto symbol = image->symbols->nearest(rva)) {
      place.symbol = symbol->name;
      place.displacement = symbol->displacement;
    }
    if (const auto line = image->symbols->line(rva)) {
      place.file = line->file;
      place.line = line->line;
    }
  }
  const std::string mark = place.symbol.empty() ? "" : "!";
  const bool exact = *place.displacement == 0 && !place.symbol.empty();
  place.text = fmt::format("{}{}{}{}", place.module, mark, place.symbol,
                           exact ? "" : fmt::format("+{:#x}", *place.displacement));
  return place;
}

FoundSymbols find_symbols(const loader::ImageCatalog& images, std::string_view pattern, size_t maximum) {
  const auto [module, name] = split(pattern);
  std::set<Found> found;
  for (const LoadedImage& image : images.images()) {
    if (image.symbols == nullptr || !is_module(image, module)) continue;
    for (const loader::PdbSymbol& symbol : image.symbols->symbols())
      if (matches_pattern(symbol.name, name) || matches_pattern(loader::last_name_part(symbol.name), name)) {
        found.insert({image.module, symbol.name, image.base + symbol.rva});
        if (found.size() > maximum + 1) found.erase(std::prev(found.end()));
      }
  }
  FoundSymbols out;
  for (const Found& one : found) {
    if (out.addresses.size() == maximum) {
      out.more = true;
      break;
    }
    out.addresses.push_back(one.address);
    out.names.push_back(fmt::format("{}!{}", one.module, one.name));
  }
  return out;
}

std::optional<uint64_t> address_of(const loader::ImageCatalog& images, std::string_view text) {
  const auto [module, name] = split(text);
  if (name.empty()) return std::nullopt;
  for (const LoadedImage& image : images.images()) {
    if (image.symbols == nullptr || !is_module(image, module)) continue;
    if (const auto rva = image.symbols->find(name)) return image.base + *rva;
  }
  return std::nullopt;
}

LinePlaces addresses_of_line(const loader::ImageCatalog& images, std::string_view file, uint32_t line) {
  LinePlaces out;
  for (const LoadedImage& image : images.images()) {
    if (image.symbols == nullptr) continue;
    const SymbolTable::LineCode code = image.symbols->code_of(file, line);
    if (code.rvas.empty() || (!out.addresses.empty() && code.line > out.line)) continue;
    if (out.addresses.empty() || code.line < out.line) out = {code.line, {}};
    for (const uint32_t rva : code.rvas) out.addresses.push_back(image.base + rva);
  }
  std::sort(out.addresses.begin(), out.addresses.end());
  out.addresses.erase(std::unique(out.addresses.begin(), out.addresses.end()), out.addresses.end());
  return out;
}

std::vector<std::string> source_files(const loader::ImageCatalog& images) {
  std::set<std::string> files;
  for (const LoadedImage& image : images.images())
    if (image.symbols != nullptr) files.insert(image.symbols->files().begin(), image.symbols->files().end());
  return {files.begin(), files.end()};
}

}  // namespace symbols
