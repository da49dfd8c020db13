#pragma once
// Editors at `airlock debug`: the Debug Adapter Protocol over standard input and output or a port of the loopback.
#include <memory>
#include <optional>

#include "sim/cli/debug.h"
#include "sim/cli/debuggee.h"

namespace cli {

/// `port`: of the loopback, 0 takes a free one; nothing: standard input and output, whose end stops the queue. Says
/// on standard error where it listens. Errors: the port is taken.
[[nodiscard]] support::Result<std::unique_ptr<DebugFace>> open_dap(rpc::CallQueue& queue, Debuggee& debuggee, const DebugArguments& arguments,
                                                                   std::optional<uint16_t> port);

}  // namespace cli
