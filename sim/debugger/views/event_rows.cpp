#include "sim/debugger/views/event_rows.h"

#include <algorithm>

#include "sim/debugger/views/events.h"

namespace debugger::views {

using support::Event;
using support::Instant;

namespace {

/// What other questions cost: names of the event's instant; the machine there.
constexpr Effort effort_of_names = 4, effort_of_state = 60'000;
/// Events between two looks at whether somebody wants to stop.
constexpr uint64_t between_looks = 4096;

}  // namespace

bool EventRows::complete() { return query_ == nullptr || found().looked_at >= history().size(); }
uint64_t EventRows::looked_at() { return query_ == nullptr ? history().size() : found().looked_at; }
uint64_t EventRows::size() { return query_ == nullptr ? history().size() : found().rows.size(); }
uint64_t EventRows::number(uint64_t row) { return query_ == nullptr ? row : found().rows[row]; }

uint64_t EventRows::locate(Instant at) {
  const uint64_t row = history().row_at(at);
  return query_ == nullptr ? row : found().rows.before(row);
}

KindCounts EventRows::counts_before(Instant at) {
  if (query_ == nullptr) return history().counts_before(at);
  QueryRows& rows = found();
  return rows.kinds.first(rows.rows.before(history().rows_before(at)));
}

KindCounts EventRows::counts_of_first(uint64_t events) {
  if (query_ == nullptr) return history().counts_of_first(events);
  QueryRows& rows = found();
  return rows.kinds.first(rows.rows.before(events));
}

/// Up to the first event that only the machine's state can tell of, and that one.
bool EventRows::look_at_rows(Effort& effort) {
  QueryRows& rows = found();
  const Effort each = query_->uses_names() ? effort_of_names : 1;
  std::optional<trace::EventRecord> doubtful;
  history().read(rows.looked_at, history().size(), [&](uint64_t row, const Event& event) {
    if (effort < each || (row % between_looks == 0 && session_.interrupted())) return false;
    effort -= each;
    const std::optional<bool> holds = holds_without_state(session_, *query_, event);
    if (!holds) doubtful = record_of(event);
    else if (*holds) rows.add(row, event.kind);
    if (holds) rows.looked_at = row + 1;
    return holds.has_value();
  });
  if (!doubtful) return false;
  if (holds(session_, *query_, *doubtful)) rows.add(rows.looked_at, doubtful->event.kind);
  ++rows.looked_at;
  effort -= std::min(effort, effort_of_state);
  return true;
}

bool EventRows::look(Effort effort) {
  if (query_ == nullptr) return true;
  while (!complete() && effort != 0 && !session_.interrupted() && look_at_rows(effort)) {}
  return complete();
}

}  // namespace debugger::views
