#include "sim/faces/console/session.h"

#include <algorithm>
#include <array>

namespace faces::console {

support::Status help(Invocation& command) {
  if (command.words.empty()) {
    command.output += help_overview();
    return support::Unit{};
  }
  const std::string name = command.words.next();
  TRY(command.end_of_words());
  const Command* found = find_command(name);
  if (found == nullptr) {
    const std::string_view near = nearest_command(name);
    return support::Error{fmt::format("there is no command {}{}", name, near.empty() ? "; `.help` lists them" : fmt::format("; did you mean {}?", near))};
  }
  command.output += help_page(*found);
  return support::Unit{};
}

support::Status quit(Invocation& command) {
  TRY(command.end_of_words());
  command.memory.ended = true;
  return support::Unit{};
}

support::Status reload(Invocation& command) {
  Json parameters = Json::object();
  if (!command.words.empty()) parameters["folder"] = command.words.rest();
  const Json answer = TRY(command.ask("reload", parameters));
  const Json& modules = list_of(answer, "modules");
  const auto with = [&](std::string_view symbols) {
    return std::ranges::count_if(modules, [&](const Json& row) { return text_of(row, "symbols") == symbols; });
  };
  command.line("{} images: {} with PDBs, {} with exports, {} without symbols", modules.size(), with("pdb"), with("exports"), with("none"));
  for (const Json& complaint : list_of(answer, "complaints"))
    if (complaint.is_string()) command.line("{}", command.style.error(complaint.get<std::string>()));
  return support::Unit{};
}

support::Status dump(Invocation& command) {
  constexpr std::array<std::string_view, 4> kinds{"kernel", "secure_kernel", "core", "listing"};
  std::string kind = "kernel";
  if (std::ranges::find(kinds, command.words.peek()) != kinds.end()) kind = command.words.next();
  Json parameters{{"kind", kind}};
  if (command.words.take("/a")) parameters["everything"] = true;
  if (command.words.empty()) return support::Error{".dump wants a file: .dump [kernel|secure_kernel|core|listing] [/a] FILE [MODULE]"};
  parameters["path"] = command.words.next();
  if (!command.words.empty()) parameters["module"] = command.words.next();
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("dump", parameters));
  command.line("{}: {} bytes. {}", text_of(answer, "path"), number_or_zero(answer, "bytes"), text_of(answer, "text"));
  return support::Unit{};
}

support::Status version(Invocation& command) {
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("hello", {{"client", "console"}}));
  command.line("{} {}, {}, {} {}, {} MiB of memory", text_of(answer, "program"), text_of(answer, "version"),
               flag_of(answer, "live") ? "a live machine" : fmt::format("recording {}", text_of(answer, "recording")), number_or_zero(answer, "processors"),
               number_or_zero(answer, "processors") == 1 ? "processor" : "processors", number_or_zero(answer, "memory") >> 20);
  return support::Unit{};
}

support::Status echo(Invocation& command) {
  command.line("{}", command.words.rest());
  return support::Unit{};
}

}  // namespace faces::console
