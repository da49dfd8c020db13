#pragma once
// The firmware of the machine: as much UEFI as winload.efi calls. One processor, one disk, one boot
// entry.
#include <span>
#include <string_view>

#include "abi/boot/firmware_handoff.h"
#include "boot/efi.h"
#include "rt/print.h"

namespace firmware {

/// The service tables that winload receives. Entries that are not implemented point at a function
/// that answers unsupported.
extern efi::SystemTable system_table;
extern efi::SimpleFileSystem boot_volume;
extern efi::RandomProtocol random_generator;
extern efi::SimpleTextOutput console_output;

// console.cpp: COM1
void console_initialize();
void console_write(std::string_view text);
template <typename... T>
void print(std::string_view pattern, const T&... values) {
  char text[256];
  console_write(rt::print(text, pattern, values...));
}

// memory.cpp: pages and pool
void memory_initialize(uint64_t memory_size);
efi::Status allocate_pages(efi::AllocateType type, uint32_t memory_type, uint64_t pages,
                           uint64_t* address);
efi::Status free_pages(uint64_t address, uint64_t pages);
efi::Status get_memory_map(uint64_t* size, efi::MemoryDescriptor* map, uint64_t* key,
                           uint64_t* descriptor_size, uint32_t* version);
efi::Status allocate_pool(uint32_t memory_type, uint64_t size, void** buffer);
efi::Status free_pool(void* buffer);
/// The key that get_memory_map gave out last; it moves with every allocation.
uint64_t memory_map_key();

// ata.cpp: the primary channel's first disk
bool disk_initialize();
/// Reads whole sectors of 512 bytes by bus-master DMA. `buffer` is identity-mapped and below 4 GiB.
bool disk_read(uint64_t sector, uint32_t count, void* buffer);

// fat.cpp
bool volume_mount();

// variables.cpp: filled from the machine's hand-off, kept until power-off
void variables_initialize(const abi::boot::FirmwareHandoff& handoff);
/// After ExitBootServices only runtime variables exist; the others leave no copy in memory (UEFI
/// 8.2).
void variables_drop_boot_services();
efi::Status get_variable(const char16_t* name, const efi::Guid* vendor, uint32_t* attributes,
                         uint64_t* size, void* data);
efi::Status set_variable(const char16_t* name, const efi::Guid* vendor, uint32_t attributes,
                         uint64_t size, const void* data);

// random.cpp: EFI_RNG_PROTOCOL from the machine's seed
void random_initialize(std::span<const uint8_t, 32> seed);
/// The generator forgets its seed: what was drawn from it cannot be drawn again by an operating
/// system.
void random_wipe();

// tables.cpp
void tables_initialize();
/// Power-off through the ACPI control register; does not return.
[[noreturn]] void power_off();
// The end of a boot that failed: a run that ends with it did not do its work.
[[noreturn]] void reset_machine();

}  // namespace firmware
