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
  result.maximum_vtl = static_cast<uint8_t>(config.maximum_vtl);
  result.mbec_vtl_mask = static_cast<uint16_t>((2u << config.maximum_vtl) - 1);
  return result;
}

cpu::CpuConfig cpu_config(const loader::MachineConfig& config, uint32_t number) {
  cpu::CpuConfig result;
  result.gear = config.gear == loader::GearSetting::Exact ? cpu::Gear::Exact : cpu::Gear::Fast;
  result.seed = config.seed;
  result.vp_index = number;
  const bool several = config.processors + config.child_processors > 1;
  result.yield_at_pause = several;
  result.yield_at_locked = several && config.scheduler_policy == loader::SchedulerPolicy::Adversarial;
  return result;
}

}  // namespace

Machine::Machine(const loader::MachineConfig& config, std::optional<DiskImage> disk, support::EventSink* events)
    : config_{config},
      events_{events},
      memory_{config.memory_bytes + hypervisor_region},
      translator_{memory_, {.physical_address_bits = physical_address_bits}},
      hypervisor_{memory_, translator_, events, hypervisor_config(config)},
      scheduler_{config, config.processors + config.child_processors},
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
  for (uint32_t number = 0; number < config.processors + config.child_processors; ++number) {
    processors_.push_back(std::make_unique<Processor>());
    vtl::VirtualProcessor& vp = processors_.back()->registers;
    vp.index = vp.number = number;
    vp.startup_suspend = number != 0;
    if (number < config.processors) hypervisor_.add_virtual_processor(vp);
    else hypervisor_.add_spare_virtual_processor(vp);
  }
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
  if (config_.board == loader::Board::Pc) return;  // its own devices come with the kernel
  io_.claim(abi::boot::hypervisor_launch_port, 4, launch_port_);
  io_.claim(abi::boot::debug_event_port, 4, observation_port_);
}

support::Result<std::unique_ptr<Machine>> Machine::create(const loader::MachineConfig& config, MachineParts parts,
                                                          support::EventSink* events) {
  std::unique_ptr<Machine> machine{new Machine{config, std::move(parts.disk), events}};
  TRY(machine->begin(parts));
  for (const auto& processor : machine->processors_) {
    processor->cpu = TRY(cpu::make_unicorn_cpu(cpu_config(config, processor->registers.number), machine->memory_,
                                               machine->translator_, *machine, *machine, events));
  }
  return machine;
}

support::Status Machine::begin(const MachineParts& parts) {
  if (config_.board == loader::Board::Pc) return begin_kernel(parts);
  return reset(config_, parts.firmware, memory_, processors_[0]->registers);
}

/// A PC with its kernel about to begin; the hypervisor, if there is one, runs already and the kernel is its root partition.
support::Status Machine::begin_kernel(const MachineParts& parts) {
  // The path of the kernel is no input of the run: the first word of its command line is always the same.
  const std::string command_line = config_.append.empty() ? "kernel" : "kernel " + config_.append;
  const PcConfig board{config_.processors, config_.memory_bytes, config_.clock, command_line};
  DmaBus& bus = *this;
  pc_ = std::make_unique<Pc>(board, bus, [this](const vtl::ExternalInterrupt& interrupt) {
    hypervisor_.deliver_external(interrupt);
  });
  pc_->connect(io_, serial_);
  io_.claim(DebugConsole::bochs_port, 1, console_);
  hypervisor_.connect(pc_.get());
  hypervisor_.set_virtual_wire_mode();
  std::vector<loader::BootModule> modules;
  if (!parts.initrd.empty()) modules.push_back({parts.initrd, "initrd"});
  vtl::VirtualProcessor& first = processors_[0]->registers;
  TRY(boot_kernel(board, parts.firmware, modules, memory_, first));
  if (config_.hypervisor_launch_type == loader::LaunchType::Auto && !launch_hypervisor(first))
    return support::Error{"kernel: the hypervisor could not be launched"};
  return support::Unit{};
}

bool Machine::launch_hypervisor(vtl::VirtualProcessor& vp) {
  if (!hypervisor_.launch(vp)) return false;
  emit(support::EventKind::HypervisorLaunched);
  return true;
}

mmu::AddressSpace Machine::address_space(const vtl::VirtualProcessor& vp) const {
  return hypervisor_.address_space(vp);
}

mmu::AddressSpace Machine::view(abi::hv::Vtl vtl, std::optional<uint64_t> cr3) const {
  mmu::AddressSpace space = hypervisor_.address_space(processor(), vtl);
  if (cr3) space.stage1.cr3 = *cr3;
  return space;
}

uint64_t Machine::mmio_read(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address, uint8_t size) {
  if (pc_ && Pc::owns(address)) return pc_->mmio_read(address, size);
  if (address.page_base().value() != vtl::apic::mmio_base) return ~uint64_t{0};
  return hypervisor_.apic_mmio_read(vp, static_cast<uint16_t>(address.page_offset()), size, now);
}

void Machine::mmio_write(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address, uint8_t size,
                         uint64_t value) {
  if (pc_ && Pc::owns(address)) return pc_->mmio_write(address, size, value);
  if (address.page_base().value() != vtl::apic::mmio_base) return;
  hypervisor_.apic_mmio_write(vp, static_cast<uint16_t>(address.page_offset()), size, value, now);
}

/// Devices have exactly the rights of the root partition's VTL 0 (TLFS 15.14).
mmu::AddressSpace Machine::device_view() const {
  return hypervisor_.address_space(processor(0), abi::hv::Vtl::Vtl0);
}

bool Machine::dma_read(mmu::Gpa from, std::span<uint8_t> to) {
  return mmu::read_gpa(translator_, device_view(), from, to) == to.size();
}

bool Machine::dma_write(mmu::Gpa to, std::span<const uint8_t> from) {
  return mmu::write_gpa(translator_, device_view(), to, from) == from.size();
}

}  // namespace machine
