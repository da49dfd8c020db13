#pragma once
// Which images lie where, as the guests announce it, and what their addresses are called.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "abi/hv/vtl.h"
#include "sim/loader/symbol_table.h"

namespace loader {

struct LoadedImage {
  std::string name;  ///< file name without folders, such as "securekernel.exe"
  std::string
      module;  ///< as the kernel debugger shows it: "securekernel", and "nt" for ntoskrnl.exe
  uint64_t base{}, size{};
  uint64_t cr3{};                ///< the address space that announced it
  abi::hv::Vtl vtl{};            ///< the VTL that did
  const SymbolTable* symbols{};  ///< null where no file of that name was found
};

/// Observation only: names come from guests and are not trusted. Files are looked for only in the
/// folders given here, under the plain file name.
class ImageCatalog {
 public:
  explicit ImageCatalog(std::vector<std::string> folders = {}) : folders_{std::move(folders)} {}

  /// Notes an image (event ImageLoaded). Its files are read once per name.
  void load(std::string_view name, uint64_t base, uint64_t size, uint64_t cr3,
            abi::hv::Vtl vtl = abi::hv::Vtl::Vtl0);
  void unload(std::string_view name, uint64_t base);

  /// The image at `address`. Addresses in the upper half are the same in every address space;
  /// below, the image that was announced with `cr3` wins, else the latest. Null if there is none.
  /// `cr3` 0 means unknown.
  [[nodiscard]] const LoadedImage* find(uint64_t address, uint64_t cr3 = 0) const;

  /// "securekernel!SkpReturnFromNormalMode+0x1c", "securekernel+0x1c" without symbols, or empty.
  [[nodiscard]] std::string describe(uint64_t address, uint64_t cr3 = 0) const;
  /// "se/seinit.cpp:41", or empty.
  [[nodiscard]] std::string source_line(uint64_t address, uint64_t cr3 = 0) const;

  [[nodiscard]] const std::vector<LoadedImage>& images() const { return images_; }
  /// What could not be used and why, one sentence each (a PDB of another build, a malformed file).
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  const SymbolTable* symbols_of(const std::string& name);

  std::vector<std::string> folders_;
  std::vector<LoadedImage> images_;  ///< in the order of announcement
  std::map<std::string, std::unique_ptr<SymbolTable>> tables_;
  std::vector<std::string> complaints_;
};

}  // namespace loader
