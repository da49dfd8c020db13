#include "sim/faces/gdb/image_file.h"

#include <algorithm>
#include <cstring>

namespace faces::gdb {
namespace {

/// PE format, as far as an image must be changed to be a file. Offsets in the headers.
constexpr uint32_t new_header_at = 0x3c;           // IMAGE_DOS_HEADER.e_lfanew
constexpr uint32_t section_count_at = 6;           // from "PE\0\0": IMAGE_FILE_HEADER.NumberOfSections
constexpr uint32_t optional_size_at = 20;          // IMAGE_FILE_HEADER.SizeOfOptionalHeader
constexpr uint32_t optional_at = 24;
// From the optional header on:
constexpr uint32_t image_base_at = 24, section_alignment_at = 32, file_alignment_at = 36, checksum_at = 64;
constexpr uint32_t security_directory_at = 112 + 4 * 8;
constexpr uint16_t pe32_plus = 0x20b;
constexpr uint32_t section_size = 40, virtual_size_at = 8, virtual_address_at = 12, raw_size_at = 16, raw_at = 20;
constexpr uint16_t most_sections = 96;
constexpr uint64_t largest_image = 64 << 20;
constexpr uint64_t header_page = 4096;

template <class T>
std::optional<T> get(const std::vector<uint8_t>& bytes, uint64_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void put(std::vector<uint8_t>& bytes, uint64_t at, T value) {
  if (at <= bytes.size() && bytes.size() - at >= sizeof(T)) std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// Where the tables are.
struct Headers {
  uint64_t optional{}, sections{};
  uint16_t count{};
};

std::optional<Headers> find_headers(const std::vector<uint8_t>& image) {
  const auto start = get<uint32_t>(image, new_header_at);
  if (!start || get<uint16_t>(image, 0) != uint16_t{0x5a4d} || get<uint32_t>(image, *start) != uint32_t{0x4550})
    return std::nullopt;
  const auto count = get<uint16_t>(image, uint64_t{*start} + section_count_at);
  const auto optional_size = get<uint16_t>(image, uint64_t{*start} + optional_size_at);
  const uint64_t optional = uint64_t{*start} + optional_at;
  if (!count || !optional_size || *count == 0 || *count > most_sections || get<uint16_t>(image, optional) != pe32_plus)
    return std::nullopt;
  const Headers headers{optional, optional + *optional_size, *count};
  if (*optional_size < security_directory_at + 8 ||
      headers.sections + uint64_t{section_size} * headers.count > image.size())
    return std::nullopt;
  return headers;
}

}  // namespace

std::optional<uint32_t> first_section(const std::vector<uint8_t>& image) {
  const auto headers = find_headers(image);
  return headers ? get<uint32_t>(image, headers->sections + virtual_address_at) : std::nullopt;
}

std::optional<std::vector<uint8_t>> as_file(std::vector<uint8_t> image, uint64_t base) {
  const auto headers = find_headers(image);
  if (!headers) return std::nullopt;
  put(image, headers->optional + image_base_at, base);
  put(image, headers->optional + file_alignment_at,
      get<uint32_t>(image, headers->optional + section_alignment_at).value_or(header_page));
  put(image, headers->optional + checksum_at, uint32_t{0});
  put(image, headers->optional + security_directory_at, uint64_t{0});  // a place in the file that it was loaded from
  for (uint16_t i = 0; i < headers->count; ++i) {
    const uint64_t row = headers->sections + uint64_t{section_size} * i;
    const uint32_t address = *get<uint32_t>(image, row + virtual_address_at);
    const uint32_t size = *get<uint32_t>(image, row + virtual_size_at);
    if (address > image.size()) return std::nullopt;
    put(image, row + raw_at, address);
    put(image, row + raw_size_at, static_cast<uint32_t>(std::min<uint64_t>(size, image.size() - address)));
  }
  return image;
}

std::optional<std::vector<uint8_t>> read_image(Target& target, const Module& module) {
  if (module.size < header_page || module.size > largest_image) return std::nullopt;
  const Thread seen_by{target.stop().thread.vp, module.vtl};
  auto image = target.read_all(seen_by, module.base, module.size, module.process);
  return image ? as_file(std::move(image.value()), module.base) : std::nullopt;
}

std::optional<uint64_t> first_section_address(Target& target, const Module& module) {
  const auto page = target.read_all({target.stop().thread.vp, module.vtl}, module.base, header_page, module.process);
  const auto offset = page ? first_section(page.value()) : std::nullopt;
  return offset ? std::optional{module.base + *offset} : std::nullopt;
}

}  // namespace faces::gdb
