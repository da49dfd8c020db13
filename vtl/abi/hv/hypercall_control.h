#pragma once
// The two words of every hypercall: what is asked (RCX) and what came of it (RAX). TLFS 3.7, 3.8.
#include <stdint.h>

#include "abi/layout/bits.h"

namespace abi::hv {

/// Hypercall input value, RCX of a 64-bit caller (TLFS 3.7).
struct HypercallControl {
  using Self = HypercallControl;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(15, 0, uint16_t, code)
  ABI_BIT(16, fast)  ///< parameters are in registers
  ABI_BITS(26, 17, uint16_t, variable_header_qwords)
  ABI_BITS(30, 27, uint8_t, reserved0)
  ABI_BIT(31, nested)
  ABI_BITS(43, 32, uint16_t, rep_count)  ///< all list elements; 0 for a simple call
  ABI_BITS(47, 44, uint8_t, reserved1)
  ABI_BITS(59, 48, uint16_t, rep_start)  ///< first element that is still to do
  ABI_BITS(63, 60, uint8_t, reserved2)
};
static_assert(sizeof(HypercallControl) == 8);
static_assert(HypercallControl{}.with_code(0x0c).with_rep_count(506).raw == 0x0000'01fa'0000'000c);
static_assert(HypercallControl{}.with_code(0x50).with_fast(true).with_rep_count(3).raw ==
              0x0000'0003'0001'0050);

/// Hypercall result value, RAX of a 64-bit caller (TLFS 3.8).
struct HypercallResult {
  using Self = HypercallResult;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(15, 0, uint16_t, status)
  ABI_BITS(43, 32, uint16_t, reps_completed)  ///< counted from element 0, not from rep_start
};
static_assert(sizeof(HypercallResult) == 8);

/// Bytes that a fast call carries in registers: RDX, R8, then XMM0..XMM5 (TLFS 3.7.2).
inline constexpr uint32_t fast_bytes = 16;
inline constexpr uint32_t xmm_fast_bytes = 112;

/// VMCALL and VMMCALL are both this long.
inline constexpr uint8_t hypercall_instruction_bytes = 3;

}  // namespace abi::hv
