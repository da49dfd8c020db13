#include "sim/loader/pe_image.h"

#include <fmt/format.h>

#include <algorithm>

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint32_t page = 4096;
constexpr size_t longest_name = 2048;

template <class... Args>
Error refuse(fmt::format_string<Args...> format, Args&&... args) {
  return Error{fmt::format(format, std::forward<Args>(args)...)};
}

bool power_of_two(uint32_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

uint64_t round_up(uint64_t value, uint64_t granule) {
  return (value + granule - 1) / granule * granule;
}

std::string section_name(const pe::SectionHeader& header) {
  const auto* end = std::find(header.name, header.name + sizeof header.name, '\0');
  return printable({header.name, static_cast<size_t>(end - header.name)});
}

/// One row of the section table against the image and the sections before it (`next_rva` is where
/// they end).
Status check_section(const pe::SectionHeader& header, const std::string& name, uint32_t index,
                     const pe::OptionalHeader& optional, uint64_t file_size, uint64_t next_rva) {
  const uint64_t rva = header.virtual_address;
  const uint64_t memory = header.virtual_size != 0 ? header.virtual_size : header.size_of_raw_data;
  if (rva % optional.section_alignment != 0)
    return refuse(
        "section {} ({}): VirtualAddress {:#x} is not a multiple of SectionAlignment {:#x}", index,
        name, rva, optional.section_alignment);
  if (rva < next_rva)
    return refuse(
        "section {} ({}): VirtualAddress {:#x} lies before {:#x}, where the headers or the section "
        "before it end",
        index, name, rva, next_rva);
  if (rva + memory > optional.size_of_image)
    return refuse("section {} ({}): ends at RVA {:#x}, beyond SizeOfImage {:#x}", index, name,
                  rva + memory, optional.size_of_image);
  if (header.size_of_raw_data == 0) return Unit{};
  if (header.pointer_to_raw_data % std::min(optional.file_alignment, 512u) != 0)
    return refuse("section {} ({}): PointerToRawData {:#x} is not aligned to FileAlignment {:#x}",
                  index, name, header.pointer_to_raw_data, optional.file_alignment);
  const uint64_t raw_end = uint64_t{header.pointer_to_raw_data} + header.size_of_raw_data;
  if (raw_end > file_size)
    return refuse(
        "section {} ({}): its raw data ends at file offset {:#x}, but the file has {:#x} bytes",
        index, name, raw_end, file_size);
  return Unit{};
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
  }
  return out;
}

std::string_view name_of(Directory directory) {
  static constexpr std::string_view names[] = {"export",
                                               "import",
                                               "resource",
                                               "exception",
                                               "security",
                                               "relocation",
                                               "debug",
                                               "architecture",
                                               "global pointer",
                                               "TLS",
                                               "load configuration",
                                               "bound import",
                                               "import address table",
                                               "delay import",
                                               "CLR header",
                                               "reserved"};
  return names[static_cast<uint8_t>(directory)];
}

Result<PeImage> PeImage::parse(Bytes file) {
  PeImage image;
  image.file_ = file;
  TRY(image.parse_headers());
  TRY(image.check_optional_header());
  TRY(image.parse_sections());
  TRY(image.parse_directories());
  return image;
}

