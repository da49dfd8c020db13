#pragma once
// What is in the machine before the first instruction: firmware in its flash, tables, registers.
#include <array>

#include "abi/boot/firmware_handoff.h"
#include "mmu/physical_memory.h"
#include "sim/loader/machine_config.h"
#include "sim/loader/pe_map.h"
#include "sim/support/result.h"
#include "vtl/virtual_processor.h"

namespace machine {

/// Low memory at reset. Our choice: a real PC starts in real mode and its firmware builds the like of this.
namespace reset_layout {
inline constexpr uint64_t page_tables = 0x1000;  ///< PML4, PDPT, four PDs: 4 GiB one to one in 2 MiB pages
inline constexpr uint64_t gdt = 0x7000;
inline constexpr uint64_t stack_top = 0x9'fff8;
inline constexpr uint16_t code_selector = 0x08, data_selector = 0x10;
}  // namespace reset_layout

/// Maps the firmware image at abi::boot::firmware_base, writes tables and handoff, and sets VP 0 to the image's entry in long
/// mode at CPL 0. Fails when the image is malformed or does not fit below 16 MiB.
support::Status reset(const loader::MachineConfig& config, std::span<const uint8_t> firmware_file,
                      mmu::PhysicalMemory& memory, vtl::VirtualProcessor& vp);

/// The 32 bytes that the machine's seed gives to firmware, from which all guest randomness at boot descends.
[[nodiscard]] std::array<uint8_t, 32> machine_seed_bytes(uint64_t seed);

}  // namespace machine
