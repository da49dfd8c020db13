// Instructions, stacks, names and types.
#include "sim/faces/console/code.h"

#include <algorithm>

namespace faces::console {
namespace {

constexpr uint64_t instructions_shown = 8, most_instructions = 4096;

/// module!symbol+0x12: above the first line and wherever the symbol changes.
std::string heading(const Json& place) {
  const std::string module = text_of(place, "module"), symbol = text_of(place, "symbol");
  return symbol.empty() ? module : fmt::format("{}!{}", module, symbol);
}

void show_lines(Invocation& command, const Json& lines) {
  std::string above;
  for (const Json& line : lines) {
    const Json& where = object_of(line, "place");
    std::string symbol = heading(where);
    if (!symbol.empty() && (symbol != above || number_or_zero(where, "displacement") == 0)) command.line("{}:", command.place(where));
    above = std::move(symbol);
    if (const std::string source = text_of(line, "source"); !source.empty())
      command.line("{:>5} {}", number_or_zero(where, "line"), source);
    command.line("{}", instruction_line(command, line));
  }
}

support::Result<uint64_t> here(Invocation& command) {
  const Json answer = TRY(command.ask("disassemble", {{"count", 1}}));
  const Json& lines = list_of(answer, "lines");
  if (lines.empty()) return support::Error{"there is no instruction here"};
  return number_or_zero(object_of(lines.front(), "place"), "address");
}

/// Where the symbol that covers an address begins.
support::Result<uint64_t> function_start(Invocation& command, uint64_t address) {
  const Json answer = TRY(command.ask("symbols.at", {{"address", hex(address)}}));
  const Json& place = object_of(answer, "place");
  if (text_of(place, "symbol").empty()) return support::Error{fmt::format("no symbol covers {}", kd_address(address))};
  return address - number_or_zero(place, "displacement");
}

std::string_view entered_by(const std::string& how) {
  if (how == "interrupt") return "  <- interrupt";
  if (how == "system_call") return "  <- system call";
  if (how == "vtl_call") return "  <- VTL call";
  if (how == "vtl_return") return "  <- VTL return";
  return "";
}

}  // namespace

std::string instruction_line(const Invocation& command, const Json& line) {
  const Json& where = object_of(line, "place");
  std::string target;
  if (const Json& named = object_of(line, "target"); !text_of(named, "symbol").empty())
    target = fmt::format(" ({})", command.place(named));
  std::string text = fmt::format("{} {:<15} {}{}", command.style.address(kd_address(number_or_zero(where, "address"))),
                                 text_of(line, "bytes"), text_of(line, "text"), target);
  if (!list_of(line, "breakpoints").empty()) text += fmt::format("  {}", command.style.note("<breakpoint>"));
  return flag_of(line, "current") ? command.style.strong(text) : text;
}

support::Status show_instruction(Invocation& command) {
  const Json answer = TRY(command.ask("disassemble", {{"count", 1}}));
  for (const Json& line : list_of(answer, "lines")) {
    const Json& where = object_of(line, "place");
    if (!heading(where).empty()) command.line("{}:", command.place(where));
    if (const std::string source = text_of(line, "source"); !source.empty())
      command.line("{:>5} {}", number_or_zero(where, "line"), source);
    command.line("{}", instruction_line(command, line));
  }
  return support::Unit{};
}

support::Status unassemble(Invocation& command) {
  Json parameters{{"count", instructions_shown}};
  Location location;
  TRY(command.location_options(location));
  if (!location.process.empty()) parameters["process"] = location.process;
  if (command.words.empty()) {
    if (command.memory.unassemble_next) parameters["address"] = hex(*command.memory.unassemble_next);
  } else {
    const Range range = TRY(command.range(1, instructions_shown));
    parameters["address"] = hex(range.location.address);
    parameters["count"] = std::min(range.bytes, most_instructions);
  }
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("disassemble", parameters));
  const Json& lines = list_of(answer, "lines");
  show_lines(command, lines);
  if (!lines.empty())
    command.memory.unassemble_next =
        number_or_zero(object_of(lines.back(), "place"), "address") + std::max<size_t>(1, bytes_of(lines.back(), "bytes").size());
  return support::Unit{};
}

