// The life of a trustlet's thread between its first instruction and its end.
#include "dbg/debug_port.h"
#include "nk/normal_calls.h"
#include "ske/thread_switch.h"
#include "skps/process.h"

namespace sk {

void SkpsStartUserThread() {
  SkThread& thread = *SkeCurrentThread();
  const SkProcess& process = *thread.process;
  DbgMilestone("securekernel: trustlet {} starts in VTL 1 ring 3 at {:#x} (cookie {:#x})", process.trustlet_id,
               process.entry, thread.cookie);
  thread.previous_mode = ProcessorMode::User;
  // As if called: the return address is missing, so that a return faults at once (x64 ABI: RSP is 8 modulo 16).
  SkiEnterUserMode(process.entry, thread.user_stack_top - 0x28);
}

// NTOS should not come back with this cookie; one that does anyway gets its frame returned for ever.
static void stay_terminated(SkThread& thread, NtStatus status) {
  for (;;) {
    thread.state = ThreadState::Terminated;
    thread.call = SkiFinished(status);
    SkiReturnToProcessor(thread);
  }
}

void SkpsTerminateCurrentThread(NtStatus status) {
  SkThread& thread = *SkeCurrentThread();
  thread.exit_status = static_cast<uint32_t>(status);
  NkTerminateThread(true, thread.exit_status);
  stay_terminated(thread, status);
  __builtin_unreachable();
}

void SkpsTerminateCurrentProcess(NtStatus status) {
  SkThread& thread = *SkeCurrentThread();
  thread.exit_status = static_cast<uint32_t>(status);
  thread.process->terminating = true;
  DbgMilestone("securekernel: trustlet {} ends with status {:#x}", thread.process->trustlet_id,
               static_cast<uint32_t>(status));
  NkTerminateProcess(thread.exit_status);
  stay_terminated(thread, status);
  __builtin_unreachable();
}

}  // namespace sk
