#pragma once
// Registers by name, for people who watch them.
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/support/result.h"
#include "vtl/virtual_processor.h"

namespace debugger {

/// A row of the table of registers; stable within a process only.
using RegisterId = uint8_t;
inline constexpr RegisterId maximum_registers = 128;

/// One bit per register.
using RegisterMask = std::array<uint64_t, 2>;
[[nodiscard]] constexpr bool contains(const RegisterMask& mask, RegisterId id) { return (mask[id / 64] >> (id % 64)) & 1; }
constexpr void include(RegisterMask& mask, RegisterId id) { mask[id / 64] |= uint64_t{1} << (id % 64); }

[[nodiscard]] uint8_t register_count();
/// "rax", "cr3", "lstar", "fs_base", "xmm3" ...; without case.
[[nodiscard]] std::optional<RegisterId> find_register(std::string_view name);
[[nodiscard]] std::string_view register_name(RegisterId id);
/// VTLs of a virtual processor share it: the general registers but RSP, CR2, DR0 to DR6, x87 and SSE.
[[nodiscard]] bool is_shared(RegisterId id);
/// Its value in `vtl`; x87 and SSE registers use `high` too.
[[nodiscard]] vtl::Xmm register_value(RegisterId id, const vtl::VirtualProcessor& vp, vtl::Vtl vtl);
/// Gives it another value. Refuses, with the reason, what the processor could not hold, what belongs to a descriptor, and
/// what would change the mode.
[[nodiscard]] support::Status set_register(RegisterId id, vtl::VirtualProcessor& vp, vtl::Vtl vtl, vtl::Xmm value);
/// Includes the registers of `vtl` that differ between two processors.
void include_changes(RegisterMask& mask, const vtl::VirtualProcessor& a, const vtl::VirtualProcessor& b, vtl::Vtl vtl);
/// The same for the registers that most instructions change: the general ones, RIP and RFLAGS.
void include_common_changes(RegisterMask& mask, const vtl::VirtualProcessor& a, const vtl::VirtualProcessor& b,
                            vtl::Vtl vtl);

}  // namespace debugger
