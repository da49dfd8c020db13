#pragma once
// An execution in a process of its own, so that a crash of the engine is something that was found.
#include <optional>

#include "fuzz/engine/session.h"

namespace fuzzing {

struct ChildExecution {
  std::optional<Execution> execution;  ///< absent: the process died
  int signal{};                        ///< that ended it, or 0
  int exit_code{};                     ///< of a process that ended by itself without an answer
  std::vector<cpu::GuestBlock> entered;  ///< as BlockCoverage::entered()
};

/// Executes `input` in a copy of this process; the session stays as it was. After `seconds` of the host the copy is killed
/// (SIGKILL), which is a hang of the engine: the budget ends guests. Error: the host gives no process or pipe. The caller
/// must be the only thread.
[[nodiscard]] support::Result<ChildExecution> run_in_child(Session& session, std::span<const uint8_t> input,
                                                           unsigned seconds = 60);

}  // namespace fuzzing
