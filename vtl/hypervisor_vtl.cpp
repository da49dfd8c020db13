// Enabling VTLs, and going from one to another (TLFS 15.5 to 15.7; sections 3.7, 3.8, 4.2).
#include "vtl/hypervisor.h"
#include "vtl/register_rules.h"

namespace vtl {

using namespace abi::hv;

namespace {

bool reserved_clear(std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) {
    if (byte != 0) return false;
  }
  return true;
}

constexpr uint16_t set_of(Vtl vtl) {
  return static_cast<uint16_t>(1u << static_cast<unsigned>(vtl));
}

/// A VTL may enable lower ones; a higher one only if it is the highest enabled one below it (section 3.7).
bool may_enable(const Partition& partition, Vtl caller, Vtl target) {
  const auto below = static_cast<uint16_t>(partition.enabled_vtls & (set_of(target) - 1));
  return caller >= target || caller == highest(below);
}

bool may_manage_vtls(const CallContext& context) {
  const PrivilegeMask& privileges = context.partition.privileges;
  return privileges.access_vsm() && privileges.cpu_management();
}

}  // namespace

CallResult Hypervisor::on(Tag<CallCode::EnablePartitionVtl>, const CallContext& context,
                          const abi::hv::EnablePartitionVtl& input) {
  if (!may_manage_vtls(context)) return HvStatus::AccessDenied;
  Partition* const found = target_partition(context, input.target_partition);
  if (found == nullptr) return HvStatus::InvalidPartitionId;
  Partition& partition = *found;
  const bool own = found == &context.partition;
  if (partition.birth.phase != PartitionPhase::Active) return HvStatus::InvalidPartitionState;
  if (input.target_vtl == 0 || input.target_vtl > config_.maximum_vtl)
    return HvStatus::InvalidParameter;
  if (!reserved_clear(input.reserved) || (input.flags.raw & ~1u) != 0)
    return HvStatus::InvalidParameter;
  const auto target = static_cast<Vtl>(input.target_vtl);
  if (input.flags.enable_mbec() && ((config_.mbec_vtl_mask >> input.target_vtl) & 1) == 0) {
    return HvStatus::InvalidParameter;
  }
  if (partition.enabled(target)) return HvStatus::InvalidVtlState;
  if (own && !may_enable(partition, context.vtl, target)) return HvStatus::AccessDenied;
  if (!partition.memory->exists(target) && !partition.memory->create(target))
    return HvStatus::InsufficientMemory;
  partition.enabled_vtls |= set_of(target);
  if (input.flags.enable_mbec()) {
    // The target restricts those below it, so theirs is the execution that MBEC splits; both
    // readings of the set that guests have (the target's bit, the restricted one's) find their bit
    // (our choice).
    partition.mbec_enabled_vtls |=
        static_cast<uint16_t>(((set_of(target) << 1) - 1) & config_.mbec_vtl_mask);
  }
  emit(support::EventKind::VtlEnabled, context.registers, context.now, input.target_vtl, 0);
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::EnableVpVtl>, const CallContext& context,
                          const abi::hv::EnableVpVtl& input) {
  if (!may_manage_vtls(context)) return HvStatus::AccessDenied;
  Partition* const target_of = target_partition(context, input.target_partition);
  if (target_of == nullptr) return HvStatus::InvalidPartitionId;
  Partition& partition = *target_of;
  const bool own = target_of == &context.partition;
  const uint32_t index =
      own && input.target_vp == vp_self ? context.registers.index : input.target_vp;
  VpState* const found = partition.find_vp(index);
  if (found == nullptr) return HvStatus::InvalidVpIndex;
  if (input.target_vtl == 0 || input.target_vtl > config_.maximum_vtl)
    return HvStatus::InvalidParameter;
  if (!reserved_clear(input.reserved)) return HvStatus::InvalidParameter;
  const auto target = static_cast<Vtl>(input.target_vtl);
  if (!partition.enabled(target)) return HvStatus::InvalidVtlState;
  VpState& vp = *found;
  if (own && context.vtl < target) {
    // A lower VTL may start a higher one once, on its own processor; from then on the higher one
    // decides.
    if (!may_enable(partition, context.vtl, target) ||
        context.vtl != highest(context.vp.enabled_vtls))
      return HvStatus::AccessDenied;
    for (const VpState* other : partition.vps) {
      if (other->enabled(target)) return HvStatus::AccessDenied;
    }
    if (&vp != &context.vp) return HvStatus::AccessDenied;
  }
  if (vp.enabled(target)) return HvStatus::VtlAlreadyEnabled;
  if (!valid_initial_context(input.context, config_.physical_address_bits))
    return HvStatus::InvalidRegisterValue;

  VtlContext& registers = vp.registers->contexts[target];
  const uint64_t changes = registers.changes;
  registers = initial_registers(input.context);
  registers.changes = changes + 1;
  vp.enabled_vtls |= set_of(target);
  update_interceptions(vp);
  emit(support::EventKind::VtlEnabled, context.registers, context.now, input.target_vtl, 1);
  return HvStatus::Success;
}

