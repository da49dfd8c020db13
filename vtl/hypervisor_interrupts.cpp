// Interrupts per VTL (TLFS 15.12; section 6).
#include <algorithm>

#include "abi/hv/assist_page.h"
#include "abi/x64/registers.h"
#include "vtl/hypervisor.h"

namespace vtl {
namespace {

constexpr Vtl all_vtls[] = {Vtl::Vtl0, Vtl::Vtl1, Vtl::Vtl2};

bool takes_interrupts(const VtlContext& context) {
  return (context.rflags & abi::x64::rflags::if_) != 0;
}

}  // namespace

std::optional<uint8_t> Hypervisor::check_interrupts(VirtualProcessor& vp, Instant now) {
  VpState& state = this->state(vp);
  for (const Vtl vtl : all_vtls) {
    if (state.enabled(vtl)) state.vtls[vtl].apic.advance(now, vp.contexts[vtl].tsc_offset);
  }
  (void)enter_for_interrupt(vp, now);
  raise_vina(vp);
  const auto vector = state.vtls[vp.active].apic.deliverable(vp.context().tpr);
  if (vector && takes_interrupts(vp.context())) vp.halted = false;
  if (vp.context().exception_pending) vp.halted = false;
  return vector;
}

Instant Hypervisor::next_event(const VirtualProcessor& vp) const {
  const VpState& state = this->state(vp);
  Instant next = support::never;
  for (const Vtl vtl : all_vtls) {
    if (state.enabled(vtl))
      next = std::min(next, state.vtls[vtl].apic.next_timer(vp.contexts[vtl].tsc_offset));
  }
  return next;
}

/// An interrupt of a higher VTL enters it at once: RFLAGS.IF of either VTL does not matter, only
/// the TPR of the higher.
bool Hypervisor::enter_for_interrupt(VirtualProcessor& vp, Instant now) {
  VpState& state = this->state(vp);
  for (unsigned i = abi::hv::implemented_vtls; i-- > 0;) {
    const auto vtl = static_cast<Vtl>(i);
    if (vtl <= vp.active) return false;
    if (!state.enabled(vtl)) continue;
    const auto vector = state.vtls[vtl].apic.deliverable(vp.contexts[vtl].tpr);
    if (!vector) continue;
    emit(support::EventKind::VtlInterruptEntry, vp, now, *vector);
    switch_.enter(vp, upper(state, vtl), abi::hv::VtlEntryReason::Interrupt);
    ++statistics_.interrupt_entries;
    return true;
  }
  return false;
}

/// Tells the active VTL that a lower one has an interrupt that it would take now; once, until
/// VinaAsserted is cleared.
void Hypervisor::raise_vina(VirtualProcessor& vp) {
  VpState& state = this->state(vp);
  VtlState& active = state.vtls[vp.active];
  const Spa assist = active.active_assist_page();
  if (vp.active == Vtl::Vtl0 || !active.vina.enabled() || assist.value() == 0) return;
  constexpr uint64_t vina_at =
      offsetof(abi::hv::VpAssistPage, vtl_control) + offsetof(abi::hv::VpVtlControl, vina_status);
  const auto status = memory_.read<uint8_t>(assist + vina_at);
  if ((status & abi::hv::vina_asserted) != 0) return;
  for (const Vtl vtl : all_vtls) {
    if (vtl >= vp.active || !state.enabled(vtl)) continue;
    const VtlContext& lower = vp.contexts[vtl];
    if (!takes_interrupts(lower) || !state.vtls[vtl].apic.deliverable(lower.tpr)) continue;
    if (!active.apic.request(active.vina.vector(), active.vina.auto_eoi())) return;
    memory_.write<uint8_t>(assist + vina_at, static_cast<uint8_t>(status | abi::hv::vina_asserted));
    return;
  }
}

ApicContext Hypervisor::apic_context(VpState& vp, Vtl vtl, Instant now) {
  VtlContext& context = vp.registers->contexts[vtl];
  return {now, context.tsc_offset, &context.tpr};
}

/// Delivers what the last ICR write of this VTL asked for. INIT, SIPI, NMI and SMI go nowhere:
/// processors of a VTL above are started by hypercall (section 6).
void Hypervisor::send_interprocessor_interrupt(VpState& sender, Vtl vtl) {
  const auto interrupt = sender.vtls[vtl].apic.take_interprocessor_interrupt();
  if (!interrupt || interrupt->delivery_mode > 1) return;
  for (VpState* vp : sender.partition->vps) {
    const bool self = vp == &sender;
    LocalApic& target = vp->vtls[vtl].apic;
    bool meant{};
    switch (interrupt->shorthand) {
      case 0:
        meant = target.matches(*interrupt);
        break;
      case 1:
        meant = self;
        break;
      case 2:
        meant = true;
        break;
      default:
        meant = !self;
        break;
    }
    if (meant && vp->enabled(vtl)) target.request(interrupt->vector);
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
  send_interprocessor_interrupt(state, vp.active);
}

}  // namespace vtl
