// MSR accesses that leave the processor: the local APIC's, the synthetic ones, and all that do not
// exist (section 2.6).
#include <fmt/format.h>

#include "abi/hv/msrs.h"
#include "sim/support/check.h"
#include "vtl/hypercall_page.h"
#include "vtl/hypervisor.h"

namespace vtl {
namespace {

namespace msr = abi::hv::msr;
using abi::hv::PrivilegeMask;

constexpr uint8_t msr_instruction_bytes = 2;
constexpr mmu::Rights data_overlay{
    .read = true, .write = true, .kernel_execute = false, .user_execute = false};
constexpr mmu::Rights code_overlay{
    .read = true, .write = false, .kernel_execute = true, .user_execute = true};
/// HV_X64_MSR_CRASH_CTL as a guest reads it: what this hypervisor can do with a crash.
constexpr uint64_t crash_capabilities = uint64_t{1} << 63;

uint8_t length_of(const Exit& exit) {
  return exit.instruction_length != 0 ? exit.instruction_length : msr_instruction_bytes;
}

bool is_apic_msr(uint32_t number) {
  return number == apic::msr_base || number == apic::msr_tsc_deadline ||
         (number >= apic::msr_x2apic && number <= apic::msr_x2apic_last);
}

bool is_synthetic(uint32_t number) {
  return number >= 0x40000000 && number <= msr::last;
}

bool is_timer_msr(uint32_t number) {
  return number >= msr::Stimer0Config && number <= msr::Stimer3Count;
}

/// The privilege that a partition needs for a synthetic MSR (TLFS 4.2.2); none: the MSR does not
/// exist here.
PrivilegeMask needed_privilege(uint32_t number) {
  if (number >= msr::Scontrol && number <= msr::Sint15)
    return PrivilegeMask{}.with_access_synic_regs(true);
  if (is_timer_msr(number)) return PrivilegeMask{}.with_access_synthetic_timer_regs(true);
  switch (number) {
    case msr::VpRuntime:
      return PrivilegeMask{}.with_access_vp_run_time_msr(true);
    case msr::NpiepConfig:
      return PrivilegeMask{}.with_access_hypercall_msrs(true);  // CPUID 0x40000003 EDX bit 12 says it
    case msr::GuestIdle:
      return PrivilegeMask{}.with_access_guest_idle_msr(true);
    case msr::TscInvariantControl:
      return PrivilegeMask{}.with_access_tsc_invariant_controls(true);
    case msr::GuestOsId:
    case msr::Hypercall:
      return PrivilegeMask{}.with_access_hypercall_msrs(true);
    case msr::VpIndex:
      return PrivilegeMask{}.with_access_vp_index(true);
    case msr::Reset:
      return PrivilegeMask{}.with_access_reset_msr(true);
    case msr::TimeRefCount:
      return PrivilegeMask{}.with_access_partition_reference_counter(true);
    case msr::ReferenceTsc:
      return PrivilegeMask{}.with_access_partition_reference_tsc(true);
    case msr::TscFrequency:
    case msr::ApicFrequency:
      return PrivilegeMask{}.with_access_frequency_msrs(true);
    case msr::Eoi:
    case msr::Icr:
    case msr::Tpr:
    case msr::VpAssistPage:
      return PrivilegeMask{}.with_access_intr_ctrl_regs(true);
    default:
      return PrivilegeMask{};
  }
}

bool is_crash_msr(uint32_t number) {
  return number >= msr::CrashP0 && number <= msr::CrashCtl;
}

bool permitted(uint32_t number, PrivilegeMask privileges) {
  if (is_crash_msr(number)) return true;  // CPUID 0x40000003 EDX bit 10
  const uint64_t needed = needed_privilege(number).raw;
  return needed != 0 && (privileges.raw & needed) == needed;
}

}  // namespace

/// Not known: nobody here would answer it, whatever the value.
bool Hypervisor::is_known_msr(const VpState& vp, uint32_t number) const {
  return is_apic_msr(number) || (launched() && is_synthetic(number) &&
                                 permitted(number, vp.partition->privileges));
}

Outcome Hypervisor::handle_msr_read(const Exit& exit, VirtualProcessor& vp, Instant now) {
  if (vp.cpl() != 0) return Outcome::general_protection();
  VpState& state = this->state(vp);
  const auto told = [&](const Receiver& receiver) {
    return intercept(vp, receiver,
                     msr_intercept(vp, *state.partition, exit, abi::hv::InterceptAccess::Read), now);
  };
  if (const auto receiver = msr_receiver(state, exit)) return told(*receiver);
  if (exit.msr == msr::GuestIdle && launched() &&
      permitted(exit.msr, state.partition->privileges)) {
    return guest_idle(state, length_of(exit));
  }
  const auto value = read_msr(state, vp.active, exit.msr, now);
  if (!value) {
    const auto receiver = is_known_msr(state, exit.msr) ? std::nullopt
                                                        : unknown_msr_receiver(state, false);
    return receiver ? told(*receiver) : Outcome::general_protection();
  }
  vp.shared.gpr[Rax] = *value & 0xFFFFFFFF;
  vp.shared.gpr[Rdx] = *value >> 32;
  return Outcome::retire(length_of(exit));
}

Outcome Hypervisor::handle_msr_write(const Exit& exit, VirtualProcessor& vp, Instant now) {
  if (vp.cpl() != 0) return Outcome::general_protection();
  VpState& state = this->state(vp);
  const auto told = [&](const Receiver& receiver) {
    return intercept(vp, receiver,
                     msr_intercept(vp, *state.partition, exit, abi::hv::InterceptAccess::Write),
                     now);
  };
  if (const auto receiver = msr_receiver(state, exit)) return told(*receiver);
  if (!write_msr(state, vp.active, exit.msr, exit.value, now)) {
    const auto receiver = is_known_msr(state, exit.msr) ? std::nullopt
                                                         : unknown_msr_receiver(state, true);
    return receiver ? told(*receiver) : Outcome::general_protection();
  }
  if (is_synthetic(exit.msr)) emit(support::EventKind::MsrWrite, vp, now, exit.msr, exit.value);
  if (reset_requested_) return {.kind = OutcomeKind::Reset};
  return Outcome::retire(length_of(exit));
}

std::optional<uint64_t> Hypervisor::read_msr(VpState& vp, Vtl vtl, uint32_t number, Instant now) {
  if (is_apic_msr(number)) return vp.vtls[vtl].apic.read_msr(number, apic_context(vp, vtl, now));
  if (launched() && is_synthetic(number)) return read_synthetic_msr(vp, vtl, number, now);
  return std::nullopt;
}

bool Hypervisor::write_msr(VpState& vp, Vtl vtl, uint32_t number, uint64_t value, Instant now) {
  if (is_apic_msr(number)) {
    if (!vp.vtls[vtl].apic.write_msr(number, value, apic_context(vp, vtl, now))) return false;
    after_apic_access(vp, vtl, now);
    return true;
  }
  return launched() && is_synthetic(number) && write_synthetic_msr(vp, vtl, number, value, now);
}

std::optional<uint64_t> Hypervisor::read_synthetic_msr(VpState& vp, Vtl vtl, uint32_t number,
                                                       Instant now) {
  if (!permitted(number, vp.partition->privileges)) return std::nullopt;
  const VtlState& state = vp.vtls[vtl];
  const PartitionVtl& shared = vp.partition->vtls[vtl];
  if (number >= msr::Sint0 && number <= msr::Sint15) return state.synic.sint[number - msr::Sint0];
  if (is_timer_msr(number)) {
    const uint32_t offset = number - msr::Stimer0Config;
    const SyntheticTimer& timer = state.synic.timers[offset / 2];
    return offset % 2 == 0 ? timer.config() : timer.count();
  }
  if (number >= msr::CrashP0 && number <= msr::CrashP4)
    return vp.partition->crash_parameters[number - msr::CrashP0];
  switch (number) {
    case msr::GuestOsId:
      return shared.guest_os_id;
    case msr::Hypercall:
      return shared.hypercall;
    case msr::VpIndex:
      return vp.registers->index;
    case msr::Reset:
      return 0;
    case msr::TimeRefCount:
      return now.ticks / support::ticks_per_100ns;
    case msr::ReferenceTsc:
      return shared.reference_tsc;
    case msr::TscFrequency:
      return support::ticks_per_second;
    case msr::ApicFrequency:
      return apic_frequency;
    case msr::NpiepConfig:
      return vp.registers->contexts[vtl].npiep;
    case msr::VpRuntime:
      return vp.registers->run_ticks / support::ticks_per_100ns;
    case msr::TscInvariantControl:
      return vp.partition->tsc_invariant_control;
    case msr::Icr:
      return state.apic.icr();
    case msr::Tpr:
      return vp.registers->contexts[vtl].tpr;
    case msr::VpAssistPage:
      return state.vp_assist_page;
    case msr::Scontrol:
      return state.synic.scontrol;
    case msr::Sversion:
      return abi::hv::synic_version;
    case msr::Siefp:
      return state.synic.siefp;
    case msr::Simp:
      return state.synic.simp;
    case msr::Eom:
      return 0;
    case msr::Sirbp:
      return state.synic.sirbp;
    case msr::CrashCtl:
      return crash_capabilities;
    default:
      return std::nullopt;
  }
}

bool Hypervisor::write_synthetic_msr(VpState& vp, Vtl vtl, uint32_t number, uint64_t value,
                                     Instant now) {
  if (!permitted(number, vp.partition->privileges)) return false;
  Partition& partition = *vp.partition;
  VtlState& state = vp.vtls[vtl];
  if (number >= msr::Sint0 && number <= msr::Sint15)
    return write_sint(vp, vtl, number - msr::Sint0, value, now);
  if (is_timer_msr(number)) return write_timer_msr(vp, vtl, number, value, now);
  if (is_crash_msr(number)) return write_crash_msr(vp, number, value, now);
  switch (number) {
    case msr::GuestOsId:
      partition.vtls[vtl].guest_os_id = value;
      // No system, no hypercall page (TLFS 3.13).
      if (value == 0)
        return write_hypercall_msr(partition, vtl, partition.vtls[vtl].hypercall & ~uint64_t{1});
      return true;
    case msr::Hypercall:
      if ((partition.vtls[vtl].hypercall & 2) != 0) return false;
      return write_hypercall_msr(partition, vtl, value);
    case msr::Reset:
      reset_requested_ = (value & 1) != 0;
      return true;
    case msr::ReferenceTsc:
      return write_reference_tsc_msr(vp, vtl, value);
    case msr::Eoi:
      state.apic.eoi();
      after_apic_access(vp, vtl, now);
      return true;
    case msr::Icr:
      if (!state.apic.write_icr(value)) return false;
      after_apic_access(vp, vtl, now);
      return true;
    case msr::Tpr:
      if (value > 0xFF) return false;
      vp.registers->contexts[vtl].tpr = static_cast<uint8_t>(value);
      return true;
    case msr::VpAssistPage:
      if ((value & 0xFFE) != 0) return false;
      return write_overlay_register(partition, vtl, state.vp_assist_page, state.assist_page, value);
    case msr::Scontrol:
      state.synic.scontrol = value & 1;
      deliver_waiting(vp, vtl, now);
      return true;
    case msr::Siefp:
      return write_overlay_register(partition, vtl, state.synic.siefp, state.synic.event_page, value);
    case msr::Simp:
      if (!write_overlay_register(partition, vtl, state.synic.simp, state.synic.message_page,
                                  value)) {
        return false;
      }
      deliver_waiting(vp, vtl, now);
      return true;
    case msr::Sirbp:
      return write_overlay_register(partition, vtl, state.synic.sirbp, state.synic.ring_page, value);
    case msr::Eom:
      deliver_waiting(vp, vtl, now);
      return true;
    case msr::NpiepConfig:
      if (value > 0xF) return false;
      vp.registers->contexts[vtl].npiep = static_cast<uint8_t>(value);
      ++vp.registers->contexts[vtl].changes;
      return true;
    case msr::TscInvariantControl:
      // Bit 0 exposes the invariant TSC, which CPUID says always; it cannot be taken back.
      if ((value & ~uint64_t{1}) != 0 || (value < partition.tsc_invariant_control)) return false;
      partition.tsc_invariant_control = value;
      return true;
    default:
      return false;  // read-only
  }
}

bool Hypervisor::write_sint(VpState& vp, Vtl vtl, uint32_t index, uint64_t value, Instant now) {
  const abi::hv::Sint sint{value & 0x1F00FF};
  if (sint.as_intercept() || sint.proxy()) return false;  // not offered
  if (sint.vector() < 16 && !sint.masked()) return false;
  vp.vtls[vtl].synic.sint[index] = sint.raw;
  deliver_waiting(vp, vtl, now);
  return true;
}

bool Hypervisor::write_timer_msr(VpState& vp, Vtl vtl, uint32_t number, uint64_t value,
                                 Instant now) {
  const uint32_t offset = number - msr::Stimer0Config;
  Synic& synic = vp.vtls[vtl].synic;
  SyntheticTimer& timer = synic.timers[offset / 2];
  bool legal = true;
  if (offset % 2 == 0) legal = timer.write_config(value, now);
  else timer.write_count(value, now);
  synic.timers_changed();
  return legal;
}

/// The VP waits until an interrupt arrives, whatever RFLAGS.IF says; the read then yields 0 (TLFS
/// 10.4).
Outcome Hypervisor::guest_idle(VpState& vp, uint8_t length) {
  VirtualProcessor& registers = *vp.registers;
  registers.shared.gpr[Rax] = registers.shared.gpr[Rdx] = 0;
  registers.halted = true;
  vp.vtls[registers.active].idle = true;
  return {.kind = OutcomeKind::Halt, .length = length};
}

/// `value` replaces the MSR of a VTL; Locked was checked.
bool Hypervisor::write_hypercall_msr(Partition& partition, Vtl vtl, uint64_t value) {
  if ((value & 0xFFC) != 0) return false;
  PartitionVtl& shared = partition.vtls[vtl];
  if (shared.guest_os_id == 0) value &= ~uint64_t{1};
  if (!set_overlay(partition, vtl, partition.hypercall_page, shared.hypercall, value, code_overlay))
    return false;
  shared.hypercall = value;
  return true;
}

bool Hypervisor::write_overlay_register(Partition& partition, Vtl vtl, uint64_t& stored, Spa& page,
                                        uint64_t value) {
  if ((value & 1) != 0 && page.value() == 0) {
    page = partition.memory->allocate_page();
    if (page.value() == 0) return false;
  }
  if (!set_overlay(partition, vtl, page, stored, value, data_overlay)) return false;
  stored = value;
  return true;
}

bool Hypervisor::set_overlay(Partition& partition, Vtl vtl, Spa page, uint64_t before, uint64_t after,
                             mmu::Rights rights) {
  GuestMemory& memory = *partition.memory;
  const Gpa where{after & ~uint64_t{0xFFF}};
  const bool enable = (after & 1) != 0;
  if (enable && (!memory.is_ram(where) || !memory.exists(vtl))) return false;
  if ((before & 1) != 0) memory.remove_overlay(vtl, page);
  return !enable || memory.add_overlay(vtl, where, page, rights);
}

/// The page turns a TSC into reference time without an exit: time = ((tsc * scale) >> 64) + offset
/// (TLFS 12.7.3).
bool Hypervisor::write_reference_tsc_msr(VpState& vp, Vtl vtl, uint64_t value) {
  PartitionVtl& shared = vp.partition->vtls[vtl];
  if (!write_overlay_register(*vp.partition, vtl, shared.reference_tsc, shared.reference_tsc_page, value))
    return false;
  if ((value & 1) == 0) return true;
  // Rounded up, so that the product is exact for every TSC below 2^56.
  constexpr uint64_t scale = ~uint64_t{0} / support::ticks_per_100ns + 1;
  const uint64_t tsc_offset = vp.registers->contexts[vtl].tsc_offset;
  const int64_t offset =
      -static_cast<int64_t>(tsc_offset) / static_cast<int64_t>(support::ticks_per_100ns);
  memory_.write(shared.reference_tsc_page,
                abi::hv::ReferenceTscPage{
                    .tsc_sequence = 1, .reserved1 = 0, .tsc_scale = scale, .tsc_offset = offset});
  return true;
}

bool Hypervisor::write_crash_msr(VpState& vp, uint32_t number, uint64_t value, Instant now) {
  auto& parameters = vp.partition->crash_parameters;
  if (number != msr::CrashCtl) {
    parameters[number - msr::CrashP0] = value;
    return true;
  }
  if (!abi::hv::CrashControl{value}.crash_notify()) return true;
  const std::string text =
      fmt::format("guest crash {:#x} ({:#x}, {:#x}, {:#x}, {:#x})", parameters[0], parameters[1],
                  parameters[2], parameters[3], parameters[4]);
  emit(support::EventKind::Milestone, *vp.registers, now, 0, 0, 0, text);
  return true;
}

}  // namespace vtl
