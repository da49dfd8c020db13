#include "sim/loader/pe_directories.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace loader {

using support::Error;
using support::Result;

Result<std::vector<uint32_t>> read_relocations(const PeImage& image) {
  std::vector<uint32_t> targets;
  const pe::DataDirectory where = image.directory(Directory::Relocation);
  if (where.size == 0) return targets;
  const Bytes table = TRY(image.bytes_at(where.rva, where.size, "the relocation directory"));
  for (uint64_t offset = 0; offset < table.size();) {
    const auto block = read_at<pe::RelocationBlock>(table, offset);
    if (!block)
      return Error{fmt::format("the relocation directory ends inside the block at {:#x}", offset)};
    if (block->block_size == 0) break;  // padding to the directory's end
    if (block->block_size < sizeof *block || block->block_size % 4 != 0 ||
        !contains(table, offset, block->block_size))
      return Error{fmt::format(
          "relocation block at {:#x}: SizeOfBlock {:#x} is impossible in {:#x} remaining bytes",
          offset, block->block_size, table.size() - offset)};
    for (uint64_t at = sizeof *block; at < block->block_size; at += 2) {
      const uint16_t entry = *read_at<uint16_t>(table, offset + at);
      const uint16_t type = entry >> 12;
      if (type == pe::relocation_absolute) continue;
      if (type != pe::relocation_dir64)
        return Error{
            fmt::format("relocation block at {:#x}: type {} is not DIR64 (10)", offset, type)};
      const uint64_t rva = uint64_t{block->page_rva} + (entry & 0xfff);
      if (rva + 8 > image.optional_header().size_of_image)
        return Error{fmt::format("relocation of RVA {:#x} lies outside the image of {:#x} bytes",
                                 rva, image.optional_header().size_of_image)};
      targets.push_back(static_cast<uint32_t>(rva));
    }
    offset += block->block_size;
  }
  return targets;
}

namespace {

Result<std::optional<PdbReference>> read_codeview(const PeImage& image,
                                                  const pe::DebugDirectory& entry) {
  const auto data = part(image.file(), entry.pointer_to_raw_data, entry.size_of_data);
  if (!data)
    return Error{fmt::format("the CodeView record [{:#x}, +{:#x}) lies outside the file",
                             entry.pointer_to_raw_data, entry.size_of_data)};
  if (read_at<uint32_t>(*data, 0) != pe::codeview_rsds) return std::optional<PdbReference>{};
  PdbReference pdb;
  const auto guid = read_at<std::array<uint8_t, 16>>(*data, 4);
  const auto age = read_at<uint32_t>(*data, 20);
  const auto path = text_at(*data, 24, 4096);
  if (!guid || !age || !path)
    return Error{fmt::format("the RSDS record at file offset {:#x} is cut short",
                             entry.pointer_to_raw_data)};
  return std::optional{PdbReference{*guid, *age, std::string{*path}}};
}

}  // namespace

Result<DebugInfo> read_debug(const PeImage& image) {
  DebugInfo info;
  const pe::DataDirectory where = image.directory(Directory::Debug);
  if (where.size == 0) return info;
  if (where.size % sizeof(pe::DebugDirectory) != 0 || where.size > 256 * sizeof(pe::DebugDirectory))
    return Error{fmt::format("the debug directory's size {:#x} is not a small multiple of {}",
                             where.size, sizeof(pe::DebugDirectory))};
  const Bytes table = TRY(image.bytes_at(where.rva, where.size, "the debug directory"));
  for (uint64_t offset = 0; offset < table.size(); offset += sizeof(pe::DebugDirectory)) {
    const auto entry = *read_at<pe::DebugDirectory>(table, offset);
    info.entries.push_back(
        {entry.type, entry.size_of_data, entry.address_of_raw_data, entry.pointer_to_raw_data});
    if (entry.type == pe::debug_type_codeview && !info.pdb)
      info.pdb = TRY(read_codeview(image, entry));
  }
  return info;
}

std::string format_guid(const std::array<uint8_t, 16>& guid) {
  const auto& g = guid;  // the first three fields are little-endian
  return fmt::format(
      "{{{:02X}{:02X}{:02X}{:02X}-{:02X}{:02X}-{:02X}{:02X}-{:02X}{:02X}-{:02X}{:02X}{:02X}{:02X}{:"
      "02X}{:02X}}}",
      g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14],
      g[15]);
}

