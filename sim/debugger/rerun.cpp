// A stretch of the run executed once more, for who wants to hear and see all of it.
#include <fmt/format.h>

#include "sim/debugger/timeline.h"
#include "sim/support/check.h"

namespace debugger {

using machine::StopReason;

namespace {

/// Between two looks at whether somebody wants to stop: milliseconds, also where each instruction is looked at.
constexpr uint64_t slice = 50'000;

/// What happens from an instant on: while the machine is made, things happen that were long before.
struct EventsFrom final : support::EventSink {
  EventsFrom(Instant the_beginning, support::EventSink& the_listener) : beginning{the_beginning}, listener{the_listener} {}
  void on(const support::Event& event) override {
    if (event.at >= beginning) listener.on(event);
  }
  Instant beginning;
  support::EventSink& listener;
};

}  // namespace

support::Result<std::unique_ptr<machine::Machine>> Timeline::copy_at(Instant at, support::EventSink& events) {
  const Instant here = now();
  go_to(at);
  const bool there = now() == at;
  loader::MachineConfig exact = config_;
  exact.gear = loader::GearSetting::Exact;
  auto copy = machine::Machine::create(exact, parts_, &events);
  CHECK(copy.ok());  // of the very parts that the first one was made of
  for (const machine::Input& input : machine_->inputs()) CHECK(copy.value()->schedule_input(input).ok());
  const support::Status restored = there ? copy.value()->restore(machine_->save()) : support::Status{support::Unit{}};
  go_to(here);
  if (!there) return support::Error{interrupted() ? "interrupted" : fmt::format("the run ends before {}", at.ticks)};
  TRY(restored);
  return copy;
}

support::Status Timeline::rerun(Instant from, Instant to, support::EventSink& events, const Begin& begin) {
  if (from >= to || to > end()) return support::Error{fmt::format("the run is known from {} to {}", beginning().ticks, end().ticks)};
  EventsFrom listener{from, events};
  const std::unique_ptr<machine::Machine> copy = TRY(copy_at(from, listener));
  copy->observe(begin(*copy));
  while (copy->now() < to && !interrupted()) {
    const auto edit = std::find_if(edits_.begin(), edits_.end(), [&](const Edit& each) { return each.at > copy->now(); });
    Instant stop = to - copy->now() > slice ? copy->now() + slice : to;
    if (edit != edits_.end()) stop = std::min(stop, edit->at);
    if (copy->run(stop) != StopReason::Deadline) break;
    for (const Edit& each : edits_)
      if (each.at == copy->now() && each.at < to) CHECK(each.change(*copy).ok());
  }
  copy->observe(nullptr);
  if (interrupted()) return support::Error{"interrupted"};
  return support::Unit{};
}

}  // namespace debugger
