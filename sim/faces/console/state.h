#pragma once
// Commands over registers and memory.
#include "sim/faces/console/command.h"

namespace faces::console {

support::Status registers(Invocation& command);
support::Status read_msr(Invocation& command);
support::Status display(Invocation& command);
support::Status edit(Invocation& command);
support::Status search(Invocation& command);
support::Status evaluate(Invocation& command);
/// Begins a what-if branch if none was begun, and says so: before anything is changed.
support::Status need_branch(Invocation& command);

}  // namespace faces::console
