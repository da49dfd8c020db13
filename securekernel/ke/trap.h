#pragma once
// Exceptions and interrupts of VTL 1. They never cross VTLs (section 6): what a trustlet does wrong ends here.
#include "ke/base.h"

namespace sk {

/// What trap.S leaves on the stack, lowest address first.
struct TrapFrame {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  uint64_t vector, error_code;
  uint64_t rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(TrapFrame) == 22 * 8);

extern "C" {
/// One entry per vector, made by trap.S.
extern const uint8_t SkiTrapEntries[256][16];
void SkiDispatchTrap(TrapFrame* frame);
}

}  // namespace sk