Result<std::optional<uint32_t>> read_load_config_size(const PeImage& image) {
  const pe::DataDirectory where = image.directory(Directory::LoadConfig);
  if (where.size == 0) return std::optional<uint32_t>{};
  const uint32_t size =
      *read_at<uint32_t>(TRY(image.bytes_at(where.rva, 4, "the load configuration")), 0);
  if (size < 4) return Error{fmt::format("the load configuration gives itself the size {}", size)};
  TRY(image.bytes_at(where.rva, size, "the load configuration"));
  return std::optional{size};
}

Result<std::vector<AttributeCertificate>> read_certificates(const PeImage& image) {
  std::vector<AttributeCertificate> certificates;
  const pe::DataDirectory where = image.directory(Directory::Security);
  if (where.size == 0) return certificates;
  if (where.rva % 8 != 0)
    return Error{fmt::format("the certificate table at file offset {:#x} is not aligned to 8 bytes",
                             where.rva)};
  const Bytes table = image.file().subspan(where.rva, where.size);
  for (uint64_t offset = 0; offset < table.size();) {
    const auto header = read_at<pe::WinCertificate>(table, offset);
    if (!header || header->length < sizeof *header || !contains(table, offset, header->length))
      return Error{fmt::format(
          "the certificate at file offset {:#x} has an impossible length: {:#x} of {:#x} bytes",
          where.rva + offset, header ? header->length : 0, table.size() - offset)};
    certificates.push_back(
        {header->revision, header->type, static_cast<uint32_t>(where.rva + offset),
         *part(table, offset + sizeof *header, header->length - sizeof *header)});
    offset += (uint64_t{header->length} + 7) / 8 * 8;
  }
  return certificates;
}

namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

/// RVA of the metadata, or 0.
Result<uint32_t> find_trustlet_policy(const PeImage& image) {
  const ExportTable exports = TRY(read_exports(image));
  for (const PeExport& entry : exports.entries)
    if (entry.name == "s_IumPolicyMetadata" && entry.forwarder.empty()) return entry.rva;
  for (const PeSection& section : image.sections())
    if (equal_ignoring_case(section.name, ".tpolicy")) return section.rva;
  return 0u;
}

}  // namespace

Result<std::optional<TrustletPolicy>> read_trustlet_policy(const PeImage& image) {
  constexpr size_t header_size = 16, entry_size = 16, maximum_entries = 256;
  const uint32_t rva = TRY(find_trustlet_policy(image));
  if (rva == 0) return std::optional<TrustletPolicy>{};
  const Bytes bytes = TRY(image.bytes_from(rva, "the trustlet policy"));
  if (bytes.size() < header_size)
    return Error{"the trustlet policy is shorter than its header of 16 bytes"};
  TrustletPolicy policy{bytes[0], *read_at<uint64_t>(bytes, 8), {}};
  if (policy.version != 1)
    return Error{fmt::format("the trustlet policy has version {}; 1 is known", policy.version)};
  for (uint64_t offset = header_size;; offset += entry_size) {
    const auto type = read_at<uint32_t>(bytes, offset);
    const auto id = read_at<uint32_t>(bytes, offset + 4);
    const auto value = read_at<uint64_t>(bytes, offset + 8);
    if (!type || !id || !value || policy.entries.size() == maximum_entries)
      return Error{"the trustlet policy has no terminating entry"};
    if (*type == 0 && *id == 0) return std::optional{std::move(policy)};
    policy.entries.push_back({*type, *id, *value});
  }
}

std::string_view trustlet_policy_name(uint32_t policy_id) {
  static constexpr std::string_view names[] = {"None",
                                               "Etw",
                                               "Debug",
                                               "CrashDump",
                                               "CrashDumpKey",
                                               "CrashDumpKeyGuid",
                                               "ParentSd",
                                               "ParentSdRev",
                                               "Svn",
                                               "DeviceId",
                                               "Capability",
                                               "ScenarioId",
                                               "CapabilityOverridable",
                                               "TrustletIdOverridable"};
  return policy_id < std::size(names) ? names[policy_id] : "unknown";
}

}  // namespace loader
