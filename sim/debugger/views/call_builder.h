#pragma once
// Calls between the worlds in words, each with what came back.
#include <map>

#include "sim/debugger/call_tracker.h"
#include "sim/debugger/views/events.h"

namespace debugger::views {

class CallBuilder {
 public:
  /// `tracker` knows what was open before the first event; of that, only what is added is shown.
  CallBuilder(size_t maximum, bool hypercalls, CallTracker tracker = {})
      : maximum_{maximum}, hypercalls_{hypercalls}, tracker_{std::move(tracker)} {}

  /// In the order of their numbers. False when there are more calls than the maximum.
  bool take(uint64_t number, const support::Event& event, const Names& names);
  /// A call that is open, with its event. False when there are more than the maximum.
  bool add_open(const OpenCall& call, const support::Event& event, const Names& names);
  [[nodiscard]] CallTree tree() && { return std::move(tree_); }

 private:
  bool add(const OpenCall& call, const support::Event& event, const Names& names);
  void end(const CallTracker::Step& step, const support::Event& event);

  size_t maximum_;
  bool hypercalls_;
  CallTracker tracker_;
  CallTree tree_;
  std::map<uint64_t, size_t> places_;  ///< in the tree, by number, of those that are open
};

}  // namespace debugger::views
