#pragma once
// What one level can find in all of memory.
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sim/machine/machine.h"

namespace test {

/// GPAs at which `pattern` begins in pages for which `wanted` holds in the SLAT of `vtl` (on the bare machine: all
/// pages, with all rights). A pattern across two pages is found when both are wanted.
using Wanted = std::function<bool(const mmu::Rights&)>;
[[nodiscard]] std::vector<uint64_t> find_in_memory(const machine::Machine& machine, abi::hv::Vtl vtl,
                                                   std::span<const uint8_t> pattern, const Wanted& wanted);

[[nodiscard]] inline bool readable(const mmu::Rights& rights) { return rights.read; }
[[nodiscard]] inline bool kernel_executable(const mmu::Rights& rights) { return rights.kernel_execute; }

/// The second stage of `vtl` as it is now; everything allowed on the bare machine.
[[nodiscard]] mmu::SlatMapping slat_lookup(const machine::Machine& machine, abi::hv::Vtl vtl, uint64_t gpa);

/// The GPA to which stage 1 of VTL 0 maps `address` under `cr3`, whether or not stage 2 lets it through. Nothing where
/// stage 1 maps nothing.
[[nodiscard]] std::optional<uint64_t> stage1_target(const machine::Machine& machine, uint64_t cr3, uint64_t address);

/// Bytes at a GPA as `vtl` may read them; shorter where it may not.
[[nodiscard]] std::vector<uint8_t> read_physical(const machine::Machine& machine, abi::hv::Vtl vtl, uint64_t gpa,
                                                 size_t count);

/// Every register of the active level that holds at least eight bytes of something, for searches.
[[nodiscard]] std::vector<uint8_t> visible_registers(const vtl::VirtualProcessor& vp);

}  // namespace test
