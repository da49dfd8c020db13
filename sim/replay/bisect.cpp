#include "sim/replay/bisect.h"

#include <fmt/format.h>

#include <algorithm>

namespace replay {
namespace {

using support::Instant;
using support::Result;
using support::Status;

/// How many parts a stretch is cut into per pass.
constexpr uint64_t parts = 64;
constexpr size_t shown = 16;

/// Both machines, and the last instant at which they were equal.
class Pair {
 public:
  static Result<Pair> make(const SubjectFactory& suspect, const SubjectFactory& reference) {
    Pair pair;
    pair.suspect_ = TRY(suspect(nullptr));
    pair.reference_ = TRY(reference(nullptr));
    return pair;
  }

  /// Runs both to `at`; whether they are equal there.
  bool run(Instant at) {
    const bool stops_equal = suspect_->run(at) == reference_->run(at);
    return stops_equal && suspect().now() == reference().now() && suspect().fingerprint() == reference().fingerprint();
  }
  void remember() {
    suspect_state_ = suspect().save();
    reference_state_ = reference().save();
  }
  Status go_back() {
    TRY(suspect().restore(suspect_state_));
    return reference().restore(reference_state_);
  }

  [[nodiscard]] machine::Machine& suspect() { return suspect_->machine(); }
  [[nodiscard]] machine::Machine& reference() { return reference_->machine(); }

 private:
  std::unique_ptr<Subject> suspect_, reference_;
  machine::State suspect_state_, reference_state_;
};

Result<FirstDifference> describe(Pair& pair, Instant high) {
  FirstDifference result;
  result.before = point_of(pair.reference());
  if (high > result.before.at) static_cast<void>(pair.run(high));
  result.suspect = point_of(pair.suspect());
  result.reference = point_of(pair.reference());
  result.what = TRY(differing_fields(pair.suspect(), pair.reference().save()));
  return result;
}

}  // namespace

Result<std::vector<std::string>> differing_fields(machine::Machine& machine, machine::State expected) {
  machine::State found = machine.save();
  found.configuration = expected.configuration = machine.configuration();  // another disk is what may be looked for
  const std::vector<support::StateDifference> all = TRY(machine.diff(found, expected));
  std::vector<std::string> lines;
  for (const support::StateDifference& each : all) {
    if (lines.size() == shown) {
      lines.push_back(fmt::format("and {} more", all.size() - shown));
      break;
    }
    lines.push_back(fmt::format("{}: {} instead of {}", each.path, each.a, each.b));
  }
  return lines;
}

Result<std::optional<FirstDifference>> first_difference(const SubjectFactory& suspect, const SubjectFactory& reference,
                                                        Instant low, Instant high) {
  Pair pair = TRY(Pair::make(suspect, reference));
  if (low.ticks != 0 && !pair.run(low)) {
    pair = TRY(Pair::make(suspect, reference));
    high = low;
    low = {};
  }
  if (low.ticks == 0 && !pair.run(low)) return std::optional{TRY(describe(pair, low))};
  pair.remember();
  while (high > low + 1) {
    const uint64_t step = std::max<uint64_t>(1, (high - low + parts - 1) / parts);
    bool equal = true;
    while (equal && low < high) {
      const Instant next{std::min(low.ticks + step, high.ticks)};
      equal = pair.run(next);
      if (!equal) {
        high = next;
      } else {
        low = next;
        pair.remember();
      }
    }
    if (equal) return std::optional<FirstDifference>{};
    TRY(pair.go_back());
  }
  return std::optional{TRY(describe(pair, high))};
}

std::string to_text(const FirstDifference& difference) {
  std::string text = fmt::format("the first instruction that differs is at instant {}, {}:\n", difference.before.at.ticks,
                                 place(difference.before));
  for (const std::string& line : difference.what) text += fmt::format("  {}\n", line);
  return text;
}

}  // namespace replay
