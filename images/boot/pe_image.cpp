#include "boot/pe_image.h"

#include <string.h>

namespace pe {
namespace {

// Reads a little-endian T at `offset`, if it lies inside the buffer.
template <class T>
bool read(const void* base, size_t size, uint64_t offset, T& value) {
  if (offset > size || size - offset < sizeof(T)) return false;
  memcpy(&value, static_cast<const uint8_t*>(base) + offset, sizeof(T));
  return true;
}

// A zero-terminated string that ends inside the buffer, or null.
const char* string_at(const void* base, size_t size, uint64_t offset) {
  if (offset >= size) return nullptr;
  auto text = static_cast<const char*>(base) + offset;
  return memchr(text, 0, size - offset) ? text : nullptr;
}

struct FileHeader {
  uint16_t machine, sections;
  uint32_t time, symbols, symbol_count;
  uint16_t optional_size, characteristics;
};

// The fields of IMAGE_OPTIONAL_HEADER64 that loaders need, by offset.
enum OptionalOffset : uint32_t {
  OptEntry = 16,
  OptBase = 24,
  OptSectionAlignment = 32,
  OptFileAlignment = 36,
  OptImageSize = 56,
  OptHeaderSize = 60,
  OptSubsystem = 68,
  OptDirectoryCount = 108,
  OptDirectories = 112,
};

Status check_section(const Headers& headers, const Section& section, size_t file_size,
                     uint64_t previous_end) {
  const uint64_t bytes = section.virtual_size != 0 ? section.virtual_size : section.raw_size;
  if (section.rva % 4096 != 0 || section.rva < previous_end) return Status::BadSection;
  if (section.rva + bytes > headers.image_size) return Status::BadSection;
  if (uint64_t{section.raw_offset} + section.raw_size > file_size) return Status::BadSection;
  // Windows loads W+X driver sections; HVCI does not, and no image of this machine has one.
  const uint32_t both = SectionWrite | SectionExecute;
  return (section.characteristics & both) == both ? Status::BadSection : Status::Ok;
}

}  // namespace

const char* describe(Status status) {
  switch (status) {
    case Status::Ok:
      return "ok";
    case Status::NotPe:
      return "not a PE32+ image for x64";
    case Status::BadHeaders:
      return "inconsistent PE headers";
    case Status::BadSection:
      return "a section lies outside the image, or is writable and executable";
    case Status::BadRelocation:
      return "malformed relocations";
    case Status::NoRelocations:
      return "the image has no relocations and must move";
    case Status::BadImports:
      return "malformed imports";
    case Status::MissingModule:
      return "an imported module is not loaded";
    case Status::MissingExport:
      return "an imported symbol is not exported";
  }
  return "?";
}

Status read_headers(const void* file, size_t size, Headers& headers) {
  uint16_t magic{};
  uint32_t pe_offset{}, signature{};
  FileHeader fh{};
  if (!read(file, size, 0, magic) || magic != 0x5A4D || !read(file, size, 0x3C, pe_offset))
    return Status::NotPe;
  if (!read(file, size, pe_offset, signature) || signature != 0x4550) return Status::NotPe;
  if (!read(file, size, uint64_t{pe_offset} + 4, fh) || fh.machine != 0x8664) return Status::NotPe;
  const uint64_t optional = uint64_t{pe_offset} + 24;
  if (!read(file, size, optional, magic) || magic != 0x20B) return Status::NotPe;

  uint32_t alignment{}, directory_count{};
  bool ok = read(file, size, optional + OptEntry, headers.entry_rva) &&
            read(file, size, optional + OptBase, headers.preferred_base) &&
            read(file, size, optional + OptSectionAlignment, alignment) &&
            read(file, size, optional + OptImageSize, headers.image_size) &&
            read(file, size, optional + OptHeaderSize, headers.header_size) &&
            read(file, size, optional + OptSubsystem, headers.subsystem) &&
            read(file, size, optional + OptDirectoryCount, directory_count);
  if (!ok || alignment != 4096 || fh.sections == 0 || fh.sections > max_sections ||
      directory_count > 16)
    return Status::BadHeaders;
  if (fh.optional_size < OptDirectories + directory_count * sizeof(DataDirectory))
    return Status::BadHeaders;
  headers.image_size = (headers.image_size + 4095) & ~4095u;
  if (headers.image_size == 0 || headers.image_size > 0x4000000) return Status::BadHeaders;
  if (headers.header_size > size || headers.header_size > headers.image_size)
    return Status::BadHeaders;
  if (headers.entry_rva >= headers.image_size) return Status::BadHeaders;

  for (uint32_t i = 0; i < directory_count; ++i) {
    DataDirectory directory{};
    if (!read(file, size, optional + OptDirectories + i * sizeof directory, directory))
      return Status::BadHeaders;
    // Directory 4, the certificate table, holds a file offset: only its reader can judge it.
    if (i != 4 && uint64_t{directory.rva} + directory.size > headers.image_size)
      return Status::BadHeaders;
    headers.directories[i] = directory;
  }
  headers.section_count = fh.sections;
  headers.relocations_stripped = (fh.characteristics & 1) != 0;
  uint64_t end = headers.header_size;
  for (uint32_t i = 0; i < fh.sections; ++i) {
    Section& section = headers.sections[i];
    if (!read(file, size, optional + fh.optional_size + i * sizeof section, section))
      return Status::BadHeaders;
    if (Status status = check_section(headers, section, size, end); status != Status::Ok)
      return status;
    end = uint64_t{section.rva} +
          (section.virtual_size != 0 ? section.virtual_size : section.raw_size);
  }
  return Status::Ok;
}

void map_sections(const Headers& headers, const void* file, void* image) {
  auto to = static_cast<uint8_t*>(image);
  auto from = static_cast<const uint8_t*>(file);
  memset(to, 0, headers.image_size);
  memcpy(to, from, headers.header_size);
  for (uint32_t i = 0; i < headers.section_count; ++i) {
    const Section& section = headers.sections[i];
    uint32_t bytes = section.raw_size;
    if (section.virtual_size != 0 && bytes > section.virtual_size) bytes = section.virtual_size;
    memcpy(to + section.rva, from + section.raw_offset, bytes);
  }
}

Status relocate(const Headers& headers, void* image, uint64_t base) {
  const uint64_t delta = base - headers.preferred_base;
  if (delta == 0) return Status::Ok;
  const DataDirectory& directory = headers.directories[RelocationDirectory];
  if (headers.relocations_stripped) return Status::NoRelocations;
  auto bytes = static_cast<uint8_t*>(image);
  uint64_t at = directory.rva;
  const uint64_t end = at + directory.size;
  while (end - at >= 8) {
    uint32_t page{}, block{};
    if (!read(image, headers.image_size, at, page) ||
        !read(image, headers.image_size, at + 4, block))
      return Status::BadRelocation;
    if (block < 8 || block > end - at) return Status::BadRelocation;
    for (uint32_t i = 8; i + 2 <= block; i += 2) {
      uint16_t entry{};
      if (!read(image, headers.image_size, at + i, entry)) return Status::BadRelocation;
      const uint32_t type = entry >> 12;
      if (type == 0) continue;  // IMAGE_REL_BASED_ABSOLUTE pads a block
      const uint64_t rva = uint64_t{page} + (entry & 0xFFF);
      uint64_t value{};
      if (type != 10 || !read(image, headers.image_size, rva, value)) return Status::BadRelocation;
      value += delta;
      memcpy(bytes + rva, &value, sizeof value);
    }
    at += block;
  }
  return Status::Ok;
}

uint32_t find_export(const void* image, size_t image_size, const char* name) {
  Headers headers;
  if (read_headers(image, image_size, headers) == Status::NotPe) return 0;
  const DataDirectory directory = headers.directories[ExportDirectory];
  uint32_t functions{}, names{}, ordinals{}, name_count{}, function_count{};
  const uint64_t at = directory.rva;
  if (directory.size < 40 || !read(image, image_size, at + 20, function_count) ||
      !read(image, image_size, at + 24, name_count) ||
      !read(image, image_size, at + 28, functions) || !read(image, image_size, at + 32, names) ||
      !read(image, image_size, at + 36, ordinals))
    return 0;
  for (uint32_t i = 0; i < name_count; ++i) {
    uint32_t name_rva{}, function{};
    uint16_t ordinal{};
    if (!read(image, image_size, uint64_t{names} + 4ull * i, name_rva)) return 0;
    const char* candidate = string_at(image, image_size, name_rva);
    if (candidate == nullptr || strcmp(candidate, name) != 0) continue;
    if (!read(image, image_size, uint64_t{ordinals} + 2ull * i, ordinal) ||
        ordinal >= function_count)
      return 0;
    if (!read(image, image_size, uint64_t{functions} + 4ull * ordinal, function)) return 0;
    const bool forwarder = function >= directory.rva && function - directory.rva < directory.size;
    return forwarder || function >= image_size ? 0 : function;
  }
  return 0;
}

namespace {

Status bind_one(void* image, size_t size, uint32_t lookup, uint32_t table, const Module& module,
                BindFailure& failure) {
  for (uint64_t offset = 0;; offset += 8) {
    uint64_t entry{};
    if (!read(image, size, lookup + offset, entry) || uint64_t{table} + offset + 8 > size)
      return Status::BadImports;
    if (entry == 0) return Status::Ok;
    if (entry >> 63 != 0)
      return Status::BadImports;  // by ordinal: no image of this machine exports by number
    const char* symbol = string_at(image, size, (entry & 0x7FFFFFFF) + 2);
    if (symbol == nullptr) return Status::BadImports;
    const uint32_t rva = find_export(module.image, module.image_size, symbol);
    if (rva == 0) {
      failure.symbol = symbol;
      return Status::MissingExport;
    }
    const uint64_t address = module.base + rva;
    memcpy(static_cast<uint8_t*>(image) + table + offset, &address, sizeof address);
  }
}

}  // namespace

Status bind_imports(const Headers& headers, void* image, ModuleProvider& modules,
                    BindFailure& failure) {
  const DataDirectory& directory = headers.directories[ImportDirectory];
  if (directory.size == 0) return Status::Ok;
  for (uint64_t at = directory.rva;; at += 20) {
    uint32_t lookup{}, name_rva{}, table{};
    if (!read(image, headers.image_size, at, lookup) ||
        !read(image, headers.image_size, at + 12, name_rva) ||
        !read(image, headers.image_size, at + 16, table))
      return Status::BadImports;
    if (name_rva == 0) return Status::Ok;
    const char* name = string_at(image, headers.image_size, name_rva);
    if (name == nullptr) return Status::BadImports;
    failure.module = name;
    Module module{};
    if (!modules.find(name, module)) return Status::MissingModule;
    Status status =
        bind_one(image, headers.image_size, lookup != 0 ? lookup : table, table, module, failure);
    if (status != Status::Ok) return status;
  }
}

bool equal_ignoring_case(const char* a, const char* b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (; *a != 0 && lower(*a) == lower(*b); ++a, ++b) {
  }
  return lower(*a) == lower(*b);
}

}  // namespace pe
