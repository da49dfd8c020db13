#include "sim/cli/debuggee.h"

#include <fmt/format.h>

namespace cli {

using rpc::Answer;
using rpc::Code;
using rpc::Json;
using rpc::refuse;

struct Debuggee::Opened {
  DebugRun run;
  std::unique_ptr<faces::console::Console> console;
  [[nodiscard]] rpc::Dispatcher& api() const { return run.service->api(); }
};

namespace {

/// Events between where one stands and the violation: enough to see how it comes about.
constexpr int events_before = 3;

/// Moves there; what the row `focus` answers.
Answer stand_before_violation(rpc::Service& service, const rpc::Finding& finding) {
  debugger::Timeline& timeline = service.session().timeline();
  support::Instant at = std::min(finding.at.value_or(timeline.end()), timeline.end());
  for (int i = 0; i < events_before; ++i)
    if (const auto event = timeline.history().last(at, [](const support::Event&) { return true; })) at = event->event.at;
  Json parameters{{"at", at.ticks}};
  if (finding.vp < timeline.machine().processor_count()) parameters["vp"] = finding.vp;
  return service.api().call("focus", parameters);
}

}  // namespace

Debuggee::Debuggee() = default;
Debuggee::~Debuggee() = default;

support::Result<std::unique_ptr<Debuggee::Opened>, DebugFailure> Debuggee::make(const DebugArguments& arguments) {
  auto opened = std::make_unique<Opened>();
  opened->run = TRY(open_for_debugging(arguments));
  rpc::Dispatcher& api = opened->api();
  opened->console = std::make_unique<faces::console::Console>(api);
  faces::console::Console& console = *opened->console;
  api.serve("console", [&console](const rpc::Parameters& parameters) {
    return answer_console(console, Json{{"line", parameters.text("line")}, {"colours", parameters.flag("colours")}});
  });
  api.serve("console.complete", [&console](const rpc::Parameters& parameters) {
    return answer_complete(console, Json{{"line", parameters.text("line")}});
  });
  api.serve("open", [this](const rpc::Parameters& parameters) { return open_finding(parameters.text("finding")); });
  return opened;
}

support::Result<support::Unit, DebugFailure> Debuggee::open(const DebugArguments& arguments) {
  std::unique_ptr<Opened> opened = TRY(make(arguments));
  if (opened->run.finding) (void)stand_before_violation(*opened->run.service, *opened->run.finding);
  arguments_ = arguments;
  arguments_.findings = opened->run.findings;
  relay(*opened);
  const std::lock_guard lock{changing_};
  now_ = std::move(opened);
  return support::Unit{};
}

/// The run that is debugged stays what it is until the other one stands where it should.
Answer Debuggee::open_finding(const std::string& id) {
  if (arguments_.findings.empty()) return refuse(Code::NotThere, "there is no folder of findings: start with --findings DIR");
  if (!pinned_by_.empty()) return refuse(Code::Refused, fmt::format("{} would not notice that another run is debugged; start `airlock debug` with the folder of the finding", pinned_by_));
  if (!rpc::is_plain_name(id)) return refuse(Code::NotThere, "there is no such finding");
  const rpc::Finding finding = rpc::read_finding(arguments_.findings + "/" + id);
  if (!finding.unreadable.empty()) return refuse(Code::Refused, fmt::format("the finding cannot be read: {}", finding.unreadable));
  DebugArguments arguments = arguments_;
  arguments.machine.machine_file = arguments_.findings + "/" + id;
  auto made = make(arguments);
  if (!made) return refuse(Code::Refused, made.error().message);
  std::unique_ptr<Opened> opened = std::move(made.value());
  const Json stop = TRY(stand_before_violation(*opened->run.service, finding));
  const Json hello = TRY(opened->api().call("hello", {}));
  relay(*opened);
  next_ = std::move(opened);
  tell("opened", hello);
  tell("breakpoints", Json{{"breakpoints", Json::array()}});
  tell("branch", Json::object());
  tell("moved", stop["stop"]);
  return stop;
}

/// What the run tells reaches who listens.
void Debuggee::relay(Opened& run) {
  run.api().listen([this](std::string_view notification, const Json& parameters) { tell(notification, parameters); });
}

void Debuggee::tell(std::string_view notification, const Json& parameters) {
  const auto listeners = listeners_;  // a listener may forget itself
  for (const auto& [number, listener] : listeners) listener(notification, parameters);
}

void Debuggee::settle() {
  if (!next_) return;
  {
    const std::lock_guard lock{changing_};
    std::swap(now_, next_);
  }
  next_.reset();
}

rpc::Dispatcher& Debuggee::dispatcher() {
  settle();
  return now_->api();
}

void Debuggee::withdraw_interrupt() {
  const std::lock_guard lock{changing_};
  if (now_) now_->run.service->session().withdraw_interrupt();
}

Answer Debuggee::call(std::string_view method, const Json& parameters) {
  if (!opened()) return refuse(Code::Refused, "nothing is debugged yet: a client has to say what");
  return dispatcher().call(method, parameters);
}

void Debuggee::interrupt() {
  const std::lock_guard lock{changing_};
  if (now_) now_->api().interrupt();
}

size_t Debuggee::listen(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

}  // namespace cli
