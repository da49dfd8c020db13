#pragma once
// The list of all events, or of those that a query takes, by row. What a query takes is found piece by piece.
#include <cstdint>

#include "sim/debugger/expression.h"
#include "sim/debugger/session.h"

namespace debugger::views {

/// How much may be done before others get their turn: a unit is an event of which only what the recording holds is looked at,
/// about a tenth of a microsecond. It counts work and no time, so that answers are equal everywhere.
using Effort = uint64_t;
inline constexpr Effort one_call = 250'000;

class EventRows {
 public:
  /// `query` null: all events. Both must outlive this.
  EventRows(Session& session, const Expression* query) : session_{session}, query_{query} {}

  /// Goes on looking from where the last call for this query ended. True when all events known now were looked at; also ends
  /// when the session is interrupted.
  bool look(Effort effort);
  [[nodiscard]] bool complete();
  [[nodiscard]] uint64_t looked_at();
  /// Rows found by now.
  [[nodiscard]] uint64_t size();
  /// The number of a row's event among all.
  [[nodiscard]] uint64_t number(uint64_t row);
  /// The first row at or after `at`, of those found by now; size() if there is none.
  [[nodiscard]] uint64_t locate(support::Instant at);
  /// Of the events known by row before `at`, by kind: of all events only of those that were learnt.
  [[nodiscard]] KindCounts counts_before(support::Instant at);
  /// The same of those among the first `events` of all events.
  [[nodiscard]] KindCounts counts_of_first(uint64_t events);

 private:
  [[nodiscard]] History& history() { return session_.timeline().history(); }
  [[nodiscard]] QueryRows& found() { return history().queries().of(*query_); }
  bool look_at_rows(Effort& effort);

  Session& session_;
  const Expression* query_;
};

}  // namespace debugger::views
