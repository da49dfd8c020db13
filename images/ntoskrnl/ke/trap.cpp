// Where every exception and interrupt arrives. In order: the clock; an access that somebody tries
// with KeTryAccess; a user-mode fault, which ends the process; anything else, which ends the
// system.
#include "ke/ke.h"
#include "mm/mm.h"
#include "ps/ps.h"

extern "C" const uint8_t KiTryAccessResume[];

namespace {

enum Vector : uint32_t {
  DivideError = 0,
  Breakpoint = 3,
  InvalidOpcode = 6,
  DoubleFault = 8,
  GeneralProtection = 13,
  PageFault = 14,
  ClockVector = 0xD1,
  WakeVector = 0xE1,
  SpuriousVector = 0xDF,
};

enum BugCheck : uint32_t {
  KMODE_EXCEPTION_NOT_HANDLED = 0x1E,
  UNEXPECTED_KERNEL_MODE_TRAP = 0x7F,
  PAGE_FAULT_IN_NONPAGED_AREA = 0x50
};

// As Windows maps them: a #GP has no address and still is an access violation.
NtStatus status_of(uint64_t vector) {
  switch (vector) {
    case DivideError:
      return nt_status::DivideByZero;
    case Breakpoint:
      return nt_status::Breakpoint;
    case InvalidOpcode:
      return NtStatus::IllegalInstruction;
    default:
      return NtStatus::AccessViolation;
  }
}

EXCEPTION_RECORD64 record_of(const KTRAP_FRAME& frame, uint64_t fault) {
  return {status_of(frame.vector), static_cast<uint32_t>(frame.vector), frame.error_code, frame.rip,
          frame.vector == PageFault ? fault : 0};
}

// Continues after the KeTryAccess call: the frame's registers are reloaded there.
void resume_at_try_frame(KTRAP_FRAME& frame, KTRY_FRAME& target, const EXCEPTION_RECORD64& record) {
  if (target.record != nullptr) *target.record = record;
  frame.rax = static_cast<uint32_t>(record.status);
  frame.rip = reinterpret_cast<uint64_t>(KiTryAccessResume);
  frame.rsp = target.rsp;
  frame.rflags |= 0x200;  // an exception gate cleared IF
}

void user_exception(const KTRAP_FRAME& frame, const EXCEPTION_RECORD64& record) {
  DbgPrintEx("ntoskrnl: process {} ({}): exception {:#010x} at {:#x}, address {:#x}\n",
             PsGetCurrentProcess()->pid, PsGetCurrentProcess()->name, record.status, frame.rip,
             record.fault);
  PspTerminateCurrentProcess(record.status);
}

void bug_check_for(const KTRAP_FRAME& frame, const EXCEPTION_RECORD64& record) {
  if (frame.vector == PageFault)
    KeBugCheckEx(PAGE_FAULT_IN_NONPAGED_AREA, record.fault, frame.error_code, frame.rip, frame.rsp);
  if (frame.vector == DoubleFault)
    KeBugCheckEx(UNEXPECTED_KERNEL_MODE_TRAP, frame.vector, frame.error_code, frame.rip, frame.rsp);
  KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, static_cast<uint32_t>(record.status), frame.rip,
               frame.vector, frame.error_code);
}

}  // namespace

extern "C" void KiDispatchTrap(KTRAP_FRAME* frame) {
  const uint64_t fault = arch::read_cr2();  // before anything else can fault
  const KernelLock lock;
  if (frame->vector == ClockVector) {
    KeUpdateSystemTime();
    // The only preemption: user code gives way at the clock. Kernel code runs until it waits.
    if (frame->from_user()) KeYield();
    return;
  }
  if (frame->vector == SpuriousVector) return;
  if (frame->vector == WakeVector) return KiEndInterrupt();
  if (frame->vector >= 32) {
    DbgPrintEx("ntoskrnl: unexpected interrupt {:#x}\n", frame->vector);
    return;
  }
  const EXCEPTION_RECORD64 record = record_of(*frame, fault);
  if (frame->from_user()) {
    arch::enable_interrupts();
    user_exception(*frame, record);
  }
  KTHREAD* thread = KeGetCurrentThread();
  if (thread != nullptr && thread->try_frame != nullptr && frame->vector != DoubleFault) {
    resume_at_try_frame(*frame, *thread->try_frame, record);
    return;
  }
  bug_check_for(*frame, record);
}

extern "C" void KiPushTryFrame(KTRY_FRAME* frame) {
  KTHREAD* thread = KeGetCurrentThread();
  frame->previous = thread->try_frame;
  thread->try_frame = frame;
}

extern "C" void KiPopTryFrame(KTRY_FRAME* frame) {
  KeGetCurrentThread()->try_frame = frame->previous;
}

void KeBugCheckEx(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4) {
  arch::disable_interrupts();
  DbgPrintEx("\n*** STOP: {:#010x} ({:#018x}, {:#018x}, {:#018x}, {:#018x})\n", code, p1, p2, p3,
             p4);
  arch::out8(0xCF9, 6);  // AutoReboot: a system that stopped restarts, and for this machine that ends the run
  arch::stop();
}
