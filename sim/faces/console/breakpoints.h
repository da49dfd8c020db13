#pragma once
// Commands over breakpoints.
#include "sim/faces/console/command.h"

namespace faces::console {

support::Status break_at(Invocation& command);
support::Status break_on_access(Invocation& command);
support::Status break_on_event(Invocation& command);
support::Status break_on_register(Invocation& command);
support::Status break_on_vtl(Invocation& command);
support::Status list_breakpoints(Invocation& command);
support::Status change_breakpoints(Invocation& command);
support::Status breakpoint_condition(Invocation& command);
support::Status list_events(Invocation& command);

}  // namespace faces::console
