#pragma once
// SYSCALL of a trustlet, ring 3 of VTL 1 (S90).
#include "ke/base.h"

namespace sk {

/// The user's registers as system_call_entry.S pushes them, lowest address first.
struct SystemCallFrame {
  uint64_t number;               ///< EAX
  uint64_t arguments[4];         ///< R10, RDX, R8, R9
  uint64_t rip, rflags, rsp;     ///< RCX, R11, RSP
};

/// Loads STAR, LSTAR and SFMASK of VTL 1, which are private to it (section 4.3).
void IumInitSystemCalls();

extern "C" {
void IumSystemCallEntry();
/// Returns what goes to RAX.
uint64_t IumDispatchSystemCall(SystemCallFrame* frame);
}

}  // namespace sk
