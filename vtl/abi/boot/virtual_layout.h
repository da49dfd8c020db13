#pragma once
// The address space that winload builds and that NTOS and the first instructions of the secure
// kernel run in.
#include <stdint.h>

namespace abi::boot {

/// All RAM, read-write and never executable, in 2 MiB pages: PML4 slot 256 of every VTL 0 address
/// space. Every pointer of the loader blocks lies here, so physical = pointer - direct_map_base.
inline constexpr uint64_t direct_map_base = 0xFFFF800000000000;
/// The same in the page tables that the secure kernel builds for VTL 1: PML4 slot 288.
inline constexpr uint64_t secure_direct_map_base = 0xFFFF900000000000;

inline constexpr uint64_t kernel_image_base = 0xFFFFF80000400000;  ///< ntoskrnl.exe
inline constexpr uint64_t driver_image_base =
    0xFFFFF80010000000;  ///< boot drivers, one after the other
inline constexpr uint64_t secure_kernel_base = 0xFFFFF80100000000;  ///< securekernel.exe
inline constexpr uint64_t skci_base = 0xFFFFF80101000000;           ///< skci.dll
inline constexpr uint64_t cng_base = 0xFFFFF80102000000;            ///< cng.sys of VTL 1

/// Low half: RAM at its own addresses, for winload only. NTOS unmaps it before the first process
/// exists; the secure kernel may not rely on it once VTL 1 runs.
inline constexpr uint64_t identity_map_base = 0;

/// The contiguous region that becomes VTL 1's own memory, 2 MiB aligned.
inline constexpr uint64_t vsm_memory_size = 24 * 1024 * 1024;

}  // namespace abi::boot
