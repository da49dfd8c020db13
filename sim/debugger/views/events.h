#pragma once
// What happened, in the order of time: lists, sums, and the calls between the worlds as a tree.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/debugger/expression.h"
#include "sim/debugger/session.h"

namespace debugger::views {

struct EventRange {
  support::Instant from;
  std::optional<support::Instant> to;  ///< forwards: not any more; back: still
  bool back{};                         ///< what happened before `from`, the latest first
};

/// Until `visit` says false, or the session is interrupted. It may move the session and look for names: nothing of the history is held meanwhile.
void for_each_event(Session& session, const EventRange& range, const std::function<bool(const trace::EventRecord&)>& visit);

/// Whether `query` is true for an event. One that looks at registers or memory takes the machine to the event.
[[nodiscard]] bool holds(Session& session, const Expression& query, const trace::EventRecord& record);

/// A stretch of time, [from, to).
struct Bucket {
  support::Instant from, to;
  uint64_t vtl0{}, vtl1{};         ///< instants; VTL 2 counts as VTL 1. With several processors the one heard of last counts
  std::vector<uint64_t> counts;    ///< by support::EventKind
};
/// `count` from 1 on; `query` may be null.
[[nodiscard]] std::vector<Bucket> summarize(Session& session, support::Instant from, support::Instant to, size_t count,
                                            const Expression* query);

/// A call from one world into another, or a hypercall.
struct CallNode {
  support::Instant at;
  std::optional<support::Instant> end;  ///< of its return; nothing if it did not return before the end of the range
  uint32_t vp{};
  unsigned depth{};
  Vtl from{}, to{};
  std::string text;
};
struct CallTree {
  std::vector<CallNode> nodes;  ///< by their beginnings
  bool more{};                  ///< there are others beyond the maximum
};
[[nodiscard]] CallTree call_tree(Session& session, const EventRange& range, size_t maximum, bool hypercalls);

}  // namespace debugger::views
