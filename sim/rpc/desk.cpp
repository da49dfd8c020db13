#include "sim/rpc/desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/rpc/records.h"
#include "sim/rpc/types.h"

namespace rpc {
namespace {

using abi::hv::Vtl;
using support::Result;

Result<Vtl, Refusal> vtl_of(uint64_t number) {
  if (number < abi::hv::implemented_vtls) return static_cast<Vtl>(number);
  return refuse(Code::InvalidParameters, fmt::format("there is no VTL {}", number));
}

/// By name, or by process id.
const debugger::ProcessList::Process* find_process(const debugger::ProcessList& list, std::string_view text, Vtl vtl) {
  uint64_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const bool number = error == std::errc{} && end == text.data() + text.size();
  if (!number) return list.find(text, vtl);
  const debugger::ProcessList::Process* found = nullptr;
  for (const auto& process : list.all())
    if (process.vtl == vtl && process.pid == pid) found = &process;
  return found;
}

/// A run that is known up to a keyframe is heard of from there on; nobody hears what happens while its machine is made.
uint64_t events_known_unseen(const debugger::Timeline& timeline, const replay::Recording& recording) {
  const replay::Keyframe* keyframe = recording.keyframe_before(timeline.intervals().back().begin);
  return std::max(keyframe != nullptr ? keyframe->events : 0, timeline.events_at_creation());
}

}  // namespace

Refusal refused(const support::Error& error) {
  const bool later = error.message.starts_with("not implemented");
  return {later ? Code::NotImplemented : Code::Refused, error.message};
}

Desk::Desk(Dispatcher& the_dispatcher, debugger::Session& the_session, RunFacts the_facts)
    : dispatcher{the_dispatcher},
      session{the_session},
      facts{std::move(the_facts)},
      sources{the_session.options().source_folders},
      trails{the_session},
      slat_history{the_session},
      library{the_session.options().symbol_folders},
      types{the_session, library},
      unwinder{library},
      bookmarks{facts.run, facts.recording} {
  if (facts.run != nullptr) {
    event_check = std::make_unique<replay::EventCheck>(*facts.run, events_known_unseen(session.trunk(), *facts.run));
    session.trunk().listen(*event_check);
  }
  session.use(&types);
  session.use(&unwinder);
}

Desk::~Desk() {
  session.use(static_cast<const debugger::TypeSource*>(nullptr));
  session.use(static_cast<debugger::Unwinder*>(nullptr));
}

Result<debugger::Focus, Refusal> Desk::focus(const Parameters& parameters) const {
  const Json* json = parameters.member("focus");
  if (json == nullptr) return session.focus();
  const Parameters members{*json};
  debugger::Focus focus;
  focus.at = {*members.integer("at")};
  focus.vtl = TRY(vtl_of(*members.integer("vtl")));
  focus.vp = TRY(vp(members)).value_or(0);
  focus.frame = static_cast<uint32_t>(std::min<uint64_t>(members.integer("frame", 0), ~uint32_t{0}));
  focus.address = members.hex("address");
  return focus;
}

Result<debugger::View, Refusal> Desk::look(const Parameters& parameters) {
  return or_refuse(session.look(TRY(focus(parameters))));
}

Result<std::optional<uint64_t>, Refusal> Desk::root(const debugger::View& view, const Parameters& parameters) const {
  const std::string name = parameters.text("process");
  if (name.empty()) return std::optional<uint64_t>{};
  const auto* process = find_process(view.names.processes(), name, view.focus.vtl);
  if (process != nullptr) return std::optional<uint64_t>{process->cr3};
  return refuse(Code::NotThere, fmt::format("VTL {} knows no process {} at this instant", static_cast<unsigned>(view.focus.vtl), name));
}

Result<debugger::views::Eye, Refusal> Desk::eye(const debugger::View& view, const Parameters& parameters) const {
  return debugger::views::eye(view.machine, view.focus.vp, view.focus.vtl, TRY(root(view, parameters)));
}

Result<std::optional<Vtl>, Refusal> Desk::vtl(const Parameters& parameters) const {
  const auto number = parameters.integer("vtl");
  if (!number) return std::optional<Vtl>{};
  return std::optional<Vtl>{TRY(vtl_of(*number))};
}

Result<std::optional<uint32_t>, Refusal> Desk::vp(const Parameters& parameters) const {
  const auto number = parameters.integer("vp");
  if (!number) return std::optional<uint32_t>{};
  const size_t count = session.timeline().machine().processor_count();
  if (*number >= count)
    return refuse(Code::InvalidParameters, fmt::format("there is no virtual processor {}; there are {}", *number, count));
  return std::optional{static_cast<uint32_t>(*number)};
}

/// What guests printed to their debugger on the way there, each line once in a session. A branch is not heard: what it prints
/// is not of the run.
void Desk::tell_output(support::Instant now) {
  if (now <= heard_ || session.branch()) return;
  std::vector<std::string> lines;  // who hears of one may ask for more of the history
  session.timeline().history().each(heard_, now, debugger::set_of(support::EventKind::DebugPrint),
                                    [&](const support::Event& event) { lines.emplace_back(event.text); });
  heard_ = now;
  for (std::string& line : lines) {
    if (!line.ends_with('\n')) line += '\n';
    dispatcher.notify("output", Json{{"text", std::move(line)}});
  }
}

Answer Desk::moved(const debugger::Stop& stop) {
  tell_output(stop.focus.at);
  const Json json = to_json(stop, session.names());
  dispatcher.notify("moved", json);
  return Json{{"stop", json}};
}

}  // namespace rpc
