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
  std::vector<std::string> what;  ///< registers and memory that differ, in words
};

/// Compares `suspect` with `reference`, which are equal at `low` and differ at `high`, by running both again and again over
/// an ever smaller part. Nothing when they do not differ at `high` this time.
[[nodiscard]] support::Result<std::optional<FirstDifference>> first_difference(const SubjectFactory& suspect,
                                                                               const SubjectFactory& reference,
                                                                               support::Instant low,
                                                                               support::Instant high);

[[nodiscard]] std::string to_text(const FirstDifference& difference);

}  // namespace replay
