#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sim/loader/pe_directories.h"

namespace loader {
namespace {

using support::Error;
using support::Result;

/// Bounds that no real image reaches: ordinals have 16 bits.
constexpr uint32_t maximum_exports = 65536;
constexpr uint64_t maximum_name_bytes = 16u << 20;

struct Tables {
  pe::ExportDirectory directory;
  Bytes functions, names, ordinals;
};

Result<Tables> read_tables(const PeImage& image, pe::DataDirectory where) {
  const Bytes head =
      TRY(image.bytes_at(where.rva, sizeof(pe::ExportDirectory), "the export directory"));
  Tables tables{*read_at<pe::ExportDirectory>(head, 0), {}, {}, {}};
  const auto& directory = tables.directory;
  if (directory.number_of_functions > maximum_exports ||
      directory.number_of_names > maximum_exports)
    return Error{
        fmt::format("the export directory names {} functions and {} names; at most {} are possible",
                    directory.number_of_functions, directory.number_of_names, maximum_exports)};
  if (directory.number_of_functions != 0)
    tables.functions = TRY(image.bytes_at(directory.address_of_functions,
                                          uint64_t{directory.number_of_functions} * 4,
                                          "the export address table"));
  if (directory.number_of_names != 0) {
    tables.names =
        TRY(image.bytes_at(directory.address_of_names, uint64_t{directory.number_of_names} * 4,
                           "the export name table"));
    tables.ordinals =
        TRY(image.bytes_at(directory.address_of_name_ordinals,
                           uint64_t{directory.number_of_names} * 2, "the export ordinal table"));
  }
  return tables;
}

/// A function RVA inside the export directory itself is the address of a forwarder's text.
Result<PeExport> read_function(const PeImage& image, const Tables& tables, pe::DataDirectory where,
                               uint32_t index) {
  PeExport entry;
  entry.ordinal = tables.directory.base + index;
  entry.rva = *read_at<uint32_t>(tables.functions, uint64_t{index} * 4);
  if (entry.rva >= image.optional_header().size_of_image)
    return Error{fmt::format("export {} at RVA {:#x} lies outside the image of {:#x} bytes",
                             entry.ordinal, entry.rva, image.optional_header().size_of_image)};
  if (entry.rva >= where.rva && entry.rva - where.rva < where.size) {
    entry.forwarder = TRY(image.name_at(entry.rva, "an export forwarder"));
    if (entry.forwarder.find('.') == std::string::npos)
      return Error{fmt::format("export {}: forwarder \"{}\" has no module", entry.ordinal,
                               printable(entry.forwarder))};
  }
  return entry;
}

}  // namespace

Result<ExportTable> read_exports(const PeImage& image) {
  ExportTable table;
  const pe::DataDirectory where = image.directory(Directory::Export);
  if (where.size == 0) return table;
  const Tables tables = TRY(read_tables(image, where));
  if (tables.directory.name != 0)
    table.module = TRY(image.name_at(tables.directory.name, "the export module name"));

  std::vector<bool> named(tables.directory.number_of_functions);
  uint64_t name_bytes = 0;
  for (uint32_t i = 0; i < tables.directory.number_of_names; ++i) {
    const uint16_t index = *read_at<uint16_t>(tables.ordinals, uint64_t{i} * 2);
    if (index >= tables.directory.number_of_functions)
      return Error{fmt::format("export name {} refers to function {} of {}", i, index,
                               tables.directory.number_of_functions)};
    PeExport entry = TRY(read_function(image, tables, where, index));
    entry.name =
        TRY(image.name_at(*read_at<uint32_t>(tables.names, uint64_t{i} * 4), "an export name"));
    name_bytes += entry.name.size() + entry.forwarder.size();
    if (name_bytes > maximum_name_bytes)
      return Error{fmt::format("the export names exceed {} bytes together", maximum_name_bytes)};
    named[index] = true;
    table.entries.push_back(std::move(entry));
  }
  for (uint32_t index = 0; index < tables.directory.number_of_functions; ++index) {
    if (named[index] || *read_at<uint32_t>(tables.functions, uint64_t{index} * 4) == 0) continue;
    table.entries.push_back(TRY(read_function(image, tables, where, index)));
    name_bytes += table.entries.back().forwarder.size();
    if (name_bytes > maximum_name_bytes)
      return Error{
          fmt::format("the export forwarders exceed {} bytes together", maximum_name_bytes)};
  }
  std::sort(table.entries.begin(), table.entries.end(), [](const PeExport& a, const PeExport& b) {
    return std::tie(a.ordinal, a.name) < std::tie(b.ordinal, b.name);
  });
  return table;
}

}  // namespace loader
