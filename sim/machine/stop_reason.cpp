#include "sim/machine/stop_reason.h"

namespace machine {

const char* word(StopReason reason) {
  using enum StopReason;
  switch (reason) {
    case Deadline: return "deadline";
    case Requested: return "requested";
    case PowerOff: return "power-off";
    case Reset: return "reset";
    case TripleFault: return "triple-fault";
    case Hung: return "hung";
    case MachineFailure: return "machine-failure";
    case GuestExit: return "guest-exit";
  }
  return "unknown";
}

}  // namespace machine
