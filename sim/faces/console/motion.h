#pragma once
// Commands that move: forwards and backwards, to breakpoints, places and instants; and other worlds than the one that was recorded.
#include "sim/faces/console/command.h"

namespace faces::console {

support::Status go(Invocation& command);
support::Status go_up(Invocation& command);
support::Status step(Invocation& command);
support::Status step_to_address(Invocation& command);
support::Status step_to_instruction(Invocation& command);
support::Status seek(Invocation& command);
support::Status position(Invocation& command);
support::Status switch_vtl(Invocation& command);
support::Status processors(Invocation& command);
support::Status branch(Invocation& command);

}  // namespace faces::console
