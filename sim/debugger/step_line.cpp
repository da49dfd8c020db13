// Steps of a session by lines of source code.
#include "sim/debugger/goal.h"

namespace debugger {
namespace {

struct SourceLine {
  std::string file;
  uint32_t line{};
  [[nodiscard]] bool known() const { return line != 0; }
  friend bool operator==(const SourceLine&, const SourceLine&) = default;
};

SourceLine line_at(const Names& names, const vtl::VirtualProcessor& vp) {
  const Place place = names.place(vp.context().rip, vp.context().cr3);
  return {place.file, place.line};
}

}  // namespace

/// Forwards to the first instruction of another line; back to the first of the line before. Code without lines is stepped
/// over. Where no line is known at all, a step is one instruction.
Session::Outcome Session::line(const StepRequest& request) {
  const auto now = [&] {
    names_.move_to(timeline().now());
    return line_at(names_, timeline().machine().processor(focus_.vp));
  };
  const auto one = [&](StepKind kind) {
    const Focus before = focus_;
    Outcome outcome = instruction(kind, request.back);
    if (kind == StepKind::Over || outcome.reason != StopReason::Step || now().known()) return outcome;
    (void)timeline().seek(before.at);  // it led to where no lines are
    focus_ = before;
    return instruction(StepKind::Over, request.back);
  };
  const SourceLine start = now();
  Outcome outcome = one(request.kind);
  if (!start.known()) return outcome;
  while (outcome.reason == StopReason::Step && (now() == start || !now().known())) {
    if (interrupted_.exchange(false)) return {StopReason::Interrupted, {}, {}, {}, false};
    outcome = one(request.kind);
  }
  if (!request.back) return outcome;
  // The last instruction of the line before: on to its first one.
  const SourceLine before = now();
  while (outcome.reason == StopReason::Step) {
    const Focus first = focus_;
    outcome = instruction(StepKind::Over, true);
    if (outcome.reason == StopReason::Step && now() == before) continue;
    if (outcome.reason != StopReason::Step && outcome.reason != StopReason::Beginning) break;
    (void)timeline().seek(first.at);
    focus_ = first;
    return {StopReason::Step, {}, {}, {}, false};
  }
  return outcome;
}

}  // namespace debugger
