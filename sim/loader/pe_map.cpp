#include "sim/loader/pe_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "sim/loader/pe_directories.h"

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint32_t page = 4096;
constexpr uint16_t characteristic_relocations_stripped = 0x0001;

uint32_t round_to_page(uint32_t value) {
  return (value + page - 1) / page * page;
}

Status rebase(const PeImage& image, uint64_t delta, std::vector<uint8_t>& bytes) {
  if (delta == 0) return Unit{};
  if ((image.file_header().characteristics & characteristic_relocations_stripped) != 0)
    return Error{
        fmt::format("the image has no relocations and runs only at its preferred base {:#x}",
                    image.optional_header().image_base)};
  for (const uint32_t rva : TRY(read_relocations(image))) {
    uint64_t value;
    std::memcpy(&value, bytes.data() + rva, sizeof value);
    value += delta;
    std::memcpy(bytes.data() + rva, &value, sizeof value);
  }
  return Unit{};
}

}  // namespace

Result<MappedImage> map_image(const PeImage& image, uint64_t base) {
  const pe::OptionalHeader& header = image.optional_header();
  if (header.section_alignment < page)
    return Error{fmt::format(
        "SectionAlignment {:#x} puts several sections into one page: they cannot be protected",
        header.section_alignment)};
  if (base % 0x10000 != 0)
    return Error{fmt::format("base {:#x} is not a multiple of 64 KiB", base)};
  const uint32_t size = round_to_page(header.size_of_image);
  if (base > ~uint64_t{0} - size)
    return Error{fmt::format("the image does not fit at {:#x}", base)};

  MappedImage mapped;
  mapped.base = base;
  mapped.entry = header.address_of_entry_point != 0 ? base + header.address_of_entry_point : 0;
  mapped.bytes.resize(size);
  std::memcpy(mapped.bytes.data(), image.file().data(), header.size_of_headers);
  mapped.ranges.push_back({0, round_to_page(header.size_of_headers), false, false, "headers"});
  for (const PeSection& section : image.sections()) {
    const uint32_t span = round_to_page(section.virtual_size);
    const uint32_t filled = std::min(section.file_size, span);
    if (filled != 0)
      std::memcpy(mapped.bytes.data() + section.rva, image.file().data() + section.file_offset,
                  filled);
    if (span != 0)
      mapped.ranges.push_back(
          {section.rva, span, section.writable(), section.executable(), section.name});
  }
  TRY(rebase(image, base - header.image_base, mapped.bytes));
  return mapped;
}

}  // namespace loader
