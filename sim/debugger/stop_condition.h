#pragma once
// Where a run shall stop, as `--until WHAT` of the program has it: an instant, or the first event of a kind.
#include <functional>
#include <string>
#include <string_view>

#include "sim/support/events.h"
#include "sim/support/result.h"

namespace debugger {

/// An instant or the first event of a kind, with an optional detail:
///   5000000 | 5_000_000           an instruction count
///   vtl-call, vtl-return, hypercall[:Name], intercept, exception[:vector], image[:name], process[:name],
///   milestone[:text], print[:text], protection, hypervisor, power-off
/// Names compare without case; texts match anywhere in the event's text.
struct StopCondition {
  support::Instant instant{support::never};  ///< `never`: stop at an event
  support::EventKind kind{};
  std::string detail;
  bool by_event{};

  static support::Result<StopCondition> parse(std::string_view text);
  [[nodiscard]] bool matches(const support::Event& event) const;
};

/// Calls `stop` at the first event that the condition matches.
class StopListener : public support::EventSink {
 public:
  StopListener(StopCondition condition, std::function<void()> stop)
      : condition_{std::move(condition)}, stop_{std::move(stop)} {}

  void on(const support::Event& event) override;
  [[nodiscard]] bool reached() const { return reached_; }

 private:
  StopCondition condition_;
  std::function<void()> stop_;
  bool reached_{};
};

}  // namespace debugger
