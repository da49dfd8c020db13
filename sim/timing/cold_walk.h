#pragma once
// What one walk costs where caches are empty: a figure for people who look at a walk by itself.
#include <cstdint>

#include "sim/timing/cost_table.h"
#include "sim/timing/walk.h"

namespace timing {

/// Cycles that CycleModel charges for the references of `walk`, and for A and D bits that it sets, were nothing cached
/// before. Entries that share a line are fetched once.
[[nodiscard]] uint64_t cold_cycles(const CostTable& costs, const Walk& walk);

}  // namespace timing
