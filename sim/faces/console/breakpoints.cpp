#include "sim/faces/console/breakpoints.h"

#include <algorithm>
#include <array>

namespace faces::console {
namespace {

/// /1, /p PROCESS, /v VTL and the condition, which all kinds of breakpoints have.
support::Result<Json> options(Invocation& command) {
  Json parameters = Json::object();
  command.words.find_condition();
  while (command.words.peek().starts_with('/')) {
    const std::string option = command.words.next();
    if (option == "/1") {
      parameters["temporary"] = true;
    } else if (option == "/p" && !command.words.empty()) {
      parameters["process"] = command.words.next();
    } else if (option == "/v" && !command.words.empty()) {
      const auto vtl = decimal(command.words.next());
      if (!vtl) return support::Error{"/v wants the number of a VTL"};
      parameters["vtl"] = *vtl;
    } else {
      return support::Error{fmt::format("{} does not know the option {}; there are /1 (once), /p PROCESS, /v VTL and /w \"CONDITION\"",
                                        command.spelling(), option)};
    }
  }
  if (command.words.condition()) parameters["condition"] = *command.words.condition();
  return parameters;
}

/// The number of passes: the breakpoint stops at so many hits and then each time, as in the kernel debugger.
support::Status passes(Invocation& command, Json& parameters) {
  if (command.words.empty()) return support::Unit{};
  if (command.words.peek().starts_with('"'))
    return support::Error{"breakpoints do not run commands here; write a condition: if EXPRESSION"};
  const uint64_t count = TRY(command.evaluate(command.words.next()));
  if (count == 0) return support::Error{"the number of passes begins with 1"};
  parameters["ignore"] = count - 1;
  return command.end_of_words();
}

std::string breakpoint_line(const Invocation& command, const Json& breakpoint) {
  const std::string condition = text_of(breakpoint, "condition"), process = text_of(breakpoint, "process"), what = text_of(breakpoint, "what");
  const std::string text = text_of(breakpoint, "text");
  std::string line = fmt::format("{:>2} {}{} {:<8} hits {:<4} {}", number_or_zero(breakpoint, "id"), flag_of(breakpoint, "enabled") ? 'e' : 'd',
                                 flag_of(breakpoint, "resolved") ? ' ' : 'u', text_of(breakpoint, "kind"), number_or_zero(breakpoint, "hits"),
                                 text.empty() || text == what ? what : fmt::format("{}  {}", what, text));
  if (const auto vtl = number_of(breakpoint, "vtl")) line += fmt::format("  only {}", command.style.vtl(*vtl, vtl_name(*vtl)));
  if (!process.empty()) line += fmt::format("  in {}", process);
  if (!condition.empty()) line += fmt::format("  if {}", condition);
  if (const uint64_t ignore = number_or_zero(breakpoint, "ignore"); ignore != 0) line += fmt::format("  passes over {}", ignore);
  if (flag_of(breakpoint, "temporary")) line += "  once";
  return line;
}

support::Status set(Invocation& command, Json parameters) {
  const Json answer = TRY(command.ask("breakpoint.set", std::move(parameters)));
  const Json& breakpoint = object_of(answer, "breakpoint");
  command.line("{}", breakpoint_line(command, breakpoint));
  if (!flag_of(breakpoint, "resolved") && text_of(breakpoint, "kind") == "code")
    command.line("{}", command.style.note("No image that is loaded has it: it waits for one that does."));
  return support::Unit{};
}

/// The ids that `*` or a list of numbers and ranges (0-3) means.
support::Result<std::vector<uint64_t>> ids(Invocation& command) {
  if (command.words.empty()) return support::Error{fmt::format("{} wants numbers of breakpoints, or *", command.spelling())};
  const Json answer = TRY(command.ask("breakpoint.list"));
  std::vector<uint64_t> all, wanted;
  for (const Json& row : list_of(answer, "breakpoints")) all.push_back(number_or_zero(row, "id"));
  if (command.words.take("*")) return all;
  while (!command.words.empty()) {
    const std::string word = command.words.next();
    const size_t dash = word.find('-');
    const auto first = decimal(std::string_view{word}.substr(0, dash));
    const auto last = dash == std::string::npos ? first : decimal(std::string_view{word}.substr(dash + 1));
    if (!first || !last) return support::Error{fmt::format("{} is no number of a breakpoint", word)};
    bool found = false;
    for (const uint64_t id : all)
      if (id >= *first && id <= *last) {
        wanted.push_back(id);
        found = true;
      }
    if (!found) return support::Error{fmt::format("there is no breakpoint {}", word)};
  }
  return wanted;
}

}  // namespace

support::Status break_at(Invocation& command) {
  Json parameters = TRY(options(command));
  if (command.words.empty()) return support::Error{fmt::format("{} wants an address or symbol: {} nt!KeBugCheckEx", command.spelling(), command.spelling())};
  parameters["kind"] = "code";
  parameters["what"] = translate(command.words.next());
  TRY(passes(command, parameters));
  return set(command, std::move(parameters));
}

support::Status break_on_access(Invocation& command) {
  Json parameters = TRY(options(command));
  std::string access = command.words.next();
  if (access.empty()) return support::Error{"ba wants an access, a size and an address: ba w 8 nt!KdDebuggerEnabled"};
  std::string size = access.substr(1);  // `w8` is one word to the kernel debugger
  if (size.empty()) size = command.words.next();
  const auto bytes = literal(size);
  if (!bytes || *bytes == 0) return support::Error{fmt::format("'{}' is no size: ba {} SIZE ADDRESS", size, access[0])};
  if (access[0] != 'e' && access[0] != 'r' && access[0] != 'w')
    return support::Error{fmt::format("{} is no access: r (reads and writes), w (writes) or e (executes)", access)};
  if (command.words.empty()) return support::Error{fmt::format("ba {} {} wants an address", access[0], size)};
  const std::string address = command.words.next();
  if (access[0] == 'e') {
    if (*bytes != 1) return support::Error{"of ba e the size is 1"};
    parameters["kind"] = "code";
    parameters["what"] = translate(address);
  } else {
    const bool named = address.size() > 4 && address[3] == ':' && address.find('!') != 3;
    const std::string space = named ? address.substr(0, 4) : std::string{"gva:"};
    const uint64_t value = TRY(command.evaluate(named ? address.substr(4) : address));
    parameters["kind"] = access[0] == 'w' ? "write" : "access";
    parameters["what"] = fmt::format("{}{:#x}+{:x}", space, value, *bytes);
  }
  TRY(passes(command, parameters));
  return set(command, std::move(parameters));
}

support::Status break_on_event(Invocation& command) {
  Json parameters = TRY(options(command));
  if (command.words.empty()) return support::Error{fmt::format("{} wants an event; `sx` lists them", command.spelling())};
  parameters["kind"] = "event";
  parameters["what"] = command.words.next();
  TRY(passes(command, parameters));
  return set(command, std::move(parameters));
}

support::Status break_on_register(Invocation& command) {
  Json parameters = TRY(options(command));
  std::string name = command.words.next();
  if (name.empty()) return support::Error{"bpr wants the name of a register: bpr cr3"};
  if (name.starts_with('@')) name.erase(0, 1);
  parameters["kind"] = "register";
  parameters["what"] = name;
  TRY(passes(command, parameters));
  return set(command, std::move(parameters));
}

support::Status break_on_vtl(Invocation& command) {
  Json parameters = TRY(options(command));
  const std::string vtl = command.words.next();
  if (!decimal(vtl)) return support::Error{"bpv wants the number of a VTL: bpv 1"};
  parameters["kind"] = "vtl";
  parameters["what"] = vtl;
  TRY(passes(command, parameters));
  return set(command, std::move(parameters));
}

support::Status list_breakpoints(Invocation& command) {
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("breakpoint.list"));
  const Json& all = list_of(answer, "breakpoints");
  if (all.empty()) command.line("No breakpoints.");
  for (const Json& breakpoint : all) command.line("{}", breakpoint_line(command, breakpoint));
  return support::Unit{};
}

support::Status change_breakpoints(Invocation& command) {
  for (const uint64_t id : TRY(ids(command))) {
    if (command.spelling() == "bc")
      TRY(command.ask("breakpoint.remove", {{"id", id}}));
    else
      TRY(command.ask("breakpoint.change", {{"id", id}, {"enabled", command.spelling() == "be"}}));
  }
  return support::Unit{};
}

support::Status breakpoint_condition(Invocation& command) {
  command.words.find_condition();
  const auto id = decimal(command.words.next());
  if (!id) return support::Error{"bs wants the number of a breakpoint: bs 0 if rax == 5"};
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("breakpoint.change", {{"id", *id}, {"condition", command.words.condition().value_or("")}}));
  command.line("{}", breakpoint_line(command, object_of(answer, "breakpoint")));
  return support::Unit{};
}

support::Status list_events(Invocation& command) {
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("breakpoint.events"));
  for (const Json& kind : list_of(answer, "kinds"))
    command.line("  {} {}", command.style.strong(fmt::format("{:<18}", text_of(kind, "name"))), text_of(kind, "type"));
  command.line("`sxe EVENT` or `sxe EVENT=NAME` stops there; `bl` lists what is set.");
  return support::Unit{};
}

}  // namespace faces::console
