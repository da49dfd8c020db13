#pragma once
// Invariants of ours. On in every build: a run that has gone wrong stops at once, with the way to reproduce it.

namespace support {

/// Called once before the process stops on a failed CHECK, to print how the run can be reproduced. May be null.
using FailureReporter = void (*)();
void set_failure_reporter(FailureReporter reporter);

/// Prints the condition, the place and the reproduction, then aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const char* detail);

}  // namespace support

/// Stops the run when an invariant of this program is broken. Never for guest behaviour or bad input.
#define CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::support::check_failed(#condition, __FILE__, __LINE__, ""))
#define CHECK_MSG(condition, detail)   \
  (static_cast<bool>(condition) ? void(0) \
                                : ::support::check_failed(#condition, __FILE__, __LINE__, detail))
