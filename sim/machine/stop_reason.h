#pragma once
// Why a run ended, and the word for it.
#include <cstdint>

namespace machine {

/// Why run() returned.
enum class StopReason : uint8_t {
  Deadline,        ///< the instant asked for
  Requested,       ///< request_stop() was called by a listener
  PowerOff,        ///< the guest switched the machine off
  Reset,           ///< the guest asked for a reset, which ends a run
  TripleFault,     ///< the processor shut down
  Hung,            ///< no instruction will ever be executed again: detail() says why, or is empty: all wait in HLT
  MachineFailure,  ///< the engine gave up, which no guest can cause: detail() says why
  GuestExit,       ///< a kernel wrote to the exit port: exit_status()
};

/// As reports, recordings' listings and the verdicts of tests/regressions write it: "power-off".
[[nodiscard]] const char* word(StopReason reason);

}  // namespace machine
