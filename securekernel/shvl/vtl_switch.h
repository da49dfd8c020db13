#pragma once
// The moment of a VTL return: which registers leave VTL 1 and which come in. Offsets are used by vtl_switch.S.
#include "abi/sk/call_frame.h"
#include "ke/base.h"

namespace sk {

/// General registers of VTL 0 in encoding order (RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15); RSP is private to a
/// VTL and never here.
enum SharedRegister : uint8_t { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15 };

struct VtlSwitch {
  uint64_t gpr[16];        ///< 00: of VTL 0, as they came in; loaded again on the way out
  abi::sk::SkCall call;    ///< 80: RBX and XMM10..XMM15 as they came in; what goes out if carries_call
  uint64_t control;        ///< E8: HvCallVtlReturn's input: 1 = fast, RAX and RCX are not restored (TLFS 15.7)
  uint64_t carries_call;   ///< F0: not 0: the frame goes out and XMM0..XMM5 are cleared
  uint64_t return_stub;    ///< F8: hypercall page + VtlReturnOffset
};
static_assert(offsetof(VtlSwitch, call) == 0x80 && offsetof(VtlSwitch, control) == 0xE8);
static_assert(offsetof(VtlSwitch, carries_call) == 0xF0 && offsetof(VtlSwitch, return_stub) == 0xF8);

extern "C" {
/// Leaves VTL 1 with the registers of `vtl_switch` and comes back at the next entry, whatever its reason.
void ShvlpVtlReturn(VtlSwitch* vtl_switch);
void ShvlpVtlCall(uint64_t stub);
uint64_t ShvlpHypercall(uint64_t control, uint64_t input, uint64_t output, uint64_t page);
}

}  // namespace sk
