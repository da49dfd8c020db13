#pragma once
// Through whose eyes a view looks: a VTL of a processor, with its tables or those of a process.
#include <optional>

#include "mmu/address_space.h"
#include "sim/machine/machine.h"

namespace debugger::views {

struct Eye {
  const machine::Machine& machine;
  const vtl::VirtualProcessor& vp;
  abi::hv::Vtl vtl{};
  mmu::AddressSpace space;
};

/// `vp` is a processor of the machine and `vtl` one that exists (CHECK); `cr3` replaces the VTL's own. Valid until the
/// machine moves.
[[nodiscard]] Eye eye(const machine::Machine& machine, uint32_t vp, abi::hv::Vtl vtl, std::optional<uint64_t> cr3 = {});

}  // namespace debugger::views
