// Breakpoints of source lines, functions, instructions, data and events.
#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/dap/session.h"

namespace faces::dap {
namespace {

constexpr size_t most_breakpoints = 1024;  ///< of one request

/// condition and hitCondition as breakpoint.set has them. Errors: a hit condition that is no number.
support::Result<Json> options_of(const Json& breakpoint) {
  Json options = Json::object();
  if (const std::string condition = text_of(breakpoint, "condition"); !condition.empty()) options["condition"] = condition;
  if (const std::string hits = text_of(breakpoint, "hitCondition"); !hits.empty()) {
    const auto count = parse_number(hits);
    if (!count || *count == 0) return support::Error{fmt::format("'{}' is no number of hits: the breakpoint stops at the N-th", hits)};
    options["ignore"] = *count - 1;
  }
  return options;
}

}  // namespace

void Session::set(Held& held) {
  for (const Json& parameters : held.parameters) {
    const Answer answer = ask("breakpoint.set", parameters);
    if (!answer) {
      held.refused = answer.error().message;
      continue;
    }
    const Json& breakpoint = object_of(answer.value(), "breakpoint");
    held.ids.push_back(number_or_zero(breakpoint, "id"));
    held.shown.push_back(breakpoint);
  }
}

Json Session::shown(const Held& held) const {
  const bool resolved = !held.shown.empty() && std::ranges::all_of(held.shown, [](const Json& row) { return flag_of(row, "resolved"); });
  Json result{{"id", held.number}, {"verified", resolved && held.refused.empty()}};
  if (!held.refused.empty()) {
    result["message"] = held.refused;
    result["reason"] = "failed";
  } else if (!resolved) {
    result["message"] = "No image that is loaded has it yet.";
    result["reason"] = "pending";
  }
  if (held.line != 0) result["line"] = to_client_line(held.line);
  return result;
}

/// What the client has in a group from now on. Breakpoints that it had before keep their hits.
Session::Answer Session::replace(const std::string& name, std::vector<Held> wanted) {
  Group before = std::move(breakpoints_[name]), after;
  Json list = Json::array();
  for (Held& held : wanted) {
    const auto same = std::ranges::find_if(before, [&](const Held& old) {
      return old.refused.empty() && held.refused.empty() && old.parameters == held.parameters && old.file == held.file && old.line == held.line &&
             old.options == held.options;
    });
    if (same != before.end()) {
      same->log = held.log;
      after.push_back(std::move(*same));
      before.erase(same);
    } else {
      held.number = next_breakpoint_++;
      if (held.refused.empty()) set(held);
      after.push_back(std::move(held));
    }
    list.push_back(shown(after.back()));
  }
  for (const Held& old : before)
    for (const uint64_t id : old.ids) TRY(ask("breakpoint.remove", {{"id", id}}));
  breakpoints_[name] = std::move(after);
  watch_for_images();
  return Json{{"breakpoints", list}};
}

/// The places of a line. A client names files by where they are, a PDB by where they were built: ever shorter ends of the path.
support::Result<Json> Session::places_of(const std::string& file, uint64_t line) {
  constexpr size_t most_components = 64;
  std::string end = file;
  for (size_t tried = 0; tried < most_components && !end.empty(); ++tried) {
    Json answer = TRY(ask("source.places", {{"file", end}, {"line", line}}));
    if (!list_of(answer, "places").empty()) return answer;
    const size_t slash = end.find_first_of("/\\", 1);
    if (slash == std::string::npos) break;
    end.erase(0, end[0] == '/' || end[0] == '\\' ? slash : slash + 1);
    if (!end.empty() && (end[0] == '/' || end[0] == '\\')) end.erase(0, 1);
  }
  return Json::object();
}

Session::Answer Session::set_source_breakpoints(const Json& arguments) {
  const Json& source = object_of(arguments, "source");
  std::string file = text_of(source, "path");
  if (const uint64_t reference = number_or_zero(source, "sourceReference"); reference != 0 && reference <= source_references_.size())
    file = source_references_[reference - 1];
  if (file.empty()) file = text_of(source, "name");
  if (file.empty()) return support::Error{"setBreakpoints names no source"};
  const Json& list = list_of(arguments, "breakpoints");
  if (list.size() > most_breakpoints) return support::Error{fmt::format("more than {} breakpoints", most_breakpoints)};
  std::vector<Held> wanted;
  for (const Json& breakpoint : list) {
    Held held;
    held.line = from_client_line(number_or_zero(breakpoint, "line"));
    held.log = text_of(breakpoint, "logMessage");
    auto options = options_of(breakpoint);
    if (!options) held.refused = options.error().message;
    const auto places = places_of(file, held.line);
    if (options && places) {
      held.options = options.value();
      for (const Json& place : list_of(places.value(), "places")) {
        Json parameters{{"kind", "code"}, {"what", text_of(place, "address")}};
        parameters.update(options.value());
        held.parameters.push_back(std::move(parameters));
      }
      if (const auto line = number_of(places.value(), "line")) held.line = *line;
      if (held.parameters.empty()) held.file = file;  // waits for its image
    }
    if (!places) held.refused = places.error().message;
    wanted.push_back(std::move(held));
  }
  Json answer = TRY(replace("source " + file, std::move(wanted)));
  return answer;
}

Session::Answer Session::set_function_breakpoints(const Json& arguments) {
  const Json& list = list_of(arguments, "breakpoints");
  if (list.size() > most_breakpoints) return support::Error{fmt::format("more than {} breakpoints", most_breakpoints)};
  std::vector<Held> wanted;
  for (const Json& breakpoint : list) {
    Held held;
    Json parameters{{"kind", "code"}, {"what", text_of(breakpoint, "name")}};
    const auto options = options_of(breakpoint);
    if (!options)
      held.refused = options.error().message;
    else
      parameters.update(options.value());
    held.parameters.push_back(std::move(parameters));
    wanted.push_back(std::move(held));
  }
  return replace("function", std::move(wanted));
}

Session::Answer Session::set_instruction_breakpoints(const Json& arguments) {
  const Json& list = list_of(arguments, "breakpoints");
  if (list.size() > most_breakpoints) return support::Error{fmt::format("more than {} breakpoints", most_breakpoints)};
  std::vector<Held> wanted;
  for (const Json& breakpoint : list) {
    Held held;
    const auto base = number_of(breakpoint, "instructionReference");
    const Json* offset = member(breakpoint, "offset");
    const auto options = options_of(breakpoint);
    if (!base) held.refused = "an instruction reference that is no address";
    if (!options) held.refused = options.error().message;
    if (base && options) {
      const int64_t by = offset != nullptr && offset->is_number_integer() ? offset->get<int64_t>() : 0;
      Json parameters{{"kind", "code"}, {"what", hex(*base + static_cast<uint64_t>(by))}};
      parameters.update(options.value());
      held.parameters.push_back(std::move(parameters));
    }
    wanted.push_back(std::move(held));
  }
  return replace("instruction", std::move(wanted));
}

/// dataId: "register NAME@VP.VTL" or "memory gva:ADDRESS+BYTES@VTL" (hexadecimal), as dataBreakpointInfo made it.
Session::Answer Session::set_data_breakpoints(const Json& arguments) {
  const Json& list = list_of(arguments, "breakpoints");
  if (list.size() > most_breakpoints) return support::Error{fmt::format("more than {} breakpoints", most_breakpoints)};
  std::vector<Held> wanted;
  for (const Json& breakpoint : list) {
    Held held;
    const std::string id = text_of(breakpoint, "dataId"), access = text_of(breakpoint, "accessType");
    const size_t space = id.find(' '), at = id.rfind('@');
    const auto options = options_of(breakpoint);
    if (space == std::string::npos || at == std::string::npos || at < space || !options) {
      held.refused = options ? fmt::format("'{}' names no datum", id) : options.error().message;
      wanted.push_back(std::move(held));
      continue;
    }
    const bool is_register = id.starts_with("register ");
    Json parameters{{"kind", is_register ? "register" : access == "write" || access.empty() ? "write" : "access"},
                    {"what", id.substr(space + 1, at - space - 1)}};
    const std::string where = id.substr(at + 1);
    const size_t dot = where.find('.');
    if (is_register && dot != std::string::npos) parameters["vp"] = parse_number(where.substr(0, dot)).value_or(0);
    parameters["vtl"] = parse_number(dot == std::string::npos ? where : where.substr(dot + 1)).value_or(0);
    parameters.update(options.value());
    held.parameters.push_back(std::move(parameters));
    wanted.push_back(std::move(held));
  }
  return replace("data", std::move(wanted));
}

Session::Answer Session::data_breakpoint_info(const Json& arguments) {
  const std::string name = text_of(arguments, "name");
  const Json none{{"dataId", nullptr}, {"description", fmt::format("{} is nothing that can be watched", name)}};
  if (const auto reference = number_of(arguments, "variablesReference"); reference && *reference != 0) {
    const auto found = containers_.find(*reference);
    if (found == containers_.end() || found->second.registers_of.empty()) return none;
    return Json{{"dataId", fmt::format("register {}@{}", name, found->second.registers_of)}, {"description", fmt::format("changes of {}", name)},
                {"accessTypes", {"write"}}};
  }
  const Json focus = TRY(frame_focus(arguments));
  const uint64_t vtl = number_or_zero(focus, "vtl");
  const uint64_t bytes = number_of(arguments, "bytes").value_or(8);
  std::optional<uint64_t> address = flag_of(arguments, "asAddress") ? parse_number(name) : std::nullopt;
  if (!address) {
    const Answer answer = ask("evaluate", {{"expression", name}, {"focus", focus}});
    if (answer) address = number_of(answer.value(), "number");
  }
  if (!address || bytes == 0) return none;
  return Json{{"dataId", fmt::format("memory gva:{:#x}+{:x}@{}", *address, bytes, vtl)},
              {"description", fmt::format("{} bytes at {} as {} sees them", bytes, hex(*address), vtl_name(vtl))},
              {"accessTypes", {"write", "readWrite"}}};
}

Json Session::filters() {
  Json list = Json::array();
  const Answer answer = ask("breakpoint.events");
  if (!answer) return list;
  for (const Json& kind : list_of(answer.value(), "kinds"))
    list.push_back({{"filter", text_of(kind, "name")},
                    {"label", text_of(kind, "name")},
                    {"description", text_of(kind, "type")},
                    {"default", false},
                    {"supportsCondition", true},
                    {"conditionDescription", "An expression over the event, such as name == \"ModifyVtlProtectionMask\" or vtl == 1"}});
  return list;
}

Session::Answer Session::set_exception_breakpoints(const Json& arguments) {
  std::vector<Held> wanted;
  const auto add = [&](const std::string& filter, const std::string& condition) {
    Held held;
    Json parameters{{"kind", "event"}, {"what", filter}};
    if (!condition.empty()) parameters["condition"] = condition;
    held.parameters.push_back(std::move(parameters));
    wanted.push_back(std::move(held));
  };
  const Json &names = list_of(arguments, "filters"), &conditional = list_of(arguments, "filterOptions");
  if (names.size() + conditional.size() > most_breakpoints) return support::Error{fmt::format("more than {} filters", most_breakpoints)};
  for (const Json& name : names)
    if (name.is_string()) add(name.get<std::string>(), {});
  for (const Json& option : conditional) add(text_of(option, "filterId"), text_of(option, "condition"));
  return replace("exception", std::move(wanted));
}

/// While a source line waits for its image, every image load is looked at.
void Session::watch_for_images() {
  const bool wanted = std::ranges::any_of(breakpoints_, [](const auto& group) {
    return std::ranges::any_of(group.second, [](const Held& held) { return !held.file.empty(); });
  });
  if (wanted && !image_watch_) {
    const Answer answer = ask("breakpoint.set", {{"kind", "event"}, {"what", "image-load"}});
    if (answer) image_watch_ = number_or_zero(object_of(answer.value(), "breakpoint"), "id");
  } else if (!wanted && image_watch_) {
    (void)ask("breakpoint.remove", {{"id", *image_watch_}});
    image_watch_.reset();
  }
}

/// Looks again for the source lines whose image was not there.
void Session::resolve_lines() {
  for (auto& [name, group] : breakpoints_)
    for (Held& held : group) {
      if (held.file.empty()) continue;
      const auto places = places_of(held.file, held.line);
      if (!places || list_of(places.value(), "places").empty()) continue;
      for (const Json& place : list_of(places.value(), "places")) {
        Json parameters{{"kind", "code"}, {"what", text_of(place, "address")}};
        parameters.update(held.options);
        held.parameters.push_back(std::move(parameters));
      }
      if (const auto line = number_of(places.value(), "line")) held.line = *line;
      held.file.clear();
      set(held);
      event("breakpoint", {{"reason", "changed"}, {"breakpoint", shown(held)}});
    }
  watch_for_images();
}

/// The interface's list of all breakpoints: some of ours may have found their image.
void Session::breakpoints_changed(const Json& parameters) {
  for (const Json& row : list_of(parameters, "breakpoints"))
    for (auto& [name, group] : breakpoints_)
      for (Held& held : group)
        for (size_t at = 0; at < held.ids.size() && at < held.shown.size(); ++at) {
          if (held.ids[at] != number_or_zero(row, "id")) continue;
          const bool before = flag_of(held.shown[at], "resolved");
          held.shown[at] = row;
          if (before != flag_of(row, "resolved")) event("breakpoint", {{"reason", "changed"}, {"breakpoint", shown(held)}});
        }
}

}  // namespace faces::dap
