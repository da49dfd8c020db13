#pragma once
// The synthetic interrupt controller: registers and pages (TLFS chapter 11).
#include <stdint.h>

#include "abi/layout/bits.h"
#include "abi/layout/fields.h"

namespace abi::hv {

inline constexpr uint8_t sint_count = 16;
/// SINT assignments that Windows relies on (hvdef): 0 intercepts, 1 IOMMU faults, 2 VMBus, 5
/// doorbells.
inline constexpr uint8_t sint_intercept = 0;
inline constexpr uint64_t synic_version = 1;
/// Reset value of every SINT: masked, vector 0.
inline constexpr uint64_t sint_reset = 0x10000;

/// HV_X64_MSR_SINTx.
struct Sint {
  using Self = Sint;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(7, 0, uint8_t, vector)  ///< 16..255
  ABI_BIT(16, masked)
  ABI_BIT(17, auto_eoi)
  ABI_BIT(18, polling)  ///< messages and events arrive, interrupts do not
  ABI_BIT(19, as_intercept)
  ABI_BIT(20, proxy)
  [[nodiscard]] constexpr bool receives() const { return !masked() || polling(); }
};

/// HV_X64_MSR_STIMERx_CONFIG (TLFS 12.3.1).
struct SyntheticTimerConfig {
  using Self = SyntheticTimerConfig;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, enabled)
  ABI_BIT(1, periodic)
  ABI_BIT(2, lazy)         ///< may be late; ours never is
  ABI_BIT(3, auto_enable)  ///< writing a count enables
  ABI_BITS(11, 4, uint8_t, apic_vector)
  ABI_BIT(12, direct_mode)  ///< asserts apic_vector instead of sending a message
  ABI_BITS(15, 13, uint8_t, reserved0)
  ABI_BITS(19, 16, uint8_t, sint)
  ABI_BITS(63, 20, uint64_t, reserved1)
};
inline constexpr uint8_t timer_count = 4;
inline constexpr uint16_t event_flags_per_sint = 2048;

/// HV_X64_MSR_SCONTROL.
struct Scontrol {
  using Self = Scontrol;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, enable)
};

/// Every synthetic register that enables a page: SIMP, SIEFP, VP_ASSIST_PAGE, REFERENCE_TSC,
/// HYPERCALL.
struct OverlayRegister {
  using Self = OverlayRegister;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, enable)
  ABI_BIT(1, locked)  ///< HYPERCALL only
  ABI_BITS(11, 1, uint16_t, reserved)
  ABI_BITS(63, 12, uint64_t, page)
};

/// The SIM page is an array of `sint_count` messages, the SIEF page of `sint_count` sets of 2,048
/// flags.
inline constexpr uint32_t message_slot_bytes = 256;
inline constexpr uint32_t event_flag_slot_bytes = 256;

/// HV_REFERENCE_TSC_PAGE: reference time = ((TSC * scale) >> 64) + offset; sequence 0 = not valid.
struct ReferenceTscPage {
  uint32_t tsc_sequence;
  uint32_t reserved1;
  uint64_t tsc_scale;
  int64_t tsc_offset;
};
static_assert(sizeof(ReferenceTscPage) == 24);

}  // namespace abi::hv

ABI_FIELDS(abi::hv::ReferenceTscPage, 24, (tsc_sequence, Plain), (reserved1, Reserved),
           (tsc_scale, Plain), (tsc_offset, Plain));
