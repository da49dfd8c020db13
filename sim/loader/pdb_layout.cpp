#include "sim/loader/pdb_layout.h"

#include <fmt/format.h>

#include "sim/loader/pe_format.h"

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint32_t info_stream = 1, dbi_stream = 3;
constexpr uint16_t no_stream = 0xffff;
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

class LayoutReader {
 public:
  explicit LayoutReader(const MsfFile& msf) : msf_{msf} {}

  Result<PdbLayout> read() {
    TRY(read_info());
    dbi_ = TRY(msf_.stream(dbi_stream));
    const auto header = read_at<DbiHeader>(dbi_, 0);
    if (!header) return Error{"the PDB's DBI stream is shorter than its header"};
    out_.symbol_stream = header->symbol_stream;
    TRY(read_sections(*header));
    TRY(read_modules(*header));
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
      if (name == "/names") out_.strings = TRY(msf_.stream(*stream));
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
    for (uint64_t at = 0; at < bytes.size() && out_.sections.size() < pe::maximum_sections;
         at += sizeof(pe::SectionHeader)) {
      const auto section = read_at<pe::SectionHeader>(bytes, at);
      if (!section) return Error{"the PDB's section headers are cut short"};
      out_.sections.push_back(section->virtual_address);
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
      std::string_view first;
      for (int name = 0; name < 2; ++name) {
        const auto text = text_at(*modules, at, longest_name);
        if (!text) return Error{fmt::format("the PDB's module name at {:#x} has no end", at)};
        at += text->size() + 1;
        if (name == 0) first = *text;
      }
      at = (at + 3) & ~uint64_t{3};
      if (module->symbol_stream == no_stream) continue;
      out_.modules.push_back({std::string{first}, module->symbol_stream, module->symbols_size,
                              module->c11_size, module->c13_size});
    }
    return Unit{};
  }

  const MsfFile& msf_;
  std::vector<uint8_t> dbi_;
  PdbLayout out_;
};

}  // namespace

Result<PdbLayout> read_pdb_layout(const MsfFile& msf) { return LayoutReader{msf}.read(); }

Result<std::vector<std::vector<uint8_t>>> read_module_streams(const MsfFile& msf, const PdbLayout& layout) {
  std::vector<std::vector<uint8_t>> streams;
  uint64_t total = 0;
  for (const PdbModule& module : layout.modules) {
    streams.push_back(TRY(msf.stream(module.stream)));
    total += streams.back().size();
    if (total > msf.file_size()) return Error{"several modules of the PDB claim the same stream"};
  }
  return streams;
}

}  // namespace loader
