#pragma once
// Bit layouts of the VSM registers and of the event registers (TLFS 15.2.2, 15.11, 15.12, 7.9; bit
// order as hvdef).
#include <stdint.h>

#include "abi/layout/bits.h"

namespace abi::hv {

/// HvRegisterVsmCapabilities. TLFS prints the bits in reverse order; this is the real one (section
/// 3.2).
struct VsmCapabilities {
  using Self = VsmCapabilities;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, dr6_shared)
  ABI_BITS(16, 1, uint16_t, mbec_vtl_mask)  ///< bit n: MBEC may be enabled for VTL n
  ABI_BIT(17, deny_lower_vtl_startup)
  ABI_BIT(18, supervisor_shadow_stack_available)
  ABI_BIT(19, hardware_hvpt_available)
  ABI_BIT(20, software_hvpt_available)
  ABI_BITS(26, 21, uint8_t, hardware_hvpt_range_bits)
  ABI_BIT(27, intercept_page_available)
  ABI_BIT(28, return_action_available)
  ABI_BIT(29, vtl0_alias_map_available)
  ABI_BIT(30, intercept_not_present_available)
  ABI_BIT(31, install_intercept_ex_available)
  ABI_BIT(32, intercept_system_reset_available)
  ABI_BIT(34, proxy_interrupt_redirect_available)
};

/// HvRegisterVsmPartitionStatus: one per partition, read-only.
struct VsmPartitionStatus {
  using Self = VsmPartitionStatus;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(15, 0, uint16_t, enabled_vtl_set)
  ABI_BITS(19, 16, uint8_t, maximum_vtl)
  ABI_BITS(35, 20, uint16_t, mbec_enabled_vtl_set)
  ABI_BITS(39, 36, uint8_t, supervisor_shadow_stack_enabled_vtl_set)
};

/// HvRegisterVsmVpStatus: one per virtual processor, read-only.
struct VsmVpStatus {
  using Self = VsmVpStatus;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(3, 0, uint8_t, active_vtl)
  ABI_BIT(4, active_mbec_enabled)
  ABI_BITS(31, 16, uint16_t, enabled_vtl_set)
};

/// HvRegisterVsmPartitionConfig: one per partition and VTL above 0.
struct VsmPartitionConfig {
  using Self = VsmPartitionConfig;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, enable_vtl_protection)                     ///< once set it stays
  ABI_BITS(4, 1, uint8_t, default_vtl_protection_mask)  ///< the low four HV_MAP_GPA bits
  ABI_BIT(5, zero_memory_on_reset)
  ABI_BIT(6, deny_lower_vtl_startup)
  ABI_BIT(7, intercept_acceptance)
  ABI_BIT(8, intercept_enable_vtl_protection)
  ABI_BIT(9, intercept_vp_startup)
  ABI_BIT(10, intercept_cpuid_unimplemented)
  ABI_BIT(11, intercept_unrecoverable_exception)
  ABI_BIT(12, intercept_page)
  ABI_BIT(13, intercept_restore_partition_time)
  ABI_BIT(14, intercept_not_present)
  ABI_BIT(15, intercept_system_reset)
};

/// HvRegisterVsmVpSecureConfigVtln: what the VTL above n decides for VTL n on one virtual
/// processor.
struct VsmVpSecureConfig {
  using Self = VsmVpSecureConfig;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, mbec_enabled)
  ABI_BIT(1, tlb_locked)  ///< released by the next VTL return
  ABI_BIT(2, supervisor_shadow_stack_enabled)
  ABI_BIT(3, hardware_hvpt_enabled)
};

/// HvRegisterVsmCodePageOffsets: where the stubs lie in the hypercall page.
struct VsmCodePageOffsets {
  using Self = VsmCodePageOffsets;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(11, 0, uint16_t, vtl_call_offset)
  ABI_BITS(23, 12, uint16_t, vtl_return_offset)
};
static_assert(VsmCodePageOffsets{}.with_vtl_call_offset(0x0f).with_vtl_return_offset(0x28).raw ==
              0x2800F);

