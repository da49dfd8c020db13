#pragma once
// What CPUID answers, on the bare machine and under the hypervisor (section 2.7).
#include <cstdint>

#include "vtl/hypervisor_config.h"

namespace vtl {

struct CpuidResult {
  uint32_t eax{}, ebx{}, ecx{}, edx{};
};

/// What the answer depends on besides leaf and subleaf.
struct CpuidContext {
  Vendor vendor{Vendor::Intel};
  uint8_t physical_address_bits{40};
  uint8_t apic_id{};
  uint8_t processors{1};
  bool apic_enabled{true};  ///< IA32_APIC_BASE bit 11
  bool os_xsave{};          ///< CR4.OSXSAVE
};

/// The processor's own leaves; `hypervisor_present` is only the flag of leaf 1. Leaves that do not
/// exist are zero.
[[nodiscard]] CpuidResult cpuid(uint32_t leaf, uint32_t subleaf, bool hypervisor_present,
                                const CpuidContext& context = {});

/// Leaves 0x40000000 and up.
[[nodiscard]] CpuidResult hypervisor_cpuid(uint32_t leaf, const HypervisorConfig& config);

}  // namespace vtl
