#pragma once
// The parts of the machine's state hash that are plain fields.
#include <concepts>
#include <string_view>

#include "sim/support/state_hash.h"
#include "vtl/virtual_processor.h"

namespace machine {

/// Adds every architectural field of a VP. Structured bindings list them, so that a new field does not compile until it is
/// added here.
void add_processor(support::StateHasher& hasher, const vtl::VirtualProcessor& vp);

/// Adds what the devices list in visit_fields.
template <class... Devices>
void add_fields(support::StateHasher& hasher, const Devices&... devices) {
  auto add = [&hasher](const auto& field) {
    if constexpr (std::convertible_to<decltype(field), std::string_view>) hasher.add(std::string_view{field});
    else hasher.add(static_cast<uint64_t>(field));
  };
  (devices.visit_fields(add), ...);
}

}  // namespace machine
