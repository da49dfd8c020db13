#pragma once
#include <stdint.h>

namespace abi::hv {

/// A virtual trust level; higher is more privileged (S15). TLFS allows 0..15; this machine
/// implements 0..2.
enum class Vtl : uint8_t { Vtl0 = 0, Vtl1 = 1, Vtl2 = 2 };
inline constexpr uint8_t implemented_vtls = 3;
/// Ascending.
inline constexpr Vtl all_vtls[implemented_vtls] = {Vtl::Vtl0, Vtl::Vtl1, Vtl::Vtl2};

}  // namespace abi::hv
