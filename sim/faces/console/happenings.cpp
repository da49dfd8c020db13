// What happened: events, calls between the worlds, who wrote what, bookmarks.
#include <algorithm>

#include "sim/faces/console/kernel.h"

namespace faces::console {

support::Status events(Invocation& command) {
  Json parameters{{"maximum", 20}};
  bool count = false;
  while (command.words.peek().starts_with('-')) {
    const std::string option = command.words.next();
    if (option == "-b") {
      parameters["back"] = true;
    } else if (option == "-c") {
      count = true;
    } else if (option == "-n" || option == "-f") {
      const auto number = decimal(command.words.next());
      if (!number) return support::Error{fmt::format("{} wants a decimal number", option)};
      parameters[option == "-n" ? "maximum" : "from"] = *number;
    } else {
      return support::Error{fmt::format("!events does not know {}; there are -b (back), -c (count), -n NUMBER and -f INSTANT", option)};
    }
  }
  if (!command.words.empty()) parameters["query"] = command.words.rest();
  if (count) {
    parameters.erase("maximum");
    parameters.erase("back");
    const Json answer = TRY(command.ask("events.count", parameters));
    command.line("{} events", number_or_zero(answer, "count"));
    return support::Unit{};
  }
  const Json answer = TRY(command.ask("events.list", parameters));
  for (const Json& event : list_of(answer, "events")) {
    const uint64_t vtl = number_or_zero(event, "vtl");
    command.line("{:>14}  VP {} {}  {}", number_or_zero(event, "at"), number_or_zero(event, "vp"), command.style.vtl(vtl, vtl_name(vtl)),
                 text_of(event, "text"));
  }
  if (list_of(answer, "events").empty()) command.line("No such event.");
  if (flag_of(answer, "more")) command.line("(and more: -n NUMBER, or -f INSTANT to go on)");
  return support::Unit{};
}

support::Status calls(Invocation& command) {
  Json parameters{{"maximum", 100}};
  if (command.words.take("-h")) parameters["hypercalls"] = true;
  if (!command.words.empty()) {
    for (const std::string_view name : {"from", "to"}) {
      if (command.words.empty()) break;
      const auto at = decimal(command.words.next());
      if (!at) return support::Error{"!calls wants instants, in decimal: !calls [-h] [FROM [TO]]"};
      parameters[std::string{name}] = *at;
    }
  }
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("calls", parameters));
  for (const Json& call : list_of(answer, "calls")) {
    const auto end = number_of(call, "end");
    const uint64_t from = number_or_zero(call, "from_vtl"), to = number_or_zero(call, "to_vtl");
    const uint64_t depth = std::min<uint64_t>(number_or_zero(call, "depth"), 64);
    command.line("{:>14} {:>9}  {}{} -> {}  {}", number_or_zero(call, "at"),
                 end ? fmt::format("+{}", *end - number_or_zero(call, "at")) : std::string{"(open)"}, std::string(2 * depth, ' '),
                 command.style.vtl(from, vtl_name(from)), command.style.vtl(to, vtl_name(to)), text_of(call, "text"));
  }
  if (list_of(answer, "calls").empty()) command.line("No calls between the worlds.");
  if (flag_of(answer, "more")) command.line("(and more: !calls FROM TO)");
  return support::Unit{};
}

namespace {

support::Result<Json> question(Invocation& command) {
  std::string what = command.words.peek().starts_with('/') ? std::string{} : command.words.next();
  if (what == "reg" || what == "r") {
    std::string name = command.words.next();
    if (name.starts_with('@')) name.erase(0, 1);
    if (name.empty()) return support::Error{"!who reg wants the name of a register: !who reg cr3"};
    return Json{{"what", "register"}, {"register", name}};
  }
  if (what == "pte") {
    const Location location = TRY(command.location());
    Json parameters{{"what", "pte"}, {"address", hex(location.address)}};
    if (!command.words.empty()) parameters["level"] = TRY(command.evaluate(command.words.next()));
    if (!location.process.empty()) parameters["process"] = location.process;
    return parameters;
  }
  if (what == "slat") return Json{{"what", "slat"}, {"address", hex(TRY(command.location("a guest physical address")).address)}};
  return support::Error{"!who wants ADDRESS [L BYTES], or reg NAME, pte ADDRESS [LEVEL], slat GPA"};
}

support::Result<Json> memory_question(Invocation& command) {
  const Range range = TRY(command.range(1, 8));
  if (range.location.space == "spa") return support::Error{"who wrote a system physical address: name it by its GPA (gpa:ADDRESS)"};
  Json parameters{{"what", "memory"}, {"length", range.bytes}};
  put(parameters, range.location);
  return parameters;
}

bool names_kind(std::string_view word) { return word == "reg" || word == "r" || word == "pte" || word == "slat"; }

}  // namespace

support::Status who(Invocation& command) {
  const Json parameters = names_kind(command.words.peek()) || command.words.empty() ? TRY(question(command)) : TRY(memory_question(command));
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("who_wrote", parameters));
  if (!flag_of(answer, "found")) {
    const std::string text = text_of(answer, "text");
    command.line("{}", text.empty() ? "Nobody did before this instant." : text);
    return support::Unit{};
  }
  const Json& at = object_of(answer, "at");
  const uint64_t vtl = number_or_zero(at, "vtl");
  command.line("{}  VP {} {}  {}{}", number_or_zero(at, "at"), number_or_zero(at, "vp"), command.style.vtl(vtl, vtl_name(vtl)),
               command.place(object_of(answer, "place")), flag_of(answer, "between") ? "  (delivery of an interrupt before it)" : "");
  if (const Json& change = object_of(answer, "change"); !change.empty()) command.line("  {}", text_of(change, "text"));
  if (const Json& event = object_of(answer, "event"); !event.empty()) command.line("  {}", text_of(event, "text"));
  command.line("`.seek {}` goes there.", number_or_zero(at, "at"));
  return support::Unit{};
}

support::Status bookmark(Invocation& command) {
  if (!command.words.empty()) {
    const Json answer = TRY(command.ask("bookmark.add", {{"text", command.words.rest()}}));
    command.line("{}", flag_of(answer, "saved") ? "Saved in the recording." : "Kept for this session; the recording was not changed.");
    return support::Unit{};
  }
  const Json answer = TRY(command.ask("bookmark.list"));
  const Json& all = list_of(answer, "bookmarks");
  if (all.empty()) command.line("No bookmarks. `!bookmark TEXT` makes one here.");
  for (const Json& row : all) command.line("{:>14}  {}", number_or_zero(row, "at"), text_of(row, "text"));
  return support::Unit{};
}

}  // namespace faces::console
