#pragma once
// Per-VTL interrupt machinery of VTL 1: assist page, message page, local APIC, interception (sections 5.3, 6).
#include "abi/hv/assist_page.h"
#include "abi/hv/messages.h"
#include "ke/base.h"

namespace sk {

/// SKPCR+10: where the hypervisor and this processor meet.
struct HypervisorData {
  abi::hv::VpAssistPage* assist;
  abi::hv::Message* messages;  ///< SIM page: slot 0 carries intercepts
  uint64_t hypercall_page;
  uint64_t return_stub;
};

/// SINT0 arrives on this vector (Windows: 0xF0, section 5.3).
inline constexpr uint8_t intercept_vector = 0xF0;
inline constexpr uint8_t apic_spurious_vector = 0xFF;

/// Maps assist and message pages, unmasks SINT0 and enables this VTL's local APIC. Pages are physical addresses inside
/// VTL 1's memory.
void ShvlInitSynic(HypervisorData& data, uint64_t assist_page, uint64_t message_page);

/// Interrupt handler of vector 0xF0: takes the message of slot 0 and applies the policy to VTL 0.
void ShvlpInterceptHandler();

}  // namespace sk
