#pragma once
// Where two runs part: quick, because what is equal in both files is not unpacked.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/replay/recording.h"

namespace replay {

/// Where two runs are not the same any more.
struct Parting {
  std::vector<std::string> facts;               ///< configuration and images that differ
  std::string input;                            ///< the first input that differs, in words; empty if none does
  uint64_t equal_events{};                      ///< before the first that differs: its number in both
  bool parted{};                                ///< events differ, or one run has fewer
  std::optional<trace::EventRecord> left, right;///< the first that differ; nothing: this run has no more
  std::optional<support::Instant> equal_hash;   ///< the last instant where both have the same state hash, before any that differs
  std::optional<support::Instant> other_hash;   ///< the first instant where both have one and they differ
  bool same_end{};                              ///< both end at the same instant in the same state
  std::string unread;                           ///< why the events of one cannot be read to their end; empty: they can
  [[nodiscard]] bool same() const { return facts.empty() && input.empty() && !parted && !other_hash && same_end && unread.empty(); }
};

/// Called now and then; false ends the comparison.
using GoOn = std::function<bool()>;
/// Nothing if `go_on` ended it.
[[nodiscard]] std::optional<Parting> find_parting(const Recording& left, const Recording& right, const GoOn& go_on);

}  // namespace replay
