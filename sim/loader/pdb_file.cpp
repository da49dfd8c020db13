#include "sim/loader/pdb_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "sim/loader/msf_file.h"
#include "sim/loader/pe_format.h"

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint32_t info_stream = 1, dbi_stream = 3;
constexpr uint16_t no_stream = 0xffff;
constexpr uint16_t symbol_public32 = 0x110e;
constexpr uint32_t c13_lines = 0xf2, c13_file_checksums = 0xf4;
constexpr size_t longest_name = 4096;

/// PDB info stream ("PDB Stream"): version, signature, age, GUID, then a hash table of named
/// streams.
struct InfoHeader {
  uint32_t version, signature, age;
  std::array<uint8_t, 16> guid;
  uint32_t names_size;
};
static_assert(sizeof(InfoHeader) == 32);

struct DbiHeader {
  int32_t signature;
  uint32_t version, age;
  uint16_t global_stream, build, public_stream, pdb_dll_version, symbol_stream, pdb_dll_rebuild;
  uint32_t module_size, contribution_size, section_map_size, source_size, type_server_size,
      mfc_type_server;
  uint32_t debug_header_size, ec_size;
  uint16_t flags, machine;
  uint32_t padding;
};
static_assert(sizeof(DbiHeader) == 64);

/// One module of the DBI stream; two NUL-terminated names and padding to 4 bytes follow.
struct ModuleHeader {
  uint32_t unused;
  uint8_t contribution[28];
  uint16_t flags, symbol_stream;
  uint32_t symbols_size, c11_size, c13_size;
  uint16_t source_count, padding;
  uint32_t unused2, source_name, pdb_path;
};
static_assert(sizeof(ModuleHeader) == 64);

struct LineHeader {
  uint32_t offset;
  uint16_t segment, flags;
  uint32_t code_size;
};
struct LineBlock {
  uint32_t checksum_offset, line_count, size;
};

uint64_t round_up_4(uint64_t value) {
  return (value + 3) & ~uint64_t{3};
}

class PdbReader {
 public:
  explicit PdbReader(MsfFile msf) : msf_{std::move(msf)} {}

  Result<PdbFile> read() {
    TRY(read_info());
    dbi_ = TRY(msf_.stream(dbi_stream));
    const auto header = read_at<DbiHeader>(dbi_, 0);
    if (!header) return Error{"the PDB's DBI stream is shorter than its header"};
    TRY(read_sections(*header));
    TRY(read_symbols(*header));
    TRY(read_modules(*header));
    std::sort(out_.symbols.begin(), out_.symbols.end(), [](const PdbSymbol& a, const PdbSymbol& b) {
      return std::tie(a.rva, a.name) < std::tie(b.rva, b.name);
    });
    std::sort(out_.lines.begin(), out_.lines.end(), [](const PdbLine& a, const PdbLine& b) {
      return std::tie(a.rva, a.line, a.file) < std::tie(b.rva, b.line, b.file);
    });
    // An instruction that belongs to several lines is shown at the first.
    const auto same = [](const PdbLine& a, const PdbLine& b) { return a.rva == b.rva; };
    out_.lines.erase(std::unique(out_.lines.begin(), out_.lines.end(), same), out_.lines.end());
    return std::move(out_);
  }

 private:
  Status read_info() {
    const std::vector<uint8_t> info = TRY(msf_.stream(info_stream));
    const auto header = read_at<InfoHeader>(info, 0);
    if (!header) return Error{"the PDB's info stream is shorter than its header"};
    out_.guid = header->guid;
    out_.age = header->age;
    const Bytes names{info};
    uint64_t at = sizeof *header + uint64_t{header->names_size};
    const auto count = read_at<uint32_t>(names, at);
    const auto present_words = read_at<uint32_t>(names, at + 8);
    if (!count || !present_words) return Error{"the PDB's named-stream map is cut short"};
    at += 12 + uint64_t{*present_words} * 4;
    const auto deleted_words = read_at<uint32_t>(names, at);
    if (!deleted_words) return Error{"the PDB's named-stream map is cut short"};
    at += 4 + uint64_t{*deleted_words} * 4;
    for (uint32_t i = 0; i < *count; ++i, at += 8) {
      const auto key = read_at<uint32_t>(names, at);
      const auto stream = read_at<uint32_t>(names, at + 4);
      if (!key || !stream) return Error{"the PDB's named-stream map is cut short"};
      const auto name = text_at(names, sizeof *header + uint64_t{*key}, longest_name);
      if (name == "/names") strings_ = TRY(msf_.stream(*stream));
    }
    return Unit{};
  }

  Status read_sections(const DbiHeader& header) {
    const uint64_t debug_header = sizeof header + uint64_t{header.module_size} +
                                  header.contribution_size + header.section_map_size +
                                  header.source_size + header.type_server_size + header.ec_size;
    const auto stream = read_at<uint16_t>(dbi_, debug_header + 2 * 5);
    if (!stream || *stream == no_stream) return Error{"the PDB names no stream of section headers"};
    const std::vector<uint8_t> bytes = TRY(msf_.stream(*stream));
    for (uint64_t at = 0; at < bytes.size() && sections_.size() < pe::maximum_sections;
         at += sizeof(pe::SectionHeader)) {
      const auto section = read_at<pe::SectionHeader>(bytes, at);
      if (!section) return Error{"the PDB's section headers are cut short"};
      sections_.push_back(section->virtual_address);
    }
    return Unit{};
  }

  /// Segments count from 1. Absolute symbols have a segment past the last one and no address here.
  [[nodiscard]] std::optional<uint32_t> rva(uint16_t segment, uint32_t offset) const {
    if (segment == 0 || segment > sections_.size()) return std::nullopt;
    const uint64_t value = uint64_t{sections_[segment - 1u]} + offset;
    if (value > 0xffffffff) return std::nullopt;
    return static_cast<uint32_t>(value);
  }

