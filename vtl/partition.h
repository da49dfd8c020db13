#pragma once
// What the hypervisor keeps of a partition and of its virtual processors. Plain state; the policy
// is Hypervisor's.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "abi/hv/cpuid.h"
#include "abi/hv/structs.h"
#include "abi/hv/synic.h"
#include "abi/hv/vsm_registers.h"
#include "vtl/guest_memory.h"
#include "vtl/local_apic.h"
#include "vtl/virtual_processor.h"

namespace vtl {

/// The synthetic interrupt controller of one VTL on one virtual processor (TLFS chapter 11).
struct Synic {
  uint64_t scontrol{}, siefp{}, simp{};
  std::array<uint64_t, abi::hv::sint_count> sint{};
  Spa message_page, event_page;  ///< 0 until first enabled; the content stays while disabled
  Synic() { sint.fill(abi::hv::sint_reset); }
  STATE_FIELDS(scontrol, siefp, simp, sint, message_page, event_page)
};

/// The hypervisor's side of one VTL of one virtual processor.
struct VtlState {
  LocalApic apic;
  Synic synic;
  uint64_t vp_assist_page{};  ///< the MSR
  Spa assist_page;            ///< 0 until first enabled
  abi::hv::VsmVina vina;
  /// What this VTL decides for each lower one.
  VtlArray<abi::hv::VsmVpSecureConfig> secure_config;
  abi::hv::CrInterceptControl cr_intercepts;
  STATE_FIELDS(apic, synic, vp_assist_page, assist_page, vina, secure_config, cr_intercepts)

  /// The page if it is enabled, else 0.
  [[nodiscard]] Spa active_assist_page() const {
    return (vp_assist_page & 1) != 0 ? assist_page : Spa{0};
  }
};

struct Partition;

/// The hypervisor's side of a virtual processor of some partition.
struct VpState {
  VirtualProcessor* registers{};
  Partition* partition{};  ///< never null outside a restore
  uint16_t enabled_vtls{1};
  VtlArray<VtlState> vtls;

  STATE_FIELDS((registers), (partition), enabled_vtls, vtls)

  [[nodiscard]] bool enabled(Vtl vtl) const {
    return ((enabled_vtls >> static_cast<unsigned>(vtl)) & 1) != 0;
  }
};

/// The partition's side of one VTL.
struct PartitionVtl {
  uint64_t guest_os_id{}, hypercall{}, reference_tsc{};
  Spa reference_tsc_page;
  /// TLFS 15.2.2.4: everything is allowed and memory is zeroed on reset until the VTL says
  /// otherwise.
  abi::hv::VsmPartitionConfig config =
      abi::hv::VsmPartitionConfig{}.with_default_vtl_protection_mask(0xF).with_zero_memory_on_reset(
          true);
  STATE_FIELDS(guest_os_id, hypercall, reference_tsc, reference_tsc_page, config)
};

/// The partition that the machine starts in; it owns all memory that was not given away.
inline constexpr uint8_t root_partition_id = 1;

struct Partition {
  uint8_t id{root_partition_id};        ///< HV_PARTITION_ID, and the tag of its TLB entries
  abi::hv::PrivilegeMask privileges{};  ///< what its guests may do; CPUID 0x40000003 says it
  std::unique_ptr<GuestMemory> memory;  ///< null on a bare machine
  uint16_t enabled_vtls{1};
  uint16_t mbec_enabled_vtls{};
  VtlArray<PartitionVtl> vtls;
  Spa hypercall_page;
  std::array<uint64_t, 5> crash_parameters{};
  std::vector<VpState*> vps;  ///< in the order of their index, which may have gaps (not in the root)

  /// `make_memory()` yields the GuestMemory to read into when the state has one and the partition has not. The VPs are
  /// the hypervisor's to visit.
  template <class Visitor, class Self, class MakeMemory>
  static void visit_parts(Visitor& visit, Self& self, MakeMemory make_memory) {
    auto& [id, privileges, memory, enabled_vtls, mbec_enabled_vtls, vtls, hypercall_page, crash_parameters, vps] =
        self;
    visit.host(id, vps);
    visit("privileges", privileges);
    visit.object("memory", memory, make_memory, [](GuestMemory& gone) { gone.abandon(); });
    visit("enabled_vtls", enabled_vtls)("mbec_enabled_vtls", mbec_enabled_vtls)("vtls", vtls);
    visit("hypercall_page", hypercall_page)("crash_parameters", crash_parameters);
  }
  /// After a restore from bytes that nobody vouches for, memory and registers included: empty, or what is wrong.
  [[nodiscard]] const char* what_is_unsound() const;

  [[nodiscard]] bool is_root() const { return id == root_partition_id; }
  /// The VP with this HV_VP_INDEX; null if there is none.
  [[nodiscard]] VpState* find_vp(uint32_t index) const;
  [[nodiscard]] bool enabled(Vtl vtl) const {
    return ((enabled_vtls >> static_cast<unsigned>(vtl)) & 1) != 0;
  }
  [[nodiscard]] bool mbec_enabled(Vtl vtl) const {
    return ((mbec_enabled_vtls >> static_cast<unsigned>(vtl)) & 1) != 0;
  }
};

/// The next enabled VTL above or below; `from` itself if there is none.
[[nodiscard]] Vtl next_higher(const VpState& vp, Vtl from);
[[nodiscard]] Vtl next_lower(const VpState& vp, Vtl from);
/// The highest VTL of a set that is not empty.
[[nodiscard]] Vtl highest(uint16_t enabled_vtls);
/// MBEC is on for `vtl` on this processor: a higher VTL asked for it (section 3.5).
[[nodiscard]] bool mbec_active(const VpState& vp, Vtl vtl);

}  // namespace vtl
