#pragma once
// The VP assist page: one per virtual processor and VTL, shared with the hypervisor (TLFS 7.8.7,
// 15.5; hvdef).
#include <stdint.h>

#include "abi/layout/fields.h"

namespace abi::hv {

/// Why a VTL was entered.
enum class VtlEntryReason : uint32_t { Reserved = 0, VtlCall = 1, Interrupt = 2, Intercept = 3 };

/// Bit 0 of VpVtlControl::vina_status.
inline constexpr uint8_t vina_asserted = 1;

/// HV_VP_VTL_CONTROL. The RAX and RCX that a VTL return which is not fast gives to the lower VTL.
struct VpVtlControl {
  VtlEntryReason entry_reason;
  uint8_t vina_status;
  uint8_t reserved_z00;
  uint16_t reserved_z01;
  uint64_t vtl_return_x64_rax;
  uint64_t vtl_return_x64_rcx;
};

/// HV_VP_ASSIST_PAGE. The hypervisor uses `vtl_control`; the other fields are the guest's to lay
/// out.
struct VpAssistPage {
  uint32_t apic_assist;
  uint32_t reserved0;
  VpVtlControl vtl_control;
  uint64_t nested_enlightenments;
  uint8_t enlighten_vm_entry;
  uint8_t reserved1[7];
  uint64_t current_nested_vmcs;
  uint8_t synthetic_time_unhalted_timer_expired;
  uint8_t reserved2[7];
  uint8_t virtualization_fault[48];
  uint8_t intercept_message[256];
  uint8_t vtl_return_actions[256];
  uint8_t reserved3[4096 - 624];
};

}  // namespace abi::hv

ABI_FIELDS(abi::hv::VpVtlControl, 24, (entry_reason, Plain), (vina_status, Flags),
           (reserved_z00, Reserved), (reserved_z01, Reserved), (vtl_return_x64_rax, Plain),
           (vtl_return_x64_rcx, Plain));
ABI_FIELDS(abi::hv::VpAssistPage, 4096, (apic_assist, Flags), (reserved0, Reserved),
           (vtl_control, Bytes), (nested_enlightenments, Plain), (enlighten_vm_entry, Plain),
           (reserved1, Reserved), (current_nested_vmcs, Gpa),
           (synthetic_time_unhalted_timer_expired, Plain), (reserved2, Reserved),
           (virtualization_fault, Bytes), (intercept_message, Bytes), (vtl_return_actions, Bytes),
           (reserved3, Reserved));
static_assert(offsetof(abi::hv::VpAssistPage, vtl_control) == 8);
static_assert(offsetof(abi::hv::VpAssistPage, intercept_message) == 112);
static_assert(offsetof(abi::hv::VpAssistPage, vtl_return_actions) == 368);
