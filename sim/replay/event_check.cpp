#include "sim/replay/event_check.h"

#include <fmt/format.h>

#include "sim/replay/replayer.h"

namespace replay {

EventCheck::EventCheck(const Recording& recording, uint64_t events) : first_{events} {
  if (auto cursor = recording.events_after(events)) cursor_ = std::move(cursor.value());
}

void EventCheck::on(const support::Event& event) {
  if (!cursor_ || !other_.empty()) return;
  auto expected = cursor_->next();
  if (!expected || !expected.value()) {
    // A recording that was cut knows nothing of it: that is no difference.
    cursor_.reset();
    return;
  }
  const trace::EventRecord& record = *expected.value();
  if (!same(event, record.view())) {
    other_ = fmt::format("event {} is {}; recorded was {}", first_ + equal_, to_text(event), to_text(record.view()));
    return;
  }
  if (equal_ == 0) from_ = event.at;
  until_ = event.at;
  ++equal_;
}

std::optional<std::string> EventCheck::text() const {
  if (equal_ == 0 && other_.empty()) return std::nullopt;
  if (equal_ == 0) return "not the same as recorded: " + other_;
  const std::string same_ones = fmt::format("{} events from {} to {}", equal_, from_.ticks, until_.ticks);
  if (other_.empty()) return same_ones + " are as recorded";
  return fmt::format("{} are as recorded, then it is not the same: {}", same_ones, other_);
}

}  // namespace replay
