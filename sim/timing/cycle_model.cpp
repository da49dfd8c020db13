#include "sim/timing/cycle_model.h"

#include <algorithm>

#include "abi/hv/hypercalls.h"

namespace timing {
namespace {

using support::Event;
using support::EventKind;
using trace::InstructionRecord;

constexpr uint64_t apic_page = 0xfee00000;
constexpr uint64_t apic_interrupt_command = 0x300;
constexpr uint64_t msr_x2apic_interrupt_command = 0x830;
constexpr uint64_t msr_synthetic_interrupt_command = 0x40000071;
constexpr uint64_t msr_synthetic_first = 0x40000000, msr_synthetic_last = 0x4fffffff;

TlbTag tag_of(const InstructionRecord& record) {
  // Without PCIDs these bits of CR3 are 0, or constant: one tag.
  return {static_cast<uint8_t>(record.vtl), static_cast<uint16_t>(record.registers[trace::cr3] & 0xfff)};
}

bool sends_interrupt(uint16_t call) {
  using abi::hv::CallCode;
  const auto code = static_cast<CallCode>(call);
  return code == CallCode::SendSyntheticClusterIpi || code == CallCode::SendSyntheticClusterIpiEx;
}

}  // namespace

CycleModel::CycleModel(const CostTable& costs, WalkSource& walks, Paging paging)
    : costs_{costs},
      source_{walks},
      last_level_{std::make_shared<Cache>(costs.llc_bytes, costs.llc_ways, costs.line_bytes)} {
  if (paging != Paging::Slat) shadow_.emplace(costs_, paging == Paging::ShadowGivingUp);
}

CycleModel::Core& CycleModel::core_of(uint32_t vp) {
  return cores_.try_emplace(vp, costs_, last_level_).first->second;
}

bool CycleModel::is_restart(const InstructionRecord& record) const {
  return last_ && !last_->event_since && last_->at == record.at && last_->rip == record.rip &&
         last_->vp == record.vp && last_->vtl == record.vtl;
}

/// Ticks without an instruction: the VPs waited, or the machine executed instructions that it does not show.
void CycleModel::account_gap(Core& core, const InstructionRecord& record) {
  if (!last_ || record.at.ticks <= last_->at.ticks + 1) return;
  const uint64_t gap = record.at.ticks - last_->at.ticks - 1;
  if (last_->halted) {
    totals_.idle_ticks += gap;
    return;
  }
  totals_.unobserved += gap;
  const Quarters cost = gap * costs_.of(InstructionClass::Unobserved);
  totals_.charge.base += cost;
  core.clock += cost;
}

void CycleModel::instruction(const InstructionRecord& record) {
  if (is_restart(record)) return;
  Core& core = core_of(record.vp);
  account_gap(core, record);
  const InstructionPlan& plan = plans_.find(record);
  walks_.clear();
  Charge charge;
  charge.base = costs_.of(plan.kind);
  fetch(core, record, std::max<uint8_t>(plan.length, 1), charge);
  if (!plan.repeats || record.registers[vtl::Rcx] != 0) {
    for (const Operand& operand : plan.memory())
      touch(core, record, address_of(operand, record, plan.length), operand, charge);
  }
  apply_effect(core, record, plan, charge);

  ++totals_.instructions;
  ClassTotal& of_class = totals_.classes[static_cast<size_t>(plan.kind)];
  ++of_class.count;
  of_class.cost += charge.total();
  totals_.charge += charge;
  const InstructionCost cost{record, plan.kind, charge, core.clock, walks_};
  core.clock += charge.total();
  last_ = {record.at, record.rip, record.vp, record.vtl, plan.effect == InstructionPlan::Effect::Halt, false};
  for (CostListener* listener : listeners_) listener->on(cost);
}

void CycleModel::fetch(Core& core, const InstructionRecord& record, uint8_t length, Charge& charge) {
  const uint64_t line = costs_.line_bytes;
  const uint64_t last_line = (record.rip + length - 1) / line;
  for (uint64_t at = record.rip;;) {
    const auto place = translate(core, record, at, mmu::AccessKind::Execute, charge);
    if (!place) return;
    const Level level = place->ram ? core.caches.fetch(place->spa) : Level::Device;
    ++totals_.code_levels[static_cast<size_t>(level)];
    charge.fetch += cycles(latency_of(costs_, level) - (level == Level::L1 ? costs_.l1_latency : 0));
    if (at / line >= last_line) return;
    at = (at / line + 1) * line;
  }
}

void CycleModel::touch(Core& core, const InstructionRecord& record, uint64_t address, const Operand& operand,
                       Charge& charge) {
  const bool write = operand.touch != Touch::Read;
  const auto kind = write ? mmu::AccessKind::Write : mmu::AccessKind::Read;
  const uint64_t line = costs_.line_bytes;
  uint64_t left = operand.size;
  for (uint64_t at = address; left != 0;) {
    const uint64_t part = std::min(left, line - at % line);
    const auto place = translate(core, record, at, kind, charge);
    if (!place) return;
    const Level level = place->ram ? core.caches.data(place->spa) : Level::Device;
    ++totals_.data_levels[static_cast<size_t>(level)];
    charge.data += cycles(latency_of(costs_, level) - (level == Level::L1 ? costs_.l1_latency : 0));
    if (write) write_protected(core, *place, static_cast<uint16_t>(part), charge);
    at += part;
    left -= part;
  }
}

void CycleModel::write_protected(Core& core, const Place& place, uint16_t size, Charge& charge) {
  if (!place.ram) {
    if (place.gpa != apic_page + apic_interrupt_command) return;
    ++totals_.interprocessor_interrupts;
    charge.system += cycles(costs_.ipi_send);
    return;
  }
  if (!shadowing() || !shadow_->protects(place.gpa)) return;
  ShadowPaging::Dropped dropped;
  charge.system += shadow_->write(place.gpa, size, dropped);
  for (const auto& [tag, gva] : dropped) core.tlb.invalidate_address(tag, gva);
}

std::optional<CycleModel::Place> CycleModel::translate(Core& core, const InstructionRecord& record, uint64_t gva,
                                                       mmu::AccessKind kind, Charge& charge) {
  const bool code = kind == mmu::AccessKind::Execute;
  TlbTotals& totals = code ? totals_.code : totals_.data;
  ++totals.accesses;
  bool needs_dirty = kind == mmu::AccessKind::Write;
  Tlb::Lookup found = core.tlb.look_up(tag_of(record), gva, code, false);
  // A write to a protected guest table exits anyway and is emulated; its page never becomes writable.
  if (found.answer != TlbAnswer::Miss && needs_dirty && shadowing() && shadow_->protects(found.page.gpa))
    needs_dirty = false;
  if (found.answer == TlbAnswer::Miss || (needs_dirty && !found.page.dirty)) {
    ++totals.misses;
    return walk(core, record, gva, kind, charge);
  }
  if (found.answer == TlbAnswer::Second) {
    ++totals.second_hits;
    charge.tlb += cycles(costs_.stlb_latency);
  } else {
    ++totals.first_hits;
  }
  const uint64_t offset = gva & ((uint64_t{1} << found.page.shift) - 1);
  return Place{found.page.spa + offset, found.page.gpa + offset, found.page.ram};
}

std::optional<CycleModel::Place> CycleModel::walk(Core& core, const InstructionRecord& record, uint64_t gva,
                                                  mmu::AccessKind kind, Charge& charge) {
  WalkCost cost;
  cost.walk = source_.walk(record, gva, kind);
  const Walk answer = cost.walk;
  if (shadowing()) {
    charge.system += shadow_->miss(tag_of(record), record.registers[trace::cr3], cost, core.caches);
  } else {
    for (uint8_t i = 0; i < answer.count; ++i) {
      cost.levels[i] = core.caches.walk(answer.list[i].address);
      cost.total += cycles(latency_of(costs_, cost.levels[i]));
    }
    if (answer.sets_bits) {
      cost.assist = costs_.accessed_dirty_assist;
      cost.total += cycles(cost.assist);
    }
  }
  charge.walk += cost.total;
  ++totals_.walks;
  totals_.walk_steps += cost.walk.count;
  ++totals_.walks_by_steps[cost.walk.count];
  for (uint8_t i = 0; i < cost.walk.count; ++i) ++totals_.walk_levels[static_cast<size_t>(cost.levels[i])];
  const bool dirty = cost.walk.dirty;
  walks_.push_back(cost);
  if (!answer.granted) return std::nullopt;
  const uint64_t mask = (uint64_t{1} << answer.page_shift) - 1;
  core.tlb.fill({gva >> answer.page_shift, answer.page_shift, tag_of(record), answer.global, dirty, answer.ram,
                 answer.spa & ~mask, answer.gpa & ~mask},
                kind == mmu::AccessKind::Execute);
  return Place{answer.spa, answer.gpa, answer.ram};
}

void CycleModel::apply_effect(Core& core, const InstructionRecord& record, const InstructionPlan& plan,
                              Charge& charge) {
  using enum InstructionPlan::Effect;
  const TlbTag tag = tag_of(record);
  if (launched_ && plan.kind == InstructionClass::Cpuid)
    charge.system += cycles(costs_.vm_exit + costs_.cpuid_intercept);
  switch (plan.effect) {
    case None: return;
    case LoadCr3: {
      const uint64_t value = record.registers[plan.effect_register];
      if (value >> 63 == 0) core.tlb.invalidate_pcid({tag.vtl, static_cast<uint16_t>(value & 0xfff)});
      if (shadowing()) charge.system += shadow_->load_cr3();
      return;
    }
    case ChangeCr4: core.tlb.invalidate_vtl(tag.vtl); return;
    case InvalidateAddress: {
      const uint64_t gva = address_of(plan.operands[0], record, plan.length);
      core.tlb.invalidate_address(tag, gva);
      if (shadowing()) charge.system += shadow_->invalidate_address(tag, record.registers[trace::cr3], gva);
      return;
    }
    case WriteMsr: return apply_msr(record.registers[vtl::Rcx] & 0xffffffff, true, charge);
    case ReadMsr: return apply_msr(record.registers[vtl::Rcx] & 0xffffffff, false, charge);
    case Halt:
      if (launched_) charge.system += cycles(costs_.vm_exit + costs_.halt_intercept);
      return;
  }
}

void CycleModel::apply_msr(uint64_t number, bool write, Charge& charge) {
  const bool interrupt = number == msr_x2apic_interrupt_command || number == msr_synthetic_interrupt_command;
  if (write && interrupt) {
    ++totals_.interprocessor_interrupts;
    charge.system += cycles(costs_.ipi_send);
  }
  // A write to a synthetic MSR is an event of its own.
  if (!write && launched_ && number >= msr_synthetic_first && number <= msr_synthetic_last)
    charge.system += cycles(costs_.vm_exit + costs_.msr_intercept);
}

Quarters CycleModel::hypercall_cost(const Event& event) const {
  const auto call = static_cast<uint16_t>(event.a);
  const uint64_t elements = event.b >> 32 & 0xfff;
  uint64_t cost = costs_.vm_exit + costs_.hypercall_dispatch + elements * costs_.hypercall_element;
  if (call == static_cast<uint16_t>(abi::hv::CallCode::ModifyVtlProtectionMask) && elements != 0)
    cost += costs_.slat_invalidate;
  if (sends_interrupt(call)) cost += costs_.ipi_send;
  return cycles(cost);
}

Charge CycleModel::charge_of(const Event& event) {
  Charge charge;
  const uint64_t exit = costs_.vm_exit;
  switch (event.kind) {
    case EventKind::Hypercall: charge.system = hypercall_cost(event); break;
    case EventKind::VtlCall:
    case EventKind::VtlReturn:
    case EventKind::VtlInterruptEntry: charge.system = cycles(exit + costs_.vtl_switch); break;
    case EventKind::Intercept: charge.system = cycles(exit + costs_.intercept_message); break;
    case EventKind::ProtectionChange:
      charge.system = cycles(std::min<uint64_t>(event.b, uint64_t{1} << 32) * costs_.slat_change_page);
      break;
    case EventKind::MsrWrite: charge.system = cycles(exit + costs_.msr_intercept); break;
    case EventKind::Exception:
      charge.system = cycles(costs_.exception_delivery);
      if (event.a == 14 && shadowing()) charge.system += shadow_->reflect_fault();
      break;
    case EventKind::Interrupt:
      charge.system = cycles(costs_.interrupt_delivery + (launched_ ? exit + costs_.interrupt_injection : 0));
      break;
    default: break;
  }
  return charge;
}

void CycleModel::forget_translations(const Event& event) {
  const auto vtl = static_cast<uint8_t>(event.vtl);
  if (event.kind == EventKind::ProtectionChange) {
    for (auto& [vp, core] : cores_)
      for (uint8_t below = 0; below < vtl; ++below) core.tlb.invalidate_vtl(below);
    if (shadowing()) shadow_->protection_changed(vtl, event.a, event.b);
  }
  if (event.kind == EventKind::TlbFlush)
    for (auto& [vp, core] : cores_)
      for (uint8_t up_to = 0; up_to <= vtl; ++up_to) core.tlb.invalidate_vtl(up_to);
}

void CycleModel::event(const Event& event) {
  Core& core = core_of(event.vp);
  const Charge charge = charge_of(event);
  if (event.kind == EventKind::HypervisorLaunched) {
    launched_ = true;
    for (auto& [vp, other] : cores_)
      for (uint8_t vtl = 0; vtl < abi::hv::implemented_vtls; ++vtl) other.tlb.invalidate_vtl(vtl);
  }
  forget_translations(event);
  if (charge.total() != 0) {
    ClassTotal& total = totals_.events[event.kind];
    ++total.count;
    total.cost += charge.total();
    totals_.charge += charge;
  }
  if (last_) last_->event_since = true;
  const Quarters start = core.clock;
  core.clock += charge.total();
  for (CostListener* listener : listeners_) listener->on(event, charge, start);
}

}  // namespace timing
