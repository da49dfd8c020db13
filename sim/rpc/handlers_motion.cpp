// focus, step, run.
#include "sim/rpc/desk.h"

namespace rpc {
namespace {

Answer focus(Desk& desk, const Parameters& parameters) {
  debugger::FocusChange change;
  if (const auto at = parameters.integer("at")) change.at = support::Instant{*at};
  change.vp = TRY(desk.vp(parameters));
  change.vtl = TRY(desk.vtl(parameters));
  if (const auto frame = parameters.integer("frame")) change.frame = static_cast<uint32_t>(std::min<uint64_t>(*frame, ~uint32_t{0}));
  change.address = parameters.hex("address");
  return desk.moved(TRY(or_refuse(desk.session.move(change))));
}

Answer step(Desk& desk, const Parameters& parameters) {
  debugger::StepRequest request;
  const std::string kind = parameters.text("kind");
  request.kind = kind == "into" ? debugger::StepKind::Into : kind == "over" ? debugger::StepKind::Over : debugger::StepKind::Out;
  request.back = parameters.flag("back");
  request.count = parameters.integer("count", 1);
  request.unit = parameters.text("by") == "line" ? debugger::StepUnit::Line : debugger::StepUnit::Instruction;
  return desk.moved(TRY(or_refuse(desk.session.step(request))));
}

Answer run(Desk& desk, const Parameters& parameters) {
  debugger::RunRequest request;
  request.back = parameters.flag("back");
  request.to = parameters.text("to");
  request.until = parameters.text("until");
  request.breakpoints = parameters.flag("breakpoints", true);
  return desk.moved(TRY(or_refuse(desk.session.run(request))));
}

/// Whoever has another thread goes past the queue; on the session's own nothing else is under way.
Answer interrupt(Desk&, const Parameters&) { return Json::object(); }

}  // namespace

void serve_motion(Desk& desk) {
  serve(desk, "focus", focus);
  serve(desk, "step", step);
  serve(desk, "run", run);
  serve(desk, "interrupt", interrupt);
}

}  // namespace rpc
