// The VSM registers: what VTLs know and decide about each other (TLFS 15.2.2, 15.11, 15.12.4;
// sections 3.2 to 3.6).
#include "vtl/hypercall_page.h"
#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

namespace {

/// VsmVpSecureConfigVtln: n, or nothing for another register.
std::optional<Vtl> secure_config_of(RegisterName name) {
  if (name == RegisterName::VsmVpSecureConfigVtl0) return Vtl::Vtl0;
  if (name == RegisterName::VsmVpSecureConfigVtl1) return Vtl::Vtl1;
  return std::nullopt;
}

/// All 29 accesses of section 5.6; those of MSRs that this processor has not are told as well.
constexpr uint64_t known_cr_intercepts = (uint64_t{1} << 29) - 1;

/// HvX64RegisterCrIntercept... of a VTL; null for another register.
uint64_t* intercept_register(VtlState& state, RegisterName name) {
  switch (name) {
    case RegisterName::CrInterceptControl:
      return &state.cr_intercepts.raw;
    case RegisterName::CrInterceptCr0Mask:
      return &state.cr0_mask;
    case RegisterName::CrInterceptCr4Mask:
      return &state.cr4_mask;
    case RegisterName::CrInterceptIa32MiscEnableMask:
      return &state.misc_enable_mask;
    default:
      return nullptr;
  }
}

}  // namespace

HvStatus Hypervisor::get_vsm_register(VpState& vp, Vtl vtl, RegisterName name, uint64_t& value) {
  const Partition& partition = *vp.partition;
  if (const auto lower = secure_config_of(name)) {
    if (*lower >= vtl) return HvStatus::InvalidParameter;
    value = vp.vtls[vtl].secure_config[*lower].raw;
    return HvStatus::Success;
  }
  switch (name) {
    case RegisterName::VsmCodePageOffsets:
      value = code_page_offsets(config_.hypercall_page, true).raw;
      break;
    case RegisterName::VsmVpStatus: {
      const Vtl active = vp.registers->active;
      value = VsmVpStatus{}
                  .with_active_vtl(static_cast<uint8_t>(active))
                  .with_active_mbec_enabled(mbec_active(vp, active))
                  .with_enabled_vtl_set(vp.enabled_vtls)
                  .raw;
      break;
    }
    case RegisterName::VsmPartitionStatus:
      value = VsmPartitionStatus{}
                  .with_enabled_vtl_set(partition.enabled_vtls)
                  .with_maximum_vtl(config_.maximum_vtl)
                  .with_mbec_enabled_vtl_set(partition.mbec_enabled_vtls)
                  .raw;
      break;
    case RegisterName::VsmCapabilities:
      value = VsmCapabilities{}
                  .with_dr6_shared(true)
                  .with_mbec_vtl_mask(config_.mbec_vtl_mask)
                  .with_deny_lower_vtl_startup(true)
                  .with_intercept_page_available(true)
                  .raw;
      break;
    case RegisterName::VsmVina:
      if (vtl == Vtl::Vtl0) return HvStatus::InvalidParameter;
      value = vp.vtls[vtl].vina.raw;
      break;
    case RegisterName::VsmPartitionConfig:
      if (vtl == Vtl::Vtl0) return HvStatus::InvalidParameter;
      value = partition.vtls[vtl].config.raw;
      break;
    case RegisterName::VsmVpWaitForTlbLock:
      value = vp.waits_for_tlb_lock ? 1 : 0;
      break;
    case RegisterName::ExplicitSuspend:
      value = vp.registers->explicit_suspend ? 1 : 0;
      break;
    case RegisterName::InterceptSuspend:
      value = InterceptSuspension{}
                  .with_suspended(vp.registers->intercept_suspend)
                  .with_tlb_flush_inhibit(vp.tlb_flush_inhibited)
                  .raw;
      break;
    case RegisterName::InternalActivityState:
      value = InternalActivity{}
                  .with_startup_suspend(vp.registers->startup_suspend)
                  .with_halt_suspend(vp.registers->active == vtl ? vp.registers->halted
                                                                 : vp.registers->contexts[vtl].halted)
                  .raw;
      break;
    default: {
      const uint64_t* const intercepts = intercept_register(vp.vtls[vtl], name);
      if (intercepts == nullptr) return HvStatus::UnknownRegisterName;
      if (vtl == Vtl::Vtl0) return HvStatus::InvalidParameter;
      value = *intercepts;
    }
  }
  return HvStatus::Success;
}

