#include "sim/replay/replayer.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/loader/pe_image.h"
#include "sim/replay/recorder.h"
#include "sim/trace/event_text.h"

namespace replay {

using machine::StopReason;

std::string to_text(const support::Event& event) {
  return fmt::format("{} at instant {}, VP {}, VTL {}, RIP {:#x}", trace::to_text(event, trace::describe(event, nullptr)),
                     event.at.ticks, event.vp, static_cast<unsigned>(event.vtl), event.rip);
}

bool same(const support::Event& a, const support::Event& b) {
  if (a.at != b.at || a.vp != b.vp || a.vtl != b.vtl || a.kind != b.kind || a.a != b.a || a.b != b.b || a.c != b.c ||
      a.rip != b.rip || (a.frame != nullptr) != (b.frame != nullptr))
    return false;
  if (a.frame != nullptr && !std::equal(a.frame, a.frame + 13, b.frame)) return false;
  return a.text.substr(0, maximum_text) == b.text.substr(0, maximum_text);
}

Replayer::Replayer(const Recording& recording, bool verify)
    : recording_{recording}, verify_{verify}, cursor_{recording.events_from({})} {
  if (recording.complete() && recording.foot()->ending == static_cast<uint32_t>(Ending::Requested))
    stop_at_event_ = recording.foot()->events;
  if (verify_) expect_next();
}

support::Status Replayer::schedule(const Recording& recording, machine::Machine& machine) {
  for (const Input& input : recording.inputs())
    if (const support::Status taken = machine.schedule_input(input); !taken)
      return support::Error{fmt::format("{}: {}", to_text(input), taken.error().message)};
  return support::Unit{};
}

void Replayer::diverge(support::Instant at, std::string what) {
  if (divergence_) return;
  divergence_ = Divergence{equal_until_, at, std::move(what)};
  if (stop_) stop_();
}

void Replayer::expect_next() {
  auto next = cursor_.next();
  if (next) expected_ = std::move(next.value());
  else diverge(equal_until_, fmt::format("the recording cannot be read: {}", next.error().message));
}

void Replayer::on(const support::Event& event) {
  // A run that was asked to stop at an event stopped after all that happened together with it.
  if (++events_seen_ == stop_at_event_ && stop_) stop_();
  if (!verify_ || divergence_) return;
  if (!expected_) {
    if (!recording_.complete() && event.at >= recording_.end()) return;
    diverge(event.at, fmt::format("{}, where the recording has no event any more", to_text(event)));
    return;
  }
  if (!same(event, expected_->view())) {
    diverge(event.at, fmt::format("{}, where the recording has {}", to_text(event), to_text(expected_->view())));
    return;
  }
  ++events_compared_;
  expect_next();
}

StopReason Replayer::run_to(Subject& subject, const Point& point, bool last) {
  const bool ended = last && recording_.complete();
  // What ends a run needs no time: the deadline must not come first.
  const bool beyond = ended && recording_.foot()->ending != static_cast<uint32_t>(Ending::Deadline);
  return subject.run(beyond ? point.at + 1 : point.at);
}

void Replayer::compare(Subject& subject, const Point& point, bool last, StopReason reason) {
  const bool ended = last && recording_.complete();
  const StopReason wanted = ended ? to_reason(static_cast<Ending>(recording_.foot()->ending)) : StopReason::Deadline;
  const Point found = point_of(subject.machine());
  if (found != point) {
    diverge(found.at, fmt::format("{} at instant {}: {}", place(found), found.at.ticks, differences(found, point)));
  } else if (expected_ && (ended || expected_->event.at < point.at)) {
    diverge(found.at, fmt::format("{} at instant {}: this did not happen: {}", place(found), found.at.ticks,
                                  to_text(expected_->view())));
  } else if (reason != wanted) {
    diverge(found.at, fmt::format("{} at instant {}: the machine stopped otherwise than recorded", place(found),
                                  found.at.ticks));
  }
  if (divergence_) return;
  equal_until_ = point.at;
  ++points_compared_;
}

support::Result<support::Instant> Replayer::begin_near(Subject& subject, support::Instant from) {
  const Keyframe* const keyframe = recording_.keyframe_before(std::min(from, recording_.end()));
  if (keyframe == nullptr) return support::Instant{};
  EventCursor cursor = TRY(recording_.events_after(keyframe->events));
  TRY(restore_keyframe(recording_, *keyframe, subject.machine()));
  cursor_ = std::move(cursor);
  if (verify_) expect_next();
  events_seen_ = events_before_ = keyframe->events;
  return begin_ = equal_until_ = keyframe->at;
}

support::Status Replayer::tell_before(support::EventSink& listener) const {
  EventCursor cursor = recording_.events_from({});
  for (uint64_t left = events_before_; left != 0; --left) {
    const std::optional<trace::EventRecord> event = TRY(cursor.next());
    if (!event) break;
    listener.on(event->view());
  }
  return support::Unit{};
}

StopReason Replayer::run(Subject& subject, support::Instant deadline) {
  stop_ = [&subject] { subject.machine().request_stop(); };
  const std::vector<Point>& points = recording_.points();
  StopReason reason = StopReason::Deadline;
  reached_end_ = points.empty();  // cut so early that nothing can be replayed
  for (size_t i = verify_ || points.empty() ? 0 : points.size() - 1; i < points.size() && !divergence_; ++i) {
    const bool last = i + 1 == points.size();
    if (points[i].at < begin_) continue;
    if (points[i].at > deadline) {
      reason = subject.run(deadline);
      break;
    }
    reason = run_to(subject, points[i], last);
    const bool asked = reason == StopReason::Requested && !divergence_ && !(last && events_seen_ >= stop_at_event_);
    if (asked) break;  // by somebody else
    if (verify_ && !divergence_) compare(subject, points[i], last, reason);
    reached_end_ = last && !divergence_;
    if (reason != StopReason::Deadline) break;
  }
  stop_ = nullptr;
  return reason;
}

}  // namespace replay
