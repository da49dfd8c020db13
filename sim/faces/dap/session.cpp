#include "sim/faces/dap/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace faces::dap {
namespace {

constexpr uint64_t vtls_of_a_processor = 16;  // HV_NUM_VTLS of the TLFS; two are used

Json capabilities() {
  Json all = Json::object();
  for (const char* name :
       {"supportsConfigurationDoneRequest", "supportsFunctionBreakpoints", "supportsConditionalBreakpoints", "supportsHitConditionalBreakpoints",
        "supportsLogPoints", "supportsEvaluateForHovers", "supportsStepBack", "supportsSetVariable", "supportsGotoTargetsRequest",
        "supportsCompletionsRequest", "supportsModulesRequest", "supportsExceptionFilterOptions", "supportsExceptionInfoRequest",
        "supportTerminateDebuggee", "supportsDelayedStackTraceLoading", "supportsTerminateRequest", "supportsDataBreakpoints",
        "supportsReadMemoryRequest", "supportsWriteMemoryRequest", "supportsDisassembleRequest", "supportsInstructionBreakpoints",
        "supportsSteppingGranularity", "supportsDataBreakpointBytes"})
    all[name] = true;
  all["supportTerminateDebuggee"] = false;  // the debuggee lives in this program
  all["completionTriggerCharacters"] = {"!", ".", "@"};
  return all;
}

}  // namespace

uint64_t thread_of(uint64_t vp, uint64_t vtl) { return vp * vtls_of_a_processor + vtl + 1; }
uint64_t vp_of(uint64_t thread) { return thread == 0 ? 0 : (thread - 1) / vtls_of_a_processor; }
uint64_t vtl_of(uint64_t thread) { return thread == 0 ? 0 : (thread - 1) % vtls_of_a_processor; }

const Session::Request Session::requests[] = {
    {"initialize", &Session::initialize, true},
    {"launch", &Session::launch, true},
    {"attach", &Session::launch, true},
    {"disconnect", &Session::disconnect, true},
    {"terminate", &Session::terminate, true},
    {"configurationDone", &Session::configuration_done},
    {"setBreakpoints", &Session::set_source_breakpoints},
    {"setFunctionBreakpoints", &Session::set_function_breakpoints},
    {"setInstructionBreakpoints", &Session::set_instruction_breakpoints},
    {"setDataBreakpoints", &Session::set_data_breakpoints},
    {"setExceptionBreakpoints", &Session::set_exception_breakpoints},
    {"dataBreakpointInfo", &Session::data_breakpoint_info},
    {"continue", &Session::continue_on},
    {"reverseContinue", &Session::reverse_continue},
    {"next", &Session::next},
    {"stepIn", &Session::step_in},
    {"stepOut", &Session::step_out},
    {"stepBack", &Session::step_back},
    {"pause", &Session::pause},
    {"goto", &Session::go_to},
    {"gotoTargets", &Session::go_to_targets},
    {"exceptionInfo", &Session::exception_info},
    {"threads", &Session::threads},
    {"stackTrace", &Session::stack_trace},
    {"scopes", &Session::scopes},
    {"variables", &Session::variables},
    {"setVariable", &Session::set_variable},
    {"evaluate", &Session::evaluate},
    {"completions", &Session::completions},
    {"modules", &Session::modules},
    {"source", &Session::source},
    {"readMemory", &Session::read_memory},
    {"writeMemory", &Session::write_memory},
    {"disassemble", &Session::disassemble},
};

const Session::Request* Session::find_request(std::string_view command) {
  const auto* found = std::ranges::find(requests, command, &Request::command);
  return found == std::end(requests) ? nullptr : found;
}

Session::Session(rpc::Api& api, SessionOptions options, Send send)
    : api_{api}, options_{std::move(options)}, send_{std::move(send)},
      listener_{api.listen([this](std::string_view notification, const Json& parameters) { on(notification, parameters); })} {}

Session::~Session() { api_.forget(listener_); }

void Session::handle(const Json& message) {
  if (text_of(message, "type") != "request" || !number_of(message, "seq")) {
    if (text_of(message, "type") != "response") complain("a message that is no request");
    return;
  }
  const std::string command = text_of(message, "command");
  const Request* request = find_request(command);
  const Json& arguments = object_of(message, "arguments");
  if (request == nullptr) {
    constexpr size_t longest_shown = 64;
    respond(message, support::Error{fmt::format("the request '{}' is not known here", command.substr(0, longest_shown))});
  } else if (!launched_ && !request->before_launch) {
    respond(message, support::Error{fmt::format("{}: nothing is debugged yet; launch or attach comes first", command)});
  } else {
    respond(message, (this->*request->handler)(arguments));
  }
  for (const std::function<void()>& work : std::exchange(after_, {})) work();
}

