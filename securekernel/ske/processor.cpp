// The loop of each processor: the one place where VTL 1 is left and entered (section 4.4: SkCallNormalMode, ShvlpVtlReturn,
// SkpReturnFromNormalMode, SkpPrepareForReturnToNormalMode).
#include <string.h>

#include "abi/hv/assist_page.h"
#include "dbg/debug_port.h"
#include "ium/secure_services.h"
#include "ke/init.h"
#include "rt/arch.h"
#include "shvl/hypercall.h"
#include "shvl/synic.h"
#include "shvl/vtl_switch.h"
#include "ske/kernel_lock.h"
#include "ske/thread_switch.h"

namespace sk {

using abi::hv::VtlEntryReason;
using abi::sk::Operation;
using abi::sk::SkCall;
using abi::sk::State;

static SkCall run_service(const SkCall& request) {
  if (request.cookie == 0) {
    SkThread* thread = SkiFindIdleThread();
    if (thread == nullptr) return SkiFinished(NtStatus::InsufficientResources);
    thread->call = request;
    SkiRunThread(*thread);
    return thread->call;
  }
  SkThread* thread = SkeFindThread(request.cookie);
  if (thread == nullptr) return SkiFinished(NtStatus::InvalidParameter);
  return SkiRunNested(*thread, request);
}

static SkCall resume_thread(const SkCall& answer) {
  SkThread* thread = SkeFindThread(answer.cookie);
  const bool can_run =
      thread != nullptr && (thread->state == ThreadState::Parked || thread->state == ThreadState::Ready);
  if (!can_run) return SkiFinished(NtStatus::InvalidParameter);
  thread->call = answer;
  SkiRunThread(*thread);
  return thread->call;
}

// What came in decides by itself; the frame is captured (it was registers) and nothing of it is believed.
static void dispatch(VtlSwitch& s) {
  SkCall answer;
  switch (static_cast<Operation>(s.call.operation)) {
    case Operation::ResumeThread: answer = resume_thread(s.call); break;
    case Operation::SecureService: answer = run_service(s.call); break;
    case Operation::FlushTb:
      answer = SkiFinished(ShvlToNtStatus(ShvlFlushNormalTb()));
      break;
    default: answer = SkiFinished(NtStatus::InvalidSystemService); break;
  }
  s.call = answer;
}

// SkpPrepareForReturnToNormalMode: what VTL 0's caller may rely on comes back as it was, the rest is zero.
static void prepare_call_return(VtlSwitch& s) {
  for (SharedRegister volatile_register : {Rax, Rcx, Rdx, R8, R9, R10, R11}) s.gpr[volatile_register] = 0;
  memcpy(&s.gpr[Rbx], &s.call, sizeof(uint64_t));
  s.carries_call = 1;
  s.control = 1;  // fast: RAX and RCX are the caller's volatile registers
}

// An interrupt took VTL 0 by surprise: every register goes back, RAX and RCX through the assist page.
static void handle_interrupt_entry(VtlSwitch& s) {
  const uint64_t cr2 = arch::read_cr2();
  abi::hv::VpVtlControl& control = SkiCurrentPcr()->hypervisor->assist->vtl_control;
  arch::enable_interrupts();
  asm volatile("nop" ::: "memory");  // the instruction after STI still runs with interrupts off
  arch::disable_interrupts();
  if (arch::read_cr2() != cr2) arch::write_cr2(cr2);  // shared between VTLs (section 4.3)
  control.vtl_return_x64_rax = s.gpr[Rax];
  control.vtl_return_x64_rcx = s.gpr[Rcx];
  s.carries_call = 0;
  s.control = 0;
}

void SkeProcessorLoop() {
  const HypervisorData& hypervisor = *SkiCurrentPcr()->hypervisor;
  VtlSwitch& s = *SkiCurrentPcr()->vtl_switch;
  s = {};
  s.return_stub = hypervisor.return_stub;
  if (SkiCurrentPcr()->number == 0) {  // SkiSystemStartup waits for an answer; elsewhere VTL 0 only begins
    s.call = SkiFinished(SkiStartStatus);
    prepare_call_return(s);
  } else {
    s.control = 1;
  }
  for (;;) {
    SkiLeaveKernel();
    ShvlpVtlReturn(&s);
    SkiEnterKernel();
    switch (hypervisor.assist->vtl_control.entry_reason) {
      case VtlEntryReason::VtlCall:
        dispatch(s);
        prepare_call_return(s);
        break;
      case VtlEntryReason::Interrupt: handle_interrupt_entry(s); break;
      default: SkeBugCheck("VTL 1 was entered for an unknown reason");
    }
  }
}

}  // namespace sk
