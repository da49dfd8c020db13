#include "sim/debugger/views/events.h"

#include <algorithm>

#include "sim/debugger/views/call_builder.h"
#include "sim/debugger/views/event_rows.h"

namespace debugger::views {
namespace {

using support::Event;
using support::EventKind;
using support::Instant;
using trace::EventRecord;

/// So many events are copied at once; all of one instant together.
constexpr size_t batch = 512;
/// Learning only reads instants and kinds.
constexpr uint64_t learnt_for_a_unit = 2;

/// True when the batch is full and the next instant begins.
bool full(const std::vector<EventRecord>& events, const Event& next) {
  return events.size() >= batch && events.back().event.at != next.at;
}

std::vector<EventRecord> batch_from(History& history, Instant from, std::optional<Instant> to) {
  std::vector<EventRecord> events;
  (void)history.first(from, [&](const Event& event) {
    if ((to && event.at >= *to) || full(events, event)) return true;
    events.push_back(record_of(event));
    return false;
  });
  return events;
}

std::vector<EventRecord> batch_before(History& history, Instant before, std::optional<Instant> to) {
  std::vector<EventRecord> events;
  (void)history.last(before, [&](const Event& event) {
    if ((to && event.at < *to) || full(events, event)) return true;
    events.push_back(record_of(event));
    return false;
  }, {});
  return events;
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

std::optional<bool> holds_without_state(Session& session, const Expression& query, const Event& event) {
  if (query.uses_names()) session.names().move_to(event.at);
  const Environment environment{.machine = nullptr, .event = &event, .names = &session.names(), .vp = event.vp, .vtl = event.vtl};
  if (!query.uses_state()) return query.holds(environment);
  const std::optional<Value> value = query.evaluate(environment);
  return value ? std::optional{value->type != ValueType::Text && value->number != 0} : std::nullopt;
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

namespace {

/// Between two buckets.
struct Edge {
  Instant at;
  uint64_t row{};
};

/// Ascending, and without overflow: pieces differ by one at most.
uint64_t cut(uint64_t from, uint64_t to, size_t count, size_t i) {
  const uint64_t length = to > from ? to - from : 0;
  return from + length / count * i + length % count * i / count;
}

std::vector<Edge> edges(Session& session, History& history, const Stretch& stretch, size_t count) {
  const Instant known = std::min(history.learnt_until(), session.timeline().end());
  std::vector<Edge> edges;
  for (size_t i = 0; i <= count; ++i) {
    const uint64_t place = cut(stretch.from, stretch.to, count, i);
    if (stretch.by == Stretch::By::Time) {
      edges.push_back({Instant{place}, history.rows_before(Instant{place})});
    } else {
      const uint64_t row = std::min(place, history.learnt());
      edges.push_back({history.instant_of(row).value_or(known), row});
    }
  }
  return edges;
}

std::vector<VtlTrack::Ticks> lanes_before(Session& session, Instant at) {
  const auto processors = static_cast<uint32_t>(std::min<size_t>(session.timeline().machine().processor_count(), EventIndex::most_processors));
  const Instant until = std::min({at, session.timeline().end(), session.timeline().history().learnt_until()});
  std::vector<VtlTrack::Ticks> lanes;
  for (uint32_t vp = 0; vp < processors; ++vp) lanes.push_back(session.timeline().history().lanes_before(until, vp));
  return lanes;
}

}  // namespace

Summary summarize(Session& session, const Stretch& stretch, size_t count, const Expression* query, uint64_t effort) {
  History& history = session.timeline().history();
  EventRows rows{session, query};
  Summary summary{{}, history.learn(effort * learnt_for_a_unit)};
  summary.complete = rows.look(effort) && summary.complete;
  const std::vector<Edge> between = edges(session, history, stretch, count);
  KindCounts counts = rows.counts_of_first(between.front().row);
  std::vector<VtlTrack::Ticks> lanes = lanes_before(session, between.front().at);
  for (size_t i = 0; i < count; ++i) {
    const Edge &from = between[i], &to = between[i + 1];
    const KindCounts counts_then = rows.counts_of_first(to.row);
    const std::vector<VtlTrack::Ticks> lanes_then = lanes_before(session, to.at);
    Bucket bucket{from.at, to.at, from.row, lanes_then, counts_then};
    for (size_t kind = 0; kind < counts.size(); ++kind) bucket.counts[kind] -= counts[kind];
    for (size_t vp = 0; vp < lanes.size(); ++vp)
      for (size_t vtl = 0; vtl < lanes[vp].size(); ++vtl) bucket.lanes[vp][vtl] -= lanes[vp][vtl];
    summary.buckets.push_back(std::move(bucket));
    counts = counts_then;
    lanes = lanes_then;
  }
  return summary;
}

namespace {

constexpr KindSet switches = set_of(EventKind::VtlCall) | set_of(EventKind::VtlReturn) | set_of(EventKind::VtlInterruptEntry);

/// The calls that are open before `row`; nothing as long as that is not known.
std::optional<CallTracker> open_before(Session& session, uint64_t row, uint64_t effort) {
  History& history = session.timeline().history();
  CallPoints& points = history.calls();
  if (points.size() < row) {
    const uint64_t last = points.size() + std::min(effort, row - points.size());
    history.read(points.size(), last, [&](uint64_t, const Event& event) {
      points.add(event);
      return true;
    });
  }
  if (points.size() < row) return std::nullopt;
  const CallPoints::Point& point = points.before(row);
  CallTracker calls = point.calls;
  history.read(point.row, row, [&](uint64_t number, const Event& event) {
    (void)calls.take(number, event);
    return true;
  });
  return calls;
}

/// Those that are open before the range.
bool add_enclosing(Session& session, const CallTracker& calls, CallBuilder& builder) {
  for (const OpenCall& call : calls.open()) {
    const auto record = session.timeline().history().event(call.number);
    if (!record) continue;
    session.names().move_to(call.at);
    if (!builder.add_open(call, record->view(), session.names())) return false;
  }
  return true;
}

}  // namespace

CallTree call_tree(Session& session, Instant from, std::optional<Instant> to, const CallsWanted& wanted, uint64_t effort) {
  History& history = session.timeline().history();
  const uint64_t first = history.row_at(from), last = to ? std::max(first, history.row_at(*to)) : history.size();
  const std::optional<CallTracker> before = wanted.enclosing ? open_before(session, first, effort) : CallTracker{first == 0};
  CallBuilder builder{wanted.maximum, wanted.hypercalls, before.value_or(CallTracker{})};
  const KindSet shown = switches | (wanted.hypercalls ? set_of(EventKind::Hypercall) : KindSet{0});
  if (!before || add_enclosing(session, *before, builder)) {
    history.read(first, last, [&](uint64_t number, const Event& event) {
      if (number % batch == 0 && session.interrupted()) return false;
      if (static_cast<size_t>(event.kind) >= kind_count || (set_of(event.kind) & shown) == 0) return true;
      session.names().move_to(event.at);
      return builder.take(number, event, session.names());
    });
  }
  CallTree tree = std::move(builder).tree();
  tree.complete = before.has_value();
  return tree;
}

}  // namespace debugger::views