UpperVtl Hypervisor::upper(const VpState& vp, Vtl vtl) const {
  const VtlState& state = vp.vtls[vtl];
  return {vtl, state.active_assist_page(), state.vina.enabled() && state.vina.auto_reset()};
}

Outcome Hypervisor::on(Tag<CallCode::VtlCall>, const CallContext& context) {
  VirtualProcessor& vp = context.registers;
  const Vtl from = context.vtl;
  const Vtl target = next_higher(context.vp, from);
  if (HypercallDispatcher::switch_control(vp) != 0 || target == from) return Outcome::invalid_opcode();
  const uint64_t rip = vp.context().rip;
  switch_.call(vp, upper(context.vp, target));
  raise_vina(context.vp);
  ++statistics_.vtl_calls;
  if (events_ != nullptr) emit_switch(support::EventKind::VtlCall, vp, from, rip, context.now, 0);
  return Outcome::switched();
}

Outcome Hypervisor::on(Tag<CallCode::VtlReturn>, const CallContext& context) {
  VirtualProcessor& vp = context.registers;
  const Vtl from = context.vtl;
  const Vtl target = next_lower(context.vp, from);
  const uint64_t control = HypercallDispatcher::switch_control(vp);
  if ((control & ~uint64_t{1}) != 0 || target == from) return Outcome::invalid_opcode();
  const uint64_t rip = vp.context().rip;
  const bool fast = control != 0;
  switch_.leave(vp, upper(context.vp, from), target, fast);
  for (VsmVpSecureConfig& config : context.vp.vtls[from].secure_config.values)
    config = config.with_tlb_locked(false);
  ++statistics_.vtl_returns;
  if (events_ != nullptr)
    emit_switch(support::EventKind::VtlReturn, vp, from, rip, context.now, fast ? 1 : 0);
  return Outcome::switched();
}

/// The 13 words of SKCALL travel in RBX and XMM10 to XMM15 (section 4.4). `from` and `rip` are the
/// initiator's.
void Hypervisor::emit_switch(support::EventKind kind, const VirtualProcessor& vp, Vtl from,
                             uint64_t rip, Instant now, uint64_t c) {
  uint64_t frame[13];
  frame[0] = vp.shared.gpr[Rbx];
  for (size_t i = 0; i < 6; ++i) {
    frame[1 + 2 * i] = vp.shared.fp.xmm[10 + i].low;
    frame[2 + 2 * i] = vp.shared.fp.xmm[10 + i].high;
  }
  support::Event event;
  event.at = now;
  event.vp = vp.number;
  event.vtl = from;
  event.kind = kind;
  event.a = frame[0];
  event.b = frame[1];
  event.c = c;
  event.rip = rip;
  event.frame = frame;
  events_->on(event);
}

}  // namespace vtl
