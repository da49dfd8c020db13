// Motion of a session: steps and runs, in both directions.
#include <fmt/format.h>

#include "sim/debugger/session.h"

namespace debugger {

using support::Error;
using support::Result;

Result<Stop> Session::step(const StepRequest& request) {
  if (request.kind != StepKind::Into || request.unit != StepUnit::Instruction)
    return Error{"not implemented: only steps into, by instruction"};
  Timeline& run = timeline();
  if (run.now() != focus_.at) (void)run.seek(focus_.at);
  const Arrival arrival = request.back ? run.reverse_step(request.count) : run.step_forward(request.count);
  settle_focus();
  switch (arrival) {
    case Arrival::Beginning: return describe(StopReason::Beginning);
    case Arrival::End: return describe(StopReason::End);
    case Arrival::Interrupted: return describe(StopReason::Interrupted);
    default: return describe(StopReason::Step);
  }
}

Result<Stop> Session::run(const RunRequest&) { return Error{"not implemented"}; }

}  // namespace debugger
