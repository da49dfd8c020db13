#pragma once
// What happened in a run, by time. Asking it needs no execution.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "sim/replay/recording.h"
#include "sim/support/events.h"
#include "sim/trace/record.h"

namespace debugger {

using EventFilter = std::function<bool(const support::Event&)>;

class History {
 public:
  virtual ~History() = default;
  /// The latest event before `before` (strictly) that `filter` takes; of several at one instant, the last. Nothing at or
  /// before `floor` is looked at when it is given.
  [[nodiscard]] virtual std::optional<trace::EventRecord> last(support::Instant before, const EventFilter& filter,
                                                               support::Instant floor = {}) = 0;
  /// The first event at or after `from`.
  [[nodiscard]] virtual std::optional<trace::EventRecord> first(support::Instant from, const EventFilter& filter) = 0;
  /// Why events are missing; empty if none are.
  [[nodiscard]] virtual std::string complaint() const { return ""; }
};

/// Events of a machine that runs for the first time.
class ObservedHistory final : public History, public support::EventSink {
 public:
  ObservedHistory() = default;
  /// Of a run that begins at `since`, and before that was another, whose history is `past`; it must outlive this.
  ObservedHistory(History* past, support::Instant since) : past_{past}, since_{since} {}
  /// The future became another one.
  void forget_from(support::Instant at);
  void on(const support::Event& event) override;
  /// Only what happens while it listens is kept: time that is run through again has been heard of.
  void listen(bool listen) { listens_ = listen; }

  [[nodiscard]] std::optional<trace::EventRecord> last(support::Instant before, const EventFilter& filter,
                                                       support::Instant floor) override;
  [[nodiscard]] std::optional<trace::EventRecord> first(support::Instant from, const EventFilter& filter) override;

 private:
  std::vector<trace::EventRecord> events_;  ///< ascending
  bool listens_{};
  History* past_{};
  support::Instant since_;
};

/// Events of a recording, unpacked chunk by chunk as they are asked for.
class RecordedHistory final : public History {
 public:
  /// `recording` must outlive this.
  explicit RecordedHistory(const replay::Recording& recording);

  [[nodiscard]] std::optional<trace::EventRecord> last(support::Instant before, const EventFilter& filter,
                                                       support::Instant floor) override;
  [[nodiscard]] std::optional<trace::EventRecord> first(support::Instant from, const EventFilter& filter) override;
  [[nodiscard]] std::string complaint() const override { return complaint_; }

 private:
  using Events = std::vector<trace::EventRecord>;
  struct Chunk {
    support::Instant first, last;
  };
  const Events& events_of(size_t chunk);

  const replay::Recording& recording_;
  std::vector<Chunk> chunks_;
  std::map<size_t, Events> unpacked_;  ///< the chunks asked for last
  std::vector<size_t> order_;          ///< of their use, the latest at the end
  std::string complaint_;
};

}  // namespace debugger
