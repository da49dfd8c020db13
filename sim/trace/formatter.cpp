#include "sim/trace/formatter.h"

#include <fmt/format.h>

#include "sim/trace/event_names.h"
#include "sim/trace/json_text.h"

namespace trace {
namespace {

constexpr std::string_view register_names[register_count] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi",    "rdi",     "r8",      "r9",
    "r10", "r11", "r12", "r13", "r14", "r15", "rflags", "fs_base", "gs_base", "cr3"};

std::string access_name(const MemoryAccess& access) {
  return access.read && access.write ? "read-write" : access.write ? "write" : "read";
}

/// " = 0x1234" where the record knows what is read there.
std::string value_text(const InstructionRecord& record, const MemoryAccess& access) {
  if (!access.read || record.memory_size == 0 || record.memory_size != access.size ||
      record.memory_address != access.address)
    return {};
  std::string text = "0x";
  for (size_t i = record.memory_size; i-- != 0;)
    text += fmt::format("{:02x}", record.memory[i]);
  return text;
}

std::string hex_bytes(const InstructionRecord& record, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < record.length; ++i)
    text += fmt::format("{}{:02x}", i == 0 ? std::string_view{} : separator, record.bytes[i]);
  return text;
}

}  // namespace

Formatter::Formatter(FormatOptions options, loader::ImageCatalog& images, LineSink sink)
    : options_{std::move(options)}, images_{images}, names_{images}, sink_{std::move(sink)} {}

void Formatter::on(const Record& record) {
  if (const auto* executed = std::get_if<InstructionRecord>(&record)) return instruction(*executed);
  const support::Event happened = std::get<EventRecord>(record).view();
  names_.learn(happened);
  names_.forget(happened);
  event(happened);
}

bool Formatter::wanted(support::Instant at, abi::hv::Vtl vtl, uint64_t rip, uint64_t cr3) const {
  if (at.ticks < options_.from || at.ticks > options_.to) return false;
  if (options_.vtl && *options_.vtl != static_cast<uint8_t>(vtl)) return false;
  if (options_.image.empty()) return true;
  const loader::LoadedImage* image = images_.find(rip, cr3);
  return image != nullptr && (image->name == options_.image || image->module == options_.image);
}

std::string Formatter::prefix(support::Instant at, uint32_t vp, abi::hv::Vtl vtl) const {
  const auto level = static_cast<uint8_t>(vtl);
  const std::string text =
      fmt::format("{:>13} {}VTL{}", at.ticks, vp == 0 ? "" : fmt::format("VP{} ", vp), level);
  // Blue and orange can be told apart by every eye; the text says it as well.
  return options_.colour ? fmt::format("\x1b[{}m{}\x1b[0m", level == 0 ? "34" : "38;5;208", text)
                         : text;
}

void Formatter::instruction(const InstructionRecord& record) {
  if (options_.events_only || !wanted(record.at, record.vtl, record.rip, record.registers[cr3]))
    return;
  const Instruction decoded = disassembler_.decode(record);
  const std::string symbol = images_.describe(record.rip, record.registers[cr3]);
  if (options_.json)
    instruction_json(record, decoded, symbol);
  else
    instruction_text(record, decoded, symbol);
}

void Formatter::instruction_text(const InstructionRecord& record, const Instruction& decoded,
                                 const std::string& symbol) {
  const std::string function =
      fmt::format("{}{}", static_cast<uint8_t>(record.vtl), symbol.substr(0, symbol.find('+')));
  if (function != function_ && !symbol.empty()) {
    const std::string source = images_.source_line(record.rip, record.registers[cr3]);
    sink_(source.empty() ? symbol + ":" : fmt::format("{}: ({})", symbol, source));
  }
  function_ = function;
  std::string line =
      fmt::format("{} {:016x} {:<30} {} {}", prefix(record.at, record.vp, record.vtl), record.rip,
                  hex_bytes(record, " "), decoded.mnemonic, decoded.operands);
  std::string notes;
  if (decoded.target) {
    const std::string target = images_.describe(*decoded.target, record.registers[cr3]);
    if (!target.empty()) notes += " " + target;
  }
  for (const MemoryAccess& access : decoded.accesses) {
    notes += fmt::format(" {} {} bytes at {:#x}", access_name(access), access.size, access.address);
    if (const std::string value = value_text(record, access); !value.empty()) notes += " = " + value;
  }
  if (!notes.empty()) line += fmt::format("  ;{}", notes);
  sink_(line);
  if (!options_.registers || !record.has_registers) return;
  std::string registers;
  for (size_t i = 0; i < register_count; ++i)
    registers +=
        fmt::format("{}{}={:x}", i == 0 ? "" : " ", register_names[i], record.registers[i]);
  sink_(fmt::format("{:>19}{}", "", registers));
}

void Formatter::instruction_json(const InstructionRecord& record, const Instruction& decoded,
                                 const std::string& symbol) {
  std::string accesses;
  for (const MemoryAccess& access : decoded.accesses) {
    JsonLine one;
    one.text("kind", access_name(access))
        .hex("address", access.address)
        .number("size", access.size);
    if (const std::string value = value_text(record, access); !value.empty())
      one.text("value", value);
    accesses += (accesses.empty() ? "" : ",") + one.line();
  }
  JsonLine line;
  line.text("type", "instruction").number("tick", record.at.ticks).number("vp", record.vp);
  line.number("vtl", static_cast<uint8_t>(record.vtl))
      .hex("rip", record.rip)
      .text("bytes", hex_bytes(record, ""));
  line.text("mnemonic", decoded.mnemonic).text("operands", decoded.operands);
  if (!symbol.empty()) line.text("symbol", symbol);
  const std::string source = images_.source_line(record.rip, record.registers[cr3]);
  if (!source.empty()) line.text("source", source);
  line.raw("accesses", fmt::format("[{}]", accesses));
  if (options_.registers && record.has_registers) {
    JsonLine registers;
    for (size_t i = 0; i < register_count; ++i)
      registers.hex(register_names[i], record.registers[i]);
    line.raw("registers", registers.line());
  }
  sink_(line.line());
}

void Formatter::event(const support::Event& event) {
  if (!wanted(event.at, event.vtl, event.rip, 0)) return;
  const EventDescription description = describe(event, &images_);
  if (options_.json) return event_json(event, description);
  const std::string text = to_text(event, description);
  sink_(fmt::format("{} {}{}{}", prefix(event.at, event.vp, event.vtl),
                    options_.colour ? "\x1b[1m" : "", text, options_.colour ? "\x1b[0m" : ""));
}

void Formatter::event_json(const support::Event& event, const EventDescription& description) {
  JsonLine line;
  line.text("type", "event")
      .text("kind", name_of(event.kind))
      .number("tick", event.at.ticks)
      .number("vp", event.vp);
  line.number("vtl", static_cast<uint8_t>(event.vtl)).hex("rip", event.rip);
  if (!description.name.empty()) line.text("name", description.name);
  if (!description.arguments.empty()) line.arguments("arguments", description.arguments);
  if (!description.outcome.empty()) line.text("outcome", description.outcome);
  line.hex("a", event.a).hex("b", event.b).hex("c", event.c);
  sink_(line.line());
}

}  // namespace trace
