#pragma once
// Whether what happens in a replay is what was recorded, while somebody walks in it.
#include <optional>
#include <string>

#include "sim/replay/recording.h"

namespace replay {

/// Listens to a machine that repeats `recording`, and compares each event with the recorded one. It compares up to the first
/// that is another.
class EventCheck final : public support::EventSink {
 public:
  /// `events`: so many of the recording's are not heard of. The recording must outlive this.
  EventCheck(const Recording& recording, uint64_t events);
  void on(const support::Event& event) override;

  /// Events that were compared and are the same.
  [[nodiscard]] uint64_t equal() const { return equal_; }
  /// What was compared, as a sentence; nothing as long as nothing was.
  [[nodiscard]] std::optional<std::string> text() const;

 private:
  std::optional<EventCursor> cursor_;
  uint64_t first_, equal_{};
  support::Instant from_, until_;
  std::string other_;  ///< what was not as recorded; empty: all was
};

}  // namespace replay
