#include <algorithm>
#include <array>
#include <vector>

#include "sim/faces/console/breakpoints.h"
#include "sim/faces/console/code.h"
#include "sim/faces/console/command.h"
#include "sim/faces/console/kernel.h"
#include "sim/faces/console/motion.h"
#include "sim/faces/console/session.h"
#include "sim/faces/console/state.h"
#include "sim/rpc/types.h"

namespace faces::console {
namespace {

#define COMMAND(name, others, group, arguments, completes, function, summary, help) \
  Command{name, others, group, arguments, Completes::completes, summary, help, &function},
constexpr std::array table{
#include "sim/faces/console/commands.def"
};
#undef COMMAND

std::vector<std::string_view> spellings(const Command& command) {
  std::vector<std::string_view> names{command.name};
  std::string_view others = command.others;
  while (!others.empty()) {
    const size_t end = std::min(others.find(' '), others.size());
    names.push_back(others.substr(0, end));
    others.remove_prefix(std::min(end + 1, others.size()));
  }
  return names;
}

std::string all_spellings(const Command& command) { return fmt::format("{}", fmt::join(spellings(command), ", ")); }

/// Text of the table in Markdown's table: what would be markup or a column is quoted.
std::string in_cell(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_' || c == '`') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

std::span<const Command> commands() { return table; }

const Command* find_command(std::string_view name) {
  for (const Command& command : table) {
    const std::vector<std::string_view> names = spellings(command);
    if (std::ranges::find(names, name) != names.end()) return &command;
  }
  return nullptr;
}

std::string_view nearest_command(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Command& command : table)
    for (const std::string_view spelling : spellings(command)) names.push_back(spelling);
  return rpc::nearest(name, names);
}

std::string help_page(const Command& command) {
  std::string page = fmt::format("{} {}\n{}.\n", all_spellings(command), command.arguments, command.summary);
  if (!command.help.empty()) page += fmt::format("\n{}", command.help);
  return page;
}

std::string help_overview() {
  std::string text;
  std::string_view group;
  for (const Command& command : table) {
    if (command.group != group) text += fmt::format("{}{}\n", group.empty() ? "" : "\n", command.group);
    group = command.group;
    text += fmt::format("  {:<24} {}\n", command.others.size() > 12 ? std::string{command.name} + " ..." : all_spellings(command), command.summary);
  }
  text += "\n`.help COMMAND` has more. Numbers are hexadecimal (0n decimal); instants, VTLs, processors and numbers of breakpoints are decimal.\n";
  return text;
}

std::string reference_page() {
  std::string text =
      "# Commands of the console\n\nMade from `sim/faces/console/commands.def`; [what the console is](../debugger-console.md).\n\n"
      "Numbers are hexadecimal (`0n` decimal, `0y` binary); instants, VTLs, processors and numbers of breakpoints are decimal.\n"
      "`;` separates commands; `*` and `$$` begin remarks; `~0.1 COMMAND` looks from VTL 1 of processor 0.\n";
  std::string_view group;
  for (const Command& command : table) {
    if (command.group != group)
      text += fmt::format("\n## {}\n\n| Command | Arguments | What it does |\n|---|---|---|\n", command.group);
    group = command.group;
    std::string more;
    for (const char c : command.help) more += c == '\n' ? ' ' : c;
    while (more.ends_with(' ')) more.pop_back();
    text += fmt::format("| {} | {} | {}.{}{} |\n", in_cell(all_spellings(command)), in_cell(command.arguments), in_cell(command.summary),
                        more.empty() ? "" : " ", in_cell(more));
  }
  return text;
}

}  // namespace faces::console
