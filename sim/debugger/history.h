#pragma once
// What happened in a run, by time and by row. Asking it needs no execution.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sim/debugger/call_tracker.h"
#include "sim/debugger/event_index.h"
#include "sim/debugger/event_pieces.h"
#include "sim/debugger/event_query.h"
#include "sim/replay/recording.h"
#include "sim/support/events.h"
#include "sim/trace/record.h"

namespace debugger {

using EventFilter = std::function<bool(const support::Event&)>;

/// The events of a run, or of another run up to where this one began, and its own. They are numbered from 0 in the order in
/// which they were announced: the number is called a row.
class History {
 public:
  virtual ~History() = default;
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  /// The latest event before `before` (strictly) that `filter` takes; of several at one instant, the last. Nothing before
  /// `floor` is looked at when it is given.
  [[nodiscard]] std::optional<trace::EventRecord> last(support::Instant before, const EventFilter& filter, support::Instant floor = {});
  /// The first event at or after `from`.
  [[nodiscard]] std::optional<trace::EventRecord> first(support::Instant from, const EventFilter& filter);
  /// Shows all events of some kinds in [from, to). Where these are rare it costs little: what has none of them is passed over.
  void each(support::Instant from, support::Instant to, KindSet kinds, const std::function<void(const support::Event&)>& visit);

  /// Events known by now.
  [[nodiscard]] uint64_t size() const;
  /// Nothing where there is none, or where it cannot be read.
  [[nodiscard]] std::optional<trace::EventRecord> event(uint64_t row);
  /// How many are before `at`: the row of the first one at or after it.
  [[nodiscard]] uint64_t row_at(support::Instant at);
  /// Shows the rows of [first, last) until `visit` says false, without unpacking them. `visit` may ask for more of
  /// the history, and not run the machine on.
  void read(uint64_t first, uint64_t last, const std::function<bool(uint64_t row, const support::Event&)>& visit);

  // --- What stretches of time contain
  /// Looks at up to `events` more events, or a few more, for what follows. True when all that are known now were looked at.
  bool learn(uint64_t events);
  /// Events that were looked at for that: what follows knows nothing of later ones.
  [[nodiscard]] uint64_t learnt() const;
  /// Up to this instant all is known.
  [[nodiscard]] support::Instant learnt_until() const;
  /// Rows of learnt events before `at`.
  [[nodiscard]] uint64_t rows_before(support::Instant at) const;
  /// Learnt events before `at`, by kind.
  [[nodiscard]] KindCounts counts_before(support::Instant at) const;
  /// Of the first `rows` of them; of all if there are fewer.
  [[nodiscard]] KindCounts counts_of_first(uint64_t rows) const;
  /// Nothing for rows that were not learnt.
  [[nodiscard]] std::optional<support::Instant> instant_of(uint64_t row) const;
  /// Instants before `at` that a processor stood in each VTL.
  [[nodiscard]] VtlTrack::Ticks lanes_before(support::Instant at, uint32_t vp) const;

  /// The calls between the worlds that are open at some rows, as far as rows were added.
  [[nodiscard]] CallPoints& calls() { return calls_; }
  /// What queries have found. It goes with the history, and forgets with it.
  [[nodiscard]] EventQueries& queries() { return queries_; }
  /// Why events are missing; empty if none are.
  [[nodiscard]] const std::string& complaint() const { return own_->complaint(); }

 protected:
  /// Of a run that begins at `since`, and before that was another, whose history is `past`; it must outlive this.
  History(std::unique_ptr<EventPieces> own, History* past, support::Instant since);
  /// What is after `at` became another future: the pieces have forgotten it.
  void forget_own_from(support::Instant at);
  [[nodiscard]] EventPieces& own() { return *own_; }

 private:
  [[nodiscard]] bool may_have(size_t piece, KindSet kinds);
  [[nodiscard]] bool past_is_learnt() const { return past_ == nullptr || past_->learnt() >= past_rows_; }
  void learn_piece();

  std::unique_ptr<EventPieces> own_;
  History* past_;
  support::Instant since_;
  uint64_t past_rows_{};
  std::optional<EventIndex> index_;  ///< of its own events, once those of the past are learnt
  CallPoints calls_;
  EventQueries queries_;
};

/// Events of a machine that runs for the first time.
class ObservedHistory final : public History, public support::EventSink {
 public:
  ObservedHistory() : ObservedHistory{nullptr, {}} {}
  ObservedHistory(History* past, support::Instant since) : ObservedHistory{std::make_unique<GrowingPieces>(), past, since} {}
  void forget_from(support::Instant at);
  void on(const support::Event& event) override;
  /// Only what happens while it listens is kept: time that is run through again has been heard of.
  void listen(bool listen) { listens_ = listen; }

 private:
  ObservedHistory(std::unique_ptr<GrowingPieces> pieces, History* past, support::Instant since);

  GrowingPieces& pieces_;
  bool listens_{};
};

/// Events of a recording, unpacked piece by piece as they are asked for.
class RecordedHistory final : public History {
 public:
  /// `recording` must outlive this.
  explicit RecordedHistory(const replay::Recording& recording);
};

}  // namespace debugger
