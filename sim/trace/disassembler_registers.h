#pragma once
// Registers as Capstone names them. Only for its two users in this folder.
#include <capstone/capstone.h>

#include <algorithm>
#include <iterator>

#include "sim/trace/record.h"

namespace trace {

/// The index in Registers of a Capstone register of any width, or register_count.
[[nodiscard]] inline uint32_t register_index(x86_reg name) {
  struct Row {
    x86_reg names[4];
    uint32_t index;
  };
  static constexpr Row rows[] = {
      {{X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL}, vtl::Rax},
      {{X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL}, vtl::Rcx},
      {{X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL}, vtl::Rdx},
      {{X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL}, vtl::Rbx},
      {{X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL}, vtl::Rsp},
      {{X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL}, vtl::Rbp},
      {{X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL}, vtl::Rsi},
      {{X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL}, vtl::Rdi},
      {{X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B}, vtl::R8},
      {{X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B}, vtl::R9},
      {{X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B}, vtl::R10},
      {{X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B}, vtl::R11},
      {{X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B}, vtl::R12},
      {{X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B}, vtl::R13},
      {{X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B}, vtl::R14},
      {{X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B}, vtl::R15},
  };
  for (const Row& row : rows)
    if (std::find(std::begin(row.names), std::end(row.names), name) != std::end(row.names))
      return row.index;
  return register_count;
}

}  // namespace trace
