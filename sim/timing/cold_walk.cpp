#include "sim/timing/cold_walk.h"

#include "sim/timing/caches.h"

namespace timing {

uint64_t cold_cycles(const CostTable& costs, const Walk& walk) {
  // Of the last level no more is needed than a walk can fill.
  constexpr uint32_t lines = 32;
  static_assert(lines >= Walk::max_steps);
  Caches caches{costs, std::make_shared<Cache>(lines * costs.line_bytes, lines, costs.line_bytes)};
  uint64_t sum = walk.sets_bits ? costs.accessed_dirty_assist : 0;
  for (const WalkStep& step : walk.steps()) sum += latency_of(costs, caches.walk(step.address));
  return sum;
}

}  // namespace timing
