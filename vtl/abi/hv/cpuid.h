#pragma once
// Hypervisor CPUID leaves and the privilege mask (TLFS 2.4, 4.2.2).
#include <stdint.h>

#include "abi/layout/bits.h"

namespace abi::hv {

namespace cpuid {
inline constexpr uint32_t vendor_leaf = 0x40000000;
inline constexpr uint32_t interface_leaf = 0x40000001;
inline constexpr uint32_t version_leaf = 0x40000002;
inline constexpr uint32_t features_leaf = 0x40000003;
inline constexpr uint32_t recommendations_leaf = 0x40000004;
inline constexpr uint32_t limits_leaf = 0x40000005;
inline constexpr uint32_t hardware_leaf = 0x40000006;

inline constexpr uint32_t vendor_ebx = 0x7263694D;     ///< "Micr"
inline constexpr uint32_t vendor_ecx = 0x666F736F;     ///< "osof"
inline constexpr uint32_t vendor_edx = 0x76482074;     ///< "t Hv"
inline constexpr uint32_t interface_eax = 0x31237648;  ///< "Hv#1"
/// CPUID leaf 1, ECX: a hypervisor is present.
inline constexpr uint32_t hypervisor_present = 1u << 31;
}  // namespace cpuid

/// HV_PARTITION_PRIVILEGE_MASK: CPUID 0x40000003, EBX:EAX.
struct PrivilegeMask {
  using Self = PrivilegeMask;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, access_vp_run_time_msr)
  ABI_BIT(1, access_partition_reference_counter)
  ABI_BIT(2, access_synic_regs)
  ABI_BIT(3, access_synthetic_timer_regs)
  ABI_BIT(4, access_intr_ctrl_regs)
  ABI_BIT(5, access_hypercall_msrs)
  ABI_BIT(6, access_vp_index)
  ABI_BIT(7, access_reset_msr)
  ABI_BIT(8, access_stats_msr)
  ABI_BIT(9, access_partition_reference_tsc)
  ABI_BIT(10, access_guest_idle_msr)
  ABI_BIT(11, access_frequency_msrs)
  ABI_BIT(12, access_debug_msrs)
  ABI_BIT(13, access_reenlightenment_controls)
  ABI_BIT(14, access_root_scheduler_msr)
  ABI_BIT(15, access_tsc_invariant_controls)
  ABI_BIT(32, create_partitions)
  ABI_BIT(33, access_partition_id)
  ABI_BIT(34, access_memory_pool)
  ABI_BIT(35, adjust_message_buffers)
  ABI_BIT(36, post_messages)
  ABI_BIT(37, signal_events)
  ABI_BIT(38, create_port)
  ABI_BIT(39, connect_port)
  ABI_BIT(40, access_stats)
  ABI_BIT(43, debugging)
  ABI_BIT(44, cpu_management)
  ABI_BIT(45, configure_profiler)
  ABI_BIT(46, vp_exit_tracing)
  ABI_BIT(47, enable_extended_gva_ranges_flush)
  ABI_BIT(48, access_vsm)
  ABI_BIT(49, access_vp_registers)
  ABI_BIT(51, fast_hypercall_output)
  ABI_BIT(52, enable_extended_hypercalls)
  ABI_BIT(53, start_virtual_processor)
  ABI_BIT(54, isolation)
};

/// CPUID 0x40000003, EDX.
struct MiscellaneousFeatures {
  using Self = MiscellaneousFeatures;
  using Raw = uint32_t;
  Raw raw{};
  ABI_BIT(4, xmm_hypercall_input)
  ABI_BIT(10, crash_msrs)
  ABI_BIT(12, npiep)
  ABI_BIT(14, extended_gva_ranges)
  ABI_BIT(15, xmm_hypercall_output)
  ABI_BIT(17, sint_polling_mode)
  ABI_BIT(18, hypercall_msr_lock)
  ABI_BIT(19, direct_synthetic_timers)
  ABI_BIT(20, pat_register_for_vsm)
  ABI_BIT(21, bndcfgs_register_for_vsm)
  ABI_BIT(23, synthetic_time_unhalted_timer)
  ABI_BIT(26, last_branch_record)
  ABI_BIT(27, processor_trace)
  ABI_BIT(28, cross_vtl_flush)
  ABI_BIT(29, idle_spec_ctrl)
  ABI_BIT(30, translate_gva_flags)
  ABI_BIT(31, apic_eoi_intercept)
};

/// CPUID 0x40000004, EAX.
struct Recommendations {
  using Self = Recommendations;
  using Raw = uint32_t;
  Raw raw{};
  ABI_BIT(0, hypercall_address_space_switch)
  ABI_BIT(1, hypercall_local_flush)
  ABI_BIT(2, hypercall_remote_flush)
  ABI_BIT(3, msr_apic_access)
  ABI_BIT(4, msr_reset)
  ABI_BIT(5, relaxed_timing)
  ABI_BIT(8, x2apic_msrs)
  ABI_BIT(9, deprecate_auto_eoi)
  ABI_BIT(10, cluster_ipi)
  ABI_BIT(11, ex_processor_masks)
  ABI_BIT(13, mbec_system_call_interrupt)
};

/// CPUID 0x40000006, EAX.
struct HardwareFeatures {
  using Self = HardwareFeatures;
  using Raw = uint32_t;
  Raw raw{};
  ABI_BIT(0, apic_overlay_assist)
  ABI_BIT(1, msr_bitmaps)
  ABI_BIT(3, second_level_address_translation)
  ABI_BIT(4, dma_remapping)
  ABI_BIT(5, interrupt_remapping)
  ABI_BIT(17, unrestricted_guest)
};

}  // namespace abi::hv
