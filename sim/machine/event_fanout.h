#pragma once
#include <vector>

#include "sim/support/events.h"

namespace machine {

/// Hands each event to every listener, in the order in which they were added.
class EventFanout : public support::EventSink {
 public:
  /// `listener` must outlive the fan-out.
  void add(support::EventSink& listener) { listeners_.push_back(&listener); }

  void on(const support::Event& event) override {
    for (support::EventSink* listener : listeners_) listener->on(event);
  }

 private:
  std::vector<support::EventSink*> listeners_;
};

/// The totals that a run ends with.
struct Totals {
  uint64_t vtl_calls{}, vtl_returns{}, interrupt_entries{};
  uint64_t hypercalls{};  ///< without VtlCall and VtlReturn
  uint64_t intercepts{}, exceptions{}, interrupts{}, system_calls{};

  [[nodiscard]] uint64_t vtl_switches() const { return vtl_calls + vtl_returns + interrupt_entries; }
};

class TotalsCounter : public support::EventSink {
 public:
  void on(const support::Event& event) override;
  [[nodiscard]] const Totals& totals() const { return totals_; }

 private:
  Totals totals_;
};

}  // namespace machine
