#pragma once
// A PE32+ file whose headers and sections have been checked, as the Windows loader would check
// them.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/loader/pe_format.h"
#include "sim/support/result.h"

namespace loader {

/// SizeOfImage above this is refused: no image of this machine comes near, and a file must not
/// choose our memory use.
inline constexpr uint32_t maximum_image_size = 256u << 20;

enum class Directory : uint8_t {
  Export,
  Import,
  Resource,
  Exception,
  Security,
  Relocation,
  Debug,
  Architecture,
  GlobalPointer,
  Tls,
  LoadConfig,
  BoundImport,
  ImportAddressTable,
  DelayImport,
  ClrHeader,
  Reserved,
};
[[nodiscard]] std::string_view name_of(Directory directory);

struct PeSection {
  std::string name;  ///< up to 8 characters, unprintable ones escaped
  uint32_t rva{};
  uint32_t virtual_size{};  ///< bytes in memory: the header's value, else the raw size
  uint32_t file_offset{};
  uint32_t file_size{};  ///< bytes in the file; those past the page-rounded virtual size are never
                         ///< mapped
  uint32_t characteristics{};

  [[nodiscard]] bool readable() const { return (characteristics & pe::section_read) != 0; }
  [[nodiscard]] bool writable() const { return (characteristics & pe::section_write) != 0; }
  [[nodiscard]] bool executable() const { return (characteristics & pe::section_execute) != 0; }
};

/// Views the bytes that it was parsed from: they must outlive it and not change.
class PeImage {
 public:
  /// Checks DOS header, signature, file and optional header, directories' bounds and the section
  /// table. The message of a refusal names the field, its value and the bound that it breaks.
  [[nodiscard]] static support::Result<PeImage> parse(Bytes file);

  [[nodiscard]] Bytes file() const { return file_; }
  [[nodiscard]] const pe::FileHeader& file_header() const { return file_header_; }
  [[nodiscard]] const pe::OptionalHeader& optional_header() const { return optional_header_; }
  [[nodiscard]] const std::vector<PeSection>& sections() const { return sections_; }
  /// Zero where the image has none. For Security `rva` is a file offset.
  [[nodiscard]] pe::DataDirectory directory(Directory directory) const {
    return directories_[static_cast<uint8_t>(directory)];
  }
  [[nodiscard]] uint32_t optional_header_offset() const { return optional_header_offset_; }
  /// File offset of the directory's entry in the header, or 0 where the header is too short to have
  /// one.
  [[nodiscard]] uint32_t directory_entry_offset(Directory directory) const;

  /// The section that covers `rva` in memory, or null (headers, gaps, outside).
  [[nodiscard]] const PeSection* section_at(uint32_t rva) const;
  [[nodiscard]] const PeSection* section_named(std::string_view name) const;

  /// File bytes behind [rva, rva + size), all within the headers or within one section's raw data.
  /// `what` names the thing in the message of a refusal.
  [[nodiscard]] support::Result<Bytes> bytes_at(uint32_t rva, uint64_t size,
                                                std::string_view what) const;
  /// File bytes from `rva` to the end of the raw data around it.
  [[nodiscard]] support::Result<Bytes> bytes_from(uint32_t rva, std::string_view what) const;
  /// A NUL-terminated name of at most 2,048 bytes.
  [[nodiscard]] support::Result<std::string> name_at(uint32_t rva, std::string_view what) const;

 private:
  support::Status parse_headers();
  support::Status parse_directories();
  support::Status parse_sections();
  support::Status check_optional_header() const;

  Bytes file_;
  pe::FileHeader file_header_{};
  pe::OptionalHeader optional_header_{};
  std::array<pe::DataDirectory, pe::directory_count> directories_{};
  std::vector<PeSection> sections_;
  uint32_t optional_header_offset_{};
};

/// Reads a whole file of at most `limit` bytes. The message names the path and the system's reason.
[[nodiscard]] support::Result<std::vector<uint8_t>> read_file(const std::string& path,
                                                              uint64_t limit = uint64_t{1} << 30);

/// Text from a file with everything but printable ASCII written as \xNN, for messages and
/// terminals.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace loader
