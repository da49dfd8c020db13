#pragma once
// The registers of a processor as a table.
#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/debugger/registers.h"

namespace debugger::views {

enum class RegisterGroup : uint8_t { General, Segment, Control, Debug, Msr, X87, Sse, Synthetic };

struct RegisterRow {
  RegisterId id{};
  std::string_view name;
  vtl::Xmm value;
  uint8_t bits{};
  RegisterGroup group{};
  bool shared{};  ///< VTLs of a processor share it
};

/// All of debugger::find_register(), as `vtl` of `vp` has them.
[[nodiscard]] std::vector<RegisterRow> registers(const vtl::VirtualProcessor& vp, abi::hv::Vtl vtl);
[[nodiscard]] RegisterGroup group_of(std::string_view name);
[[nodiscard]] uint8_t bits_of(std::string_view name);

}  // namespace debugger::views
