#pragma once
// Commands over instructions, stacks, names and types.
#include "sim/faces/console/command.h"

namespace faces::console {

support::Status unassemble(Invocation& command);
support::Status unassemble_back(Invocation& command);
support::Status unassemble_function(Invocation& command);
support::Status stack(Invocation& command);
support::Status frame(Invocation& command);
support::Status examine(Invocation& command);
support::Status nearest_symbol(Invocation& command);
support::Status modules(Invocation& command);
support::Status display_type(Invocation& command);

}  // namespace faces::console
