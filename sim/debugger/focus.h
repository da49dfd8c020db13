#pragma once
// The one place that every view looks from.
#include <cstdint>
#include <optional>

#include "abi/hv/vtl.h"
#include "sim/support/instant.h"

namespace debugger {

/// A view is a function of this and of nothing else.
struct Focus {
  support::Instant at;                ///< the machine has stopped before what happens there
  uint32_t vp{};                      ///< VirtualProcessor::number
  abi::hv::Vtl vtl{};                 ///< whose registers and addresses, be it active or not
  uint32_t frame{};                   ///< of the stack; 0 is the innermost
  std::optional<uint64_t> address;    ///< a datum that is looked at

  friend bool operator==(const Focus&, const Focus&) = default;
};

/// A change of some of it.
struct FocusChange {
  std::optional<support::Instant> at{};
  std::optional<uint32_t> vp{};
  std::optional<abi::hv::Vtl> vtl{};
  std::optional<uint32_t> frame{};
  std::optional<uint64_t> address{};
};

}  // namespace debugger
