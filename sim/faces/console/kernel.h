#pragma once
// Commands over translations, the structures of both kernels, and what happened.
#include "sim/faces/console/command.h"

namespace faces::console {

support::Status page_tables(Invocation& command);
support::Status virtual_to_physical(Invocation& command);
support::Status slat(Invocation& command);
support::Status tlb(Invocation& command);
support::Status secure_kernel(Invocation& command);
support::Status process(Invocation& command);
support::Status trustlet(Invocation& command);
support::Status kernel_table(Invocation& command);

support::Status events(Invocation& command);
support::Status calls(Invocation& command);
support::Status who(Invocation& command);
support::Status bookmark(Invocation& command);

}  // namespace faces::console
