// What could stand where a line ends: from the table of commands, and from the interface.
#include <algorithm>

#include "sim/faces/console/console.h"

namespace faces::console {
namespace {

constexpr uint64_t most_words = 200;

/// Names of the objects of a list that begin with `start`.
void add_names(std::vector<std::string>& words, const Json& list, std::string_view start) {
  for (const Json& row : list)
    if (std::string name = text_of(row, "name"); name.starts_with(start)) words.push_back(std::move(name));
}

void add_registers(std::vector<std::string>& words, rpc::Api& api, std::string_view start) {
  std::string at;
  if (start.starts_with('@')) {
    at = "@";
    start.remove_prefix(1);
  }
  const rpc::Answer answer = api.call("registers", Json::object());
  if (!answer) return;
  for (const Json& row : list_of(answer.value(), "registers"))
    if (const std::string name = text_of(row, "name"); name.starts_with(start)) words.push_back(at + name);
}

void add_symbols(std::vector<std::string>& words, rpc::Api& api, std::string_view start) {
  const size_t bang = start.find('!');
  if (bang == std::string_view::npos) {
    const rpc::Answer modules = api.call("modules", Json::object());
    if (!modules) return;
    for (const Json& row : list_of(modules.value(), "modules"))
      if (const std::string name = text_of(row, "name"); name.starts_with(start)) words.push_back(name + "!");
    return;
  }
  const rpc::Answer found = api.call("symbols.find", {{"pattern", std::string{start} + "*"}, {"maximum", most_words}});
  if (!found) return;
  for (const Json& row : list_of(found.value(), "symbols")) {
    const Json& place = object_of(row, "place");
    words.push_back(fmt::format("{}!{}", text_of(place, "module"), text_of(place, "symbol")));
  }
}

void add_types(std::vector<std::string>& words, rpc::Api& api, std::string_view start) {
  const std::string pattern = (start.find('!') == std::string_view::npos ? "*!" : "") + std::string{start} + "*";
  const rpc::Answer found = api.call("types.find", {{"pattern", pattern}, {"maximum", most_words}});
  if (!found) return;
  const bool qualified = start.find('!') != std::string_view::npos;
  for (const Json& name : list_of(found.value(), "names")) {
    if (!name.is_string()) continue;
    const std::string text = name.get<std::string>();
    const size_t bang = text.find('!');
    words.push_back(qualified || bang == std::string::npos ? text : text.substr(bang + 1));
  }
}

void add_commands(std::vector<std::string>& words, std::string_view start) {
  for (const Command& command : commands()) {
    if (command.name.starts_with(start)) words.emplace_back(command.name);
    std::string_view others = command.others;
    while (!others.empty()) {
      const size_t end = std::min(others.find(' '), others.size());
      if (others.substr(0, end).starts_with(start)) words.emplace_back(others.substr(0, end));
      others.remove_prefix(std::min(end + 1, others.size()));
    }
  }
}

void add(std::vector<std::string>& words, rpc::Api& api, Completes kind, std::string_view start) {
  const auto names = [&](std::string_view method, std::string_view list) {
    const rpc::Answer answer = api.call(method, Json::object());
    if (answer) add_names(words, list_of(answer.value(), list), start);
  };
  switch (kind) {
    case Completes::Nothing: return;
    case Completes::Command: return add_commands(words, start);
    case Completes::Register: return add_registers(words, api, start);
    case Completes::Event: return names("breakpoint.events", "kinds");
    case Completes::Process: return names("processes", "processes");
    case Completes::Module: return names("modules", "modules");
    case Completes::Type: return add_types(words, api, start);
    case Completes::Table:
      for (const std::string_view name : {"threads", "secure_threads", "handles", "mailboxes", "blobs", "images", "pools", "ranges"})
        if (name.starts_with(start)) words.emplace_back(name);
      return;
    case Completes::Address:
      if (start.starts_with('@')) return add_registers(words, api, start);
      return add_symbols(words, api, start);
  }
}

/// Characters that no name has: a word of an expression begins behind them.
constexpr std::string_view separators = " \t;()+*/%&|^<>=,[]\"";

}  // namespace

Completion Console::complete(std::string_view line) {
  const size_t command_begin = line.find_last_of(';') == std::string_view::npos ? 0 : line.find_last_of(';') + 1;
  const size_t name_begin = std::min(line.find_first_not_of(" \t", command_begin), line.size());
  const size_t name_end = std::min(line.find_first_of(" \t", name_begin), line.size());
  Completion completion;
  if (name_end == line.size()) {
    completion.from = name_begin;
    add_commands(completion.words, line.substr(name_begin));
  } else {
    const size_t separator = line.find_last_of(separators);
    completion.from = separator == std::string_view::npos ? name_begin : separator + 1;
    const std::string_view name = line.substr(name_begin, name_end - name_begin);
    if (const Command* command = find_command(name)) {
      add(completion.words, api_, command->completes, line.substr(completion.from));
      if (name == "r" && completion.words.empty()) add_symbols(completion.words, api_, line.substr(completion.from));
    }
  }
  std::ranges::sort(completion.words);
  const auto repeated = std::ranges::unique(completion.words);
  completion.words.erase(repeated.begin(), repeated.end());
  if (completion.words.size() > most_words) completion.words.resize(most_words);
  return completion;
}

}  // namespace faces::console
