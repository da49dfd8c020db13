#pragma once
// SKCALL: what crosses between NTOS and the secure kernel, 0x68 bytes in both directions (section 7.1).
//
// Carrier (section 4.4, build 10240): the first 8 bytes travel in RBX, the 12 parameters in XMM10..XMM15, two per
// register, low half first. Nothing is passed in memory, so nothing can change under the reader.
//   A VTL call preserves RBP, RSI, RDI, R12..R15 and XMM6..XMM9 of VTL 0; it destroys RAX, RCX, RDX, R8..R11 and
//   XMM0..XMM5 (the secure kernel clears them); RBX and XMM10..XMM15 come back with the answer.
#include <stddef.h>
#include <stdint.h>

#include "abi/layout/fields.h"

namespace abi::sk {

/// Byte 0, NTOS to secure kernel (S78, section 7.2, 2015 numbering). Forgeable: always handle the default.
enum class Operation : uint8_t {
  ResumeThread = 0,   ///< start the secure thread of the cookie, or give it the answer of its normal-mode call
  SecureService = 1,  ///< code = a row of secure_services.def; cookie 0 = any pool thread
  FlushTb = 2,        ///< direct: one switch, no answer
};

/// Byte 1, secure kernel to NTOS (S85, S87). Bit 7 asks NTOS to break into the debugger.
enum class State : uint8_t {
  NormalService = 0,  ///< code = a row of normal_services.def
  Finished = 1,       ///< IUM return: parameter 0 holds the NTSTATUS
  UserSystemCall = 2, ///< code = an NT number of ium_syscalls.def, PreviousMode User
  KernelSystemCall = 3,
  Vina = 4,           ///< a VTL 0 interrupt waits: take it, then resume with the same cookie
};
inline constexpr uint8_t state_break_into_debugger = 0x80;

inline constexpr size_t parameter_count = 12;

struct SkCall {
  uint8_t operation;  ///< Operation; NTOS resets it to 0 (resume) after each request it has served
  uint8_t state;      ///< State
  uint16_t code;      ///< service or system-call number
  uint32_t cookie;    ///< secure thread; 0 = any pool thread
  /// Services: inputs from parameter 0; on return the NTSTATUS is in the low half of parameter 0 and outputs follow.
  /// System calls: the arguments in order.
  uint64_t parameter[parameter_count];
};

/// Byte offset of parameter n in the frame, as section 7.5 and the tables write it (+8, +0x10, ...).
constexpr size_t parameter_offset(size_t n) { return 8 + 8 * n; }

}  // namespace abi::sk

ABI_FIELDS(abi::sk::SkCall, 0x68, (operation, Plain), (state, Plain), (code, Plain), (cookie, Plain),
           (parameter, Bytes));
