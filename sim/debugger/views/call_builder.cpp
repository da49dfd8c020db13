#include "sim/debugger/views/call_builder.h"

#include <fmt/format.h>

namespace debugger::views {
namespace {

using support::Event;
using support::EventKind;

Vtl above(Vtl vtl) { return static_cast<Vtl>(static_cast<unsigned>(vtl) + 1); }
Vtl below(Vtl vtl) { return static_cast<Vtl>(vtl == Vtl::Vtl0 ? 0 : static_cast<unsigned>(vtl) - 1); }

std::string text_of(const Event& event, const Names& names) {
  if (event.kind == EventKind::VtlInterruptEntry) return trace::to_text(event, trace::describe(event, &names.images()));
  if (event.kind != EventKind::Hypercall && event.frame == nullptr) return event.kind == EventKind::VtlCall ? "VTL call" : "VTL return";
  const trace::EventDescription call = trace::describe(event, &names.images());
  std::string text = fmt::format("{}({})", call.name, trace::to_text(call.arguments));
  if (!call.outcome.empty()) text += " = " + call.outcome;
  return text;
}

trace::CallFrame frame_of(const Event& event) { return trace::CallFrame{event.frame, 13}; }

}  // namespace

bool CallBuilder::take(const Event& event, const Names& names) {
  switch (event.kind) {
    case EventKind::VtlCall: return vtl_call(event, names);
    case EventKind::VtlReturn: return vtl_return(event, names);
    case EventKind::VtlInterruptEntry: return begin(event, above(event.vtl), names, 0);
    case EventKind::Hypercall: break;
    default: return true;
  }
  if (!hypercalls_) return true;
  const auto current = current_.find(event.vp);
  const size_t before = current == current_.end() ? none : current->second;
  if (!begin(event, event.vtl, names, 0)) return false;
  end(tree_.nodes.size() - 1, event, "");
  current_[event.vp] = before;
  return true;
}

bool CallBuilder::vtl_call(const Event& event, const Names& names) {
  if (event.frame == nullptr) return begin(event, above(event.vtl), names, 0);
  const trace::DecodedSecureCall call = trace::decode_secure_call(frame_of(event));
  if (call.kind != trace::DecodedSecureCall::Kind::Resume) return begin(event, above(event.vtl), names, call.cookie);
  for (size_t i = links_.size(); i-- > 0;) {
    if (!links_[i].open || links_[i].cookie != call.cookie || tree_.nodes[i].from < tree_.nodes[i].to) continue;
    end(i, event, "");
    return true;
  }
  return true;  // it began before the range
}

bool CallBuilder::vtl_return(const Event& event, const Names& names) {
  const auto current = current_.find(event.vp);
  const bool after_interrupt = current != current_.end() && current->second != none && links_[current->second].interrupt;
  if (after_interrupt || event.frame == nullptr) {  // whatever lies in the registers then is nobody's frame
    end_innermost(event, true, "");
    return true;
  }
  const trace::DecodedNormalCall call = trace::decode_normal_call(frame_of(event));
  if (call.kind != trace::DecodedNormalCall::Kind::Finished) return begin(event, below(event.vtl), names, call.cookie);
  end_innermost(event, true, trace::ntstatus_text(call.status));
  return true;
}

bool CallBuilder::begin(const Event& event, Vtl to, const Names& names, uint32_t cookie) {
  tree_.more = tree_.nodes.size() >= maximum_;
  if (tree_.more) return false;
  const auto current = current_.find(event.vp);
  const size_t parent = current == current_.end() ? none : current->second;
  const unsigned depth = parent == none ? 0 : tree_.nodes[parent].depth + 1;
  tree_.nodes.push_back({event.at, {}, event.vp, depth, event.vtl, to, text_of(event, names)});
  links_.push_back({parent, cookie, true, event.kind == EventKind::VtlInterruptEntry});
  current_[event.vp] = tree_.nodes.size() - 1;
  return true;
}

void CallBuilder::end(size_t node, const Event& event, const std::string& outcome) {
  links_[node].open = false;
  tree_.nodes[node].end = event.at;
  if (!outcome.empty()) tree_.nodes[node].text += " = " + outcome;
  current_[event.vp] = links_[node].parent;
}

/// The innermost open one on this processor that went up, or down.
void CallBuilder::end_innermost(const Event& event, bool upwards, const std::string& outcome) {
  const auto current = current_.find(event.vp);
  size_t node = current == current_.end() ? none : current->second;
  while (node != none && !(links_[node].open && (tree_.nodes[node].from < tree_.nodes[node].to) == upwards)) node = links_[node].parent;
  if (node != none) end(node, event, outcome);
}

}  // namespace debugger::views
