#include "sim/trace/event_text.h"

#include <fmt/format.h>

#include "abi/sk/tables.h"
#include "sim/trace/event_names.h"

namespace trace {
namespace {

using support::Event;
using support::EventKind;

std::string address_text(uint64_t address, const loader::ImageCatalog* images) {
  const std::string symbol = images != nullptr ? images->describe(address) : std::string{};
  return symbol.empty() ? fmt::format("{:#x}", address) : fmt::format("{:#x} {}", address, symbol);
}

EventDescription describe_hypercall(const Event& event) {
  const loader::Bytes input{reinterpret_cast<const uint8_t*>(event.text.data()), event.text.size()};
  DecodedHypercall call = decode_hypercall(event.a, event.b, input);
  if (call.reps_asked != 0)
    call.arguments.push_back({"reps", fmt::format("{}/{}", call.reps_done, call.reps_asked)});
  return {std::move(call.name), std::move(call.arguments), std::move(call.status)};
}

EventDescription describe_switch(const Event& event) {
  if (event.frame == nullptr) return {{}, {{"rbx", fmt::format("{:#x}", event.a)}}, {}};
  const CallFrame frame{event.frame, 13};
  if (event.kind == EventKind::VtlCall) {
    DecodedSecureCall call = decode_secure_call(frame);
    return {std::move(call.name), std::move(call.arguments), {}};
  }
  DecodedNormalCall call = decode_normal_call(frame);
  const bool finished = call.kind == DecodedNormalCall::Kind::Finished;
  return {std::move(call.name), std::move(call.arguments),
          finished ? ntstatus_text(call.status) : std::string{}};
}

EventDescription describe_exception(const Event& event) {
  EventDescription out{exception_name(event.a), {}, {}};
  if (event.b != 0) out.arguments.push_back({"error", fmt::format("{:#x}", event.b)});
  if (event.a == 14) out.arguments.push_back({"cr2", fmt::format("{:#x}", event.c)});
  return out;
}

EventDescription describe_intercept(const Event& event, const loader::ImageCatalog* images) {
  static constexpr const char* accesses[] = {"read", "write", "execute"};
  return {event.c < 3 ? accesses[event.c] : "access",
          {{"gva", address_text(event.a, images)}, {"gpa", fmt::format("{:#x}", event.b)}},
          {}};
}

EventDescription describe_system_call(const Event& event) {
  const auto number = static_cast<uint32_t>(event.a);
  const auto* row = (number & abi::sk::secure_call_bit) != 0
                        ? abi::sk::find_row(abi::sk::secure_calls, number)
                        : abi::sk::find_row(abi::sk::nt_calls, number);
  return {row != nullptr ? row->name : fmt::format("{:#x}", number), {}, {}};
}

EventDescription describe_image(const Event& event) {
  return {loader::printable(event.text),
          {{"base", fmt::format("{:#x}", event.a)}, {"size", fmt::format("{:#x}", event.b)}},
          {}};
}

EventDescription describe_protection(const Event& event) {
  return {{},
          {{"gpa", fmt::format("{:#x}", event.a)},
           {"pages", fmt::format("{}", event.b)},
           {"map_flags", fmt::format("{:#x}", event.c)}},
          {}};
}

EventDescription describe_process(const Event& event) {
  return {loader::printable(event.text),
          {{"pid", fmt::format("{}", event.a)},
           {"cr3", fmt::format("{:#x}", event.b)},
           {"secure_handle", fmt::format("{:#x}", event.c)}},
          {}};
}

}  // namespace

std::string exception_name(uint64_t vector) {
  static constexpr std::string_view names[] = {
      "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
      "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};
  if (vector < std::size(names) && !names[vector].empty()) return std::string{names[vector]};
  return fmt::format("vector {:#x}", vector);
}

EventDescription describe(const Event& event, const loader::ImageCatalog* images) {
  switch (event.kind) {
    case EventKind::Hypercall:
      return describe_hypercall(event);
    case EventKind::VtlCall:
    case EventKind::VtlReturn:
      return describe_switch(event);
    case EventKind::VtlInterruptEntry:
    case EventKind::Interrupt:
      return {{}, {{"vector", fmt::format("{:#x}", event.a)}}, {}};
    case EventKind::Intercept:
      return describe_intercept(event, images);
    case EventKind::ProtectionChange:
      return describe_protection(event);
    case EventKind::VtlEnabled:
      return {event.b == 0 ? "partition" : "virtual processor",
              {{"target_vtl", fmt::format("{}", event.a)}},
              {}};
    case EventKind::Exception:
      return describe_exception(event);
    case EventKind::SystemCall:
      return describe_system_call(event);
    case EventKind::MsrWrite:
      return {msr_text(event.a), {{"value", fmt::format("{:#x}", event.b)}}, {}};
    case EventKind::TlbFlush:
      return {{}, {{"cr3", event.a == ~uint64_t{0} ? "all" : fmt::format("{:#x}", event.a)}}, {}};
    case EventKind::ImageLoaded:
    case EventKind::ImageUnloaded:
      return describe_image(event);
    case EventKind::ProcessCreated:
    case EventKind::ProcessExited:
      return describe_process(event);
    case EventKind::DebugPrint:
    case EventKind::Milestone:
      return {loader::printable(event.text), {}, {}};
    case EventKind::Walk:
      return {{}, {{"gva", fmt::format("{:#x}", event.a)}, {"gpa", fmt::format("{:#x}", event.b)}}, {}};
    case EventKind::HypervisorLaunched:
    case EventKind::PowerOff:
    case EventKind::TripleFault:
      return {};
  }
  return {};
}

std::string to_text(const Event& event, const EventDescription& description) {
  std::string text{name_of(event.kind)};
  if (!description.name.empty()) text += " " + description.name;
  if (!description.arguments.empty()) text += fmt::format("({})", to_text(description.arguments));
  if (!description.outcome.empty()) text += " -> " + description.outcome;
  return text;
}

}  // namespace trace