void Session::respond(const Json& request, const Answer& answer) {
  Json response{{"seq", ++sequence_}, {"type", "response"}, {"request_seq", number_or_zero(request, "seq")}, {"success", answer.ok()}, {"command", text_of(request, "command")}};
  if (answer.ok()) {
    if (!answer.value().is_null()) response["body"] = answer.value();
  } else {
    response["message"] = answer.error().message;
    // Braces would be variables to the client.
    response["body"] = {{"error", {{"id", 1}, {"format", "{why}"}, {"variables", {{"why", answer.error().message}}}, {"showUser", true}}}};
  }
  send_(response);
}

void Session::event(std::string_view name, Json body) {
  Json message{{"seq", ++sequence_}, {"type", "event"}, {"event", name}};
  if (!body.is_null()) message["body"] = std::move(body);
  send_(message);
}

void Session::output(std::string_view category, const std::string& text) { event("output", {{"category", category}, {"output", text}}); }

void Session::complain(const std::string& why) { output("stderr", fmt::format("airlock: {}\n", why)); }

void Session::on(std::string_view notification, const Json& parameters) {
  if (!launched_) return;
  if (notification == "output") output("stdout", text_of(parameters, "text"));
  if (notification == "breakpoints" && configured_) breakpoints_changed(parameters);
  if (notification != "moved" || moving_ || !configured_) return;
  const Json& stop = object_of(parameters, "stop");
  stopped(stop.empty() ? parameters : stop, "pause");
}

Session::Answer Session::ask(std::string_view method, const Json& parameters) {
  rpc::Answer answer = api_.call(method, parameters);
  if (!answer) return support::Error{answer.error().message};
  return std::move(answer.value());
}

Session::Answer Session::initialize(const Json& arguments) {
  const auto otherwise = [&](const char* name, bool value) { return member(arguments, name) == nullptr ? value : flag_of(arguments, name); };
  lines_from_1_ = otherwise("linesStartAt1", true);
  columns_from_1_ = otherwise("columnsStartAt1", true);
  knows_memory_events_ = flag_of(arguments, "supportsMemoryEvent");
  knows_invalidated_ = flag_of(arguments, "supportsInvalidatedEvent");
  return capabilities();
}

Session::Answer Session::launch(const Json& arguments) {
  if (launched_) return support::Error{"something is debugged already"};
  if (options_.open) TRY(options_.open(text_of(arguments, "program"), arguments));
  const Json hello = TRY(ask("hello", {{"client", "dap"}}));
  processors_ = std::clamp<uint64_t>(number_or_zero(hello, "processors"), 1, 64);
  if (const auto at = number_of(arguments, "at")) TRY(ask("focus", {{"at", *at}}));
  stop_on_entry_ = member(arguments, "stopOnEntry") == nullptr || flag_of(arguments, "stopOnEntry");
  launched_ = true;
  after([this] {
    if (const Json found = filters(); !found.empty()) event("capabilities", {{"capabilities", {{"exceptionBreakpointFilters", found}}}});
    event("initialized");
  });
  return Json();
}

Session::Answer Session::configuration_done(const Json&) {
  if (configured_) return support::Error{"the configuration was done already"};
  configured_ = true;
  after([this] {
    if (!stop_on_entry_) return move("run", Json::object(), "pause");
    // Every motion answers with where it ended; this one goes where the session stands.
    const Answer status = ask("status");
    if (!status) return complain(status.error().message);
    moving_ = true;
    const Answer there = ask("focus", {{"at", number_or_zero(object_of(status.value(), "focus"), "at")}});
    moving_ = false;
    if (!there) return complain(there.error().message);
    stopped(object_of(there.value(), "stop"), "entry");
  });
  return Json();
}

Session::Answer Session::disconnect(const Json&) {
  for (const auto& [name, group] : breakpoints_)
    for (const Held& held : group)
      for (const uint64_t id : held.ids) (void)api_.call("breakpoint.remove", {{"id", id}});
  breakpoints_.clear();
  if (image_watch_) (void)api_.call("breakpoint.remove", {{"id", *image_watch_}});
  image_watch_.reset();
  launched_ = false;
  ended_ = true;
  return Json();
}

Session::Answer Session::terminate(const Json&) {
  after([this] { event("terminated"); });
  return Json();
}

}  // namespace faces::dap
