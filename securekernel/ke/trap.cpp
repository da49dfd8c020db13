#include "ke/trap.h"

#include "abi/hv/msrs.h"
#include "dbg/debug_port.h"
#include "ke/skpcr.h"
#include "rt/arch.h"
#include "shvl/synic.h"
#include "skps/process.h"

namespace sk {

static constexpr uint64_t page_fault_vector = 14, undefined_vector = 6, last_exception = 31;

static NtStatus exception_status(uint64_t vector) {
  switch (vector) {
    case page_fault_vector: return NtStatus::AccessViolation;
    case undefined_vector: return NtStatus::IllegalInstruction;
    default: return NtStatus::AccessViolation;
  }
}

// No debugger, no crash dump in this build: a trustlet that faults dies (scenario 10's dump path is not there).
static void trustlet_exception(const TrapFrame& frame) {
  SkProcess* process = SkiCurrentPcr()->current_process;
  DbgMilestone("securekernel: exception {} (error {:#x}) in trustlet {} at rip {:#x}, cr2 {:#x}", frame.vector,
               frame.error_code, process->trustlet_id, frame.rip, arch::read_cr2());
  SkpsTerminateCurrentProcess(exception_status(frame.vector));
}

extern "C" void SkiDispatchTrap(TrapFrame* frame) {
  if (frame->vector == intercept_vector) {
    ShvlpInterceptHandler();
    arch::write_msr(abi::hv::msr::Eoi, 0);
    return;
  }
  if (frame->vector > last_exception) return;  // spurious: no acknowledgement
  if ((frame->cs & 3) == 3) return trustlet_exception(*frame);
  DbgMilestone("securekernel: exception {} (error {:#x}) at rip {:#x}, rsp {:#x}, cr2 {:#x}", frame->vector,
               frame->error_code, frame->rip, frame->rsp, arch::read_cr2());
  SkeBugCheck("an exception in VTL 1's kernel");
}

}  // namespace sk