  Status read_symbols(const DbiHeader& header) {
    const std::vector<uint8_t> records = TRY(msf_.stream(header.symbol_stream));
    for (uint64_t at = 0; at + 4 <= records.size();) {
      const uint16_t length = *read_at<uint16_t>(records, at);  // without these two bytes
      const uint16_t kind = *read_at<uint16_t>(records, at + 2);
      if (length < 2 || !contains(records, at + 2, length))
        return Error{fmt::format("the PDB's symbol record at {:#x} has the impossible length {}",
                                 at, length)};
      if (kind == symbol_public32) {
        const auto offset = read_at<uint32_t>(records, at + 8);
        const auto segment = read_at<uint16_t>(records, at + 12);
        const auto name = text_at(Bytes{records}.first(static_cast<size_t>(at) + 2 + length),
                                  at + 14, longest_name);
        if (!offset || !segment || !name)
          return Error{fmt::format("the PDB's public symbol at {:#x} is cut short", at)};
        if (const auto address = rva(*segment, *offset))
          out_.symbols.push_back({*address, std::string{*name}});
      }
      at += uint64_t{length} + 2;
    }
    return Unit{};
  }

  Status read_modules(const DbiHeader& header) {
    const auto modules = part(dbi_, sizeof header, header.module_size);
    if (!modules) return Error{"the PDB's module list exceeds the DBI stream"};
    for (uint64_t at = 0; at < modules->size();) {
      const auto module = read_at<ModuleHeader>(*modules, at);
      if (!module) return Error{fmt::format("the PDB's module record at {:#x} is cut short", at)};
      at += sizeof *module;
      for (int name = 0; name < 2; ++name) {
        const auto text = text_at(*modules, at, longest_name);
        if (!text) return Error{fmt::format("the PDB's module name at {:#x} has no end", at)};
        at += text->size() + 1;
      }
      at = round_up_4(at);
      if (module->symbol_stream != no_stream && module->c13_size != 0) TRY(read_lines(*module));
    }
    return Unit{};
  }

  Status read_lines(const ModuleHeader& module) {
    const std::vector<uint8_t> stream = TRY(msf_.stream(module.symbol_stream));
    // Each module has its own stream, so together they are smaller than the file.
    line_bytes_ += stream.size();
    if (line_bytes_ > msf_.file_size())
      return Error{"several modules of the PDB claim the same stream"};
    const auto c13 = part(stream, uint64_t{module.symbols_size} + module.c11_size, module.c13_size);
    if (!c13) return Error{"a PDB module's line information exceeds its stream"};
    Bytes checksums;
    // Line blocks refer to the checksums, which may follow them.
    for (const uint32_t wanted : {c13_file_checksums, c13_lines}) {
      for (uint64_t at = 0; at + 8 <= c13->size();) {
        const uint32_t kind = *read_at<uint32_t>(*c13, at);
        const uint32_t size = *read_at<uint32_t>(*c13, at + 4);
        const auto body = part(*c13, at + 8, size);
        if (!body)
          return Error{fmt::format("a PDB module's line subsection at {:#x} is cut short", at)};
        if (kind == wanted && wanted == c13_file_checksums) checksums = *body;
        if (kind == wanted && wanted == c13_lines) TRY(read_line_subsection(*body, checksums));
        at = round_up_4(at + 8 + size);
      }
    }
    return Unit{};
  }

  Status read_line_subsection(Bytes body, Bytes checksums) {
    const auto header = read_at<LineHeader>(body, 0);
    if (!header) return Error{"a PDB line subsection is shorter than its header"};
    for (uint64_t at = sizeof *header; at < body.size();) {
      const auto block = read_at<LineBlock>(body, at);
      if (!block || block->size < sizeof *block || !contains(body, at, block->size) ||
          !contains(body, at + sizeof *block, uint64_t{block->line_count} * 8))
        return Error{"a PDB line block has an impossible size"};
      const uint32_t file = TRY(file_index(checksums, block->checksum_offset));
      for (uint32_t i = 0; i < block->line_count; ++i) {
        const uint64_t entry = at + sizeof *block + uint64_t{i} * 8;
        const uint32_t offset = *read_at<uint32_t>(body, entry);
        const uint32_t line = *read_at<uint32_t>(body, entry + 4) & 0xffffff;
        if (const auto address = rva(header->segment, header->offset + offset))
          out_.lines.push_back({*address, line, file});
      }
      at += block->size;
    }
    return Unit{};
  }

  Result<uint32_t> file_index(Bytes checksums, uint32_t checksum_offset) {
    constexpr uint64_t string_table_header = 12;
    const auto name_offset = read_at<uint32_t>(checksums, checksum_offset);
    if (!name_offset) return Error{"a PDB line block refers to no file"};
    const auto known = file_indices_.find(*name_offset);
    if (known != file_indices_.end()) return known->second;
    const auto name = text_at(strings_, string_table_header + *name_offset, longest_name);
    if (!name) return Error{"a PDB file name lies outside the string table"};
    const auto index = static_cast<uint32_t>(out_.files.size());
    out_.files.emplace_back(*name);
    file_indices_.emplace(*name_offset, index);
    return index;
  }

  MsfFile msf_;
  std::vector<uint8_t> dbi_, strings_;
  std::vector<uint32_t> sections_;  ///< RVA of each
  uint64_t line_bytes_{};
  std::map<uint32_t, uint32_t> file_indices_;
  PdbFile out_;
};

}  // namespace

Result<PdbFile> read_pdb(Bytes file) {
  return PdbReader {
    TRY(MsfFile::parse(file))
  }
  .read();
}

}  // namespace loader
