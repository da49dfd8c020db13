#include "sim/debugger/history.h"

#include <algorithm>

namespace debugger {
namespace {

using support::Instant;
using trace::EventRecord;
using Events = std::vector<EventRecord>;

/// Unpacked chunks that are kept: a few megabytes each.
constexpr size_t chunks_kept = 6;

/// Nearly always at the end: parts may announce a thing a little later than its neighbours.
void insert(Events& events, EventRecord record) {
  const auto earlier = [](const EventRecord& a, const EventRecord& b) { return a.event.at < b.event.at; };
  const auto place = events.empty() || !earlier(record, events.back())
                         ? events.end()
                         : std::upper_bound(events.begin(), events.end(), record, earlier);
  events.insert(place, std::move(record));
}

/// The first one at or after `at`.
Events::const_iterator not_before(const Events& events, Instant at) {
  return std::lower_bound(events.begin(), events.end(), at,
                          [](const EventRecord& record, Instant instant) { return record.event.at < instant; });
}

std::optional<EventRecord> last_of(const Events& events, Instant before, Instant floor, const EventFilter& filter) {
  for (auto i = not_before(events, before); i != events.begin();) {
    --i;
    if (i->event.at < floor) break;
    if (filter(i->view())) return *i;
  }
  return std::nullopt;
}

std::optional<EventRecord> first_of(const Events& events, Instant from, const EventFilter& filter) {
  for (auto i = not_before(events, from); i != events.end(); ++i)
    if (filter(i->view())) return *i;
  return std::nullopt;
}

}  // namespace

void ObservedHistory::on(const support::Event& event) {
  if (!listens_) return;
  EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
  if (record.has_frame) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
  record.event.frame = nullptr;
  record.event.text = {};
  insert(events_, std::move(record));
}

void ObservedHistory::forget_from(Instant at) {
  events_.erase(events_.begin() + (not_before(events_, at) - events_.cbegin()), events_.end());
}

std::optional<EventRecord> ObservedHistory::last(Instant before, const EventFilter& filter, Instant floor) {
  auto found = last_of(events_, before, floor, filter);
  if (!found && past_ != nullptr && floor < since_) found = past_->last(std::min(before, since_), filter, floor);
  return found;
}

std::optional<EventRecord> ObservedHistory::first(Instant from, const EventFilter& filter) {
  if (past_ != nullptr && from < since_) {
    auto found = past_->first(from, [&](const support::Event& event) { return event.at >= since_ || filter(event); });
    if (found && found->event.at < since_) return found;
  }
  return first_of(events_, from, filter);
}

RecordedHistory::RecordedHistory(const replay::Recording& recording) : recording_{recording} {
  for (const replay::IndexEntry& entry : recording.index())
    if (entry.kind == replay::kind_events) chunks_.push_back({{entry.first_tick}, {entry.last_tick}});
}

const Events& RecordedHistory::events_of(size_t chunk) {
  std::erase(order_, chunk);
  order_.push_back(chunk);
  if (const auto known = unpacked_.find(chunk); known != unpacked_.end()) return known->second;
  if (order_.size() > chunks_kept) {
    unpacked_.erase(order_.front());
    order_.erase(order_.begin());
  }
  Events& events = unpacked_[chunk];
  const Chunk& bounds = chunks_[chunk];
  replay::EventCursor cursor = recording_.events_from(bounds.first);
  for (;;) {
    auto next = cursor.next();
    if (!next) complaint_ = next.error().message;
    if (!next || !next.value() || next.value()->event.at > bounds.last) break;
    if (next.value()->event.at >= bounds.first) insert(events, std::move(*next.value()));
  }
  return events;
}

std::optional<EventRecord> RecordedHistory::last(Instant before, const EventFilter& filter, Instant floor) {
  for (size_t chunk = chunks_.size(); chunk-- > 0;) {
    if (chunks_[chunk].first >= before) continue;
    if (chunks_[chunk].last < floor) break;
    if (auto found = last_of(events_of(chunk), before, floor, filter)) return found;
  }
  return std::nullopt;
}

std::optional<EventRecord> RecordedHistory::first(Instant from, const EventFilter& filter) {
  for (size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    if (chunks_[chunk].last < from) continue;
    if (auto found = first_of(events_of(chunk), from, filter)) return found;
  }
  return std::nullopt;
}

}  // namespace debugger