support::Status unassemble_back(Invocation& command) {
  Json parameters{{"count", 1}, {"before", instructions_shown}};
  if (!command.words.empty()) {
    const Range range = TRY(command.range(1, instructions_shown));
    parameters["address"] = hex(range.location.address);
    parameters["before"] = std::min(range.bytes, most_instructions);
  }
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("disassemble", parameters));
  show_lines(command, list_of(answer, "lines"));
  return support::Unit{};
}

support::Status unassemble_function(Invocation& command) {
  const uint64_t address = command.words.empty() ? TRY(here(command)) : TRY(command.location()).address;
  TRY(command.end_of_words());
  const uint64_t start = TRY(function_start(command, address));
  const Json answer = TRY(command.ask("disassemble", {{"address", hex(start)}, {"count", most_instructions}}));
  Json lines = Json::array();
  std::string name;
  for (const Json& line : list_of(answer, "lines")) {
    const std::string symbol = heading(object_of(line, "place"));
    if (lines.empty()) name = symbol;
    if (symbol != name) break;
    lines.push_back(line);
  }
  while (lines.size() > 1 && text_of(lines.back(), "text").starts_with("int3")) lines.erase(lines.size() - 1);  // padding
  show_lines(command, lines);
  return support::Unit{};
}

support::Status stack(Invocation& command) {
  const bool numbered = command.spelling().find('n') != std::string::npos, verbose = command.spelling().find('v') != std::string::npos;
  Json parameters = Json::object();
  if (!command.words.empty()) parameters["maximum"] = TRY(command.evaluate(command.words.next()));
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("stack", parameters));
  command.line("{}Child-SP          RetAddr / Call Site", numbered ? " # " : "");
  std::optional<uint64_t> vtl;
  for (const Json& frame : list_of(answer, "frames")) {
    const uint64_t its = number_or_zero(frame, "vtl");
    if (vtl != its) command.line("{}", command.style.vtl(its, fmt::format("--- {} ---", vtl_name(its))));
    vtl = its;
    const Json& pc = object_of(frame, "pc");
    std::string text = numbered ? fmt::format("{:02x} ", number_or_zero(frame, "index")) : std::string{};
    text += fmt::format("{} {}", command.style.address(kd_address(number_or_zero(frame, "sp"))), command.place(pc));
    text += entered_by(text_of(frame, "entered"));
    if (!flag_of(frame, "trusted") && number_or_zero(frame, "index") > 0) text += "  (no unwind data: a guess)";
    command.line("{}", text);
    if (!verbose) continue;
    const std::string file = text_of(pc, "file");
    command.line("     {} ring {}{}", kd_address(number_or_zero(pc, "address")), number_or_zero(frame, "ring"),
                 file.empty() ? "" : fmt::format("  [{} @ {}]", file, number_or_zero(pc, "line")));
  }
  if (const std::string why = text_of(answer, "why"); !why.empty()) command.line("({})", why);
  return support::Unit{};
}

support::Status frame(Invocation& command) {
  if (!command.words.empty()) {
    const uint64_t number = TRY(command.evaluate(command.words.next()));
    TRY(command.end_of_words());
    TRY(command.ask("focus", {{"frame", number}}));
  }
  const Json focus = TRY(command.where());
  const uint64_t number = number_or_zero(focus, "frame");
  const Json answer = TRY(command.ask("stack"));
  for (const Json& row : list_of(answer, "frames"))
    if (number_or_zero(row, "index") == number) command.line("{:02x} {}", number, command.place(object_of(row, "pc")));
  return support::Unit{};
}

support::Status examine(Invocation& command) {
  if (command.words.empty()) return support::Error{"x wants a pattern: x nt!*Create*"};
  const Json answer = TRY(command.ask("symbols.find", {{"pattern", command.words.next()}, {"maximum", 1000}}));
  TRY(command.end_of_words());
  const Json& symbols = list_of(answer, "symbols");
  if (symbols.empty()) return support::Error{"no symbol matches"};
  for (const Json& symbol : symbols) {
    const Json& where = object_of(symbol, "place");
    command.line("{}          {}", command.style.address(kd_address(number_or_zero(where, "address"))), command.place(where));
  }
  if (flag_of(answer, "more")) command.line("(and more: name it more closely)");
  return support::Unit{};
}