/// HvRegisterVsmVina: the interrupt that tells a higher VTL of an interrupt for a lower one.
struct VsmVina {
  using Self = VsmVina;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(7, 0, uint8_t, vector)
  ABI_BIT(8, enabled)
  ABI_BIT(9, auto_reset)
  ABI_BIT(10, auto_eoi)
};

/// HvRegisterVsmVpWaitForTlbLock.
struct VsmVpWaitForTlbLock {
  using Self = VsmVpWaitForTlbLock;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, wait)
};

/// HvRegisterInterceptSuspend.
struct InterceptSuspension {
  using Self = InterceptSuspension;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, suspended)
  ABI_BIT(1, tlb_flush_inhibit)  ///< set by HvCallTranslateVirtualAddress (TLFS 5.4)
};

/// HvRegisterInternalActivityState (hvdef).
struct InternalActivity {
  using Self = InternalActivity;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, startup_suspend)  ///< waits for SIPI
  ABI_BIT(1, halt_suspend)
  ABI_BIT(2, idle_suspend)
};

enum class PendingEventType : uint8_t {
  Exception = 0,
  MemoryIntercept = 1,
  NestedMemoryIntercept = 2,
  VirtualizationFault = 3,
  HypercallOutput = 4,
  ExternalInterrupt = 5,
};

/// Low half of HvRegisterPendingEvent0; the high half is the parameter (CR2 of a page fault).
struct PendingExceptionEvent {
  using Self = PendingExceptionEvent;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, event_pending)
  ABI_BITS(3, 1, uint8_t, event_type)
  ABI_BIT(8, deliver_error_code)
  ABI_BITS(31, 16, uint16_t, vector)
  ABI_BITS(63, 32, uint32_t, error_code)
};

/// HvRegisterPendingInterruption.
struct PendingInterruption {
  using Self = PendingInterruption;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, interruption_pending)
  ABI_BITS(3, 1, uint8_t, interruption_type)
  ABI_BIT(4, deliver_error_code)
  ABI_BITS(9, 5, uint8_t, instruction_length)
  ABI_BIT(10, nested_event)
  ABI_BITS(31, 16, uint16_t, interruption_vector)
  ABI_BITS(63, 32, uint32_t, error_code)
};

/// Types of HvRegisterPendingInterruption.
enum class InterruptionType : uint8_t {
  External = 0,
  Nmi = 2,
  Exception = 3,
  Software = 4,
  PrivilegedSoftwareException = 5,
  SoftwareException = 6
};

/// HvRegisterInterruptState.
struct InterruptState {
  using Self = InterruptState;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, interrupt_shadow)
  ABI_BIT(1, nmi_masked)
};

/// HvX64RegisterCrInterceptControl: which register accesses of VTL 0 become messages for VTL 1
/// (section 5.6).
struct CrInterceptControl {
  using Self = CrInterceptControl;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, cr0_write)
  ABI_BIT(1, cr4_write)
  ABI_BIT(2, xcr0_write)
  ABI_BIT(3, misc_enable_read)
  ABI_BIT(4, misc_enable_write)
  ABI_BIT(5, lstar_read)
  ABI_BIT(6, lstar_write)
  ABI_BIT(7, star_read)
  ABI_BIT(8, star_write)
  ABI_BIT(9, cstar_read)
  ABI_BIT(10, cstar_write)
  ABI_BIT(11, apic_base_read)
  ABI_BIT(12, apic_base_write)
  ABI_BIT(13, efer_read)
  ABI_BIT(14, efer_write)
  ABI_BIT(15, gdtr_write)
  ABI_BIT(16, idtr_write)
  ABI_BIT(17, ldtr_write)
  ABI_BIT(18, tr_write)
  ABI_BIT(19, sysenter_cs_write)
  ABI_BIT(20, sysenter_eip_write)
  ABI_BIT(21, sysenter_esp_write)
  ABI_BIT(22, sfmask_write)
  ABI_BIT(23, tsc_aux_write)
  ABI_BIT(24, sgx_launch_control_write)
  ABI_BIT(25, xss_write)
  ABI_BIT(26, s_cet_write)
  ABI_BIT(27, plx_ssp_write)
  ABI_BIT(28, interrupt_ssp_table_write)
};

}  // namespace abi::hv
