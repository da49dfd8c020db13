#pragma once
// Commands over the session itself.
#include "sim/faces/console/command.h"

namespace faces::console {

support::Status help(Invocation& command);
support::Status quit(Invocation& command);
support::Status reload(Invocation& command);
support::Status dump(Invocation& command);
support::Status version(Invocation& command);
support::Status echo(Invocation& command);

}  // namespace faces::console
