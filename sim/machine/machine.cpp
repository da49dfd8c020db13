#include "sim/machine/machine.h"

#include <algorithm>

#include "sim/cpu/unicorn_cpu.h"
#include "sim/machine/reset.h"

namespace machine {
namespace {

/// The hypervisor's own memory above the guests' RAM: SLAT tables and overlay pages.
constexpr uint64_t hypervisor_region = 16u << 20;
constexpr uint8_t physical_address_bits = 40;

vtl::HypervisorConfig hypervisor_config(const loader::MachineConfig& config) {
  vtl::HypervisorConfig result;
  result.guest_memory_bytes = config.memory_bytes;
  result.physical_address_bits = physical_address_bits;
  return result;
}

}  // namespace

Machine::Machine(const loader::MachineConfig& config, std::optional<DiskImage> disk, support::EventSink* events)
    : config_{config},
      events_{events},
      memory_{config.memory_bytes + hypervisor_region},
      translator_{memory_, {.physical_address_bits = physical_address_bits}},
      hypervisor_{memory_, translator_, events, hypervisor_config(config)},
      disk_{std::move(disk)},
      serial_{SerialPort::com1, events},
      console_{events},
      ata_{disk_ ? &*disk_ : nullptr, *this},
      launch_port_{*this, [this](vtl::VirtualProcessor& vp) { return launch_hypervisor(vp); }},
      observation_port_{[this](const vtl::VirtualProcessor& vp, mmu::Gva from, std::span<uint8_t> to) {
                          return mmu::read_gva(translator_, hypervisor_.address_space(vp), from, to);
                        },
                        events} {
  connect_devices();
  hypervisor_.add_virtual_processor(vp_);
}

void Machine::connect_devices() {
  io_.claim(SerialPort::com1, 8, serial_);
  io_.claim(DebugConsole::port, 1, console_);
  io_.claim(AtaDisk::command_block, 8, ata_);
  io_.claim(AtaDisk::control_block, 1, ata_);
  io_.claim(AtaDisk::bus_master, 8, ata_);
  io_.claim(PowerControl::pm1a_control, 2, power_);
  io_.claim(PowerControl::reset_control, 1, power_);
  io_.claim(CmosClock::index_port, 2, cmos_);
  io_.claim(MaskedPic::primary, 2, pic_);
  io_.claim(MaskedPic::secondary, 2, pic_);
  io_.claim(abi::boot::hypervisor_launch_port, 4, launch_port_);
  io_.claim(abi::boot::debug_event_port, 4, observation_port_);
}

support::Result<std::unique_ptr<Machine>> Machine::create(const loader::MachineConfig& config, MachineParts parts,
                                                          support::EventSink* events) {
  std::unique_ptr<Machine> machine{new Machine{config, std::move(parts.disk), events}};
  TRY(reset(config, parts.firmware, machine->memory_, machine->vp_));
  cpu::CpuConfig cpu_config;
  cpu_config.gear = config.gear == loader::GearSetting::Exact ? cpu::Gear::Exact : cpu::Gear::Fast;
  cpu_config.seed = config.seed;
  machine->cpu_ = TRY(cpu::make_unicorn_cpu(cpu_config, machine->memory_, machine->translator_, *machine,
                                            *machine, events));
  return machine;
}

StopReason Machine::run(support::Instant deadline) {
  stop_requested_ = false;
  while (!stop_requested_) {
    if (now_ >= deadline) return StopReason::Deadline;
    const std::optional<uint8_t> vector = hypervisor_.check_interrupts(vp_, now_);
    if (vp_.halted) {
      if (const auto stop = idle(deadline)) return *stop;
      continue;
    }
    if (vector) cpu_->offer_interrupt(vp_, *vector);
    else cpu_->withdraw_interrupt(vp_);
    const support::Instant slice_end = std::min(deadline, hypervisor_.next_event(vp_));
    const vtl::Exit exit = cpu_->run(vp_, now_, std::max(slice_end, now_ + 1));
    if (const auto stop = dispatch(exit)) return *stop;
  }
  return StopReason::Requested;
}

std::optional<StopReason> Machine::idle(support::Instant deadline) {
  const support::Instant next = hypervisor_.next_event(vp_);
  if (next == support::never) return StopReason::Hung;
  const support::Instant wake = std::max(now_, std::min(next, deadline));
  idle_ticks_ += wake - now_;
  now_ = wake;
  return std::nullopt;
}

std::optional<StopReason> Machine::dispatch(const vtl::Exit& exit) {
  switch (exit.reason) {
    case vtl::ExitReason::Deadline: return std::nullopt;
    case vtl::ExitReason::IoRead:
    case vtl::ExitReason::IoWrite: return serve_io(exit);
    case vtl::ExitReason::TripleFault:
      emit(support::EventKind::TripleFault);
      return StopReason::TripleFault;
    case vtl::ExitReason::MachineFailure: detail_ = exit.detail; return StopReason::MachineFailure;
    default: return apply(hypervisor_.handle(exit, vp_, now_), exit);
  }
}

std::optional<StopReason> Machine::apply(const vtl::Outcome& outcome, const vtl::Exit& exit) {
  switch (outcome.kind) {
    case vtl::OutcomeKind::Retire:
    case vtl::OutcomeKind::Halt: cpu_->retire(vp_, now_, outcome.length); return std::nullopt;
    case vtl::OutcomeKind::Resume: now_ = now_ + outcome.ticks; return std::nullopt;
    case vtl::OutcomeKind::Inject:
      if (cpu_->inject_exception(vp_, outcome.exception)) return std::nullopt;
      emit(support::EventKind::TripleFault);
      return StopReason::TripleFault;
    case vtl::OutcomeKind::NotMine:
      detail_ = exit.reason == vtl::ExitReason::SlatViolation
                    ? "an access that no VTL restricts was refused by the second stage"
                    : "an exit that no part of the machine answers";
      return StopReason::MachineFailure;
    case vtl::OutcomeKind::Reset: return StopReason::Reset;
    case vtl::OutcomeKind::MachineFailure: detail_ = outcome.detail; return StopReason::MachineFailure;
  }
  return std::nullopt;
}

std::optional<StopReason> Machine::serve_io(const vtl::Exit& exit) {
  const IoContext context{vp_, now_};
  if (exit.reason == vtl::ExitReason::IoRead) {
    cpu_->complete_io_read(vp_, now_, exit, io_.read(context, exit.io.port, exit.io.size));
    return std::nullopt;
  }
  io_.write(context, exit.io.port, exit.io.size, exit.io.value);
  cpu_->complete_io_write(vp_, now_, exit);
  if (power_.request() == PowerRequest::None) return std::nullopt;
  emit(support::EventKind::PowerOff);
  return power_.request() == PowerRequest::PowerOff ? StopReason::PowerOff : StopReason::Reset;
}

bool Machine::launch_hypervisor(vtl::VirtualProcessor& vp) {
  if (!hypervisor_.launch(vp)) return false;
  emit(support::EventKind::HypervisorLaunched);
  return true;
}

void Machine::emit(support::EventKind kind) {
  if (events_ == nullptr) return;
  events_->on({.at = now_, .vp = vp_.index, .vtl = vp_.active, .kind = kind, .rip = vp_.context().rip});
}

mmu::AddressSpace Machine::address_space(const vtl::VirtualProcessor& vp) const {
  return hypervisor_.address_space(vp);
}

mmu::AddressSpace Machine::view(abi::hv::Vtl vtl, std::optional<uint64_t> cr3) const {
  mmu::AddressSpace space = hypervisor_.address_space(vp_, vtl);
  if (cr3) space.stage1.cr3 = *cr3;
  return space;
}

uint64_t Machine::mmio_read(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address, uint8_t size) {
  if (address.page_base().value() != vtl::apic::mmio_base) return ~uint64_t{0};
  return hypervisor_.apic_mmio_read(vp, static_cast<uint16_t>(address.page_offset()), size, now);
}

void Machine::mmio_write(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address, uint8_t size,
                         uint64_t value) {
  if (address.page_base().value() != vtl::apic::mmio_base) return;
  hypervisor_.apic_mmio_write(vp, static_cast<uint16_t>(address.page_offset()), size, value, now);
}

bool Machine::dma_read(mmu::Gpa from, std::span<uint8_t> to) {
  return mmu::read_gpa(translator_, view(abi::hv::Vtl::Vtl0), from, to) == to.size();
}

bool Machine::dma_write(mmu::Gpa to, std::span<const uint8_t> from) {
  return mmu::write_gpa(translator_, view(abi::hv::Vtl::Vtl0), to, from) == from.size();
}

}  // namespace machine