support::Status nearest_symbol(Invocation& command) {
  const uint64_t address = command.words.empty() ? TRY(here(command)) : TRY(command.location()).address;
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("symbols.at", {{"address", hex(address)}}));
  const Json& where = object_of(answer, "place");
  if (text_of(where, "symbol").empty() && text_of(where, "module").empty())
    return support::Error{fmt::format("{} is in no image", kd_address(address))};
  command.line("({})   {}", command.style.address(kd_address(address)), command.place(where));
  if (const std::string file = text_of(where, "file"); !file.empty()) command.line("{}({})", file, number_or_zero(where, "line"));
  return support::Unit{};
}

support::Status modules(Invocation& command) {
  std::string wanted;
  if (command.words.take("m") || !command.words.empty()) wanted = command.words.next();
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("modules"));
  command.line("start             end                 VTL    symbols  module name");
  for (const Json& module : list_of(answer, "modules")) {
    const std::string name = text_of(module, "name"), process = text_of(module, "process");
    if (!wanted.empty() && name.find(wanted) == std::string::npos) continue;
    const uint64_t base = number_or_zero(module, "base"), vtl = number_or_zero(module, "vtl");
    command.line("{} {}   {}  {:<8} {}{}", kd_address(base), kd_address(base + number_or_zero(module, "size")),
                 command.style.vtl(vtl, vtl_name(vtl)), text_of(module, "symbols"), command.style.symbol(fmt::format("{:<16} {}", name, text_of(module, "file"))),
                 process.empty() ? "" : fmt::format("  in {}", process));
  }
  return support::Unit{};
}

namespace {

/// A member; below `prefix` the members of members are shown.
void show_field(Invocation& command, const Json& field, bool values) {
  std::string type = text_of(field, "type");
  if (const auto bit = number_of(field, "bit")) {
    type += fmt::format(", bit {}", *bit);
    if (const auto bits = number_of(field, "bits"); bits && *bits > 1) type += fmt::format(" to {}", *bit + *bits - 1);
  }
  std::string value = values ? text_of(field, "value") : std::string{};
  if (const Json& where = object_of(field, "place"); !value.empty() && !text_of(where, "symbol").empty())
    value += fmt::format(" {}", command.place(where));
  command.line("   +0x{:03x} {:<24} : {}{}", number_or_zero(field, "offset"), text_of(field, "name"),
               values ? fmt::format("{:<24} ", value) : "", type);
}

/// A word after the type that is no address.
bool names_member(std::string_view word) {
  return !word.empty() && !literal(word) && word.find_first_of("!@$(.+-") == std::string_view::npos;
}

support::Status list_types(Invocation& command, const std::string& pattern) {
  const Json answer = TRY(command.ask("types.find", {{"pattern", pattern}}));
  const Json& names = list_of(answer, "names");
  if (names.empty()) return support::Error{fmt::format("no type matches {}", pattern)};
  for (const Json& name : names)
    if (name.is_string()) command.line("          {}", command.style.symbol(name.get<std::string>()));
  if (flag_of(answer, "more")) command.line("(and more: name it more closely)");
  return support::Unit{};
}

}  // namespace

support::Status display_type(Invocation& command) {
  Location options;
  TRY(command.location_options(options));
  if (command.words.empty()) return support::Error{"dt wants a type: dt nt!_EPROCESS [MEMBER] [ADDRESS]"};
  const std::string name = command.words.next();
  if (name.find_first_of("*?") != std::string::npos) return list_types(command, name);
  std::string wanted;
  if (command.words.size() > 1 || names_member(command.words.peek())) wanted = command.words.next();
  Json parameters{{"name", name}};
  if (!options.process.empty()) parameters["process"] = options.process;
  const bool values = !command.words.empty();
  if (values) parameters["address"] = hex(TRY(command.evaluate(command.words.next())));
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("type", parameters));
  command.line("{} {}, 0x{:x} bytes", text_of(answer, "kind"), command.style.symbol(text_of(answer, "name")),
               number_or_zero(answer, "size"));
  bool shown = false;
  for (const Json& field : list_of(answer, "fields")) {
    if (!wanted.empty() && !text_of(field, "name").starts_with(wanted)) continue;
    show_field(command, field, values);
    shown = true;
  }
  if (!shown && !wanted.empty()) return support::Error{fmt::format("{} has no member {}", name, wanted)};
  return support::Unit{};
}

}  // namespace faces::console
