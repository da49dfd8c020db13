#pragma once
// A small valid PE32+ file in memory, for tests to break in one place at a time.
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/pe_image.h"

namespace test {

namespace pe = loader::pe;

/// Three sections of one page: .text (RX), .data (RW), .tpolicy (R). Directories live in .data;
/// offsets are public so that tests can change a field and see what the parser says.
class PeBuilder {
 public:
  static constexpr uint32_t pe_offset = 0x80;
  static constexpr uint32_t optional_offset = pe_offset + 4 + 20;
  static constexpr uint32_t directories_offset = optional_offset + 112;
  static constexpr uint32_t sections_offset = directories_offset + 16 * 8;
  static constexpr uint32_t text_rva = 0x1000, data_rva = 0x2000, policy_rva = 0x3000;
  static constexpr uint32_t text_file = 0x400, data_file = 0x600, policy_file = 0x1600;
  static constexpr uint64_t image_base = 0x140000000;

  PeBuilder() : bytes_(0x1800) {
    put<uint16_t>(0, pe::dos_magic);
    put<uint32_t>(pe::new_header_offset, pe_offset);
    put<uint32_t>(pe_offset, pe::pe_signature);
    put(pe_offset + 4, pe::FileHeader{pe::machine_amd64, 3, 0, 0, 0, 240, 0x22});
    pe::OptionalHeader header{};
    header.magic = pe::optional_magic_pe32_plus;
    header.address_of_entry_point = text_rva;
    header.image_base = image_base;
    header.section_alignment = 0x1000;
    header.file_alignment = 0x200;
    header.size_of_image = 0x4000;
    header.size_of_headers = 0x400;
    header.subsystem = 1;
    header.number_of_rva_and_sizes = 16;
    put(optional_offset, header);
    section(0, ".text", text_rva, 0x200, text_file, 0x200, 0x60000020);
    section(1, ".data", data_rva, 0x1000, data_file, 0x1000, 0xc0000040);
    section(2, ".tpolicy", policy_rva, 0x200, policy_file, 0x200, 0x40000040);
    put<uint8_t>(policy_file, 1);        // version
    put<uint64_t>(policy_file + 8, 42);  // trustlet id; the list of entries is empty
    put<uint8_t>(text_file, 0xc3);
  }

  template <class T>
  PeBuilder& put(size_t offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
    return *this;
  }
  PeBuilder& text(size_t offset, std::string_view value) {
    std::memcpy(bytes_.data() + offset, value.data(), value.size());
    bytes_[offset + value.size()] = 0;
    return *this;
  }
  PeBuilder& directory(loader::Directory which, uint32_t rva, uint32_t size) {
    return put(directories_offset + size_t{static_cast<uint8_t>(which)} * 8,
               pe::DataDirectory{rva, size});
  }
  PeBuilder& section(size_t index, const char* name, uint32_t rva, uint32_t size, uint32_t file,
                     uint32_t raw, uint32_t characteristics) {
    pe::SectionHeader header{};
    std::memcpy(header.name, name, strnlen(name, sizeof header.name));
    header.virtual_address = rva;
    header.virtual_size = size;
    header.pointer_to_raw_data = file;
    header.size_of_raw_data = raw;
    header.characteristics = characteristics;
    return put(sections_offset + index * sizeof header, header);
  }
  PeBuilder& truncate(size_t size) {
    bytes_.resize(size);
    return *this;
  }
  PeBuilder& append(const std::vector<uint8_t>& more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  [[nodiscard]] const std::vector<uint8_t>& bytes() const { return bytes_; }
  [[nodiscard]] static uint32_t data_at(uint32_t offset) { return data_file + offset; }

 private:
  std::vector<uint8_t> bytes_;
};

/// The image, or a failed test with the parser's message.
inline loader::PeImage parse_good(const std::vector<uint8_t>& bytes) {
  auto image = loader::PeImage::parse(bytes);
  INFO((image ? std::string{} : image.error().message));
  REQUIRE(image.ok());
  return image.value();
}

template <class T>
std::string message_of(const support::Result<T>& result) {
  return result.ok() ? "(accepted)" : result.error().message;
}

}  // namespace test
