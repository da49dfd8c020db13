#include "sim/cli/timeline_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/cli/session.h"
#include "sim/debugger/answer_text.h"
#include "sim/trace/event_names.h"
#include "sim/trace/event_text.h"

namespace cli {
namespace {

using abi::hv::Vtl;
using support::Instant;

/// How much is shown around a position.
constexpr uint64_t instructions_before = 3;
constexpr int instructions_after = 4, events_around = 2;

std::vector<std::string> folders() {
  const std::string folder = guest_folder();
  return folder.empty() ? std::vector<std::string>{} : std::vector{folder + "/images"};
}

}  // namespace

TimelineReport::TimelineReport(debugger::Timeline& timeline, StandardOutput& out, std::string process, bool json)
    : timeline_{timeline}, out_{out}, process_{std::move(process)}, json_{json}, names_{timeline.history(), folders()} {
  names_.move_to(timeline_.now());
}

debugger::TargetContext TimelineReport::context() const { return {timeline_.machine(), names_, process_}; }

std::string TimelineReport::name(uint64_t rip, uint64_t cr3) const {
  const std::string known = names_.images().describe(rip, cr3);
  return known.empty() ? fmt::format("{:#x}", rip) : fmt::format("{:#x} {}", rip, known);
}

support::Status TimelineReport::go_back(const debugger::Target& target) {
  const debugger::Conditions conditions = TRY(debugger::conditions_of(target, context()));
  const Instant from = timeline_.now();
  const auto move = timeline_.reverse_continue(conditions);
  if (move.arrival != debugger::Arrival::Hit) {
    (void)timeline_.seek(from);
    return support::Error{"--back: that did not happen before this position"};
  }
  names_.move_to(timeline_.now());
  return support::Unit{};
}

std::string TimelineReport::instruction_here() {
  const vtl::VirtualProcessor& vp = timeline_.machine().processor();
  trace::InstructionRecord record = trace::capture(timeline_.now(), vp);
  const uint64_t count = mmu::read_gva(timeline_.machine().translator(), timeline_.machine().view(vp.active),
                                       abi::Gva{record.rip}, record.bytes, vp.cpl() == 3);
  const trace::Instruction instruction = disassembler_.decode(record.code_bits, record.rip, {record.bytes.data(), count});
  const std::string text = instruction.length == 0 ? "?" : instruction.mnemonic + " " + instruction.operands;
  return fmt::format("{:>12}  VTL {} ring {}  {:<48} {}", timeline_.now().ticks, static_cast<unsigned>(vp.active), vp.cpl(),
                     name(record.rip, vp.context().cr3), text);
}

void TimelineReport::print_registers() const {
  const vtl::VirtualProcessor& vp = timeline_.machine().processor();
  constexpr const char* shown[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
                                   "r12", "r13", "r14", "r15", "rip", "rflags", "cr0", "cr2", "cr3", "cr4"};
  int column = 0;
  trace::JsonLine json;
  for (const char* which : shown) {
    const uint64_t value = debugger::register_value(*debugger::find_register(which), vp, vp.active).low;
    if (json_) json.hex(which, value);
    else out_.print("{:>6} {:016x}{}", which, value, ++column % 4 == 0 ? "\n" : "  ");
  }
  if (!json_) {
    out_.print("\n");
    return;
  }
  json.number("instant", timeline_.now().ticks).number("instruction", timeline_.instructions());
  json.number("vp", vp.number).number("vtl", static_cast<unsigned>(vp.active)).number("ring", vp.cpl());
  out_.print("{}\n", json.text("symbol", names_.images().describe(vp.context().rip, vp.context().cr3)).line());
}

void TimelineReport::position() {
  const Instant here = timeline_.now();
  if (json_) return print_registers();
  out_.print("Instant {}, instruction {}.\n\n", here.ticks, timeline_.instructions());
  print_registers();
  out_.print("\n");
  const uint64_t back = std::min(instructions_before, timeline_.instructions());
  const bool between = timeline_.machine().waits();
  (void)timeline_.reverse_step(back);
  for (uint64_t i = 0; i < back + instructions_after; ++i) {
    const bool present = timeline_.now() == here;
    out_.print("{} {}\n", present ? ">" : " ", instruction_here());
    if (timeline_.step_forward() != debugger::Arrival::There) break;
  }
  (void)timeline_.seek(here);
  if (between) out_.print("  The processor waits in HLT here.\n");
  out_.print("\nEvents around:\n");
  std::vector<std::string> lines;
  const auto line = [&](const trace::EventRecord& record) {
    const support::Event event = record.view();
    return fmt::format("  {:>12}  VTL {}  {}\n", event.at.ticks, static_cast<unsigned>(event.vtl),
                       trace::to_text(event, trace::describe(event, &names_.images())));
  };
  (void)timeline_.history().last(here, [&](const support::Event& event) {
    trace::EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
    if (event.frame != nullptr) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
    lines.push_back(line(record));
    return lines.size() == events_around;
  }, {});
  for (auto text = lines.rbegin(); text != lines.rend(); ++text) out_.print("{}", *text);
  int after = 0;
  (void)timeline_.history().first(here, [&](const support::Event& event) {
    trace::EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
    if (event.frame != nullptr) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
    out_.print("{}", line(record));
    return ++after == events_around;
  });
}

void TimelineReport::print_answer(const debugger::Answer& answer, const std::string& change) {
  const debugger::Hit& hit = answer.hit;
  std::string event;
  if (answer.event) event = trace::to_text(answer.event->view(), trace::describe(answer.event->view(), &names_.images()));
  if (json_) {
    out_.print("{}\n", trace::JsonLine{}
                           .number("instant", hit.at.ticks)
                           .number("vp", hit.vp)
                           .number("vtl", static_cast<unsigned>(hit.vtl))
                           .number("ring", hit.cpl)
                           .hex("rip", hit.rip)
                           .text("symbol", names_.images().describe(hit.rip, hit.cr3))
                           .boolean("between_instructions", hit.between)
                           .text("old", debugger::value_text(hit.before))
                           .text("new", debugger::value_text(hit.after))
                           .text("change", change)
                           .text("event", event)
                           .line());
    return;
  }
  out_.print("\nLast written at instant {} by VP {}, VTL {}, ring {}, {}\n  {}\n", hit.at.ticks, hit.vp,
             static_cast<unsigned>(hit.vtl), hit.cpl, name(hit.rip, hit.cr3), change);
  if (hit.between) out_.print("  when an interrupt was delivered before that instruction\n");
  if (!event.empty()) out_.print("  at that instant: {}\n", event);
  (void)timeline_.seek(hit.at);
  out_.print("  {}\n", instruction_here());
}

support::Status TimelineReport::who_wrote(const debugger::Target& target) {
  const Instant here = timeline_.now();
  std::optional<debugger::Answer> answer;
  std::string change;
  if (target.kind == debugger::Target::Kind::Slat) {
    const Vtl vtl = target.vtl.value_or(Vtl::Vtl0);
    auto found = TRY(debugger::last_permission_change(timeline_, vtl, abi::Gpa{target.value}));
    if (found) {
      change = fmt::format("rights of VTL {} to page {:#x}: {} -> {}", static_cast<unsigned>(vtl),
                           target.value & ~(abi::page_size - 1), debugger::rights_text(found->before), debugger::rights_text(found->after));
      answer = std::move(found->answer);
    }
  } else if (target.kind == debugger::Target::Kind::Pte) {
    const std::optional<uint64_t> root = TRY(debugger::root_of(target, context()));
    answer = TRY(debugger::last_mapping_change(timeline_, debugger::vtl_of(target, context()), root, abi::Gva{target.value},
                                               target.level));
  } else {
    const debugger::Conditions watches = TRY(debugger::conditions_of(target, context()));
    if (!std::all_of(watches.begin(), watches.end(), debugger::is_watch))
      return support::Error{"--who-wrote asks for memory, a register, pte: or slat:"};
    answer = debugger::last_write(timeline_, watches);
  }
  if (!answer) {
    out_.print("{}\n", json_ ? std::string{"{\"written\":false}"} : "\nNobody has written it since the machine began.");
    return support::Unit{};
  }
  if (change.empty()) change = fmt::format("{} -> {}", debugger::value_text(answer->hit.before), debugger::value_text(answer->hit.after));
  print_answer(*answer, change);
  (void)timeline_.seek(here);
  return support::Unit{};
}

}  // namespace cli
