#pragma once
// From switches between VTLs to calls: who called whom, what came back, and what is inside what.
#include <map>

#include "sim/debugger/views/events.h"
#include "sim/trace/call_decoder.h"
#include "sim/trace/event_text.h"

namespace debugger::views {

/// A call of NTOS for a secure service begins with a VTL call and ends with the VTL return that says so; a normal call of
/// the secure kernel begins with a VTL return and ends with the VTL call that resumes it by its cookie.
class CallBuilder {
 public:
  CallBuilder(size_t maximum, bool hypercalls) : maximum_{maximum}, hypercalls_{hypercalls} {}

  /// In the order of time. False when there are more than the maximum.
  bool take(const support::Event& event, const Names& names);
  [[nodiscard]] CallTree tree() && { return std::move(tree_); }

 private:
  static constexpr size_t none = ~size_t{0};
  /// Beside tree_.nodes.
  struct Link {
    size_t parent{none};
    uint32_t cookie{};
    bool open{true};
    bool interrupt{};  ///< entered by an interrupt or intercept: whatever returns next ends it
  };

  bool vtl_call(const support::Event& event, const Names& names);
  bool vtl_return(const support::Event& event, const Names& names);
  bool begin(const support::Event& event, Vtl to, const Names& names, uint32_t cookie);
  void end(size_t node, const support::Event& event, const std::string& outcome);
  void end_innermost(const support::Event& event, bool upwards, const std::string& outcome);

  size_t maximum_;
  bool hypercalls_;
  CallTree tree_;
  std::vector<Link> links_;
  std::map<uint32_t, size_t> current_;  ///< by processor
};

}  // namespace debugger::views
