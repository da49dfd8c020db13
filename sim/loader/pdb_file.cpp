#include "sim/loader/pdb_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "sim/loader/msf_file.h"
#include "sim/loader/pdb_layout.h"

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint16_t symbol_public32 = 0x110e, symbol_local_data32 = 0x110c, symbol_global_data32 = 0x110d,
                   symbol_local_procedure32 = 0x110f, symbol_global_procedure32 = 0x1110;
constexpr uint32_t c13_lines = 0xf2, c13_file_checksums = 0xf4;
constexpr size_t longest_name = 4096;

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
    layout_ = TRY(read_pdb_layout(msf_));
    out_.guid = layout_.guid;
    out_.age = layout_.age;
    TRY(read_publics());
    const auto streams = TRY(read_module_streams(msf_, layout_));
    for (size_t i = 0; i < streams.size(); ++i) {
      TRY(read_module_symbols(layout_.modules[i], streams[i]));
      TRY(read_lines(layout_.modules[i], streams[i]));
    }
    sort_symbols();
    std::sort(out_.lines.begin(), out_.lines.end(), [](const PdbLine& a, const PdbLine& b) {
      return std::tie(a.rva, a.line, a.file) < std::tie(b.rva, b.line, b.file);
    });
    // An instruction that belongs to several lines is shown at the first.
    const auto same = [](const PdbLine& a, const PdbLine& b) { return a.rva == b.rva; };
    out_.lines.erase(std::unique(out_.lines.begin(), out_.lines.end(), same), out_.lines.end());
    return std::move(out_);
  }

 private:
  /// Modules name functions and data as the source does, static ones too; the public symbol of the same thing is
  /// decorated and says nothing more.
  void sort_symbols() {
    const auto order = [](const PdbSymbol& a, const PdbSymbol& b) {
      return std::tie(a.rva, a.name) < std::tie(b.rva, b.name);
    };
    std::sort(named_.begin(), named_.end(), order);
    for (PdbSymbol& symbol : publics_) {
      const auto same = std::lower_bound(named_.begin(), named_.end(), PdbSymbol{symbol.rva, {}}, order);
      const bool known = same != named_.end() && same->rva == symbol.rva;
      if (!known || !symbol.name.starts_with('?')) out_.symbols.push_back(std::move(symbol));
    }
    out_.symbols.insert(out_.symbols.end(), named_.begin(), named_.end());
    std::sort(out_.symbols.begin(), out_.symbols.end(), order);
    const auto equal = [](const PdbSymbol& a, const PdbSymbol& b) { return a.rva == b.rva && a.name == b.name; };
    out_.symbols.erase(std::unique(out_.symbols.begin(), out_.symbols.end(), equal), out_.symbols.end());
  }

  /// Calls `take(kind, offset of the record)` for each symbol record of `records` from `at` on. `what` is for messages.
  template <class Take>
  static Status each_symbol(Bytes records, uint64_t at, std::string_view what, const Take& take) {
    while (at + 4 <= records.size()) {
      const uint16_t length = *read_at<uint16_t>(records, at);  // without these two bytes
      const uint16_t kind = *read_at<uint16_t>(records, at + 2);
      if (length < 2 || !contains(records, at + 2, length))
        return Error{fmt::format("the PDB's {} record at {:#x} has the impossible length {}", what, at, length)};
      if (!take(kind, at, records.first(static_cast<size_t>(at) + 2 + length)))
        return Error{fmt::format("the PDB's {} at {:#x} is cut short", what, at)};
      at += uint64_t{length} + 2;
    }
    return Unit{};
  }

  /// Notes the name at `name` of a record whose address is at `offset`.
  bool note(std::vector<PdbSymbol>& to, Bytes record, uint64_t offset, uint64_t name) const {
    const auto where = read_at<uint32_t>(record, offset);
    const auto segment = read_at<uint16_t>(record, offset + 4);
    const auto text = text_at(record, name, longest_name);
    if (!where || !segment || !text) return false;
    const auto address = layout_.rva(*segment, *where);
    if (address && !text->empty()) to.push_back({*address, std::string{*text}});
    return true;
  }

  Status read_publics() {
    const std::vector<uint8_t> records = TRY(msf_.stream(layout_.symbol_stream));
    return each_symbol(records, 0, "public symbol", [&](uint16_t kind, uint64_t at, Bytes record) {
      return kind != symbol_public32 || note(publics_, record, at + 8, at + 14);
    });
  }

  Status read_module_symbols(const PdbModule& module, Bytes stream) {
    constexpr uint64_t signature = 4;
    const auto records = part(stream, 0, module.symbols_size);
    if (!records) return Error{"a PDB module's symbols exceed its stream"};
    return each_symbol(*records, signature, "symbol", [&](uint16_t kind, uint64_t at, Bytes record) {
      if (kind == symbol_local_data32 || kind == symbol_global_data32) return note(named_, record, at + 8, at + 14);
      const bool procedure = kind == symbol_local_procedure32 || kind == symbol_global_procedure32;
      return !procedure || note(named_, record, at + 32, at + 39);
    });
  }

  Status read_lines(const PdbModule& module, Bytes stream) {
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
        if (const auto address = layout_.rva(header->segment, header->offset + offset))
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
    const auto name = text_at(layout_.strings, string_table_header + *name_offset, longest_name);
    if (!name) return Error{"a PDB file name lies outside the string table"};
    const auto index = static_cast<uint32_t>(out_.files.size());
    out_.files.emplace_back(*name);
    file_indices_.emplace(*name_offset, index);
    return index;
  }

  MsfFile msf_;
  PdbLayout layout_;
  std::vector<PdbSymbol> publics_, named_;
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
