#include "tests/support/tiny_firmware.h"

#include <cstring>

#include "sim/loader/pe_format.h"
#include "sim/support/check.h"

namespace test {

std::vector<uint8_t> tiny_firmware(std::span<const uint8_t> code) {
  namespace pe = loader::pe;
  constexpr uint32_t headers = 0x80, page = 0x1000;
  CHECK(code.size() <= page);
  std::vector<uint8_t> image(2 * page);
  const auto put = [&](size_t at, const auto& value) { std::memcpy(&image[at], &value, sizeof value); };
  put(0, pe::dos_magic);
  put(pe::new_header_offset, headers);
  put(headers, pe::pe_signature);
  pe::FileHeader file{};
  file.machine = pe::machine_amd64;
  file.number_of_sections = 1;
  file.size_of_optional_header = sizeof(pe::OptionalHeader) + pe::directory_count * sizeof(pe::DataDirectory);
  file.characteristics = 0x22;  // executable, large address aware
  put(headers + 4, file);
  pe::OptionalHeader optional{};
  optional.magic = pe::optional_magic_pe32_plus;
  optional.address_of_entry_point = optional.base_of_code = page;
  optional.image_base = tiny_code - page;
  optional.section_alignment = optional.file_alignment = page;
  optional.major_subsystem_version = 6;
  optional.size_of_image = 2 * page;
  optional.size_of_headers = page;
  optional.subsystem = 10;  // EFI application
  optional.number_of_rva_and_sizes = pe::directory_count;
  put(headers + 4 + sizeof file, optional);
  pe::SectionHeader section{};
  std::memcpy(section.name, "all", 3);
  section.virtual_address = section.pointer_to_raw_data = page;
  section.virtual_size = section.size_of_raw_data = page;
  section.characteristics = pe::section_code | pe::section_execute | pe::section_read | pe::section_write;
  put(headers + 4 + sizeof file + file.size_of_optional_header, section);
  std::memcpy(&image[page], code.data(), code.size());
  return image;
}

}  // namespace test
