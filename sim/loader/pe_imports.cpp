#include <fmt/format.h>

#include "sim/loader/pe_directories.h"

namespace loader {
namespace {

using support::Error;
using support::Result;

constexpr size_t maximum_modules = 1024;
constexpr size_t maximum_imports = 65536;
constexpr uint64_t maximum_name_bytes = 16u << 20;

Result<PeImport> read_import(const PeImage& image, uint64_t thunk, uint32_t slot,
                             const std::string& module) {
  PeImport entry;
  entry.address_rva = slot;
  if ((thunk & pe::import_by_ordinal) != 0) {
    if ((thunk & ~pe::import_by_ordinal) > 0xffff)
      return Error{fmt::format("an import of {} by ordinal has reserved bits set: {:#x}",
                               printable(module), thunk)};
    entry.ordinal = static_cast<uint16_t>(thunk);
    return entry;
  }
  if (thunk > 0x7fffffff)
    return Error{fmt::format("an import of {} by name has reserved bits set: {:#x}",
                             printable(module), thunk)};
  const auto rva = static_cast<uint32_t>(thunk);
  entry.hint = *read_at<uint16_t>(TRY(image.bytes_at(rva, 2, "an import's hint")), 0);
  entry.name = TRY(image.name_at(rva + 2, "an import's name"));
  if (entry.name.empty())
    return Error{fmt::format("an import of {} has an empty name", printable(module))};
  return entry;
}

Result<ImportedModule> read_module(const PeImage& image, const pe::ImportDescriptor& descriptor,
                                   size_t& budget, uint64_t& name_bytes) {
  ImportedModule module;
  module.module = TRY(image.name_at(descriptor.name, "an imported module's name"));
  const uint32_t lookup = descriptor.original_first_thunk != 0 ? descriptor.original_first_thunk
                                                               : descriptor.first_thunk;
  const Bytes thunks = TRY(image.bytes_from(lookup, "an import lookup table"));
  const Bytes slots = TRY(image.bytes_from(descriptor.first_thunk, "an import address table"));
  for (uint32_t i = 0;; ++i) {
    const auto thunk = read_at<uint64_t>(thunks, uint64_t{i} * 8);
    if (!thunk)
      return Error{
          fmt::format("the import lookup table of {} has no end", printable(module.module))};
    if (*thunk == 0) return module;
    if (!contains(slots, uint64_t{i} * 8, 8))
      return Error{fmt::format("the import address table of {} is shorter than its lookup table",
                               printable(module.module))};
    if (budget-- == 0) return Error{fmt::format("more than {} imports", maximum_imports)};
    module.imports.push_back(
        TRY(read_import(image, *thunk, descriptor.first_thunk + i * 8, module.module)));
    name_bytes += module.imports.back().name.size();
    if (name_bytes > maximum_name_bytes)
      return Error{fmt::format("the import names exceed {} bytes together", maximum_name_bytes)};
  }
}

}  // namespace

Result<std::vector<ImportedModule>> read_imports(const PeImage& image) {
  std::vector<ImportedModule> modules;
  const pe::DataDirectory where = image.directory(Directory::Import);
  if (where.size == 0) return modules;
  const Bytes table = TRY(image.bytes_from(where.rva, "the import directory"));
  size_t budget = maximum_imports;
  uint64_t name_bytes = 0;
  for (uint64_t offset = 0;; offset += sizeof(pe::ImportDescriptor)) {
    const auto descriptor = read_at<pe::ImportDescriptor>(table, offset);
    if (!descriptor) return Error{"the import directory has no terminating entry"};
    if (descriptor->name == 0 || descriptor->first_thunk == 0) return modules;
    if (modules.size() == maximum_modules)
      return Error{fmt::format("the import directory names more than {} modules", maximum_modules)};
    modules.push_back(TRY(read_module(image, *descriptor, budget, name_bytes)));
  }
}

}  // namespace loader
