// Steps of a session, backwards.
#include <algorithm>

#include "sim/debugger/goal.h"

namespace debugger {
namespace {

using support::EventKind;

constexpr uint8_t longest_call = 9;

/// What takes a processor out of a VTL, or away from its next instruction.
bool leaves(const support::Event& event) {
  return event.kind == EventKind::VtlCall || event.kind == EventKind::VtlReturn ||
         event.kind == EventKind::VtlInterruptEntry || event.kind == EventKind::Intercept;
}
bool interrupts(const support::Event& event) {
  return event.kind == EventKind::Interrupt || event.kind == EventKind::Exception;
}

}  // namespace

/// With several processors: back to the last instant at which this one was about to execute what it executed last.
Session::Outcome Session::into_back() {
  Timeline& run = timeline();
  if (run.machine().processor_count() == 1) return arrived(run.reverse_step());
  const uint32_t vp = focus_.vp;
  const vtl::VirtualProcessor now = run.machine().processor(vp);
  const auto same = [&] {
    const vtl::VirtualProcessor& then = run.machine().processor(vp);
    return then.run_ticks == now.run_ticks && then.context().rip == now.context().rip && then.active == now.active &&
           then.shared.gpr[vtl::Rcx] == now.shared.gpr[vtl::Rcx];
  };
  Instant high = run.now();
  Instant low = high;
  for (uint64_t distance = 1; same(); distance *= 2) {
    if (low == run.beginning()) return arrived(Arrival::Beginning);
    high = low;
    low = Instant{low.ticks - std::min(distance, low - run.beginning())};
    (void)run.seek(low);
  }
  while (high - low > 1) {
    const Instant middle = low + (high - low) / 2;
    (void)run.seek(middle);
    (same() ? high : low) = middle;
  }
  return arrived(run.seek(low));
}

/// The instructions that may have called to come back to `at`, with that stack: those that end where it begins.
Conditions Session::calls_before(const Here& at, uint64_t rsp) {
  Conditions calls;
  const machine::Machine& machine = timeline().machine();
  const mmu::AddressSpace space = machine.view(at.vtl, at.cr3);
  for (uint8_t length = 1; length <= longest_call && length <= at.rip; ++length) {
    trace::InstructionRecord record = trace::capture(at.at, machine.processor(at.vp));
    const uint64_t count = mmu::read_gva(machine.translator(), space, Gva{at.rip - length}, record.bytes);
    const trace::Instruction instruction =
        disassembler_.decode(record.code_bits, at.rip - length, {record.bytes.data(), count});
    Here call = at;
    call.mnemonic = instruction.mnemonic;
    call.rsp = rsp;
    if (instruction.length == length && call.calls() && !call.mnemonic.starts_with("rep"))
      calls.emplace_back(return_to(at.rip - length, call));
  }
  return calls;
}

/// The instruction before, in this frame and VTL. Behind a return that is the call; behind a handler, what executed before it
/// interrupted; behind the other VTL, the call that went there.
Session::Outcome Session::over_back() {
  const Here start = here();
  for (;;) {
    const Instant from = timeline().now();
    Outcome outcome = into_back();
    if (outcome.reason != StopReason::Step) return outcome;
    const Here before = here();
    if (before.vtl == start.vtl && !before.returns() && !before.mnemonic.starts_with("rep")) return outcome;
    Conditions wanted;
    const auto about_to = [start](const machine::Machine& machine, const Hit&) {
      const vtl::VtlContext& context = machine.processor(start.vp).contexts[start.vtl];
      return context.rip == start.rip && context.rsp == start.rsp;
    };
    if (before.vtl != start.vtl) {
      wanted.emplace_back(EventBreak{.filter = [start](const support::Event& event) {
        return event.vp == start.vp && event.vtl == start.vtl && leaves(event);
      }});
    } else if (before.returns()) {
      wanted = calls_before(start, start.rsp);
      wanted.emplace_back(EventBreak{.filter = [start](const support::Event& event) {
        return event.vp == start.vp && event.vtl == start.vtl && interrupts(event) && event.rip == start.rip;
      }, .check = about_to});
    } else {  // the first iteration of what repeats
      Here repeated = start;
      repeated.rsp = before.rsp;
      wanted.emplace_back(return_to(before.rip, repeated));
      (void)timeline().seek(from);
      settle_focus();
    }
    const bool repeats = before.vtl == start.vtl && !before.returns();
    outcome = travel(true, wanted, !repeats);
    if (!outcome.special) return outcome;
    outcome.reason = StopReason::Step;
    focus_.vp = start.vp;
    focus_.vtl = start.vtl;
    const bool interrupted_here = here().rip == start.rip && outcome.hit->event && !repeats &&
                                  outcome.hit->event->event.kind != EventKind::VtlCall &&
                                  outcome.hit->event->event.kind != EventKind::VtlReturn;
    if (!interrupted_here) return outcome;
  }
}

/// To the call that made the focus' frame; without somebody who unwinds, back until a call is left behind.
Session::Outcome Session::out_back() {
  if (unwinder_ != nullptr) {
    const View view = look();
    if (const auto caller = unwinder_->caller(view, focus_.frame)) {
      Here at = here();
      at.rip = caller->rip;
      at.vtl = caller->vtl;
      if (Conditions calls = calls_before(at, caller->rsp); !calls.empty()) {
        for (Condition& call : calls) std::get<AddressBreak>(call).cr3.reset();
        Outcome outcome = travel(true, calls, true);
        if (outcome.special) outcome.reason = StopReason::Step;
        return outcome;
      }
    }
  }
  for (;;) {
    const uint64_t rsp = here().rsp;
    Outcome outcome = over_back();
    if (outcome.reason != StopReason::Step) return outcome;
    const Here at = here();
    if (at.calls() && at.rsp > rsp) return outcome;  // its frame is gone: it has just been called
    if (!interrupted_.exchange(false)) continue;
    outcome.reason = StopReason::Interrupted;
    return outcome;
  }
}

}  // namespace debugger