HvStatus Hypervisor::set_vsm_register(VpState& vp, Vtl vtl, RegisterName name, uint64_t value) {
  if (const auto lower = secure_config_of(name)) return set_secure_config(vp, vtl, *lower, value);
  switch (name) {
    case RegisterName::VsmVina: {
      if (vtl == Vtl::Vtl0) return HvStatus::InvalidParameter;
      const VsmVina vina{value & 0x7FF};
      if (vina.enabled() && vina.vector() < 16) return HvStatus::InvalidRegisterValue;
      vp.vtls[vtl].vina = vina;
      if (vp.registers->active == vtl) raise_vina(vp);
      return HvStatus::Success;
    }
    case RegisterName::VsmPartitionConfig:
      return set_partition_config(*vp.partition, vtl, value);
    case RegisterName::ExplicitSuspend:
      if (value > 1) return HvStatus::InvalidRegisterValue;
      vp.registers->explicit_suspend = value != 0;
      return HvStatus::Success;
    case RegisterName::InterceptSuspend: {
      // Only an intercept suspends this way, and only a translation keeps flushes away; the parent ends both.
      const InterceptSuspension stays{value};
      const bool suspended = vp.registers->intercept_suspend, inhibited = vp.tlb_flush_inhibited;
      if (value > 3 || (stays.suspended() && !suspended) || (stays.tlb_flush_inhibit() && !inhibited))
        return HvStatus::InvalidRegisterValue;
      vp.registers->intercept_suspend = stays.suspended();
      vp.tlb_flush_inhibited = stays.tlb_flush_inhibit();
      return HvStatus::Success;
    }
    case RegisterName::InternalActivityState: {
      constexpr uint64_t known =
          InternalActivity{}.with_startup_suspend(true).with_halt_suspend(true).raw;
      if ((value & ~known) != 0) return HvStatus::InvalidRegisterValue;
      const InternalActivity wanted{value};
      vp.registers->startup_suspend = wanted.startup_suspend();
      bool& halted = vp.registers->active == vtl ? vp.registers->halted
                                                 : vp.registers->contexts[vtl].halted;
      halted = wanted.halt_suspend();
      return HvStatus::Success;
    }
    default: {
      uint64_t* const intercepts = intercept_register(vp.vtls[vtl], name);
      if (intercepts == nullptr) return HvStatus::UnknownRegisterName;
      if (vtl == Vtl::Vtl0) return HvStatus::InvalidParameter;
      if (name == RegisterName::CrInterceptControl && (value & ~known_cr_intercepts) != 0)
        return HvStatus::InvalidRegisterValue;
      *intercepts = value;
      update_interceptions(vp);
      return HvStatus::Success;
    }
  }
}

/// Section 3.4: protections once on stay on, and their default mask with them.
HvStatus Hypervisor::set_partition_config(Partition& partition, Vtl vtl, uint64_t value) {
  if (vtl == Vtl::Vtl0) return HvStatus::InvalidParameter;
  VsmPartitionConfig& stored = partition.vtls[vtl].config;
  const VsmPartitionConfig wanted{value};
  const uint64_t known = VsmPartitionConfig{}
                             .with_enable_vtl_protection(true)
                             .with_default_vtl_protection_mask(0xF)
                             .with_zero_memory_on_reset(true)
                             .with_deny_lower_vtl_startup(true)
                             .with_intercept_vp_startup(true)
                             .with_intercept_unrecoverable_exception(true)
                             .with_intercept_page(true)
                             .raw;
  if ((value & ~known) != 0) return HvStatus::InvalidRegisterValue;
  const uint8_t mask = wanted.default_vtl_protection_mask();
  if (stored.enable_vtl_protection()) {
    if (!wanted.enable_vtl_protection() || mask != stored.default_vtl_protection_mask()) {
      return HvStatus::InvalidRegisterValue;
    }
  } else if (wanted.enable_vtl_protection()) {
    constexpr uint32_t needed = map_gpa::readable | map_gpa::writable;
    if ((mask & needed) != needed || !valid_protection(mask, partition.mbec_enabled(Vtl::Vtl0))) {
      return HvStatus::InvalidRegisterValue;
    }
    if (!partition.memory->enable_protection(vtl, mask)) return HvStatus::InsufficientMemory;
    if (partition.is_root() && !root_restricted(std::nullopt)) return HvStatus::InsufficientMemory;
  }
  stored = wanted;
  return HvStatus::Success;
}

HvStatus Hypervisor::set_secure_config(VpState& vp, Vtl vtl, Vtl lower, uint64_t value) {
  if (lower >= vtl) return HvStatus::InvalidParameter;
  const VsmVpSecureConfig wanted{value};
  if ((value & ~uint64_t{3}) != 0) return HvStatus::InvalidRegisterValue;
  // MBEC is one decision for the partition; a processor only follows it (section 3.5).
  if (wanted.mbec_enabled() != vp.partition->mbec_enabled(lower))
    return HvStatus::InvalidRegisterValue;
  vp.vtls[vtl].secure_config[lower] = wanted;
  // Translations are kept with the rights of stage 2 apart, but an engine may hold what the old
  // mode granted.
  translator_.invalidate_guest_physical(vp.partition->id, lower);
  return HvStatus::Success;
}

}  // namespace vtl
