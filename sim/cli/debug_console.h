#pragma once
// The console of `airlock debug`: at a terminal, from a pipe, from a script.
#include <memory>
#include <string>

#include "sim/cli/debug.h"

namespace cli {

struct ConsoleArguments {
  bool asked{};        ///< --console
  std::string script;  ///< --script; empty: none
};

/// Talks on a thread of its own until it is left; then it puts what the program answers to the shell into `exit_code` and
/// stops the queue, unless `others` stay. Errors: the script cannot be read.
[[nodiscard]] support::Result<std::unique_ptr<DebugFace>> open_console(rpc::CallQueue& queue, const ConsoleArguments& arguments, bool others,
                                                                       int& exit_code);

}  // namespace cli
