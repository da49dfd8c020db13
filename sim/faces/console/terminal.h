#pragma once
// The console at a terminal: line editing, history, completion, Ctrl-C.
#include <string>

#include "sim/rpc/call_queue.h"

namespace faces::console {

struct TerminalOptions {
  bool colours{};
  std::string history_file;  ///< empty: none is kept. Its folder is made if it is not there
};

/// Reads commands from the terminal that is standard input until the console is left or the input ends. Takes over SIGINT for
/// this time: it ends the command that is being executed, or empties the line that is being written. `queue` is served by
/// another thread.
void run_terminal(rpc::CallQueue& queue, const TerminalOptions& options);

}  // namespace faces::console
