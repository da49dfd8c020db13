// r and its relatives.
#include <algorithm>
#include <array>

#include "sim/faces/console/state.h"

namespace faces::console {
namespace {

const Json* find(const Json& registers, std::string_view name) {
  for (const Json& row : registers)
    if (text_of(row, "name") == name) return &row;
  return nullptr;
}

/// All digits of a register, whatever its width.
std::string digits(const Json& row) {
  const std::string value = text_of(row, "value");
  const size_t width = number_or_zero(row, "bits") / 4;
  std::string text = value.starts_with("0x") ? value.substr(2) : value;
  if (text.size() < width) text.insert(0, width - text.size(), '0');
  return text;
}

std::string shown(const Invocation& command, const Json& row) {
  return member(row, "previous") != nullptr ? command.style.changed(digits(row)) : digits(row);
}

/// Of the kernel debugger's picture: a row of registers, as far as they are there.
void row_of(Invocation& command, const Json& all, std::initializer_list<std::string_view> names) {
  std::string text;
  for (const std::string_view name : names)
    if (const Json* row = find(all, name)) text += fmt::format("{}{:>3}={}", text.empty() ? "" : " ", name, shown(command, *row));
  if (!text.empty()) command.line("{}", text);
}

struct FlagName {
  unsigned bit;
  std::string_view set, clear;
};
constexpr std::array flag_names{FlagName{11, "ov", "nv"}, FlagName{10, "dn", "up"}, FlagName{9, "ei", "di"}, FlagName{7, "ng", "pl"},
                                FlagName{6, "zr", "nz"},  FlagName{4, "ac", "na"},  FlagName{2, "pe", "po"}, FlagName{0, "cy", "nc"}};

std::string flags_text(uint64_t rflags) {
  std::string text = fmt::format("iopl={}        ", rflags >> 12 & 3);
  for (const FlagName& flag : flag_names) text += fmt::format(" {}", (rflags >> flag.bit & 1) != 0 ? flag.set : flag.clear);
  return text;
}

void picture(Invocation& command, const Json& all) {
  row_of(command, all, {"rax", "rbx", "rcx"});
  row_of(command, all, {"rdx", "rsi", "rdi"});
  row_of(command, all, {"rip", "rsp", "rbp"});
  row_of(command, all, {"r8", "r9", "r10"});
  row_of(command, all, {"r11", "r12", "r13"});
  row_of(command, all, {"r14", "r15"});
  const Json* rflags = find(all, "rflags");
  if (rflags == nullptr) return;
  command.line("{}", flags_text(number_or_zero(*rflags, "value")));
  std::string text;
  for (const std::string_view name : {"cs", "ss", "ds", "es", "fs", "gs"})
    if (const Json* row = find(all, name)) text += fmt::format("{}={:04x}  ", name, number_or_zero(*row, "value") & 0xffff);
  command.line("{}           efl={:08x}", text, number_or_zero(*rflags, "value"));
}

void list(Invocation& command, const Json& all, std::string_view group) {
  for (const Json& row : all) {
    if (text_of(row, "group") != group) continue;
    const std::string previous = text_of(row, "previous");
    command.line("{:>24}={}{}{}", text_of(row, "name"), shown(command, row), flag_of(row, "shared") ? "  shared by VTLs" : "",
                 previous.empty() ? "" : fmt::format("  was {}", previous));
  }
}

constexpr std::array<std::string_view, 8> groups{"general", "segment", "control", "debug", "msr", "x87", "sse", "synthetic"};

support::Status assign(Invocation& command, std::string_view name, std::string_view expression) {
  const uint64_t value = TRY(command.evaluate(expression));
  const Json focus = TRY(command.where());
  TRY(need_branch(command));
  TRY(command.ask("registers.write", {{"name", name}, {"value", hex(value)}, {"vtl", number_or_zero(focus, "vtl")},
                                      {"vp", number_or_zero(focus, "vp")}}));
  command.line("{}={:016x}", name, value);
  return support::Unit{};
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

/// Case does not matter for names of MSRs.
support::Status show_one(Invocation& command, const Json& all, std::string name) {
  if (name.starts_with('@')) name.erase(0, 1);
  if (std::ranges::find(groups, name) != groups.end()) {
    list(command, all, name);
    return support::Unit{};
  }
  for (const Json& row : all)
    if (lower(text_of(row, "name")) == lower(name)) {
      command.line("{}={}{}", text_of(row, "name"), shown(command, row), flag_of(row, "shared") ? "  (shared by VTLs)" : "");
      return support::Unit{};
    }
  return support::Error{fmt::format("there is no register or group of registers {}; `r` shows the general ones, and the groups are "
                                    "general segment control debug msr x87 sse synthetic", name)};
}

}  // namespace

support::Status registers(Invocation& command) {
  if (command.words.empty() || command.words.take("/a")) {
    const Json answer = TRY(command.ask("registers"));
    const Json focus = TRY(command.where());
    const uint64_t vtl = number_or_zero(focus, "vtl");
    command.line("{}{}", command.style.vtl(vtl, fmt::format("VP {} {}", number_or_zero(focus, "vp"), vtl_name(vtl))),
                 flag_of(answer, "active") ? "" : "  (not running: as it will find them)");
    picture(command, list_of(answer, "registers"));
    if (command.command().name == "r" && command.words.empty() && flag_of(answer, "active") && !command.focus())
      return show_instruction(command);
    return support::Unit{};
  }
  while (!command.words.empty()) {
    std::string word = command.words.next();
    if (const size_t equals = word.find('='); equals != std::string::npos) {
      std::string name = word.substr(0, equals);
      while (!name.empty() && name.back() == ' ') name.pop_back();
      if (name.starts_with('@')) name.erase(0, 1);
      std::string value = word.substr(equals + 1);
      if (const size_t begin = value.find_first_not_of(' '); begin != std::string::npos) value.erase(0, begin);
      TRY(assign(command, name, value));
      continue;
    }
    while (word.ends_with(',')) word.pop_back();
    const Json answer = TRY(command.ask("registers"));
    TRY(show_one(command, list_of(answer, "registers"), word));
  }
  return support::Unit{};
}

support::Status read_msr(Invocation& command) {
  const Json answer = TRY(command.ask("registers", {{"groups", {"msr", "synthetic"}}}));
  const Json& all = list_of(answer, "registers");
  if (!command.words.empty()) {
    const std::string name = command.words.next();
    TRY(command.end_of_words());
    return show_one(command, all, name);
  }
  list(command, all, "msr");
  list(command, all, "synthetic");
  return support::Unit{};
}

support::Status evaluate(Invocation& command) {
  if (command.words.empty()) return support::Error{"? wants an expression; `.help ?` says how these are written"};
  const std::string text = command.words.rest();
  if (const auto value = literal(text)) {
    command.line("Evaluate expression: {} = {}", static_cast<int64_t>(*value), kd_address(*value));
    return support::Unit{};
  }
  const Json answer = TRY(command.ask("evaluate", {{"expression", translate(text)}}));
  const auto number = number_of(answer, "number");
  if (!number) {
    command.line("{} ({})", text_of(answer, "value"), text_of(answer, "type"));
    return support::Unit{};
  }
  const Json& where = object_of(answer, "place");
  command.line("Evaluate expression: {} = {}{}", static_cast<int64_t>(*number), kd_address(*number),
               text_of(where, "symbol").empty() ? "" : fmt::format("  {}", command.place(where)));
  return support::Unit{};
}

support::Status need_branch(Invocation& command) {
  if (!command.memory.branch.empty()) return support::Unit{};
  const Json status = TRY(command.ask("status"));
  command.memory.branch = text_of(status, "branch");
  if (!command.memory.branch.empty()) return support::Unit{};
  const Json answer = TRY(command.ask("branch.begin"));
  command.memory.branch = text_of(answer, "branch");
  command.line("{}", command.style.note(fmt::format(
                         "A what-if branch begins here ({}): the recording stays as it is. `.branch end` goes back to it.", command.memory.branch)));
  return support::Unit{};
}

}  // namespace faces::console