Status PeImage::parse_headers() {
  if (file_.size() < pe::dos_header_size)
    return refuse("the file has {} bytes: too short for the DOS header of {} bytes", file_.size(),
                  pe::dos_header_size);
  const uint16_t magic = *read_at<uint16_t>(file_, 0);
  if (magic != pe::dos_magic)
    return refuse("not a PE file: it begins with {:#06x} instead of 0x5a4d (\"MZ\")", magic);
  const uint32_t offset = *read_at<uint32_t>(file_, pe::new_header_offset);
  const auto signature = read_at<uint32_t>(file_, offset);
  if (!signature)
    return refuse("e_lfanew {:#x} points outside the file of {:#x} bytes", offset, file_.size());
  if (*signature != pe::pe_signature)
    return refuse("no PE signature at file offset {:#x}: found {:#010x}", offset, *signature);
  const auto file_header = read_at<pe::FileHeader>(file_, uint64_t{offset} + 4);
  if (!file_header)
    return refuse("the file ends inside the file header at offset {:#x}", offset + 4);
  file_header_ = *file_header;
  if (file_header_.machine != pe::machine_amd64)
    return refuse("Machine is {:#06x}; only x86-64 images (0x8664) are executed here",
                  file_header_.machine);

  optional_header_offset_ = offset + 4 + uint32_t{sizeof(pe::FileHeader)};
  const auto optional_magic = read_at<uint16_t>(file_, optional_header_offset_);
  if (optional_magic && *optional_magic == pe::optional_magic_pe32)
    return refuse("the optional header is PE32 (0x10b); only PE32+ (0x20b) is executed here");
  const auto optional = read_at<pe::OptionalHeader>(file_, optional_header_offset_);
  if (!optional)
    return refuse("the file ends inside the optional header at offset {:#x}",
                  optional_header_offset_);
  optional_header_ = *optional;
  if (optional_header_.magic != pe::optional_magic_pe32_plus)
    return refuse("the optional header's magic is {:#06x} instead of 0x020b (PE32+)",
                  optional_header_.magic);
  if (file_header_.size_of_optional_header < sizeof(pe::OptionalHeader))
    return refuse("SizeOfOptionalHeader is {}; PE32+ needs at least {}",
                  file_header_.size_of_optional_header, sizeof(pe::OptionalHeader));
  return Unit{};
}

Status PeImage::check_optional_header() const {
  const pe::OptionalHeader& header = optional_header_;
  if (!power_of_two(header.file_alignment) || header.file_alignment > 65536)
    return refuse("FileAlignment {:#x} is not a power of two up to 0x10000", header.file_alignment);
  if (!power_of_two(header.section_alignment) || header.section_alignment < header.file_alignment)
    return refuse("SectionAlignment {:#x} is not a power of two that reaches FileAlignment {:#x}",
                  header.section_alignment, header.file_alignment);
  if (header.size_of_image == 0 || header.size_of_image > maximum_image_size)
    return refuse("SizeOfImage {:#x} is not between 1 and {:#x}", header.size_of_image,
                  maximum_image_size);
  if (header.size_of_headers > file_.size() || header.size_of_headers > header.size_of_image)
    return refuse("SizeOfHeaders {:#x} exceeds the file ({:#x} bytes) or SizeOfImage {:#x}",
                  header.size_of_headers, file_.size(), header.size_of_image);
  if (header.address_of_entry_point >= header.size_of_image)
    return refuse("AddressOfEntryPoint {:#x} lies outside SizeOfImage {:#x}",
                  header.address_of_entry_point, header.size_of_image);
  if (header.image_base % 0x10000 != 0)
    return refuse("ImageBase {:#x} is not a multiple of 64 KiB", header.image_base);
  if (header.image_base > ~uint64_t{0} - header.size_of_image)
    return refuse("ImageBase {:#x} plus SizeOfImage {:#x} passes the end of the address space",
                  header.image_base, header.size_of_image);
  return Unit{};
}

Status PeImage::parse_directories() {
  const uint32_t count = optional_header_.number_of_rva_and_sizes;
  const uint32_t room =
      (file_header_.size_of_optional_header - uint32_t{sizeof(pe::OptionalHeader)}) /
      uint32_t{sizeof(pe::DataDirectory)};
  if (count > room)
    return refuse("NumberOfRvaAndSizes is {}, but SizeOfOptionalHeader {} has room for {}", count,
                  file_header_.size_of_optional_header, room);
  for (uint32_t i = 0; i < std::min(count, pe::directory_count); ++i) {
    const uint64_t offset = uint64_t{optional_header_offset_} + sizeof(pe::OptionalHeader) +
                            i * sizeof(pe::DataDirectory);
    const auto entry = read_at<pe::DataDirectory>(file_, offset);
    if (!entry) return refuse("the file ends inside the data directories at offset {:#x}", offset);
    directories_[i] = *entry;
    const auto kind = static_cast<Directory>(i);
    const uint64_t end = uint64_t{entry->rva} + entry->size;
    const uint64_t bound =
        kind == Directory::Security ? file_.size() : optional_header_.size_of_image;
    if (entry->size != 0 && end > bound)
      return refuse("the {} directory [{:#x}, {:#x}) lies outside the {} of {:#x} bytes",
                    name_of(kind), entry->rva, end, kind == Directory::Security ? "file" : "image",
                    bound);
  }
  return Unit{};
}

