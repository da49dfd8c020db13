#include "sim/debugger/session.h"

#include <fmt/format.h>

#include <algorithm>

namespace debugger {
namespace {

using support::Error;
using support::Instant;
using support::Result;

std::string sentence(machine::StopReason reason, const machine::Machine& machine) {
  using enum machine::StopReason;
  switch (reason) {
    case PowerOff: return "the machine was switched off by its guest";
    case Reset: return "the guest asked for a reset; a run ends there";
    case TripleFault: return "triple fault: the processor shut down";
    case Hung: return "every processor waits in HLT and nothing will ever wake one";
    case MachineFailure: return fmt::format("the machine cannot go on: {}", machine.detail());
    case GuestExit: return fmt::format("the kernel ended the run with exit status {}", machine.exit_status());
    default: return "";
  }
}

}  // namespace

std::string_view word(StopReason reason) {
  constexpr std::string_view words[] = {"step", "breakpoint", "watchpoint", "event", "place", "beginning", "end",
                                        "interrupted"};
  return words[static_cast<size_t>(reason)];
}

Session::Session(std::unique_ptr<Timeline> timeline, SessionOptions options)
    : options_{std::move(options)},
      timeline_{std::move(timeline)},
      names_{timeline_->history(), options_.symbol_folders} {
  timeline_->interrupt_with(interrupted_);
  settle_focus();
}

Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::over(std::unique_ptr<Timeline> timeline, SessionOptions options) {
  if (timeline == nullptr) return Error{"a session needs a run"};
  return std::unique_ptr<Session>{new Session{std::move(timeline), std::move(options)}};
}

/// The focus after a motion: the processor whose turn it is, in the VTL that it runs in.
void Session::settle_focus() {
  const machine::Machine& machine = timeline().machine();
  focus_ = {.at = timeline().now(), .vp = machine.processor().number, .vtl = machine.processor().active, .frame = 0,
            .address = focus_.address};
}

Result<View> Session::look(const Focus& focus) {
  Timeline& run = timeline();
  if (focus.vp >= run.machine().processor_count()) return Error{fmt::format("there is no virtual processor {}", focus.vp)};
  if (run.now() != focus.at && run.seek(focus.at) != Arrival::There) {
    const Instant reached = run.now();
    (void)run.seek(focus_.at);
    return Error{fmt::format("instant {} cannot be reached: the run {} at {}", focus.at.ticks,
                             focus.at > reached ? "ends" : "begins", reached.ticks)};
  }
  names_.move_to(run.now());
  const vtl::VirtualProcessor& processor = run.machine().processor(focus.vp);
  return View{run.machine(), names_, focus, processor, processor.contexts[focus.vtl], processor.active == focus.vtl};
}

View Session::look() {
  const vtl::VirtualProcessor* processor = nullptr;
  if (Result<View> view = look(focus_)) return view.value();
  // The focus is always a place of the run: only a branch that lost its future can have taken it away.
  settle_focus();
  names_.move_to(focus_.at);
  processor = &timeline().machine().processor(focus_.vp);
  return View{timeline().machine(), names_, focus_, *processor, processor->contexts[focus_.vtl], true};
}

Stop Session::describe(StopReason reason) {
  const View view = look();
  Stop stop;
  stop.reason = reason;
  stop.focus = focus_;
  stop.place = names_.place(view.context.rip, view.context.cr3);
  stop.instruction = timeline().instructions();
  stop.ring = view.active ? view.processor.cpl() : uint8_t{0};
  stop.waits = view.processor.halted;
  if (const auto ending = timeline().ending(); ending && timeline().now() >= timeline().end())
    stop.ending = sentence(*ending, view.machine);
  constexpr std::string_view said[] = {"Stepped to", "Breakpoint at", "Watchpoint met at", "Event at", "At",
                                       "The run begins here:", "The run ends here:", "Interrupted at"};
  stop.text = fmt::format("{} {}, instant {}, VP {}, VTL {}.", said[static_cast<size_t>(reason)], stop.place.text,
                          focus_.at.ticks, focus_.vp, static_cast<unsigned>(focus_.vtl));
  return stop;
}

Result<Stop> Session::move(const FocusChange& change) {
  const uint32_t vp = change.vp.value_or(focus_.vp);
  if (vp >= timeline().machine().processor_count()) return Error{fmt::format("there is no virtual processor {}", vp)};
  if (interrupted_.exchange(false)) return describe(StopReason::Interrupted);
  const bool travels = change.at && *change.at != focus_.at;
  if (travels) {
    const Arrival arrival = timeline().seek(*change.at);
    settle_focus();
    interrupted_.store(false, std::memory_order_relaxed);
    if (arrival == Arrival::Interrupted) return describe(StopReason::Interrupted);
    if (arrival == Arrival::Beginning) return describe(StopReason::Beginning);
    if (arrival != Arrival::There && !change.vp && !change.vtl) return describe(StopReason::End);
  }
  if (change.vp) focus_.vp = vp;
  if (change.vtl) focus_.vtl = *change.vtl;
  else if (change.vp) focus_.vtl = timeline().machine().processor(vp).active;
  focus_.frame = change.frame.value_or(travels || change.vp || change.vtl ? 0 : focus_.frame);
  if (change.address) focus_.address = change.address;
  return describe(StopReason::Place);
}

Breakpoints::Context Session::context() {
  const View view = look();
  return {view.machine, names_, types_, focus_};
}

Result<Expression, ExpressionError> Session::compile(std::string_view text, const Focus& focus, bool events) {
  const Result<View> view = look(focus);
  if (!view) return ExpressionError{view.error().message, 1, false};
  return Expression::compile(text, {.names = &names_, .types = types_, .cr3 = view.value().context.cr3,
                                    .processors = view.value().machine.processor_count(), .events = events,
                                    .state = true});
}

}  // namespace debugger
