// Motion in both directions, and why it ended.
#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/dap/session.h"

namespace faces::dap {
namespace {

const Json everything_goes_on{{"allThreadsContinued", true}};

}  // namespace

void Session::forget_references() {
  frames_.clear();
  containers_.clear();
  targets_.clear();
}

std::string Session::reason_of(const Json& stop, const std::string& otherwise) const {
  const std::string reason = text_of(stop, "reason");
  if (reason == "step") return "step";
  if (reason != "breakpoint" && reason != "watchpoint" && reason != "event") return otherwise;
  for (const Json& id : list_of(stop, "breakpoints"))
    for (const auto& [name, group] : breakpoints_)
      for (const Held& held : group)
        if (std::ranges::find(held.ids, number_in(id)) != held.ids.end())
          return name == "function" || name == "data" || name == "instruction" ? name + " breakpoint" : name == "exception" ? name : "breakpoint";
  return reason == "watchpoint" ? "data breakpoint" : reason == "event" ? "exception" : "breakpoint";
}

void Session::stopped(const Json& stop, const std::string& otherwise) {
  forget_references();
  last_stop_ = stop;
  resolve_lines();
  tell_modules();
  const Json& focus = object_of(stop, "focus");
  const std::string text = text_of(stop, "text"), reason = reason_of(stop, otherwise), ending = text_of(stop, "ending");
  const std::string name = text_of(object_of(stop, "event"), "name");
  Json body{{"reason", reason},
            {"threadId", thread_of(number_or_zero(focus, "vp"), number_or_zero(focus, "vtl"))},
            {"allThreadsStopped", true},
            {"preserveFocusHint", false}};
  if (!text.empty()) body["text"] = text;
  if (!ending.empty()) body["description"] = ending;
  else if (reason == "exception" && !name.empty()) body["description"] = name;
  else if (reason == "pause" && !text.empty()) body["description"] = text;
  Json hit = Json::array();
  for (const Json& id : list_of(stop, "breakpoints"))
    for (const auto& [group, all] : breakpoints_)
      for (const Held& held : all)
        if (std::ranges::find(held.ids, number_in(id)) != held.ids.end()) hit.push_back(held.number);
  if (!hit.empty()) body["hitBreakpointIds"] = hit;
  event("stopped", std::move(body));
}

/// Whether all that was met is ours to handle: log points, and the watch for images. Prints what they say.
bool Session::passes_over(const Json& stop) {
  const Json& met = list_of(stop, "breakpoints");
  bool all = !met.empty();
  std::vector<std::string> logs;
  for (const Json& id : met) {
    const uint64_t number = number_in(id).value_or(0);
    if (image_watch_ == number) continue;
    bool logs_only = false;
    for (const auto& [name, group] : breakpoints_)
      for (const Held& held : group)
        if (std::ranges::find(held.ids, number) != held.ids.end() && !held.log.empty()) {
          logs_only = true;
          logs.push_back(held.log);
        }
    all = all && logs_only;
  }
  for (const std::string& log : logs) {
    std::string text;
    for (size_t at = 0; at < log.size(); ++at) {
      const size_t end = log[at] == '{' ? log.find('}', at) : std::string::npos;
      if (end == std::string::npos) {
        text += log[at];
        continue;
      }
      const Answer value = ask("evaluate", {{"expression", log.substr(at + 1, end - at - 1)}});
      text += value ? text_of(value.value(), "value") : fmt::format("<{}>", value.error().message);
      at = end;
    }
    output("console", text + "\n");
  }
  if (all) resolve_lines();
  return all;
}

void Session::move(const std::string& method, const Json& parameters, const std::string& reason) {
  forget_references();
  // A step does not look at images that are loaded in it; those that wait are resolved where it ends.
  const bool runs = method == "run";
  if (!runs && image_watch_) (void)ask("breakpoint.change", {{"id", *image_watch_}, {"enabled", false}});
  moving_ = true;
  Answer answer = ask(method, parameters);
  while (answer && runs && passes_over(object_of(answer.value(), "stop"))) answer = ask(method, parameters);
  moving_ = false;
  if (!runs && image_watch_) (void)ask("breakpoint.change", {{"id", *image_watch_}, {"enabled", true}});
  if (answer) return stopped(object_of(answer.value(), "stop"), reason);
  // The client believes that it runs.
  complain(answer.error().message);
  Json stop = last_stop_;
  stop["text"] = answer.error().message;
  stop["reason"] = "interrupted";
  stop["breakpoints"] = Json::array();
  stop.erase("ending");
  stopped(stop, "pause");
}

Session::Answer Session::continue_on(const Json&) {
  after([this] { move("run", Json::object(), "pause"); });
  return everything_goes_on;
}

Session::Answer Session::reverse_continue(const Json&) {
  after([this] { move("run", {{"back", true}}, "pause"); });
  return Json();
}

Session::Answer Session::step(const Json& arguments, std::string_view kind, bool back) {
  Json parameters{{"kind", kind}};
  if (back) parameters["back"] = true;
  const bool has_line = number_of(object_of(last_stop_, "place"), "line").has_value();
  if (text_of(arguments, "granularity") != "instruction" && has_line && kind != "out") parameters["by"] = "line";
  after([this, parameters] { move("step", parameters, "step"); });
  return Json();
}

Session::Answer Session::next(const Json& arguments) { return step(arguments, "over", false); }
Session::Answer Session::step_in(const Json& arguments) { return step(arguments, "into", false); }
Session::Answer Session::step_out(const Json& arguments) { return step(arguments, "out", false); }
Session::Answer Session::step_back(const Json& arguments) { return step(arguments, "over", true); }

/// The server interrupted what was under way before this was read; what follows is its stop.
Session::Answer Session::pause(const Json&) { return Json(); }

Session::Answer Session::go_to_targets(const Json& arguments) {
  const Json& source = object_of(arguments, "source");
  const std::string file = text_of(source, "path").empty() ? text_of(source, "name") : text_of(source, "path");
  const Json places = TRY(places_of(file, from_client_line(number_or_zero(arguments, "line"))));
  Json list = Json::array();
  for (const Json& place : list_of(places, "places")) {
    const uint64_t number = next_reference_++;
    targets_[number] = number_or_zero(place, "address");
    list.push_back({{"id", number}, {"label", text_of(place, "text")}, {"line", to_client_line(number_or_zero(places, "line"))},
                    {"instructionPointerReference", text_of(place, "address")}});
  }
  return Json{{"targets", list}};
}

/// On to the next time that the place is executed, over all breakpoints. Nothing is skipped: in a recording there is no other way.
Session::Answer Session::go_to(const Json& arguments) {
  const auto found = targets_.find(number_or_zero(arguments, "targetId"));
  if (found == targets_.end()) return support::Error{"this target is gone: the machine has moved since"};
  const Json parameters{{"to", hex(found->second)}, {"breakpoints", false}};
  after([this, parameters] { move("run", parameters, "goto"); });
  return Json();
}

Session::Answer Session::exception_info(const Json&) {
  const Json& event = object_of(last_stop_, "event");
  if (event.empty()) return support::Error{"the machine did not stop at an event"};
  const std::string name = text_of(event, "name"), kind = text_of(event, "kind");
  return Json{{"exceptionId", name.empty() ? kind : fmt::format("{} {}", kind, name)}, {"description", text_of(event, "text")}, {"breakMode", "always"}};
}

}  // namespace faces::dap