Status PeImage::parse_sections() {
  const uint16_t count = file_header_.number_of_sections;
  if (count == 0 || count > pe::maximum_sections)
    return refuse("NumberOfSections is {}; 1 to {} are possible", count, pe::maximum_sections);
  const uint64_t table = uint64_t{optional_header_offset_} + file_header_.size_of_optional_header;
  const uint64_t table_end = table + uint64_t{count} * sizeof(pe::SectionHeader);
  if (table_end > optional_header_.size_of_headers)
    return refuse("the table of {} sections ends at file offset {:#x}, beyond SizeOfHeaders {:#x}",
                  count, table_end, optional_header_.size_of_headers);
  uint64_t next_rva = optional_header_.size_of_headers;
  for (uint32_t i = 0; i < count; ++i) {
    const auto header = *read_at<pe::SectionHeader>(file_, table + i * sizeof(pe::SectionHeader));
    PeSection section{section_name(header),
                      header.virtual_address,
                      header.virtual_size != 0 ? header.virtual_size : header.size_of_raw_data,
                      header.pointer_to_raw_data,
                      header.size_of_raw_data,
                      header.characteristics};
    TRY(check_section(header, section.name, i, optional_header_, file_.size(), next_rva));
    next_rva = uint64_t{section.rva} + section.virtual_size;
    sections_.push_back(std::move(section));
  }
  return Unit{};
}

uint32_t PeImage::directory_entry_offset(Directory directory) const {
  const uint32_t index = static_cast<uint8_t>(directory);
  if (index >= optional_header_.number_of_rva_and_sizes) return 0;
  return optional_header_offset_ + uint32_t{sizeof(pe::OptionalHeader)} +
         index * uint32_t{sizeof(pe::DataDirectory)};
}

const PeSection* PeImage::section_at(uint32_t rva) const {
  for (const PeSection& section : sections_)
    if (rva >= section.rva && rva - section.rva < section.virtual_size) return &section;
  return nullptr;
}

const PeSection* PeImage::section_named(std::string_view name) const {
  for (const PeSection& section : sections_)
    if (section.name == name) return &section;
  return nullptr;
}

Result<Bytes> PeImage::bytes_from(uint32_t rva, std::string_view what) const {
  if (rva < optional_header_.size_of_headers)
    return file_.subspan(rva, optional_header_.size_of_headers - rva);
  const PeSection* section = section_at(rva);
  if (section == nullptr) return refuse("{} at RVA {:#x} lies in no section", what, rva);
  // What the loader maps: the raw data, cut at the end of the section's last page.
  const uint64_t mapped =
      std::min<uint64_t>(section->file_size, round_up(section->virtual_size, page));
  const uint64_t offset = rva - section->rva;
  if (offset >= mapped)
    return refuse("{} at RVA {:#x} lies in the zero-filled tail of section {}", what, rva,
                  section->name);
  return file_.subspan(section->file_offset + static_cast<size_t>(offset),
                       static_cast<size_t>(mapped - offset));
}

Result<Bytes> PeImage::bytes_at(uint32_t rva, uint64_t size, std::string_view what) const {
  const Bytes rest = TRY(bytes_from(rva, what));
  if (size > rest.size())
    return refuse("{} at RVA {:#x} needs {} bytes, but only {} follow in its section", what, rva,
                  size, rest.size());
  return rest.first(static_cast<size_t>(size));
}

Result<std::string> PeImage::name_at(uint32_t rva, std::string_view what) const {
  const Bytes rest = TRY(bytes_from(rva, what));
  const auto text = text_at(rest, 0, longest_name);
  if (!text) return refuse("{} at RVA {:#x} has no end within {} bytes", what, rva, longest_name);
  return std::string{*text};
}

}  // namespace loader
