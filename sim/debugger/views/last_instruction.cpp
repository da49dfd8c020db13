#include "sim/debugger/views/last_instruction.h"

namespace debugger::views {

std::optional<vtl::VirtualProcessor> before_last_instruction(Session& session, const Focus& focus) {
  if (!session.look(focus)) return std::nullopt;
  if (session.timeline().reverse_step() != Arrival::There) return std::nullopt;
  const vtl::VirtualProcessor& processor = session.timeline().machine().processor();
  return processor.number == focus.vp ? std::optional{processor} : std::nullopt;
}

}  // namespace debugger::views
