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

/// The same as far as the event alone tells; nothing if it depends on registers or memory.
[[nodiscard]] std::optional<bool> holds_without_state(Session& session, const Expression& query, const support::Event& event);

/// A part of a run, [from, to): in instants, or in rows of the list of all events.
struct Stretch {
  enum class By : uint8_t { Time, Events };
  uint64_t from{}, to{};
  By by{};
};
/// A stretch of time, [from, to).
struct Bucket {
  support::Instant from, to;
  uint64_t row{};                      ///< events before it; by rows: its first one
  std::vector<VtlTrack::Ticks> lanes;  ///< instants that each processor stood in each VTL; none after what is known
  KindCounts counts{};                 ///< of events
};
struct Summary {
  std::vector<Bucket> buckets;
  bool complete{};  ///< all events known now were counted; else call again
};
/// `count` buckets, from 1 on, of equally many instants or events; by rows, a bucket ends where the next one's first event happens.
/// `query` may be null: only its events are counted. Looks at so many events more as `effort` allows: what lies behind them is not counted.
[[nodiscard]] Summary summarize(Session& session, const Stretch& stretch, size_t count, const Expression* query, uint64_t effort);

/// A call from one world into another, or a hypercall.
struct CallNode {
  OpenCall call;                        ///< what is inside it is only known once it has ended
  std::optional<support::Instant> end;  ///< of its return; nothing if it did not return before the end of the range
  std::string name;                     ///< of the service or hypercall; empty where nobody says
  std::string text;
};
struct CallTree {
  std::vector<CallNode> nodes;  ///< by their beginnings
  bool more{};                  ///< there are others beyond the maximum
  bool complete{};              ///< what was open before the range is known; else call again
};
struct CallsWanted {
  size_t maximum{1000};
  bool hypercalls{};
  bool enclosing{};  ///< also those that were open when the range begins
};
/// Calls that begin in [from, to). Looks at so many events before it as `effort` allows, when `enclosing` needs them.
[[nodiscard]] CallTree call_tree(Session& session, support::Instant from, std::optional<support::Instant> to, const CallsWanted& wanted,
                                 uint64_t effort);

}  // namespace debugger::views
