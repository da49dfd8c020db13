#pragma once
// Two recordings side by side: where they part, and which events differ from there on.
#include <functional>
#include <optional>
#include <string>

#include "sim/replay/recording.h"

namespace replay {

/// One line of the comparison.
struct DifferenceLine {
  enum class Side : uint8_t { Left, Right, Both } side{};  ///< who has it
  trace::EventRecord event;
};

struct Comparison {
  std::vector<std::string> facts;                 ///< configuration and images that differ
  std::string input;                              ///< the first input that differs, in words; empty if none does
  std::optional<support::Instant> first_state;    ///< of the first point that both have and that differs
  std::string state;                              ///< what differs there
  std::optional<support::Instant> first_event;    ///< of the first event that differs
  uint64_t equal_events{};                        ///< before it
  uint64_t only_left{}, only_right{}, common{};   ///< from it on
  bool same_end{};                                ///< both ended at the same instant in the same state
  [[nodiscard]] bool equal() const {
    return facts.empty() && input.empty() && !first_state && !first_event && same_end;
  }
};

/// What differs in configuration and images, a line each; the gear does not count.
[[nodiscard]] std::vector<std::string> compare_facts(const Facts& left, const Facts& right);
/// The first input that differs, in words; empty if none does.
[[nodiscard]] std::string compare_inputs(const std::vector<Input>& left, const std::vector<Input>& right);

/// Compares all; `line` receives the events that differ from the first divergence on, aligned over what they say (kind,
/// VTL, arguments), not when, because instants shift. It may answer false to be called no more.
[[nodiscard]] support::Result<Comparison> compare(const Recording& left, const Recording& right,
                                                  const std::function<bool(const DifferenceLine&)>& line);

}  // namespace replay
