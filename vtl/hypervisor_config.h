#pragma once
// Everything about the hypervisor that a machine may choose.
#include <cstdint>

#include "abi/hv/cpuid.h"
#include "mmu/access.h"

namespace vtl {

/// Which processor the machine shows (decisions 7): it decides VMCALL or VMMCALL in the hypercall
/// page, and CPUID.
enum class Vendor : uint8_t { Intel, Amd };

/// Where the stubs lie in the hypercall page (decisions 7). Offset 0 is always the plain hypercall.
/// Guests must ask HvRegisterVsmCodePageOffsets; a test moves the stubs.
struct HypercallPageLayout {
  uint16_t vtl_call32{0x04};
  uint16_t vtl_call64{0x0F};
  uint16_t vtl_return32{0x1D};
  uint16_t vtl_return64{0x28};
};

/// Privileges of the root partition (section 2.8).
inline constexpr abi::hv::PrivilegeMask root_privileges =
    abi::hv::PrivilegeMask{}
        .with_access_vp_run_time_msr(true)
        .with_access_partition_reference_counter(true)
        .with_access_synic_regs(true)
        .with_access_synthetic_timer_regs(true)
        .with_access_intr_ctrl_regs(true)
        .with_access_hypercall_msrs(true)
        .with_access_vp_index(true)
        .with_access_reset_msr(true)
        .with_access_partition_reference_tsc(true)
        .with_access_guest_idle_msr(true)
        .with_access_frequency_msrs(true)
        .with_access_tsc_invariant_controls(true)
        .with_create_partitions(true)
        .with_access_partition_id(true)
        .with_access_memory_pool(true)
        .with_start_virtual_processor(true)
        .with_post_messages(true)
        .with_signal_events(true)
        .with_create_port(true)
        .with_connect_port(true)
        .with_enable_extended_gva_ranges_flush(true)
        .with_enable_extended_hypercalls(true)
        .with_cpu_management(true)
        .with_access_vsm(true)
        .with_access_vp_registers(true);

struct HypervisorConfig {
  /// RAM of the root partition: GPA [0, guest_memory_bytes), a multiple of 4096. What lies above in
  /// PhysicalMemory belongs to the hypervisor and is mapped nowhere.
  uint64_t guest_memory_bytes{};
  /// MAXPHYADDR, as in TranslatorConfig; CPUID 0x80000008 says it.
  uint8_t physical_address_bits{40};
  /// Highest VTL that a guest may enable: 1, or 0 for a machine without VSM.
  uint8_t maximum_vtl{1};
  /// VTLs for which MBEC may be enabled: bit n for VTL n.
  uint16_t mbec_vtl_mask{0b11};
  abi::hv::PrivilegeMask privileges{root_privileges};
  Vendor vendor{Vendor::Intel};
  HypercallPageLayout hypercall_page;
  /// Elements of a rep hypercall that one entry into the hypervisor does; the rest follows after
  /// interrupts.
  uint16_t reps_per_entry{128};
  uint16_t build{10240};
};

/// The frequency of every local APIC's timer before division, and how many ticks one of its cycles
/// takes.
inline constexpr uint64_t apic_frequency = 200'000'000;
inline constexpr uint64_t ticks_per_apic_cycle = 10;

}  // namespace vtl
