#pragma once
// Kernels by the Multiboot specification, version 0.6.96: reading their files, and what they find when they begin.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/kernel_image.h"

namespace loader {

namespace multiboot {
inline constexpr uint32_t header_magic = 0x1bad'b002, boot_magic = 0x2bad'b002;
/// The header lies within this many bytes of the file, on a multiple of four.
inline constexpr size_t search_bytes = 8192;
inline constexpr const char* boot_loader_name = "Airlock";
}  // namespace multiboot

/// Decides what a file is and where it goes. ELF without a Multiboot header, Linux kernels and empty files are
/// refused with a sentence that says so; bytes without any header are a raw kernel at 1 MiB.
[[nodiscard]] support::Result<KernelImage> parse_kernel(Bytes file);

/// A file that is loaded beside the kernel, with the text that the kernel gets for it.
struct BootModule {
  Bytes bytes;
  std::string text;
};

/// A range of the memory map: type 1 is usable, 2 reserved, 3 ACPI tables (Multiboot 3.3, as the BIOS call E820 has
/// them).
struct MemoryRange {
  uint64_t base{}, length{};
  uint32_t type{1};
};

/// Where the information for the kernel lies, and its bytes.
struct BootInformation {
  uint32_t address{};            ///< of the Multiboot information structure: what EBX holds
  std::vector<uint8_t> bytes;    ///< from `address`: structure, texts, maps
  struct Placed {
    uint32_t address{};
    Bytes bytes;
  };
  std::vector<Placed> modules;  ///< on page boundaries above the kernel
};

/// Lays out everything that the kernel is told, in memory that neither it nor a `reserved` range uses. Fails when the
/// machine's memory ends before.
[[nodiscard]] support::Result<BootInformation> make_boot_information(const KernelImage& kernel,
                                                                     std::string_view command_line,
                                                                     const std::vector<BootModule>& modules,
                                                                     const std::vector<MemoryRange>& map,
                                                                     uint64_t memory_bytes);

}  // namespace loader
