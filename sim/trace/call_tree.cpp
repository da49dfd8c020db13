#include "sim/trace/call_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/trace/event_text.h"

namespace trace {
namespace {

using support::Event;
using support::EventKind;

// Cookies and the nesting come from guests: neither memory nor the width of a line may grow with
// them.
constexpr size_t maximum_parked = 4096;
constexpr unsigned maximum_depth = 20;

std::string call_text(const std::string& name, const Arguments& arguments) {
  return fmt::format("{}({})", name, to_text(arguments));
}

std::string result_text(uint32_t status, const Arguments& outputs) {
  const std::string values = to_text(outputs);
  return values.empty() ? ntstatus_text(status)
                        : fmt::format("{}, {}", ntstatus_text(status), values);
}

}  // namespace

CallTreePrinter::CallTreePrinter(RunLineSink sink, CallTreeOptions options)
    : sink_{std::move(sink)}, options_{options} {}

void CallTreePrinter::finish() {
  if (held_) sink_(held_->line);
  held_.reset();
}

void CallTreePrinter::print(const Event& event, unsigned depth, std::string text) {
  finish();
  sink_({event.at, event.vp, event.vtl, depth, {}, std::move(text)});
}

void CallTreePrinter::hold(const Event& event, unsigned depth, std::string text) {
  finish();
  held_ = Held{{event.at, event.vp, event.vtl, depth, {}, std::move(text)}, event.vp};
}

/// The result of the call on the held line, if it is still held; else a line of its own.
void CallTreePrinter::complete(const Event& event, unsigned depth, const std::string& name,
                               const std::string& result) {
  if (held_ && held_->vp == event.vp && held_->line.depth == depth) {
    held_->line.text += " = " + result;
    finish();
  } else {
    print(event, depth, fmt::format("{} = {}", name, result));
  }
}

/// A call made while NTOS serves a request of the secure kernel belongs below that request.
unsigned CallTreePrinter::nested_depth(const Processor& vp) const {
  if (!vp.last_parked) return 0;
  const auto parked = parked_.find(*vp.last_parked);
  if (parked == parked_.end() || !parked->second.request.visible) return 0;
  return std::min(parked->second.activity.depth + 2, maximum_depth);
}

void CallTreePrinter::on(const Event& event) {
  Processor& vp = processors_[event.vp];
  switch (event.kind) {
    case EventKind::VtlEnabled:
      if (event.b == 1) vp.start_expected = true;
      if (options_.milestones) finish();
      return;
    case EventKind::Milestone:
    case EventKind::ProcessCreated:
    case EventKind::HypervisorLaunched:
    case EventKind::PowerOff:
    case EventKind::TripleFault:
      if (options_.milestones) finish();
      return;
    case EventKind::ImageLoaded:
      if (options_.images) finish();
      return;
    case EventKind::DebugPrint:
      if (options_.debug_print) finish();
      return;
    case EventKind::VtlCall:
      return vtl_call(event, vp);
    case EventKind::VtlReturn:
      return vtl_return(event, vp);
    case EventKind::VtlInterruptEntry: {  // told by the VTL that is left
      const unsigned depth = nested_depth(vp);
      vp.current = Activity{Kind::Interrupt, fmt::format("interrupt {:#x}", event.a), 0, depth};
      return hold(event, depth,
                  fmt::format("interrupt {:#x} enters VTL {}", event.a,
                              static_cast<uint8_t>(event.vtl) + 1));
    }
    case EventKind::Intercept:
      if (!options_.intercepts) return;
      return print(event, vp.current ? vp.current->depth + 1 : nested_depth(vp),
                   to_text(event, describe(event, nullptr)));
    case EventKind::Hypercall:
      if (!options_.hypercalls) return;
      return print(event, vp.current ? vp.current->depth + 1 : nested_depth(vp),
                   to_text(event, describe(event, nullptr)));
    default:
      return;
  }
}

void CallTreePrinter::vtl_call(const Event& event, Processor& vp) {
  if (vp.start_expected) {
    vp.start_expected = false;
    vp.current = Activity{Kind::Start, "first entry", 0, 0};
    return hold(event, 0, "first entry into VTL 1, with the context of EnableVpVtl");
  }
  if (event.frame == nullptr) {
    vp.current = Activity{Kind::Other, "VTL call", 0, nested_depth(vp)};
    return hold(event, vp.current->depth, fmt::format("VTL call (rbx={:#x})", event.a));
  }
  const DecodedSecureCall call = decode_secure_call(CallFrame{event.frame, 13});
  if (call.kind == DecodedSecureCall::Kind::Resume) return resume(event, vp, call);
  const bool service = call.kind == DecodedSecureCall::Kind::Service;
  vp.current =
      Activity{service ? Kind::Service : Kind::Other, call.name, call.code, nested_depth(vp)};
  hold(event, vp.current->depth, call_text(call.name, call.arguments));
}

/// Operation 0 answers the request that the thread of this cookie has open, or starts the thread.
void CallTreePrinter::resume(const Event& event, Processor& vp, const DecodedSecureCall& call) {
  const auto parked = parked_.find(call.cookie);
  if (parked == parked_.end()) {
    vp.current = Activity{Kind::Thread, fmt::format("ResumeThread({:#x})", call.cookie), 0,
                          nested_depth(vp)};
    return hold(event, vp.current->depth, vp.current->name);
  }
  const Request& request = parked->second.request;
  const unsigned depth = parked->second.activity.depth + 1;
  const CallFrame frame{event.frame, 13};
  if (request.visible) {
    const Arguments outputs =
        request.normal_service ? decode_normal_outputs(request.code, frame) : Arguments{};
    complete(event, depth, request.name, result_text(static_cast<uint32_t>(frame[1]), outputs));
  }
  vp.current = parked->second.activity;
  if (vp.last_parked == call.cookie) vp.last_parked.reset();
  parked_.erase(parked);
}

void CallTreePrinter::vtl_return(const Event& event, Processor& vp) {
  if (!vp.current)
    return print(event, 0, fmt::format("VTL return without a call (rbx={:#x})", event.a));
  const Activity current = *vp.current;
  vp.current.reset();
  if (current.kind == Kind::Start)
    return complete(event, current.depth, current.name, "VTL 1 is initialised");
  if (current.kind == Kind::Interrupt) return finish();
  if (event.frame == nullptr)
    return complete(event, current.depth, current.name, fmt::format("rbx {:#x}", event.a));
  if (current.kind == Kind::Other) return finish();
  const DecodedNormalCall call = decode_normal_call(CallFrame{event.frame, 13});
  if (call.kind == DecodedNormalCall::Kind::Finished) {
    const Arguments outputs = current.kind == Kind::Service
                                  ? decode_secure_outputs(current.code, CallFrame{event.frame, 13})
                                  : Arguments{};
    return complete(event, current.depth, current.name, result_text(call.status, outputs));
  }
  vp.current = current;
  request(event, vp, call);
}

void CallTreePrinter::request(const Event& event, Processor& vp, const DecodedNormalCall& call) {
  const bool vina = call.kind == DecodedNormalCall::Kind::Vina;
  const Activity activity = *vp.current;
  vp.current.reset();
  if (parked_.size() < maximum_parked) {
    parked_[call.cookie] = {
        activity,
        {!vina, call.kind == DecodedNormalCall::Kind::NormalService, call.name, call.code}};
    vp.last_parked = call.cookie;
  }
  if (!vina) hold(event, activity.depth + 1, call_text(call.name, call.arguments));
}

}  // namespace trace
