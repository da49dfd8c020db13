#include "sim/symbols/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sim/loader/pdb_layout.h"
#include "sim/loader/symbol_table.h"
#include "sim/symbols/codeview.h"
#include "vtl/virtual_processor.h"

namespace symbols {
namespace {

using namespace codeview;
using loader::Bytes;
using support::Error;
using support::Result;

constexpr uint8_t no_register = 0xff;

/// CV_AMD64_*: of each width the general registers stand in one of two orders.
uint8_t general_register(uint16_t number) {
  using namespace vtl;
  constexpr uint8_t named[] = {Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, Rsp};
  if (number >= 1 && number <= 4) return static_cast<uint8_t>(number - 1);     // AL, CL, DL, BL
  if (number >= 9 && number <= 16) return static_cast<uint8_t>(number - 9);    // AX ...
  if (number >= 17 && number <= 24) return static_cast<uint8_t>(number - 17);  // EAX ...
  if (number >= 324 && number <= 327) return named[number - 324 + 4];          // SIL, DIL, BPL, SPL
  if (number >= 328 && number <= 335) return named[number - 328];              // RAX, RBX ...
  if (number >= 336 && number <= 367) return static_cast<uint8_t>(R8 + number % 8);  // R8, R8B, R8W, R8D ...
  return no_register;
}

/// One symbol record: its kind, and what follows it.
struct Record {
  uint32_t at{}, next{};  ///< offsets in the module
  uint16_t kind{};
  Cursor fields{Bytes{}};
};
Record record_at(Bytes module, uint32_t at) {
  Cursor cursor{module, at};
  const auto length = cursor.take<uint16_t>();
  const auto kind = cursor.take<uint16_t>();
  if (!cursor.ok() || length < 2 || !loader::contains(module, at + uint64_t{2}, length)) return {};
  const auto next = static_cast<uint32_t>(at + 2u + length);
  return {at, next, kind, Cursor{module.first(next), at + uint64_t{4}}};
}

bool is_procedure(uint16_t kind) { return kind == symbol_local_procedure || kind == symbol_global_procedure; }

}  // namespace

Result<FunctionTable> FunctionTable::parse(Bytes pdb) {
  const loader::MsfFile msf = TRY(loader::MsfFile::parse(pdb));
  const loader::PdbLayout layout = TRY(loader::read_pdb_layout(msf));
  FunctionTable table;
  table.sections_ = layout.sections;
  table.modules_ = TRY(loader::read_module_streams(msf, layout));
  for (uint32_t module = 0; module < table.modules_.size(); ++module) {
    std::vector<uint8_t>& bytes = table.modules_[module];
    if (layout.modules[module].symbols_size > bytes.size()) return Error{"a PDB module's symbols exceed its stream"};
    bytes.resize(layout.modules[module].symbols_size);
    TRY(table.read_module(module, layout));
  }
  // Data that is not static stands with the public symbols.
  std::vector<uint8_t> globals = TRY(msf.stream(layout.symbol_stream));
  globals.insert(globals.begin(), 4, 0);  // where modules have a signature
  table.modules_.push_back(std::move(globals));
  TRY(table.read_module(static_cast<uint32_t>(table.modules_.size() - 1), layout));
  std::sort(table.functions_.begin(), table.functions_.end(),
            [](const Function& a, const Function& b) { return std::tie(a.rva, a.name) < std::tie(b.rva, b.name); });
  std::sort(table.data_.begin(), table.data_.end(),
            [](const Datum& a, const Datum& b) { return std::tie(a.name, a.rva) < std::tie(b.name, b.rva); });
  const auto same = [](const Datum& a, const Datum& b) { return a.name == b.name && a.rva == b.rva; };
  table.data_.erase(std::unique(table.data_.begin(), table.data_.end(), same), table.data_.end());
  return table;
}

support::Status FunctionTable::read_module(uint32_t module, const loader::PdbLayout& layout) {
  const Bytes bytes{modules_[module]};
  for (uint32_t at = 4; at + 4 <= bytes.size();) {
    Record record = record_at(bytes, at);
    if (record.next == 0)
      return Error{fmt::format("the symbol record at {:#x} of PDB module {} is cut short", at, module)};
    if (is_procedure(record.kind)) {
      Function function{.rva = 0, .size = 0, .name = {}, .type = 0, .module = module, .offset = at};
      record.fields.skip(12);  // parent, end, next
      function.size = record.fields.take<uint32_t>();
      record.fields.skip(8);  // where debugging starts and ends
      function.type = record.fields.take<uint32_t>();
      const auto offset = record.fields.take<uint32_t>();
      const auto segment = record.fields.take<uint16_t>();
      record.fields.skip(1);
      function.name = record.fields.name();
      if (const auto rva = layout.rva(segment, offset); record.fields.ok() && rva) {
        function.rva = *rva;
        functions_.push_back(function);
      }
    } else if (record.kind == symbol_local_data || record.kind == symbol_global_data) {
      const auto type = record.fields.take<uint32_t>();
      const auto offset = record.fields.take<uint32_t>();
      const auto segment = record.fields.take<uint16_t>();
      const auto name = record.fields.name();
      const auto rva = layout.rva(segment, offset);
      if (record.fields.ok() && rva) data_.push_back({*rva, name, type});
    }
    at = record.next;
  }
  return support::Unit{};
}

const Function* FunctionTable::at(uint32_t rva) const {
  auto after = std::upper_bound(functions_.begin(), functions_.end(), rva,
                                [](uint32_t value, const Function& function) { return value < function.rva; });
  // Functions do not overlap; of several at one address the one that reaches here.
  for (; after != functions_.begin(); --after) {
    const Function& function = *std::prev(after);
    if (rva - function.rva < function.size) return &function;
    if (function.size != 0) return nullptr;
  }
  return nullptr;
}

std::vector<const Datum*> FunctionTable::find_data(std::string_view name) const {
  std::vector<const Datum*> out;
  for (const Datum& datum : data_)
    if (datum.name == name || loader::last_name_part(datum.name) == name) out.push_back(&datum);
  return out;
}

/// Walks the records of one function and collects the variables that exist at an address.
class FunctionTable::Scope {
 public:
  Scope(const FunctionTable& table, const Function& function, uint32_t rva)
      : table_{table}, module_{table.modules_[function.module]}, function_{function}, rva_{rva} {}

