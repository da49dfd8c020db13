#include "sim/machine/reset.h"

#include <fmt/format.h>

#include <cstring>

#include "abi/layout/address.h"
#include "sim/support/prng.h"

namespace machine {
namespace {

constexpr uint64_t present_write = 0x3, large_page = 0x80;
constexpr uint64_t identity_gigabytes = 4;
constexpr uint64_t firmware_limit = 16u << 20;

// Attributes as HV_X64_SEGMENT_REGISTER: present, accessed code (L) and data (D/B, G), CPL 0.
constexpr uint16_t code_attributes = 0xa09b, data_attributes = 0xc093;

void write_page_tables(mmu::PhysicalMemory& memory) {
  const uint64_t pml4 = reset_layout::page_tables, pdpt = pml4 + abi::page_size;
  memory.write(mmu::Spa{pml4}, pdpt | present_write);
  for (uint64_t gigabyte = 0; gigabyte < identity_gigabytes; ++gigabyte) {
    const uint64_t pd = pdpt + (1 + gigabyte) * abi::page_size;
    memory.write(mmu::Spa{pdpt + gigabyte * 8}, pd | present_write);
    for (uint64_t entry = 0; entry < 512; ++entry) {
      const uint64_t address = gigabyte * abi::huge_page_size + entry * abi::large_page_size;
      memory.write(mmu::Spa{pd + entry * 8}, address | present_write | large_page);
    }
  }
}

void write_gdt(mmu::PhysicalMemory& memory) {
  memory.write<uint64_t>(mmu::Spa{reset_layout::gdt}, 0);
  memory.write<uint64_t>(mmu::Spa{reset_layout::gdt + 8}, 0x00af'9b00'0000'ffff);
  memory.write<uint64_t>(mmu::Spa{reset_layout::gdt + 16}, 0x00cf'9300'0000'ffff);
}

void write_handoff(const loader::MachineConfig& config, mmu::PhysicalMemory& memory) {
  using namespace abi::boot;
  auto launch_type = [](loader::LaunchType type) {
    return type == loader::LaunchType::Auto ? LaunchType::Auto : LaunchType::Off;
  };
  FirmwareHandoff handoff{};
  handoff.memory_size = config.memory_bytes;
  const auto seed = machine_seed_bytes(config.seed);
  std::memcpy(handoff.machine_seed, seed.data(), seed.size());
  handoff.hypervisor_launch_type = launch_type(config.hypervisor_launch_type);
  handoff.vsm_launch_type = launch_type(config.vsm_launch_type);
  if (config.hvci != loader::HvciSetting::Off) handoff.flags |= FirmwareHvci;
  if (config.hvci == loader::HvciSetting::Strict) handoff.flags |= FirmwareHvciStrict;
  if (config.secure_boot) handoff.flags |= FirmwareSecureBoot;
  if (config.test_signing) handoff.flags |= FirmwareTestSigning;
  handoff.profile = 10240;
  memory.write(mmu::Spa{firmware_handoff_address}, handoff);
}

void set_registers(uint64_t entry, vtl::VirtualProcessor& vp) {
  vtl::VtlContext& context = vp.context();
  context.rip = entry;
  context.rsp = reset_layout::stack_top;
  context.cr0 = 0x8001'0033;  // PG, WP, NE, ET, MP, PE
  context.cr3 = reset_layout::page_tables;
  context.cr4 = 0x6a0;  // OSXMMEXCPT, OSFXSR, PGE, PAE
  context.efer = 0xd01;  // NXE, LMA, LME, SCE
  context.segments.fill({0, ~0u, reset_layout::data_selector, data_attributes});
  context.segments[vtl::Cs] = {0, ~0u, reset_layout::code_selector, code_attributes};
  context.tr = {0, 0xffff, 0, 0x008b};
  context.ldtr = {0, 0xffff, 0, 0x0082};
  context.gdtr = {reset_layout::gdt, 23};
  context.idtr = {0, 0};
  vp.shared.gpr[vtl::Rcx] = abi::boot::firmware_handoff_address;
}

}  // namespace

std::array<uint8_t, 32> machine_seed_bytes(uint64_t seed) {
  support::Prng prng{seed};
  std::array<uint8_t, 32> bytes{};
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = prng.next();
    std::memcpy(&bytes[i], &word, 8);
  }
  return bytes;
}

support::Status reset(const loader::MachineConfig& config, std::span<const uint8_t> firmware_file,
                      mmu::PhysicalMemory& memory, vtl::VirtualProcessor& vp) {
  const loader::PeImage image = TRY(loader::PeImage::parse(firmware_file));
  const loader::MappedImage mapped = TRY(loader::map_image(image, abi::boot::firmware_base));
  if (mapped.entry == 0) return support::Error{"firmware: the image has no entry point"};
  if (abi::boot::firmware_base + mapped.bytes.size() > firmware_limit) {
    return support::Error{fmt::format("firmware: {} bytes do not fit below 16 MiB", mapped.bytes.size())};
  }
  write_page_tables(memory);
  write_gdt(memory);
  write_handoff(config, memory);
  if (!memory.write(mmu::Spa{abi::boot::firmware_base}, std::span<const uint8_t>{mapped.bytes})) {
    return support::Error{"firmware: the machine has too little memory for it"};
  }
  set_registers(mapped.entry, vp);
  return support::Unit{};
}

}  // namespace machine
