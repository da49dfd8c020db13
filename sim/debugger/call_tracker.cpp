#include "sim/debugger/call_tracker.h"

#include <algorithm>
#include <cstring>

#include "abi/sk/call_frame.h"

namespace debugger {

namespace sk = abi::sk;
using abi::hv::Vtl;
using support::Event;
using support::EventKind;

namespace {

sk::SkCall frame_of(const Event& event) {
  sk::SkCall call;
  std::memcpy(&call, event.frame, sizeof call);
  return call;
}

Vtl above(Vtl vtl) { return static_cast<Vtl>(static_cast<unsigned>(vtl) + 1); }
Vtl below(Vtl vtl) { return static_cast<Vtl>(vtl == Vtl::Vtl0 ? 0 : static_cast<unsigned>(vtl) - 1); }

OpenCall call_of(uint64_t number, const Event& event, Vtl to, CallKind kind, uint32_t cookie = 0) {
  return {.number = number, .at = event.at, .vp = event.vp, .cookie = cookie, .from = event.vtl, .to = to, .kind = kind};
}

}  // namespace

CallTracker::Step CallTracker::take(uint64_t number, const Event& event) {
  switch (event.kind) {
    case EventKind::VtlCall: return vtl_call(number, event);
    case EventKind::VtlReturn: return vtl_return(number, event);
    case EventKind::VtlInterruptEntry: return begin(call_of(number, event, above(event.vtl), CallKind::Interrupt));
    default: return {};
  }
}

CallTracker::Step CallTracker::vtl_call(uint64_t number, const Event& event) {
  if (event.frame == nullptr) return begin(call_of(number, event, above(event.vtl), CallKind::VtlCall));
  const sk::SkCall frame = frame_of(event);
  if (static_cast<sk::Operation>(frame.operation) != sk::Operation::ResumeThread)
    return begin(call_of(number, event, above(event.vtl), CallKind::VtlCall, frame.cookie));
  for (auto call = open_.end(); call != open_.begin();) {
    --call;
    if (call->cookie == frame.cookie && call->from > call->to) return end(call, event);
  }
  // Nothing that is open waits for it: it starts the thread of its cookie.
  if (!from_beginning_) return {};
  return begin(call_of(number, event, above(event.vtl), CallKind::VtlCall, frame.cookie));
}

CallTracker::Step CallTracker::vtl_return(uint64_t number, const Event& event) {
  auto call = find(current(event.vp));
  const bool after_interrupt = call != open_.end() && call->kind == CallKind::Interrupt;
  const bool says = !after_interrupt && event.frame != nullptr;  // else whatever lies in the registers is nobody's frame
  if (says) {
    const sk::SkCall frame = frame_of(event);
    const auto state = static_cast<sk::State>(frame.state & ~sk::state_break_into_debugger);
    if (state != sk::State::Finished) return begin(call_of(number, event, below(event.vtl), CallKind::VtlReturn, frame.cookie));
  }
  while (call != open_.end() && call->from >= call->to) call = find(call->parent);
  if (call == open_.end()) return {};
  Step step = end(call, event);
  step.finished = says;
  return step;
}

OpenCall CallTracker::beside(uint64_t number, const Event& event) const {
  OpenCall call = call_of(number, event, event.vtl, CallKind::Hypercall);
  call.parent = current(event.vp);
  if (const auto parent = find(call.parent); parent != open_.end()) call.depth = parent->depth + 1;
  return call;
}

CallTracker::Step CallTracker::begin(OpenCall call) {
  if (open_.size() >= most_open) remove(open_.begin());
  call.parent = current(call.vp);
  if (const auto parent = find(call.parent); parent != open_.end()) call.depth = parent->depth + 1;
  open_.push_back(call);
  current_[call.vp] = call.number;
  return {.begun = call, .ended = {}};
}

/// The processor that ends it goes on in what the call was inside of, whoever began it.
CallTracker::Step CallTracker::end(std::vector<OpenCall>::iterator call, const Event& event) {
  const OpenCall ended = *call;
  remove(call);
  if (const auto parent = find(ended.parent); parent != open_.end()) parent->inside += event.at - ended.at;
  if (ended.parent) current_[event.vp] = *ended.parent;
  else current_.erase(event.vp);
  return {.begun = {}, .ended = ended};
}

/// What was inside it is inside its parent from now on.
void CallTracker::remove(std::vector<OpenCall>::iterator call) {
  const OpenCall gone = *call;
  open_.erase(call);
  for (OpenCall& other : open_)
    if (other.parent == gone.number) other.parent = gone.parent;
  for (auto vp = current_.begin(); vp != current_.end();) {
    if (vp->second == gone.number && gone.parent) vp->second = *gone.parent;
    vp = vp->second == gone.number ? current_.erase(vp) : std::next(vp);
  }
}

std::vector<OpenCall>::iterator CallTracker::find(std::optional<uint64_t> number) {
  const auto found = static_cast<const CallTracker*>(this)->find(number);
  return open_.begin() + (found - open_.cbegin());
}

std::vector<OpenCall>::const_iterator CallTracker::find(std::optional<uint64_t> number) const {
  if (!number) return open_.end();
  const auto found = std::lower_bound(open_.begin(), open_.end(), *number, [](const OpenCall& call, uint64_t wanted) { return call.number < wanted; });
  return found != open_.end() && found->number == *number ? found : open_.end();
}

std::optional<uint64_t> CallTracker::current(uint32_t vp) const {
  const auto found = current_.find(vp);
  return found != current_.end() ? std::optional{found->second} : std::nullopt;
}

// --- Points

void CallPoints::add(const Event& event) {
  (void)now_.take(size_, event);
  if (++size_ % distance == 0) points_.push_back({size_, now_});
}

const CallPoints::Point& CallPoints::before(uint64_t row) const {
  const auto after = std::upper_bound(points_.begin(), points_.end(), row, [](uint64_t wanted, const Point& point) { return wanted < point.row; });
  return *std::prev(after);
}

void CallPoints::forget_from(uint64_t row) {
  if (row >= size_) return;
  while (points_.back().row > row) points_.pop_back();
  size_ = points_.back().row;
  now_ = points_.back().calls;
}

}  // namespace debugger
