// Steps of a session, forwards; and what steps have in common.
#include <fmt/format.h>

#include <algorithm>

#include "sim/debugger/goal.h"

namespace debugger {

using support::Error;
using support::EventKind;
using support::Result;

bool Session::Here::calls() const {
  static constexpr std::string_view those[] = {"call", "lcall", "syscall", "sysenter", "int", "int1", "int3", "into",
                                               "vmcall", "vmmcall"};
  return mnemonic.starts_with("rep") || std::find(std::begin(those), std::end(those), mnemonic) != std::end(those);
}

bool Session::Here::returns() const {
  return mnemonic.starts_with("ret") || mnemonic.starts_with("iret") || mnemonic.starts_with("sysret") ||
         mnemonic == "sysexit" || mnemonic.starts_with("lret") || mnemonic == "retf";
}

/// The instruction of the focus' processor that is next, in the VTL that it runs in.
Session::Here Session::here() {
  const machine::Machine& machine = timeline().machine();
  const vtl::VirtualProcessor& vp = machine.processor(focus_.vp);
  const vtl::VtlContext& context = vp.context();
  Here here{.at = timeline().now(), .vp = vp.number, .vtl = vp.active, .ring = vp.cpl(), .rip = context.rip,
            .rsp = context.rsp, .cr3 = context.cr3, .length = 0, .mnemonic = {}};
  trace::InstructionRecord record = trace::capture(here.at, vp);
  const uint64_t count = mmu::read_gva(machine.translator(), machine.view(vp.active, context.cr3), Gva{here.rip},
                                       record.bytes, here.ring == 3);
  const trace::Instruction instruction = disassembler_.decode(record.code_bits, here.rip, {record.bytes.data(), count});
  here.length = instruction.length;
  here.mnemonic = instruction.mnemonic;
  return here;
}

/// The same stack again, there: what was called has come back, and not an inner call of it.
AddressBreak Session::return_to(uint64_t rip, const Here& at) const {
  AddressBreak back{.rip = rip, .vtl = at.vtl, .cr3 = {}, .vp = at.vp, .rsp = at.rsp};
  if (at.ring == 3) back.cr3 = at.cr3;  // other processes have such code and stacks too
  return back;
}

Session::Outcome Session::arrived(Arrival arrival) {
  const uint32_t vp = focus_.vp;
  settle_focus();
  focus_.vp = vp;
  focus_.vtl = timeline().machine().processor(vp).active;
  switch (arrival) {
    case Arrival::Beginning: return {StopReason::Beginning, {}, {}, {}, false};
    case Arrival::End: return {StopReason::End, {}, {}, {}, false};
    case Arrival::Interrupted: return {StopReason::Interrupted, {}, {}, {}, false};
    default: return {StopReason::Step, {}, {}, {}, false};
  }
}

namespace {

/// What changes when a processor executes.
struct Progress {
  uint64_t ticks{}, rip{}, rcx{};
  Vtl vtl{};
  friend bool operator==(const Progress&, const Progress&) = default;
};

Progress progress_of(const machine::Machine& machine, uint32_t number) {
  const vtl::VirtualProcessor& vp = machine.processor(number);
  return {vp.run_ticks, vp.context().rip, vp.shared.gpr[vtl::Rcx], vp.active};
}

}  // namespace

/// With several processors: on to the first instant at which this one has executed something.
Session::Outcome Session::into() {
  Timeline& run = timeline();
  if (run.machine().processor_count() == 1) return arrived(run.step_forward());
  const uint32_t vp = focus_.vp;
  const Progress before = progress_of(run.machine(), vp);
  const auto moved = [&] { return progress_of(run.machine(), vp) != before; };
  Instant low = run.now();
  for (uint64_t distance = 1;; distance *= 2) {
    const Arrival arrival = run.seek(low + distance);
    if (moved()) break;
    if (arrival != Arrival::There) return arrived(arrival);
    low = run.now();
  }
  for (Instant high = run.now(); high - low > 1;) {
    const Instant middle = low + (high - low) / 2;
    (void)run.seek(middle);
    (moved() ? high : low) = middle;
    if (high - low == 1) (void)run.seek(high);
  }
  return arrived(Arrival::There);
}

/// Between two positions of the focus' processor something else had its turn: a handler.
bool Session::diverted(const Here& at) {
  const Instant now = timeline().now();
  bool found = false;
  (void)timeline().history().first(at.at, [&](const support::Event& event) {
    if (event.at >= now) return true;
    const bool such = event.kind == EventKind::Interrupt || event.kind == EventKind::Exception ||
                      event.kind == EventKind::VtlInterruptEntry || event.kind == EventKind::Intercept;
    found = found || (such && event.vp == at.vp);
    return found;
  });
  return found || timeline().machine().processor(at.vp).active != at.vtl;
}

/// Calls of all kinds run to behind themselves. Anything else is one step; if a handler came in between, on to where the
/// instruction is tried again or has been executed.
Session::Outcome Session::over() {
  for (;;) {
    const Here at = here();
    if (at.length != 0 && at.calls()) {
      Outcome outcome = travel(false, {return_to(at.next(), at)}, true);
      if (outcome.special) outcome.reason = StopReason::Step;
      return outcome;
    }
    Outcome outcome = into();
    if (outcome.reason != StopReason::Step || !diverted(at)) return outcome;
    outcome = travel(false, {return_to(at.rip, at), return_to(at.next(), at)}, true);
    if (!outcome.special) return outcome;
    if (*outcome.special == 1) {
      outcome.reason = StopReason::Step;
      return outcome;
    }
  }
}

/// To behind the call that made the focus' frame; without somebody who unwinds, through the next return of this frame.
Session::Outcome Session::out() {
  if (unwinder_ != nullptr) {
    const View view = look();
    if (const auto caller = unwinder_->caller(view, focus_.frame)) {
      Here at = here();
      at.rsp = caller->rsp;
      at.vtl = caller->vtl;
      AddressBreak back = return_to(caller->rip, at);
      back.cr3.reset();
      Outcome outcome = travel(false, {back}, true);
      if (outcome.special) outcome.reason = StopReason::Step;
      return outcome;
    }
  }
  for (;;) {
    const bool leaves = here().returns();
    Outcome outcome = leaves ? into() : over();
    if (leaves || outcome.reason != StopReason::Step) return outcome;
    if (!interrupted_.load(std::memory_order_relaxed)) continue;
    interrupted_.store(false, std::memory_order_relaxed);
    outcome.reason = StopReason::Interrupted;
    return outcome;
  }
}

Session::Outcome Session::instruction(StepKind kind, bool back) {
  switch (kind) {
    case StepKind::Into: return back ? into_back() : into();
    case StepKind::Over: return back ? over_back() : over();
    case StepKind::Out: return back ? out_back() : out();
  }
  return {};
}

Session::Outcome Session::step_once(const StepRequest& request) {
  if (request.unit == StepUnit::Line && request.kind != StepKind::Out) return line(request);
  return instruction(request.kind, request.back);
}

Result<Stop> Session::step(const StepRequest& request) {
  if (interrupted_.exchange(false)) return describe(StopReason::Interrupted);
  (void)look();
  if (request.count == 0) return describe(StopReason::Step);
  const bool many = request.kind == StepKind::Into && request.unit == StepUnit::Instruction &&
                    timeline().machine().processor_count() == 1;
  if (many) {
    const Arrival arrival = request.back ? timeline().reverse_step(request.count) : timeline().step_forward(request.count);
    return describe(arrived(arrival));
  }
  Outcome outcome;
  for (uint64_t i = 0; i < request.count; ++i) {
    outcome = step_once(request);
    if (outcome.reason != StopReason::Step) break;
    if (i + 1 == request.count || !interrupted_.exchange(false)) continue;
    outcome.reason = StopReason::Interrupted;
    break;
  }
  interrupted_.store(false, std::memory_order_relaxed);
  return describe(std::move(outcome));
}

}  // namespace debugger
