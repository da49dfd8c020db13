#include "sim/debugger/event_query.h"

#include <algorithm>

#include "sim/debugger/expression.h"

namespace debugger {

void QueryRows::add(uint64_t row, support::EventKind kind) {
  rows.add(row);
  kinds.add(kind);
}

void QueryRows::forget_from(uint64_t row) {
  const uint64_t left = rows.before(row);
  rows.cut(left);
  kinds.cut(left);
  looked_at = std::min(looked_at, row);
}

QueryRows& EventQueries::of(const Expression& query) {
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const QueryRows& each) { return each.query->same_as(query); });
  if (found != known_.end()) {
    known_.splice(known_.begin(), known_, found);
    return known_.front();
  }
  if (known_.size() >= kept) known_.pop_back();
  known_.push_front({std::make_shared<const Expression>(query), 0, {}, {}});
  return known_.front();
}

void EventQueries::forget_from(uint64_t row) {
  for (QueryRows& each : known_) each.forget_from(row);
}

}  // namespace debugger
