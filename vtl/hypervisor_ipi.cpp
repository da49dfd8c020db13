// Interrupts between processors, and from outside them (SDM vol. 3, 11.6; section 6).
#include "abi/x64/registers.h"
#include "vtl/hypervisor.h"
#include "vtl/processor_reset.h"

namespace vtl {
ApicContext Hypervisor::apic_context(VpState& vp, Vtl vtl, Instant now) {
  VtlContext& context = vp.registers->contexts[vtl];
  return {now, context.tsc_offset, &context.tpr};
}

/// What an access of an APIC's registers, or an acceptance, leaves to do: an IPI to send within the
/// VTL, the end of a level-triggered interrupt to tell.
void Hypervisor::after_apic_access(VpState& vp, Vtl vtl, Instant now) {
  LocalApic& apic = vp.vtls[vtl].apic;
  if (const auto message = apic.take_outgoing()) send(*vp.partition, vtl, *message, &vp);
  const auto ended = apic.take_ended_level_interrupt();
  if (ended && controllers_ != nullptr && vtl == Vtl::Vtl0 && vp.partition->is_root())
    controllers_->end_of_interrupt(*ended);
  deliver_waiting(vp, vtl, now);  // EOI says that slots may be free, like EOM (TLFS 11.8.6)
}

/// Delivers to those of one VTL of a partition whom the message means; `sender` is null for one
/// from outside.
void Hypervisor::send(Partition& partition, Vtl vtl, const InterruptMessage& message,
                      const VpState* sender) {
  const auto meant = [&](const VpState& vp) {
    if (!vp.enabled(vtl)) return false;
    switch (message.shorthand) {
      case Shorthand::None:
        return vp.vtls[vtl].apic.matches(message);
      case Shorthand::Self:
        return &vp == sender;
      case Shorthand::All:
        return true;
      default:
        return &vp != sender;
    }
  };
  if (message.mode == DeliveryMode::LowestPriority) {
    VpState* best = nullptr;
    const auto priority = [&](const VpState& vp) {
      return vp.vtls[vtl].apic.processor_priority(vp.registers->contexts[vtl].tpr);
    };
    for (VpState* vp : partition.vps) {
      if (!meant(*vp) || !vp->vtls[vtl].apic.enabled()) continue;
      if (best == nullptr || priority(*vp) < priority(*best)) best = vp;
    }
    if (best != nullptr) request_interrupt(*best, vtl, message.vector, false, message.level);
    return;
  }
  for (VpState* vp : partition.vps) {
    if (meant(*vp)) deliver(*vp, vtl, message);
  }
}

void Hypervisor::deliver(VpState& vp, Vtl vtl, const InterruptMessage& message) {
  if (!vp.vtls[vtl].apic.globally_enabled()) return;
  switch (message.mode) {
    case DeliveryMode::Fixed:
      request_interrupt(vp, vtl, message.vector, false, message.level);
      return;
    case DeliveryMode::Nmi:
      vp.registers->contexts[vtl].nmi_pending = true;
      return;
    case DeliveryMode::Init:
      if (!startup_denied(vp, vtl)) initialise(vp, vtl);
      return;
    case DeliveryMode::Startup:
      if (startup_denied(vp, vtl) || !vp.registers->startup_suspend) return;
      start_at(*vp.registers, vtl, message.vector);
      vp.registers->startup_suspend = false;
      return;
    default:
      return;  // there is no SMM, and an 8259 only speaks through LINT0
  }
}

/// INIT and SIPI move a processor in VTL 0 alone: higher VTLs never run in real mode. They are
/// dropped once the processor has a higher VTL (TLFS 15.12.3), or where one denies the startup of
/// what is below it (VsmPartitionConfig).
bool Hypervisor::startup_denied(const VpState& vp, Vtl vtl) const {
  if (vtl != Vtl::Vtl0) return true;
  for (const Vtl above : all_vtls) {
    if (above <= vtl) continue;
    if (vp.enabled(above)) return true;
    if (vp.partition->enabled(above) &&
        vp.partition->vtls[above].config.deny_lower_vtl_startup()) {
      return true;
    }
  }
  return false;
}

/// INIT: the processor waits for SIPI; the bootstrap processor starts at its reset vector instead.
void Hypervisor::initialise(VpState& vp, Vtl vtl) {
  VirtualProcessor& registers = *vp.registers;
  LocalApic& apic = vp.vtls[vtl].apic;
  const CpuidContext context{.vendor = config_.vendor,
                             .physical_address_bits = config_.physical_address_bits,
                             .apic_id = apic.id(),
                             .processors = 1,
                             .apic_enabled = true};
  apic.initialise();
  reset_registers(registers, vtl, cpuid(1, 0, launched(), context).eax);
  registers.startup_suspend = !apic.bootstrap();
  translator_.invalidate_all(address_space(registers, vtl), false);
}

void Hypervisor::deliver_external(const ExternalInterrupt& interrupt) {
  send(*root_, Vtl::Vtl0,
       {.vector = interrupt.vector,
        .mode = interrupt.delivery_mode,
        .logical = interrupt.logical,
        .level = interrupt.level,
        .destination = interrupt.destination},
       nullptr);
}

void Hypervisor::set_virtual_wire_mode() {
  for (VpState* vp : root_->vps) {
    if (vp->registers->index != 0) continue;
    ApicContext context = apic_context(*vp, Vtl::Vtl0, Instant{});
    LocalApic& apic = vp->vtls[Vtl::Vtl0].apic;
    constexpr uint16_t svr_at = 0xF0, lint0_at = 0x350, lint1_at = 0x360;
    apic.write_mmio(svr_at, 0x1FF, context);
    apic.write_mmio(lint0_at, 7u << 8, context);
    apic.write_mmio(lint1_at, 4u << 8, context);
  }
}

uint64_t Hypervisor::apic_mmio_read(VirtualProcessor& vp, uint16_t offset, uint8_t size,
                                    Instant now) {
  if (size != 4) return ~uint64_t{0};
  VpState& state = this->state(vp);
  return state.vtls[vp.active].apic.read_mmio(offset, apic_context(state, vp.active, now));
}

void Hypervisor::apic_mmio_write(VirtualProcessor& vp, uint16_t offset, uint8_t size,
                                 uint64_t value, Instant now) {
  if (size != 4) return;
  VpState& state = this->state(vp);
  state.vtls[vp.active].apic.write_mmio(offset, static_cast<uint32_t>(value),
                                        apic_context(state, vp.active, now));
  after_apic_access(state, vp.active, now);
}

}  // namespace vtl
