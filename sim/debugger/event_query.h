#pragma once
// The rows that queries have found so far.
#include <list>
#include <memory>

#include "sim/debugger/event_index.h"

namespace debugger {

class Expression;

/// What one query found among the first rows.
struct QueryRows {
  std::shared_ptr<const Expression> query;
  uint64_t looked_at{};   ///< rows, from the first one on
  AscendingColumn rows;   ///< those that it takes
  KindColumn kinds;       ///< of them

  void add(uint64_t row, support::EventKind kind);
  void forget_from(uint64_t row);
};

/// Of the last few queries.
class EventQueries {
 public:
  /// What is known of `query`, or of one that means the same; nothing yet, if it is a new one. Valid until the next call.
  [[nodiscard]] QueryRows& of(const Expression& query);
  void forget_from(uint64_t row);
  /// When names mean something else.
  void clear() { known_.clear(); }

 private:
  static constexpr size_t kept = 4;
  std::list<QueryRows> known_;  ///< the one asked for last is the first
};

}  // namespace debugger
