#pragma once
// The first instruction after which two runs differ.
#include <optional>
#include <string>
#include <vector>

#include "sim/replay/points.h"
#include "sim/replay/subject.h"

namespace replay {

struct FirstDifference {
  Point before;                   ///< both runs, about to execute the instruction
  Point suspect, reference;       ///< after it
  std::vector<std::string> what;  ///< fields of the state that differ after it, "path: value instead of value"
};

/// Compares `suspect` with `reference`, which differ at `high`, by running both over an ever smaller part from the last
/// instant at which they were equal; `low` is a guess of such an instant. Nothing when they do not differ this time.
[[nodiscard]] support::Result<std::optional<FirstDifference>> first_difference(const SubjectFactory& suspect,
                                                                               const SubjectFactory& reference,
                                                                               support::Instant low,
                                                                               support::Instant high);

[[nodiscard]] std::string to_text(const FirstDifference& difference);

/// The fields of `machine` that are not as in `expected`, "path: value instead of value"; the first 16. The disk and the
/// configuration may be others.
[[nodiscard]] support::Result<std::vector<std::string>> differing_fields(machine::Machine& machine, machine::State expected);

}  // namespace replay
