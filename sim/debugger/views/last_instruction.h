#pragma once
// What the instruction before a focus did to its processor.
#include <optional>

#include "sim/debugger/session.h"

namespace debugger::views {

/// The focus' processor before the last instruction before the focus; nothing if that was another processor's, or the run
/// begins there. The machine stands elsewhere afterwards.
[[nodiscard]] std::optional<vtl::VirtualProcessor> before_last_instruction(Session& session, const Focus& focus);

}  // namespace debugger::views
