#include "sim/debugger/views/call_builder.h"

#include <fmt/format.h>

#include "sim/trace/call_decoder.h"
#include "sim/trace/event_text.h"

namespace debugger::views {
namespace {

using support::Event;
using support::EventKind;

void add_words(CallNode& node, const Event& event, const Names& names) {
  const trace::EventDescription call = trace::describe(event, &names.images());
  if (event.kind == EventKind::VtlInterruptEntry) {
    node.name = call.name;
    node.text = trace::to_text(event, call);
  } else if (event.kind != EventKind::Hypercall && event.frame == nullptr) {
    node.text = event.kind == EventKind::VtlCall ? "VTL call" : "VTL return";
  } else {
    node.name = call.name;
    node.text = fmt::format("{}({})", call.name, trace::to_text(call.arguments));
    if (!call.outcome.empty()) node.text += " = " + call.outcome;
  }
}

}  // namespace

bool CallBuilder::take(uint64_t number, const Event& event, const Names& names) {
  if (event.kind == EventKind::Hypercall) {
    if (!hypercalls_) return true;
    if (!add(tracker_.beside(number, event), event, names)) return false;
    tree_.nodes.back().end = event.at;
    return true;
  }
  const CallTracker::Step step = tracker_.take(number, event);
  if (step.ended) end(step, event);
  return !step.begun || add_open(*step.begun, event, names);
}

bool CallBuilder::add_open(const OpenCall& call, const Event& event, const Names& names) {
  if (!add(call, event, names)) return false;
  places_.emplace(call.number, tree_.nodes.size() - 1);
  return true;
}

bool CallBuilder::add(const OpenCall& call, const Event& event, const Names& names) {
  tree_.more = tree_.nodes.size() >= maximum_;
  if (tree_.more) return false;
  CallNode node{.call = call, .end = {}, .name = {}, .text = {}};
  add_words(node, event, names);
  tree_.nodes.push_back(std::move(node));
  return true;
}

void CallBuilder::end(const CallTracker::Step& step, const Event& event) {
  const auto place = places_.find(step.ended->number);
  if (place == places_.end()) return;
  CallNode& node = tree_.nodes[place->second];
  places_.erase(place);
  node.call.inside = step.ended->inside;
  node.end = event.at;
  if (!step.finished) return;
  const trace::DecodedNormalCall call = trace::decode_normal_call(trace::CallFrame{event.frame, 13});
  node.text += " = " + trace::ntstatus_text(call.status);
}

}  // namespace debugger::views
