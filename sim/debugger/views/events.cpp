#include "sim/debugger/views/events.h"

#include <algorithm>

#include "sim/debugger/views/call_builder.h"

namespace debugger::views {
namespace {

using support::Event;
using support::EventKind;
using support::Instant;
using trace::EventRecord;

/// So many events are copied at once; all of one instant together.
constexpr size_t batch = 512;
constexpr size_t event_kinds = static_cast<size_t>(EventKind::Walk) + 1;

EventRecord copy_of(const Event& event) {
  EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
  if (event.frame != nullptr) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
  record.event.frame = nullptr;
  record.event.text = {};
  return record;
}

/// True when the batch is full and the next instant begins.
bool full(const std::vector<EventRecord>& events, const Event& next) {
  return events.size() >= batch && events.back().event.at != next.at;
}

std::vector<EventRecord> batch_from(History& history, Instant from, std::optional<Instant> to) {
  std::vector<EventRecord> events;
  (void)history.first(from, [&](const Event& event) {
    if ((to && event.at >= *to) || full(events, event)) return true;
    events.push_back(copy_of(event));
    return false;
  });
  return events;
}

std::vector<EventRecord> batch_before(History& history, Instant before, std::optional<Instant> to) {
  std::vector<EventRecord> events;
  (void)history.last(before, [&](const Event& event) {
    if ((to && event.at < *to) || full(events, event)) return true;
    events.push_back(copy_of(event));
    return false;
  }, {});
  return events;
}

/// Which VTL runs after the event.
Vtl vtl_after(const Event& event) {
  const unsigned vtl = static_cast<unsigned>(event.vtl);
  if (event.kind == EventKind::VtlCall || event.kind == EventKind::VtlInterruptEntry) return static_cast<Vtl>(vtl + 1);
  if (event.kind == EventKind::VtlReturn && vtl > 0) return static_cast<Vtl>(vtl - 1);
  return event.vtl;
}

Vtl vtl_at(Session& session, Instant at) {
  Vtl vtl{};
  for_each_event(session, {at, {}, true}, [&](const EventRecord& record) {
    vtl = vtl_after(record.event);
    return false;
  });
  return vtl;
}

/// Adds [from, to) to the buckets that it touches.
void add_time(std::vector<Bucket>& buckets, size_t& first, Instant from, Instant to, Vtl vtl) {
  while (first < buckets.size() && buckets[first].to <= from) ++first;
  for (size_t i = first; i < buckets.size() && buckets[i].from < to; ++i) {
    const uint64_t begin = std::max(from, buckets[i].from).ticks, end = std::min(to, buckets[i].to).ticks;
    if (end <= begin) continue;
    (vtl == Vtl::Vtl0 ? buckets[i].vtl0 : buckets[i].vtl1) += end - begin;
  }
}

std::vector<Bucket> empty_buckets(Instant from, Instant to, size_t count) {
  std::vector<Bucket> buckets;
  const uint64_t length = to > from ? to.ticks - from.ticks : 0;
  // Without overflow, and without buckets of different lengths by more than one.
  const auto edge = [&](size_t i) { return Instant{from.ticks + length / count * i + length % count * i / count}; };
  for (size_t i = 0; i < count; ++i) buckets.push_back({edge(i), edge(i + 1), 0, 0, std::vector<uint64_t>(event_kinds)});
  return buckets;
}

}  // namespace

void for_each_event(Session& session, const EventRange& range, const std::function<bool(const EventRecord&)>& visit) {
  Instant next = range.from;
  for (;;) {
    History& history = session.timeline().history();
    const auto events = range.back ? batch_before(history, next, range.to) : batch_from(history, next, range.to);
    for (const EventRecord& record : events)
      if (!visit(record)) return;
    if (events.size() < batch || session.interrupted()) return;
    next = range.back ? events.back().event.at : Instant{events.back().event.at.ticks + 1};
  }
}

bool holds(Session& session, const Expression& query, const EventRecord& record) {
  const Event event = record.view();
  Environment environment{.machine = nullptr, .event = &event, .names = nullptr, .vp = event.vp, .vtl = event.vtl};
  if (query.uses_state()) {
    const auto view = session.look({event.at, event.vp, event.vtl, 0, {}});
    if (!view) return false;
    environment.machine = &view.value().machine;
  }
  if (query.uses_names()) session.names().move_to(event.at);
  environment.names = &session.names();
  return query.holds(environment);
}

std::vector<Bucket> summarize(Session& session, Instant from, Instant to, size_t count, const Expression* query) {
  std::vector<Bucket> buckets = empty_buckets(from, to, count);
  Vtl vtl = vtl_at(session, from);
  Instant since = from;
  size_t at = 0, time_at = 0;
  for_each_event(session, {from, to, false}, [&](const EventRecord& record) {
    const Event& event = record.event;
    add_time(buckets, time_at, since, event.at, vtl);
    since = event.at;
    vtl = vtl_after(event);
    while (at + 1 < buckets.size() && buckets[at].to <= event.at) ++at;
    const auto kind = static_cast<size_t>(event.kind);
    if (kind < event_kinds && (query == nullptr || holds(session, *query, record))) ++buckets[at].counts[kind];
    return true;
  });
  add_time(buckets, time_at, since, std::min(to, session.timeline().end()), vtl);
  return buckets;
}

CallTree call_tree(Session& session, const EventRange& range, size_t maximum, bool hypercalls) {
  CallBuilder builder{maximum, hypercalls};
  for_each_event(session, range, [&](const EventRecord& record) {
    session.names().move_to(record.event.at);
    return builder.take(record.view(), session.names());
  });
  return std::move(builder).tree();
}

}  // namespace debugger::views
