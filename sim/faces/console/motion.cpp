#include "sim/faces/console/motion.h"

#include <algorithm>

#include "sim/faces/console/state.h"

namespace faces::console {
namespace {

/// Of pa, ta, pc, tc and their like: so many steps, then they give up.
constexpr uint64_t most_steps = 100'000;

bool is_back(const std::string& spelling) { return spelling.ends_with('-'); }

void show_change(Invocation& command, const Json& stop) {
  if (const Json& change = object_of(stop, "change"); !change.empty()) command.line("  {}", text_of(change, "text"));
  if (const Json& event = object_of(stop, "event"); !event.empty())
    command.line("  {} {}", number_or_zero(event, "at"), text_of(event, "text"));
}

std::string position_line(const Invocation& command, const Json& stop) {
  const Json& focus = object_of(stop, "focus");
  const uint64_t vtl = number_or_zero(focus, "vtl");
  return fmt::format("{}  VP {} {} ring {}{}", number_or_zero(focus, "at"), number_or_zero(focus, "vp"),
                     command.style.vtl(vtl, vtl_name(vtl)), number_or_zero(stop, "ring"), flag_of(stop, "waits") ? "  waiting in HLT" : "");
}

/// One motion without words about it.
support::Result<Json> quiet(Invocation& command, std::string_view method, const Json& parameters) {
  const Json answer = TRY(command.ask(method, parameters));
  return Json(object_of(answer, "stop"));
}

support::Result<std::string> mnemonic(Invocation& command) {
  const Json answer = TRY(command.ask("disassemble", {{"count", 1}}));
  const Json& lines = list_of(answer, "lines");
  const std::string text = lines.empty() ? std::string{} : text_of(lines.front(), "text");
  return text.substr(0, text.find(' '));
}

/// Steps until `arrived` says so. Anything but a step that ends one ends the whole.
template <class Arrived>
support::Status step_until(Invocation& command, const Json& parameters, Arrived arrived) {
  for (uint64_t steps = 0; steps < most_steps; ++steps) {
    const Json stop = TRY(quiet(command, "step", parameters));
    if (text_of(stop, "reason") != "step" || TRY(arrived(stop))) return show_stop(command, stop);
  }
  TRY(show_stop(command, command.memory.last_stop));
  return support::Error{fmt::format("{} gave up after {} steps", command.spelling(), most_steps)};
}

}  // namespace

support::Status show_stop(Invocation& command, const Json& stop) {
  const std::string reason = text_of(stop, "reason"), text = text_of(stop, "text"), ending = text_of(stop, "ending");
  if (reason != "step" && reason != "place" && !text.empty()) command.line("{}", command.style.note(text));
  if (!ending.empty() && text.find(ending) == std::string::npos) command.line("{}", command.style.note(ending));
  show_change(command, stop);
  command.line("{}", position_line(command, stop));
  return show_instruction(command);
}

namespace {

/// On to a place as if a breakpoint stood there. A name that no loaded image has yet becomes a breakpoint that goes with its
/// first hit, or with the end of this motion.
support::Status go_to(Invocation& command, Json parameters, const std::string& place) {
  parameters["to"] = place;
  auto answer = command.ask("run", parameters);
  if (answer) return show_stop(command, object_of(answer.value(), "stop"));
  const auto waiting = command.ask("breakpoint.set", {{"kind", "code"}, {"what", place}, {"temporary", true}});
  if (!waiting) return answer.error();
  const Json& breakpoint = object_of(waiting.value(), "breakpoint");
  if (!flag_of(breakpoint, "resolved")) {
    parameters.erase("to");
    answer = command.ask("run", parameters);
  }
  (void)command.api().call("breakpoint.remove", {{"id", number_or_zero(breakpoint, "id")}});
  if (!answer) return answer.error();
  return show_stop(command, object_of(answer.value(), "stop"));
}

}  // namespace

support::Status go(Invocation& command) {
  Json parameters = Json::object();
  if (is_back(command.spelling())) parameters["back"] = true;
  if (command.words.take("until")) {
    if (command.words.empty()) return support::Error{"until wants a query: g until kind == \"VtlCall\""};
    parameters["until"] = command.words.rest();
  } else if (!command.words.empty()) {
    const std::string place = translate(command.words.next());
    TRY(command.end_of_words());
    return go_to(command, std::move(parameters), place);
  }
  TRY(command.end_of_words());
  return command.move("run", std::move(parameters));
}

support::Status go_up(Invocation& command) {
  TRY(command.end_of_words());
  Json parameters{{"kind", "out"}};
  if (is_back(command.spelling())) parameters["back"] = true;
  return command.move("step", std::move(parameters));
}

support::Status step(Invocation& command) {
  const std::string& spelling = command.spelling();
  Json parameters{{"kind", spelling[0] == 'p' ? "over" : "into"}};
  if (is_back(spelling)) parameters["back"] = true;
  if (command.words.take("/l")) parameters["by"] = "line";
  if (!command.words.empty()) parameters["count"] = TRY(command.evaluate(command.words.next()));
  TRY(command.end_of_words());
  return command.move("step", std::move(parameters));
}

support::Status step_to_address(Invocation& command) {
  if (command.words.empty()) return support::Error{fmt::format("{} wants an address", command.spelling())};
  const uint64_t address = TRY(command.evaluate(command.words.next()));
  TRY(command.end_of_words());
  const Json parameters{{"kind", command.spelling()[0] == 'p' ? "over" : "into"}};
  return step_until(command, parameters, [&](const Json& stop) -> support::Result<bool> {
    return number_or_zero(object_of(stop, "place"), "address") == address;
  });
}

support::Status step_to_instruction(Invocation& command) {
  TRY(command.end_of_words());
  const Json parameters{{"kind", command.spelling()[0] == 'p' ? "over" : "into"}};
  const bool calls = command.spelling()[1] == 'c';
  return step_until(command, parameters, [&](const Json&) -> support::Result<bool> {
    const std::string name = TRY(mnemonic(command));
    return calls ? name == "call" || name == "syscall" || name == "vmcall" : name.starts_with("ret") || name.starts_with("iret") || name == "sysret";
  });
}

support::Status seek(Invocation& command) {
  if (command.words.empty()) return support::Error{".seek wants an instant, a part such as 50%, begin or end"};
  std::string word = command.words.next();
  TRY(command.end_of_words());
  const Json status = TRY(command.ask("status"));
  const uint64_t end = number_or_zero(status, "end");
  uint64_t at = 0;
  if (word == "end") {
    at = end;
  } else if (word.ends_with('%')) {
    word.pop_back();
    const auto percent = decimal(word);
    if (!percent || *percent > 100) return support::Error{fmt::format("{}% is no part of a run", word)};
    at = static_cast<uint64_t>(static_cast<unsigned __int128>(end) * *percent / 100);
  } else if (word != "begin") {
    const auto instant = decimal(word);
    if (!instant) return support::Error{fmt::format("{} is no instant: a decimal number, a part such as 50%, begin or end", word)};
    at = *instant;
  }
  return command.move("focus", {{"at", at}});
}

support::Status position(Invocation& command) {
  TRY(command.end_of_words());
  const Json status = TRY(command.ask("status"));
  const Json& focus = object_of(status, "focus");
  const uint64_t at = number_or_zero(focus, "at"), end = number_or_zero(status, "end"), vtl = number_or_zero(focus, "vtl");
  command.line("Instant {} of {}, instruction {}", at, end, number_or_zero(status, "instructions"));
  command.line("VP {} {}", number_or_zero(focus, "vp"), command.style.vtl(vtl, vtl_name(vtl)));
  if (const std::string ending = text_of(status, "ending"); !ending.empty()) command.line("The run ends: {}", ending);
  const std::string branch = text_of(status, "branch");
  command.line("{}", branch.empty() ? "This is the run itself." : command.style.note(fmt::format("A what-if branch: {}", branch)));
  for (const Json& complaint : list_of(status, "complaints"))
    if (complaint.is_string()) command.line("{}", command.style.error(complaint.get<std::string>()));
  return show_instruction(command);
}

support::Status switch_vtl(Invocation& command) {
  if (!command.words.empty()) {
    const auto vtl = decimal(command.words.next());
    TRY(command.end_of_words());
    if (!vtl) return support::Error{"!vtl wants the number of a VTL: 0 or 1"};
    return command.move("focus", {{"vtl", *vtl}});
  }
  const Json focus = TRY(command.where());
  for (const uint64_t vtl : {0U, 1U}) {
    Json its = focus;
    its["vtl"] = vtl;
    const rpc::Answer answer = command.api().call("registers", {{"focus", its}, {"groups", {"general", "control"}}});
    if (!answer) {
      command.line("  {}: {}", command.style.vtl(vtl, vtl_name(vtl)), answer.error().message);
      continue;
    }
    std::string text;
    for (const Json& row : list_of(answer.value(), "registers"))
      if (const std::string name = text_of(row, "name"); name == "rip" || name == "rsp" || name == "cr3")
        text += fmt::format("  {}={}", name, kd_address(number_or_zero(row, "value")));
    command.line("{} {}{}{}", number_or_zero(focus, "vtl") == vtl ? '>' : ' ', command.style.vtl(vtl, vtl_name(vtl)), text,
                 flag_of(answer.value(), "active") ? "  active" : "");
  }
  return support::Unit{};
}

support::Status processors(Invocation& command) {
  TRY(command.end_of_words());
  const Json hello = TRY(command.ask("hello"));
  const Json focus = TRY(command.where());
  for (uint64_t vp = 0; vp < number_or_zero(hello, "processors"); ++vp)
    for (const uint64_t vtl : {0U, 1U}) {
      Json its = focus;
      its["vp"] = vp;
      its["vtl"] = vtl;
      its.erase("frame");
      const rpc::Answer answer = command.api().call("registers", {{"focus", its}, {"groups", {"general"}}});
      if (!answer) continue;
      const bool here = number_or_zero(focus, "vp") == vp && number_or_zero(focus, "vtl") == vtl;
      command.line("{} {}.{}  VP {} {}{}", here ? '.' : ' ', vp, vtl, vp, command.style.vtl(vtl, vtl_name(vtl)),
                   flag_of(answer.value(), "active") ? "  active" : "");
    }
  return support::Unit{};
}

support::Status branch(Invocation& command) {
  const std::string word = command.words.next();
  TRY(command.end_of_words());
  if (word == "end") {
    command.memory.branch.clear();
    TRY(command.move("branch.end", Json::object()));
    command.line("{}", command.style.note("Back in the run itself."));
    return support::Unit{};
  }
  const Json status = TRY(command.ask("status"));
  if (const std::string branch = text_of(status, "branch"); !branch.empty()) {
    if (!word.empty()) return support::Error{fmt::format("a branch was begun already ({}); `.branch end` ends it", branch)};
    command.line("{}", command.style.note(fmt::format("A what-if branch: {}", branch)));
    return support::Unit{};
  }
  if (word.empty()) {
    command.line("This is the run itself. `.branch NAME` begins a what-if branch, as does the first change.");
    return support::Unit{};
  }
  const Json answer = TRY(command.ask("branch.begin", {{"name", word}}));
  command.memory.branch = text_of(answer, "branch");
  command.line("{}", command.style.note(fmt::format("A what-if branch begins here ({}): the recording stays as it is. `.branch end` goes back to it.",
                                                    command.memory.branch)));
  return support::Unit{};
}

}  // namespace faces::console
