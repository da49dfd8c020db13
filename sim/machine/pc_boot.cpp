// What firmware and boot loader leave behind when a kernel begins on the PC board.
#include <fmt/format.h>

#include "mmu/physical_memory.h"
#include "sim/loader/acpi.h"
#include "sim/machine/pc.h"

namespace machine {
namespace {

using support::Error;
using support::Status;
using support::Unit;

// Attributes as HV_X64_SEGMENT_REGISTER: present, accessed, 4 KiB granular, 32-bit code and data of ring 0.
constexpr uint16_t code_attributes = 0xc09b, data_attributes = 0xc093;

Status write(mmu::PhysicalMemory& memory, uint64_t limit, uint64_t address, loader::Bytes bytes, const char* what) {
  if (address > limit || bytes.size() > limit - address || !memory.write(mmu::Spa{address}, bytes)) {
    return Error{fmt::format("kernel: {} of {} bytes at {:#x} does not fit into {} MiB of memory", what, bytes.size(),
                             address, limit >> 20)};
  }
  return Unit{};
}

/// The part of the BIOS data area that protected-mode kernels read.
void write_bios_data(mmu::PhysicalMemory& memory) {
  memory.write<uint16_t>(mmu::Spa{pc_layout::bios_data}, SerialPort::com1);
  memory.write<uint16_t>(mmu::Spa{pc_layout::bios_data + 0x0e},
                         static_cast<uint16_t>(pc_layout::extended_bios_data >> 4));
  memory.write<uint16_t>(mmu::Spa{pc_layout::bios_data + 0x13},
                         static_cast<uint16_t>(pc_layout::extended_bios_data >> 10));
  memory.write<uint8_t>(mmu::Spa{pc_layout::extended_bios_data}, 1);  // kibibytes
}

void write_gdt(mmu::PhysicalMemory& memory) {
  memory.write<uint64_t>(mmu::Spa{pc_layout::gdt}, 0);
  memory.write<uint64_t>(mmu::Spa{pc_layout::gdt + 8}, 0x00cf'9b00'0000'ffff);
  memory.write<uint64_t>(mmu::Spa{pc_layout::gdt + 16}, 0x00cf'9300'0000'ffff);
}

Status write_acpi(const PcConfig& config, mmu::PhysicalMemory& memory) {
  loader::AcpiTables acpi = loader::make_acpi_tables(config.processors);
  TRY(loader::link_acpi_tables(acpi, pc_layout::firmware, pc_layout::tables));
  TRY(write(memory, pc_layout::tables, pc_layout::firmware, acpi.rsdp, "the RSDP"));
  return write(memory, pc_layout::gdt, pc_layout::tables, acpi.tables, "the ACPI tables");
}

/// The kernel may lie anywhere in RAM, but not where firmware's tables are.
Status load(const loader::KernelImage& image, uint64_t memory_bytes, mmu::PhysicalMemory& memory) {
  constexpr uint64_t mebibyte = uint64_t{1} << 20;
  if (image.end() > memory_bytes) {
    return Error{fmt::format("kernel: it reaches to {:#x}, but the machine has {} MiB of memory", image.end(),
                             memory_bytes >> 20)};
  }
  if (image.overlaps(pc_layout::extended_bios_data, mebibyte - pc_layout::extended_bios_data))
    return Error{"kernel: it wants memory between 639 KiB and 1 MiB, where a PC has devices and firmware"};
  for (const loader::KernelSegment& segment : image.segments)
    TRY(write(memory, memory_bytes, segment.address, segment.bytes, "a segment"));
  return Unit{};
}

void set_registers(const loader::KernelImage& image, uint32_t information, vtl::VirtualProcessor& vp) {
  vtl::VtlContext& context = vp.context();
  context.rip = image.entry;
  context.rsp = 0x7c00;  // undefined by the specification
  context.rflags = 2;
  context.cr0 = 0x11;    // PE, ET
  context.cr3 = context.cr4 = context.efer = 0;
  context.segments.fill({0, ~0u, pc_layout::data_selector, data_attributes});
  context.segments[vtl::Cs] = {0, ~0u, pc_layout::code_selector, code_attributes};
  context.tr = {0, 0xffff, 0, 0x008b};
  context.ldtr = {0, 0xffff, 0, 0x0082};
  context.gdtr = {pc_layout::gdt, 23};
  context.idtr = {0, 0};
  vp.shared.gpr.fill(0);
  vp.shared.gpr[vtl::Rax] = loader::multiboot::boot_magic;
  vp.shared.gpr[vtl::Rbx] = information;
  ++context.changes;
}

}  // namespace

Status boot_kernel(const PcConfig& config, loader::Bytes kernel, const std::vector<loader::BootModule>& modules,
                   mmu::PhysicalMemory& memory, vtl::VirtualProcessor& vp) {
  const loader::KernelImage image = TRY(loader::parse_kernel(kernel));
  write_bios_data(memory);
  write_gdt(memory);
  TRY(write_acpi(config, memory));
  TRY(load(image, config.memory_bytes, memory));
  const loader::BootInformation information = TRY(loader::make_boot_information(
      image, config.command_line, modules, pc_memory_map(config.memory_bytes), config.memory_bytes));
  TRY(write(memory, config.memory_bytes, information.address, information.bytes, "the Multiboot information"));
  for (const auto& module : information.modules)
    TRY(write(memory, config.memory_bytes, module.address, module.bytes, "a module"));
  set_registers(image, information.address, vp);
  return Unit{};
}

}  // namespace machine
