#include "sim/timing/cycle_trace.h"

#include <fmt/format.h>

#include "sim/trace/event_names.h"
#include "sim/trace/event_text.h"
#include "sim/trace/json_text.h"
#include "sim/trace/run_line.h"

namespace timing {
namespace {

using trace::grouped;
using trace::JsonLine;

constexpr std::string_view fractions[] = {"", ".25", ".5", ".75"};

std::string_view access_name(mmu::AccessKind kind) {
  switch (kind) {
    case mmu::AccessKind::Read: return "read";
    case mmu::AccessKind::Write: return "write";
    case mmu::AccessKind::Execute: return "fetch";
  }
  return "access";
}

/// "0.5 + fetch 8 + data 40 + walk 96".
std::string reasons(const Charge& charge) {
  std::string text = cycles_text(charge.base);
  const auto add = [&](std::string_view name, Quarters quarters) {
    if (quarters != 0) text += fmt::format(" + {} {}", name, cycles_text(quarters));
  };
  add("fetch", charge.fetch);
  add("data", charge.data);
  add("TLB", charge.tlb);
  add("walk", charge.walk);
  add("system", charge.system);
  return text;
}

std::string charge_json(const Charge& charge) {
  JsonLine line;
  line.raw("base", cycles_number(charge.base)).raw("fetch", cycles_number(charge.fetch));
  line.raw("data", cycles_number(charge.data)).raw("tlb", cycles_number(charge.tlb));
  line.raw("walk", cycles_number(charge.walk)).raw("system", cycles_number(charge.system));
  return line.line();
}

std::string walk_json(const CostTable& costs, const WalkCost& cost) {
  std::string steps;
  for (uint8_t i = 0; i < cost.walk.count; ++i) {
    const WalkStep& step = cost.walk.list[i];
    JsonLine one;
    one.text("entry", name_of(step)).number("stage", step.second_stage ? 2 : 1).number("level", step.level);
    one.hex("address", step.address).hex("gpa", step.gpa).text("hit", name_of(cost.levels[i]));
    one.number("cycles", latency_of(costs, cost.levels[i]));
    steps += (steps.empty() ? "" : ",") + one.line();
  }
  JsonLine line;
  line.text("access", access_name(cost.walk.kind)).hex("gva", cost.walk.gva);
  if (cost.walk.granted) line.hex("gpa", cost.walk.gpa).hex("spa", cost.walk.spa);
  line.boolean("granted", cost.walk.granted).raw("cycles", cycles_number(cost.total));
  line.number("assist", cost.assist).raw("references", fmt::format("[{}]", steps));
  return line.line();
}

}  // namespace

std::string cycles_text(Quarters quarters) {
  return grouped(quarters / quarters_per_cycle) + std::string{fractions[quarters % quarters_per_cycle]};
}

std::string cycles_number(Quarters quarters) {
  return fmt::format("{}{}", quarters / quarters_per_cycle, fractions[quarters % quarters_per_cycle]);
}

CycleTrace::CycleTrace(CycleTraceOptions options, const CostTable& costs, loader::ImageCatalog& images,
                       LineSink sink)
    : options_{std::move(options)}, costs_{costs}, images_{images}, names_{images}, sink_{std::move(sink)} {}

bool CycleTrace::wanted(support::Instant at, abi::hv::Vtl vtl, uint64_t rip, uint64_t cr3) const {
  if (at.ticks < options_.from || at.ticks > options_.to) return false;
  if (options_.vtl && *options_.vtl != static_cast<uint8_t>(vtl)) return false;
  if (options_.image.empty()) return true;
  const loader::LoadedImage* image = images_.find(rip, cr3);
  return image != nullptr && (image->name == options_.image || image->module == options_.image);
}

std::string CycleTrace::prefix(Quarters start, support::Instant at, uint32_t vp, abi::hv::Vtl vtl) const {
  const auto level = static_cast<uint8_t>(vtl);
  const std::string text = fmt::format("{:>17} {:>13} {}VTL{}", cycles_text(start), at.ticks,
                                       vp == 0 ? "" : fmt::format("VP{} ", vp), level);
  return options_.colour ? fmt::format("\x1b[{}m{}\x1b[0m", level == 0 ? "34" : "38;5;208", text) : text;
}

void CycleTrace::on(const InstructionCost& cost) {
  const trace::InstructionRecord& record = cost.record;
  if (options_.events_only || !wanted(record.at, record.vtl, record.rip, record.registers[trace::cr3])) return;
  const trace::Instruction decoded = disassembler_.decode(record);
  if (options_.json) return instruction_json(cost, decoded);
  instruction_text(cost, decoded);
  for (const WalkCost& walk : cost.walks) walk_text(walk);
}

void CycleTrace::instruction_text(const InstructionCost& cost, const trace::Instruction& decoded) {
  const trace::InstructionRecord& record = cost.record;
  const std::string symbol = images_.describe(record.rip, record.registers[trace::cr3]);
  const std::string function =
      fmt::format("{}{}", static_cast<uint8_t>(record.vtl), symbol.substr(0, symbol.find('+')));
  if (function != function_ && !symbol.empty()) sink_(symbol + ":");
  function_ = function;
  std::string notes;
  if (decoded.target) {
    const std::string target = images_.describe(*decoded.target, record.registers[trace::cr3]);
    if (!target.empty()) notes = "  ; " + target;
  }
  sink_(fmt::format("{} {:016x}  {:<44} {:>9}  = {}{}", prefix(cost.start, record.at, record.vp, record.vtl),
                    record.rip, fmt::format("{} {}", decoded.mnemonic, decoded.operands),
                    cycles_text(cost.charge.total()), reasons(cost.charge), notes));
}

void CycleTrace::walk_text(const WalkCost& cost) {
  const Walk& walk = cost.walk;
  std::string end = walk.granted ? fmt::format("gpa {:#x}", walk.gpa) : "refused";
  if (cost.assist != 0) end += fmt::format(", {} cycles to set A or D", cost.assist);
  sink_(fmt::format("{:>38}walk for the {} of {:#x}: {} references, {} cycles, {}", "", access_name(walk.kind),
                    walk.gva, walk.count, cycles_text(cost.total), end));
  for (uint8_t i = 0; i < walk.count; ++i) {
    const WalkStep& step = walk.list[i];
    sink_(fmt::format("{:>38}{:>4}  {}{:<9}  spa {:#012x}  {} {:#012x}  {:<6} {:>4}", "", i + 1,
                      step.second_stage ? "  " : "", name_of(step), step.address,
                      step.second_stage ? "for gpa" : "at gpa ", step.gpa, name_of(cost.levels[i]),
                      latency_of(costs_, cost.levels[i])));
  }
}

void CycleTrace::instruction_json(const InstructionCost& cost, const trace::Instruction& decoded) {
  const trace::InstructionRecord& record = cost.record;
  JsonLine line;
  line.text("type", "instruction").raw("cycle", cycles_number(cost.start)).number("tick", record.at.ticks);
  line.number("vp", record.vp).number("vtl", static_cast<uint8_t>(record.vtl)).hex("rip", record.rip);
  line.text("mnemonic", decoded.mnemonic).text("operands", decoded.operands);
  const std::string symbol = images_.describe(record.rip, record.registers[trace::cr3]);
  if (!symbol.empty()) line.text("symbol", symbol);
  line.text("class", name_of(cost.kind)).raw("cycles", cycles_number(cost.charge.total()));
  line.raw("parts", charge_json(cost.charge));
  std::string walks;
  for (const WalkCost& walk : cost.walks) walks += (walks.empty() ? "" : ",") + walk_json(costs_, walk);
  line.raw("walks", fmt::format("[{}]", walks));
  sink_(line.line());
}

void CycleTrace::on(const support::Event& event, const Charge& charge, Quarters start) {
  if (options_.loads_images) {
    names_.learn(event);
    names_.forget(event);
  }
  if (!wanted(event.at, event.vtl, event.rip, 0)) return;
  const trace::EventDescription description = trace::describe(event, &images_);
  if (options_.json) {
    JsonLine line;
    line.text("type", "event").raw("cycle", cycles_number(start)).number("tick", event.at.ticks);
    line.number("vp", event.vp).number("vtl", static_cast<uint8_t>(event.vtl));
    line.text("kind", trace::name_of(event.kind)).text("text", trace::to_text(event, description));
    line.raw("cycles", cycles_number(charge.total()));
    return sink_(line.line());
  }
  const std::string text = trace::to_text(event, description);
  const std::string cost = charge.total() == 0 ? "" : fmt::format("  = {} cycles", cycles_text(charge.total()));
  sink_(fmt::format("{} {}{}{}{}", prefix(start, event.at, event.vp, event.vtl), options_.colour ? "\x1b[1m" : "",
                    text, options_.colour ? "\x1b[0m" : "", cost));
}

}  // namespace timing
