#pragma once
// Addresses as people call them, and back: over all images of a moment.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/image_catalog.h"
#include "sim/support/result.h"

namespace symbols {

/// An address and what it is called, as record Place of sim/rpc/methods.def has it.
struct Place {
  uint64_t address{};
  std::string module;                 ///< empty where no image is
  std::string symbol;                 ///< empty where none is at or before it
  std::optional<uint64_t> displacement;  ///< from the symbol, or from the image where there is none
  std::string file;                   ///< empty where it is not known
  uint32_t line{};                    ///< 0 where it is not known
  std::string text;                   ///< "module!symbol+0x12", or the number
};

/// `cr3` tells user-mode images of several processes apart; 0 means unknown.
[[nodiscard]] Place place_at(const loader::ImageCatalog& images, uint64_t address, uint64_t cr3 = 0);

struct FoundSymbols {
  std::vector<uint64_t> addresses;
  std::vector<std::string> names;  ///< "module!name", one per address
  bool more{};                     ///< there are others beyond the maximum
};
/// By "module!name" or "name", each with * and ?, without case. Ascending by module and name.
[[nodiscard]] FoundSymbols find_symbols(const loader::ImageCatalog& images, std::string_view pattern, size_t maximum);

/// The address of exactly this symbol ("module!name", or a name in whichever image has it first), with case where
/// several differ only by it. Nothing if there is none.
[[nodiscard]] std::optional<uint64_t> address_of(const loader::ImageCatalog& images, std::string_view name);

/// Where the code of a source line begins: of `file` (the end of its path, without case, either slash) the first line
/// at or after `line` that has code, each place where it begins. Empty if there is none.
struct LinePlaces {
  uint32_t line{};  ///< the one that has code
  std::vector<uint64_t> addresses;  ///< ascending
};
[[nodiscard]] LinePlaces addresses_of_line(const loader::ImageCatalog& images, std::string_view file, uint32_t line);

/// The names that PDBs give to source files, ascending.
[[nodiscard]] std::vector<std::string> source_files(const loader::ImageCatalog& images);

}  // namespace symbols
