// The dispatch loop (section 7.3, build 10240): one secure call may come back many times with
// something that only NTOS can do.
#include "hvl/hvl.h"
#include "ps/ps.h"

extern "C" {
extern uint64_t HvlpVsmVtlCallVa;
void HvlpSwitchToVsmVtl1(SkCall* call);
}

/// Limits how many secure calls without a thread of their own run at a time: the size of the secure
/// kernel's pool.
KSEMAPHORE HvlpIumThreadSemaphore;

namespace {

using abi::sk::State;

// A system call that a trustlet (state 2) or the secure kernel itself (state 3) makes: arguments
// straight from the frame.
void dispatch_system_call(SkCall* call, bool from_user) {
  KTHREAD* thread = KeGetCurrentThread();
  const Mode previous = thread->previous_mode;
  if (from_user && previous == Mode::Kernel) {
    // The secure kernel says "from user mode" while NTOS knows of no user-mode caller on this
    // thread.
    call->parameter[0] = static_cast<uint32_t>(NtStatus::InvalidParameterMix);
    return;
  }
  if (!from_user) thread->previous_mode = Mode::Kernel;
  uint64_t arguments[12];
  for (int i = 0; i < 12; ++i)
    arguments[i] = call->parameter[i];
  call->parameter[0] = static_cast<uint32_t>(KiDispatchSystemService(call->code, arguments));
  thread->previous_mode = previous;
}

// While VTL 1 works other processors may run NTOS; what comes back is dealt with under the lock again.
void switch_to_vtl1(SkCall* call) {
  KiReleaseKernel();
  HvlpSwitchToVsmVtl1(call);
  KiAcquireKernel();
}

void dispatch(SkCall* call) {
  switch (static_cast<State>(call->state)) {
    case State::NormalService:
      PsDispatchIumService(call);
      break;
    case State::UserSystemCall:
      dispatch_system_call(call, true);
      break;
    case State::KernelSystemCall:
      dispatch_system_call(call, false);
      break;
    default:
      break;  // VINA and whatever else: the interrupt was taken when VTL 0 ran; go back in
  }
}

}  // namespace

NtStatus HvlpEnterIumSecureMode(Operation operation, uint16_t code, uint32_t cookie, SkCall* call) {
  if (HvlpVsmVtlCallVa == 0) return NtStatus::DeviceNotConnected;
  call->operation = static_cast<uint8_t>(operation);
  call->state = 0;
  call->code = code;
  if (operation > Operation::SecureService) {  // direct: one switch, nothing comes back
    call->cookie = 0;
    switch_to_vtl1(call);
    return NtStatus::Success;
  }
  KTHREAD* thread = KeGetCurrentThread();
  const uint32_t own = cookie != 0 ? cookie : thread->secure_thread_cookie;
  const bool limited = own == 0 && HvlVsmActive() && KeGetCurrentIrql() < DISPATCH_LEVEL;
  if (limited) KeWaitForSingleObject(&HvlpIumThreadSemaphore.header, nullptr);
  const bool disable_apcs =
      KeGetCurrentIrql() == APC_LEVEL || (KeGetCurrentIrql() == PASSIVE_LEVEL && own == 0);
  if (disable_apcs) KeEnterCriticalRegion();

  call->cookie = own;
  for (;;) {
    switch_to_vtl1(call);
    if ((call->state & abi::sk::state_break_into_debugger) != 0) {
      call->state &= static_cast<uint8_t>(~abi::sk::state_break_into_debugger);
      DbgPrintEx("ntoskrnl: the secure kernel asks for the debugger\n");
    }
    if (call->state == static_cast<uint8_t>(State::Finished)) break;
    // While NTOS serves the request, its thread is that secure thread: nested secure calls run on
    // top of it.
    if (own == 0) thread->secure_thread_cookie = call->cookie;
    dispatch(call);
    if (own == 0) thread->secure_thread_cookie = 0;
    call->operation = static_cast<uint8_t>(Operation::ResumeThread);
    call->code = 0;
  }
  if (limited) KeReleaseSemaphore(&HvlpIumThreadSemaphore, 1, nullptr);
  if (disable_apcs) KeLeaveCriticalRegion();
  return static_cast<NtStatus>(static_cast<uint32_t>(call->parameter[0]));
}
