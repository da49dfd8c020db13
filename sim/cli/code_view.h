#pragma once
// Guest memory as the instruction about to execute sees it, for traces of a session.
#include "sim/cli/session.h"
#include "sim/machine/code_view.h"

namespace cli {

using CodeView = machine::CodeView<Session>;

}  // namespace cli