  std::vector<Local> locals() {
    const Record procedure = record_at(module_, function_.offset);
    Cursor fields = procedure.fields;
    fields.skip(4);
    const auto end = fields.take<uint32_t>();
    for (uint32_t at = procedure.next; at != 0 && at < end;) {
      const Record record = record_at(module_, at);
      if (record.next == 0) break;
      take(record);
      at = record.next;
    }
    flush();
    own_.insert(own_.end(), of_inlined_.begin(), of_inlined_.end());
    return std::move(own_);
  }

 private:
  void take(const Record& record) {
    Cursor fields = record.fields;
    switch (record.kind) {
      case symbol_local: begin(fields); return;
      case symbol_range_register:
      case symbol_range_subfield_register:
      case symbol_range_frame_pointer:
      case symbol_range_frame_pointer_full:
      case symbol_range_register_relative: range(record.kind, fields); return;
      default: flush(); break;
    }
    if (record.kind == symbol_frame_procedure) {
      fields.skip(22);
      frame_flags_ = fields.take<uint32_t>();
    } else if (record.kind == symbol_inline_site) {
      ++inlined_;
    } else if (record.kind == symbol_inline_site_end) {
      inlined_ -= inlined_ > 0 ? 1 : 0;
    } else if (record.kind == symbol_register_relative) {
      register_relative(fields);
    }
  }

  void begin(Cursor& fields) {
    flush();
    Local local;
    local.type = fields.take<uint32_t>();
    const auto flags = fields.take<uint16_t>();
    local.name = fields.name();
    local.is_parameter = (flags & 1) != 0;
    local.where = Local::Where::Nowhere;
    local.inlined = inlined_;
    if (fields.ok()) pending_ = local;
  }
  void flush() {
    // Variables of inlined functions that are not here now are of calls elsewhere in the function.
    if (pending_ && pending_->inlined == 0) own_.push_back(*pending_);
    else if (pending_ && pending_->where != Local::Where::Nowhere) of_inlined_.push_back(*pending_);
    pending_.reset();
  }

  /// S_REGREL32: at the same place in the whole function.
  void register_relative(Cursor& fields) {
    Local local;
    local.displacement = fields.take<int32_t>();
    local.type = fields.take<uint32_t>();
    local.reg = general_register(fields.take<uint16_t>());
    local.name = fields.name();
    local.where = Local::Where::Memory;
    local.inlined = inlined_;
    if (fields.ok() && local.reg != no_register) (inlined_ == 0 ? own_ : of_inlined_).push_back(local);
  }

  [[nodiscard]] uint8_t frame_register() const {
    const uint32_t code = frame_flags_ >> (pending_->is_parameter ? 16 : 14) & 3;
    constexpr uint8_t registers[] = {no_register, vtl::Rsp, vtl::Rbp, vtl::R13};
    return registers[code];
  }

  void range(uint16_t kind, Cursor& fields) {
    if (!pending_ || pending_->where != Local::Where::Nowhere) return;
    Local found = *pending_;
    found.where = Local::Where::Memory;
    if (kind == symbol_range_frame_pointer || kind == symbol_range_frame_pointer_full) {
      found.displacement = fields.take<int32_t>();
      found.reg = frame_register();
    } else {
      found.reg = general_register(fields.take<uint16_t>());
      const auto attributes = fields.take<uint16_t>();
      if (kind == symbol_range_subfield_register) return;  // a part of it: nobody can show that as the whole
      if (kind == symbol_range_register) found.where = Local::Where::Register;
      if (kind == symbol_range_register_relative) {
        if ((attributes & 1) != 0 || attributes >> 4 != 0) return;  // a part again
        found.displacement = fields.take<int32_t>();
      }
    }
    const bool here = kind == symbol_range_frame_pointer_full || covers(fields);
    if (here && fields.ok() && found.reg != no_register) pending_ = found;
  }

  /// A range and its gaps, which follow up to the end of the record.
  [[nodiscard]] bool covers(Cursor& fields) const {
    const auto offset = fields.take<uint32_t>();
    const auto segment = fields.take<uint16_t>();
    const auto length = fields.take<uint16_t>();
    if (!fields.ok() || segment == 0 || segment > table_.sections_.size()) return false;
    const uint64_t begin = uint64_t{table_.sections_[segment - 1u]} + offset;
    if (rva_ < begin || rva_ - begin >= length) return false;
    while (fields.left() >= 4) {
      const auto gap = fields.take<uint16_t>();
      const auto size = fields.take<uint16_t>();
      const uint64_t in = rva_ - begin;
      if (in >= gap && in - gap < size) return false;
    }
    return true;
  }

  const FunctionTable& table_;
  Bytes module_;
  const Function& function_;
  uint32_t rva_;
  uint32_t frame_flags_{};
  uint32_t inlined_{};
  std::optional<Local> pending_;
  std::vector<Local> own_, of_inlined_;
};

std::vector<Local> FunctionTable::locals(const Function& function, uint32_t rva) const {
  return Scope{*this, function, rva}.locals();
}

}  // namespace symbols
