#pragma once
// The console without a terminal: commands from a file or a pipe, their output to a stream.
#include <cstdio>
#include <string>

#include "sim/faces/console/console.h"

namespace faces::console {

struct ScriptOptions {
  bool colours{};
  bool echo{true};             ///< the prompt and command before its output, so that the output can be read alone
  bool stop_at_error{true};    ///< a refused command ends it
};

/// How a script ended.
enum class ScriptEnd : uint8_t { Finished, Refused, OutputLost };

/// Executes all lines of `input`. A line longer than 64 KiB is refused.
ScriptEnd run_script(Conversation& console, std::FILE* input, std::FILE* output, const ScriptOptions& options);

}  // namespace faces::console
