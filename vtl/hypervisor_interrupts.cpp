// Interrupts per VTL (TLFS 15.12; section 6).
#include <algorithm>

#include "abi/hv/assist_page.h"
#include "abi/x64/registers.h"
#include "vtl/hypervisor.h"

namespace vtl {
namespace {

bool takes_interrupts(const VtlContext& context) {
  return (context.rflags & abi::x64::rflags::if_) != 0;
}
bool takes_nmi(const VtlContext& context) {
  return context.nmi_pending && !context.nmi_masked;
}

}  // namespace

std::optional<uint8_t> Hypervisor::check_interrupts(VirtualProcessor& vp, Instant now) {
  if (!has_state(vp)) return std::nullopt;
  VpState& state = this->state(vp);
  fire_timers(state, now);
  if (vp.suspended()) return std::nullopt;
  (void)enter_for_interrupt(vp, now);
  const auto vector = offered_vector(state);
  const VtlContext& context = vp.context();
  bool& idle = state.vtls[vp.active].idle;
  const bool wakes =
      (vector && (takes_interrupts(context) || idle)) || takes_nmi(context);
  if (wakes || context.exception_pending) {
    vp.halted = false;
    idle = false;
  }
  return vector;
}

Instant Hypervisor::next_event(const VirtualProcessor& vp) const {
  Instant next = support::never;
  if (!has_state(vp)) return next;
  const VpState& state = this->state(vp);
  for (const Vtl vtl : all_vtls) {
    if (!state.enabled(vtl)) continue;
    next = std::min(next, state.vtls[vtl].apic.next_timer(vp.contexts[vtl].tsc_offset));
    next = std::min(next, state.vtls[vtl].synic.next_timer());
  }
  return next;
}

void Hypervisor::fire_timers(VpState& vp, Instant now) {
  for (const Vtl vtl : all_vtls) {
    if (!vp.enabled(vtl)) continue;
    VtlState& state = vp.vtls[vtl];
    const uint64_t tsc_offset = vp.registers->contexts[vtl].tsc_offset;
    if (state.apic.next_timer(tsc_offset) <= now && state.apic.advance(now, tsc_offset))
      interrupt_arrived(vp, vtl);
    if (state.synic.next_timer() <= now) fire_synthetic_timers(vp, vtl, now);
  }
}

/// The vector that the active VTL would take: its local APIC's, else that of an 8259 through LINT0.
std::optional<uint8_t> Hypervisor::offered_vector(const VpState& vp) const {
  const VirtualProcessor& registers = *vp.registers;
  const auto vector = vp.vtls[registers.active].apic.deliverable(registers.context().tpr);
  return vector ? vector : external_vector(vp);
}

/// LINT0 is wired on the first processor alone, in the root to the board's 8259, and its interrupts
/// are VTL 0's.
std::optional<uint8_t> Hypervisor::external_vector(const VpState& vp) const {
  const bool wired = vp.registers->index == 0 && vp.registers->active == Vtl::Vtl0 &&
                     vp.vtls[Vtl::Vtl0].apic.takes_external();
  if (!wired) return std::nullopt;
  if (vp.partition->external_interrupt) return vp.partition->external_interrupt;
  const bool board = controllers_ != nullptr && vp.partition->is_root();
  return board ? controllers_->external_vector() : std::nullopt;
}

void Hypervisor::interrupt_accepted(VpState& vp, uint8_t vector, Instant now) {
  VirtualProcessor& registers = *vp.registers;
  LocalApic& apic = vp.vtls[registers.active].apic;
  registers.halted = false;
  if (apic.deliverable(registers.context().tpr) == vector || external_vector(vp) != vector) {
    apic.accept(vector);
    after_apic_access(vp, registers.active, now);
  } else if (vp.partition->external_interrupt) {
    vp.partition->external_interrupt.reset();
  } else {
    controllers_->acknowledge_external();
  }
}

/// An interrupt of a higher VTL enters it at once: RFLAGS.IF of either VTL does not matter, only
/// the TPR of the higher.
bool Hypervisor::enter_for_interrupt(VirtualProcessor& vp, Instant now) {
  VpState& state = this->state(vp);
  for (unsigned i = abi::hv::implemented_vtls; i-- > 0;) {
    const auto vtl = static_cast<Vtl>(i);
    if (vtl <= vp.active) return false;
    if (!state.enabled(vtl)) continue;
    const VtlContext& context = vp.contexts[vtl];
    const auto vector = state.vtls[vtl].apic.deliverable(context.tpr);
    constexpr uint8_t nmi = 2;
    if (!vector && !takes_nmi(context)) continue;
    emit(support::EventKind::VtlInterruptEntry, vp, now, vector.value_or(nmi));
    switch_.enter(vp, upper(state, vtl), abi::hv::VtlEntryReason::Interrupt);
    ++statistics_.interrupt_entries;
    raise_vina(state);
    return true;
  }
  return false;
}

/// A vector became pending in `vtl`, or something that held one back there went away.
void Hypervisor::interrupt_arrived(VpState& vp, Vtl vtl) {
  if (vtl < vp.registers->active) raise_vina(vp);
}

bool Hypervisor::request_interrupt(VpState& vp, Vtl vtl, uint8_t vector, bool auto_eoi,
                                   bool level) {
  if (!vp.vtls[vtl].apic.request(vector, auto_eoi, level)) return false;
  interrupt_arrived(vp, vtl);
  return true;
}

/// Tells the active VTL that a lower one has an interrupt that it would take now; once, until
/// VinaAsserted is cleared. Called when that can have become true (an interrupt arrives, the VTL is
/// entered, a lower VTL's priority or RFLAGS is changed), never because time passed: what the guest
/// writes into its page is looked at only then.
void Hypervisor::raise_vina(VpState& state) {
  VirtualProcessor& vp = *state.registers;
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

}  // namespace vtl
