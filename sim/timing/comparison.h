#pragma once
// SLAT against shadow paging on the same guest work, as a table.
#include <string>

#include "sim/timing/cycle_model.h"

namespace timing {

/// Models that saw the same stream: with Paging::Slat, Shadow and ShadowGivingUp (CHECK that the latter have shadows).
struct Comparison {
  const CycleModel& slat;
  const CycleModel& shadow;
  const CycleModel& giving_up;
};
[[nodiscard]] std::string comparison_text(const Comparison& models);
[[nodiscard]] std::string comparison_json(const Comparison& models);

}  // namespace timing
