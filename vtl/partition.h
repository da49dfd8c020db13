#pragma once
// What the hypervisor keeps of a partition and of its virtual processors. Plain state; the policy
// is Hypervisor's.
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "abi/hv/cpuid.h"
#include "abi/hv/structs.h"
#include "abi/hv/synic.h"
#include "abi/hv/vsm_registers.h"
#include "vtl/guest_memory.h"
#include "vtl/local_apic.h"
#include "vtl/port.h"
#include "vtl/synic.h"
#include "vtl/virtual_processor.h"

namespace vtl {

/// The hypervisor's side of one VTL of one virtual processor.
struct VtlState {
  LocalApic apic;
  Synic synic;
  uint64_t vp_assist_page{};  ///< the MSR
  Spa assist_page;            ///< 0 until first enabled
  abi::hv::VsmVina vina;
  /// What this VTL decides for each lower one.
  VtlArray<abi::hv::VsmVpSecureConfig> secure_config;
  /// Which register accesses of the VTLs below it wants to see, and for three of them: which bits must change.
  abi::hv::CrInterceptControl cr_intercepts;
  uint64_t cr0_mask{~uint64_t{0}}, cr4_mask{~uint64_t{0}}, misc_enable_mask{~uint64_t{0}};
  bool idle{};  ///< waits in HV_X64_MSR_GUEST_IDLE: any interrupt wakes it, whatever RFLAGS.IF says
  STATE_FIELDS(apic, synic, vp_assist_page, assist_page, vina, secure_config, cr_intercepts, cr0_mask,
               cr4_mask, misc_enable_mask,               idle)

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
  bool waits_for_tlb_lock{};   ///< its flush is held back: HvRegisterVsmVpWaitForTlbLock
  bool tlb_flush_inhibited{};  ///< by its parent, until that writes HvRegisterInterceptSuspend

  STATE_FIELDS((registers), (partition), enabled_vtls, vtls, waits_for_tlb_lock, tlb_flush_inhibited)

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

/// Who is told of something that happens in a VTL: a higher one of the same VP, or the parent partition.
struct Receiver {
  bool parent{};
  Vtl vtl{};  ///< of the partition itself, or of the parent
  STATE_FIELDS(parent, vtl)
  [[nodiscard]] const char* state_error() const {
    return static_cast<uint8_t>(vtl) < abi::hv::implemented_vtls ? "" : "a VTL that does not exist is told";
  }
  friend bool operator==(const Receiver&, const Receiver&) = default;
};

/// HvCallInstallIntercept: one kind of event in every VTL below the receiver's, or in all VTLs of a child.
struct InstalledIntercept {
  Receiver receiver;
  abi::hv::InterceptType type{};
  uint32_t access_mask{};  ///< never 0
  uint64_t parameter{};
  STATE_FIELDS(receiver, type, access_mask, parameter)
  [[nodiscard]] const char* state_error() const {
    const bool exception = type == abi::hv::InterceptType::Exception;
    return exception && parameter > 31 ? "an intercept of an exception that does not exist" : "";
  }
};

/// HvCallRegisterInterceptResult: bits of a CPUID answer that the parent decides. Order: EAX, EBX, ECX, EDX.
struct CpuidOverride {
  uint32_t leaf{}, subleaf{};
  bool subleaf_specific{};
  std::array<uint32_t, 4> values{}, masks{};
  STATE_FIELDS(leaf, subleaf, subleaf_specific, values, masks)
};

/// A child that is only created has no memory yet; a finalized one can only be deleted (TLFS
/// HvCallInitializePartition, HvCallFinalizePartition).
enum class PartitionPhase : uint8_t { Created, Active, Finalized };

/// What a child starts as.
struct PartitionBirth {
  uint64_t partition_id{root_partition_id};  ///< HV_PARTITION_ID: never given twice
  PartitionPhase phase{PartitionPhase::Active};
  uint64_t flags{};  ///< abi::hv::create_partition
  Vtl parent_vtl{};  ///< the VTL of the parent that created it and is told of its intercepts
  STATE_FIELDS(partition_id, phase, flags, parent_vtl)
  [[nodiscard]] const char* state_error() const {
    const bool valid = phase <= PartitionPhase::Finalized &&
                       static_cast<uint8_t>(parent_vtl) < abi::hv::implemented_vtls;
    return valid ? "" : "a partition in a phase, or of a VTL, that does not exist";
  }
};

struct Partition {
  /// The tag of its TLB entries, and VirtualProcessor::partition; given again after deletion.
  uint8_t id{root_partition_id};
  PartitionBirth birth;
  abi::hv::PrivilegeMask privileges{};  ///< what its guests may do; CPUID 0x40000003 says it
  std::unique_ptr<GuestMemory> memory;  ///< null on a bare machine
  uint16_t enabled_vtls{1};
  uint16_t mbec_enabled_vtls{};
  VtlArray<PartitionVtl> vtls;
  Spa hypercall_page;
  std::array<uint64_t, 5> crash_parameters{};
  uint64_t tsc_invariant_control{};     ///< HV_X64_MSR_TSC_INVARIANT_CONTROL
  std::optional<uint8_t> external_interrupt;  ///< asserted by hypercall, as by an 8259
  std::vector<Port> ports;              ///< by id
  std::vector<Connection> connections;  ///< by id
  std::vector<VpState*> vps;  ///< in the order of their index, which may have gaps (not in the root)
  std::vector<InstalledIntercept> intercepts;  ///< each receiver, type and parameter once
  std::vector<CpuidOverride> cpuid_overrides;

  /// `make_memory()` yields the GuestMemory to read into when the state has one and the partition has not. The VPs are
  /// the hypervisor's to visit.
  template <class Visitor, class Self, class MakeMemory>
  static void visit_parts(Visitor& visit, Self& self, MakeMemory make_memory) {
    auto& [id, birth, privileges, memory, enabled_vtls, mbec_enabled_vtls, vtls, hypercall_page, crash_parameters,
           tsc_invariant_control, external_interrupt, ports, connections, vps, intercepts, cpuid_overrides] =
        self;
    visit.host(id, vps);
    visit("birth", birth)("privileges", privileges);
    visit.object("memory", memory, make_memory, [](GuestMemory& gone) { gone.abandon(); });
    visit("enabled_vtls", enabled_vtls)("mbec_enabled_vtls", mbec_enabled_vtls)("vtls", vtls);
    visit("hypercall_page", hypercall_page)("crash_parameters", crash_parameters);
    visit("intercepts", intercepts)("cpuid_overrides", cpuid_overrides);
    visit("tsc_invariant_control", tsc_invariant_control)("external_interrupt", external_interrupt)("ports", ports)("connections", connections);
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
