#pragma once
// Runs a recording again: the same machine and loop, with the recording telling where to stop and what must come out.
#include <cstdint>
#include <optional>
#include <string>

#include "sim/replay/recording.h"
#include "sim/replay/subject.h"
#include "sim/support/events.h"

namespace replay {

/// The first thing that is not as recorded.
struct Divergence {
  support::Instant after;  ///< the last point at which all was equal
  support::Instant at;     ///< where the difference was seen
  std::string what;        ///< in words, with VP, VTL and RIP
};

class Replayer final : public support::EventSink {
 public:
  /// `recording` must outlive the replayer. Without `verify` nothing is compared.
  Replayer(const Recording& recording, bool verify);

  void on(const support::Event& event) override;
  /// Gives `machine` the recorded inputs. Errors: it has no door for one of them.
  [[nodiscard]] static support::Status schedule(const Recording& recording, machine::Machine& machine);
  /// Puts a subject that is in its reset state to the last keyframe at or before `from`, whence run() goes on; to the
  /// beginning if there is none. Errors: the keyframe is not what it should be (see restore_keyframe).
  [[nodiscard]] support::Result<support::Instant> begin_near(Subject& subject, support::Instant from);
  /// Tells `listener` of the recorded events before the place where begin_near() put the subject.
  [[nodiscard]] support::Status tell_before(support::EventSink& listener) const;
  /// Runs a subject that was given the inputs and is in its reset state, or where begin_near() put it, to `deadline`, to the end of the recording, or to a divergence. A listener
  /// of the subject must be this replayer.
  machine::StopReason run(Subject& subject, support::Instant deadline);

  [[nodiscard]] const std::optional<Divergence>& divergence() const { return divergence_; }
  [[nodiscard]] uint64_t points_compared() const { return points_compared_; }
  [[nodiscard]] uint64_t events_compared() const { return events_compared_; }
  /// The recording's end was reached, rather than the deadline.
  [[nodiscard]] bool reached_end() const { return reached_end_; }

 private:
  machine::StopReason run_to(Subject& subject, const Point& point, bool last);
  void compare(Subject& subject, const Point& point, bool last, machine::StopReason reason);
  void expect_next();
  void diverge(support::Instant at, std::string what);

  const Recording& recording_;
  bool verify_;
  support::Instant begin_;  ///< of this replay: a keyframe's
  std::function<void()> stop_;
  EventCursor cursor_;
  std::optional<trace::EventRecord> expected_;
  support::Instant equal_until_;
  std::optional<Divergence> divergence_;
  uint64_t events_before_{};  ///< the subject's beginning
  uint64_t points_compared_{}, events_compared_{}, events_seen_{};
  uint64_t stop_at_event_{~uint64_t{0}};
  bool reached_end_{};
};

/// "DebugPrint at 1234, VP 0, VTL 1, RIP 0x...: ...".
[[nodiscard]] std::string to_text(const support::Event& event);
[[nodiscard]] bool same(const support::Event& a, const support::Event& b);

}  // namespace replay
