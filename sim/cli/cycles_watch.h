#pragma once
// A session whose cycles are counted while it runs.
#include <memory>
#include <algorithm>
#include <optional>
#include <vector>

#include "sim/cli/session.h"
#include "sim/cli/standard_output.h"
#include "sim/trace/image_names.h"
#include "sim/timing/call_ledger.h"
#include "sim/timing/cycle_trace.h"
#include "sim/timing/live_observer.h"

namespace cli {

/// One observer's place for several. The machine knows one.
class ObserverFanout final : public vtl::InstructionObserver {
 public:
  void add(vtl::InstructionObserver& observer) { observers_.push_back(&observer); }
  [[nodiscard]] bool empty() const { return observers_.empty(); }
  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override {
    for (vtl::InstructionObserver* observer : observers_) observer->before_instruction(now, vp);
  }
  [[nodiscard]] bool needs_floating_point() const override {
    return std::any_of(observers_.begin(), observers_.end(),
                       [](const vtl::InstructionObserver* observer) { return observer->needs_floating_point(); });
  }

 private:
  std::vector<vtl::InstructionObserver*> observers_;
};

/// Keeps a catalogue up to date.
class ImageListener final : public support::EventSink {
 public:
  explicit ImageListener(loader::ImageCatalog& images) : names_{images} {}
  void on(const support::Event& event) override;

 private:
  trace::ImageNames names_;
};

/// The timing model of a started session, with its ledger of secure calls. The session's images must be kept up to date by
/// a listener that was added before. Register it with the machine through `observer()`.
class CyclesWatch {
 public:
  CyclesWatch(Session& session, const timing::CostTable& costs);
  [[nodiscard]] timing::LiveObserver& observer() { return observer_; }
  [[nodiscard]] const timing::CycleModel& model() { return observer_.model(); }
  [[nodiscard]] const timing::CallLedger& ledger() const { return ledger_; }
  /// Also prints instructions, walks and events from one instant to another, both included, as they come.
  void print(StandardOutput& out, uint64_t from, uint64_t to);

 private:
  timing::LiveObserver observer_;
  timing::Phases phases_;
  timing::CallLedger ledger_;
  Session& session_;
  const timing::CostTable& costs_;
  std::optional<timing::CycleTrace> lines_;
};

}  // namespace cli
