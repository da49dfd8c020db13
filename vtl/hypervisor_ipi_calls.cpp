// Interrupts that a guest asks for by hypercall (TLFS chapter 10; sections 2.10, 6).
#include "vtl/hypervisor.h"
#include "vtl/processor_set.h"

namespace vtl {

using namespace abi::hv;

namespace {

constexpr uint32_t first_legal_vector = 16, last_vector = 255;

}  // namespace

CallResult Hypervisor::cluster_ipi(const CallContext& context, uint32_t vector, InputVtl target,
                                   bool reserved, const ProcessorSet& processors) {
  if (processors.status() != HvStatus::Success) return processors.status();
  if (reserved || target.reserved() != 0 || vector < first_legal_vector || vector > last_vector)
    return HvStatus::InvalidParameter;
  Vtl vtl = context.vtl;
  if (target.use_target_vtl()) {
    if (target.target_vtl() >= implemented_vtls) return HvStatus::InvalidParameter;
    vtl = static_cast<Vtl>(target.target_vtl());
    if (!context.partition.enabled(vtl)) return HvStatus::InvalidVtlState;
  }
  for (VpState* vp : context.partition.vps) {
    if (processors.has(vp->registers->index) && vp->enabled(vtl))
      request_interrupt(*vp, vtl, static_cast<uint8_t>(vector));
  }
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::SendSyntheticClusterIpi>, const CallContext& context,
                          const abi::hv::SendSyntheticClusterIpi& input) {
  return cluster_ipi(context, input.vector, input.target_vtl,
                     input.flags != 0 || input.reserved != 0, ProcessorSet{input.processor_mask});
}

CallResult Hypervisor::on(Tag<CallCode::SendSyntheticClusterIpiEx>, const CallContext& context,
                          const abi::hv::SendSyntheticClusterIpiEx& input,
                          std::span<const uint64_t> banks) {
  return cluster_ipi(context, input.vector, input.target_vtl,
                     input.flags != 0 || input.reserved != 0, {input.processors, banks});
}

CallResult Hypervisor::on(Tag<CallCode::AssertVirtualInterrupt>, const CallContext& context,
                          const abi::hv::AssertVirtualInterrupt& input) {
  Partition* const partition = target_partition(context, input.target_partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  const InterruptControl control{input.interrupt_control};
  if (control.reserved() != 0 || input.target_vtl >= implemented_vtls || input.vector > last_vector ||
      (input.reserved[0] | input.reserved[1] | input.reserved[2]) != 0) {
    return HvStatus::InvalidParameter;
  }
  const auto vtl = static_cast<Vtl>(input.target_vtl);
  if (partition == &context.partition && vtl > context.vtl) return HvStatus::AccessDenied;
  if (!partition->enabled(vtl)) return HvStatus::InvalidVtlState;
  InterruptMessage message{.vector = static_cast<uint8_t>(input.vector),
                           .logical = control.logical_destination(),
                           .wide = true,
                           .level = control.level_triggered(),
                           .destination = static_cast<uint32_t>(input.destination)};
  switch (static_cast<InterruptType>(control.type())) {
    case InterruptType::Fixed:
      message.mode = DeliveryMode::Fixed;
      break;
    case InterruptType::LowestPriority:
      message.mode = DeliveryMode::LowestPriority;
      break;
    case InterruptType::Nmi:
      message.mode = DeliveryMode::Nmi;
      break;
    case InterruptType::Init:
      message.mode = DeliveryMode::Init;
      break;
    case InterruptType::Sipi:
      message.mode = DeliveryMode::Startup;
      break;
    case InterruptType::ExtInt:
      partition->external_interrupt = message.vector;
      return HvStatus::Success;
    case InterruptType::LocalInt0:
    case InterruptType::LocalInt1:
      return assert_local_interrupt(*partition, vtl, message, control.type() & 1);
    default:
      return HvStatus::InvalidParameter;  // SMI, remote read: this processor has neither
  }
  const bool vectored = message.mode == DeliveryMode::Fixed || message.mode == DeliveryMode::LowestPriority;
  if (vectored && input.vector < first_legal_vector) return HvStatus::InvalidParameter;
  send(*partition, vtl, message, nullptr);
  return HvStatus::Success;
}

/// A pulse at LINT0 or LINT1 of the APICs that the destination means.
CallResult Hypervisor::assert_local_interrupt(Partition& partition, Vtl vtl,
                                              const InterruptMessage& where, unsigned pin) {
  for (VpState* vp : partition.vps) {
    const LocalApic& apic = vp->vtls[vtl].apic;
    if (!vp->enabled(vtl) || !apic.matches(where)) continue;
    const auto local = apic.local_interrupt(pin);
    if (!local) continue;
    if (local->mode == DeliveryMode::ExtInt) {
      partition.external_interrupt = where.vector;
    } else {
      deliver(*vp, vtl, *local);
    }
  }
  return HvStatus::Success;
}

/// Takes back an external interrupt that was asserted and not yet accepted.
CallResult Hypervisor::on(Tag<CallCode::ClearVirtualInterrupt>, const CallContext& context,
                          const abi::hv::ClearVirtualInterrupt& input) {
  Partition* const partition = target_partition(context, input.target_partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  partition->external_interrupt.reset();
  return HvStatus::Success;
}

}  // namespace vtl
