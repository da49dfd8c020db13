#pragma once
// Files that exist only for clients: images as they are in memory, and one of all symbols. Read through vFile.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/faces/gdb/target.h"

namespace faces::gdb {

/// The file of all symbols; gdb takes it for the program that it debugs, and so knows every name at once.
inline constexpr std::string_view symbol_file_path = "/airlock/symbols.elf";
/// "/airlock/vtl1/securekernel.exe", or "/airlock/vtl0/lsass.exe/ntdll.dll" where it is one process' own.
[[nodiscard]] std::string image_path(const Module& module);

class Files {
 public:
  explicit Files(Target& target) : target_{target} {}

  /// The answer to vFile:`command`; empty for one that is not known.
  [[nodiscard]] std::string answer(std::string_view command);

 private:
  struct File {
    bool open{};
    std::vector<uint8_t> bytes;
  };

  [[nodiscard]] std::string open(std::string_view fields);
  [[nodiscard]] std::string read(std::string_view fields) const;
  [[nodiscard]] std::string status(std::string_view fields) const;
  [[nodiscard]] std::string close(std::string_view fields);
  [[nodiscard]] std::optional<std::vector<uint8_t>> contents(const std::string& path);
  [[nodiscard]] const File* find(std::optional<uint64_t> number) const;

  Target& target_;
  std::array<File, 128> files_;  ///< gdb keeps those of libraries open
};

}  // namespace faces::gdb
