#pragma once
// The engine runs as a guest of the virtualization that it emulates: one VMRUN when it is made, and from then on every
// sensitive instruction and every exception leaves it precisely, at no cost when none occurs.
#include <unicorn/unicorn.h>

#include <cstdint>

#include "mmu/zeroed_memory.h"

namespace cpu {

/// Physical addresses that only engines see: far above everything a guest can be given.
inline constexpr uint64_t private_base = uint64_t{1} << 46;
inline constexpr uint64_t private_size = 0x10000;
inline constexpr uint64_t private_vmcb = private_base, private_host_save = private_base + 0x1000;
inline constexpr uint64_t private_msr_map = private_base + 0x2000,
                          private_io_map = private_base + 0x4000;
inline constexpr uint64_t private_entry = private_base + 0x8000;
/// Two pages that hold copies of code for one step (unicorn_coherence).
inline constexpr uint64_t private_copy = private_base + 0xa000;
/// Where RAM appears to an instruction whose accesses are watched: as a device, so that each of them is seen.
inline constexpr uint64_t watch_window = uint64_t{1} << 47;

/// Exit codes 0x60 and up that leave the engine, a bit for each: all but PUSHF (0x70), POPF (0x71) and IRET (0x74).
inline constexpr uint64_t intercept_iret = uint64_t{1} << 0x14;
inline constexpr uint64_t intercepted_instructions =
    ~(uint64_t{1} << 0x10 | uint64_t{1} << 0x11 | intercept_iret);

/// Fills the control block in `memory` (the private pages), maps it, and executes VMRUN. The engine's fill hook must answer
/// for private addresses, which are their own linear addresses then. Null, or what failed.
[[nodiscard]] const char* enter_guest_mode(uc_engine* engine, mmu::ZeroedMemory& memory);

}  // namespace cpu
