#include "sim/faces/console/console.h"

#include <algorithm>

namespace faces::console {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Where the command's name ends: at a space, and where arguments follow at once as in `r@rax`, `?5` and `bp/1`.
size_t name_length(std::string_view text) {
  if (text.starts_with('?') || text.starts_with('~')) return 1;
  size_t at = text.starts_with('.') || text.starts_with('!') ? 1 : 0;
  while (at < text.size() && (is_letter(text[at]) || text[at] == '_')) ++at;
  if (at < text.size() && text[at] == '-' && (at + 1 == text.size() || text[at + 1] == ' ')) ++at;
  return at == 0 ? std::min(text.find(' '), text.size()) : at;
}

std::string_view skip_spaces(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  return text;
}

std::string unknown(std::string_view name) {
  constexpr size_t longest_shown = 40;
  const std::string_view near = nearest_command(name);
  return fmt::format("there is no command '{}'{}", name.substr(0, longest_shown),
                     near.empty() ? "; `.help` lists them" : fmt::format("; did you mean `{}`?", near));
}

uint64_t take_number(std::string_view& text) {
  uint64_t value = 0;
  for (; !text.empty() && is_digit(text.front()) && value < 1'000'000; text.remove_prefix(1)) value = 10 * value + static_cast<uint64_t>(text.front() - '0');
  return value;
}

}  // namespace

Console::Console(rpc::Api& api)
    : api_{api},
      listener_{api.listen([this](std::string_view notification, const Json& parameters) { on(notification, parameters); })} {}

Console::~Console() { api_.forget(listener_); }

void Console::on(std::string_view notification, const Json& parameters) {
  if (notification == "moved") {
    const Json& stop = object_of(parameters, "stop");
    memory_.last_stop = stop.empty() ? parameters : stop;
    memory_.unassemble_next.reset();
  }
  if (notification == "branch") memory_.branch = text_of(parameters, "branch");
}

/// ~VP[.VTL] in front of a command: the focus that it looks from. `command` begins behind it afterwards. Nothing where the
/// command has no such prefix; `~1s` is a command of its own, which becomes one here.
support::Result<std::optional<Json>> Console::prefix(std::string_view& command) {
  std::string_view text = command;
  text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return std::optional<Json>{};
  const uint64_t vp = take_number(text);
  if (memory_.last_stop.empty()) {
    const rpc::Answer status = api_.call("status", Json::object());
    if (!status) return support::Error{status.error().message};
    memory_.last_stop = {{"focus", object_of(status.value(), "focus")}};
  }
  Json focus = object_of(memory_.last_stop, "focus");
  focus["vp"] = vp;
  focus.erase("frame");
  if (text.starts_with('.') && text.size() > 1 && is_digit(text[1])) {
    text.remove_prefix(1);
    focus["vtl"] = take_number(text);
  }
  command = skip_spaces(text);
  return std::optional{focus};
}

void Console::execute_one(std::string_view command, Reply& reply, Style style) {
  const auto refuse = [&](std::string_view message) {
    reply.output += style.error(message) + "\n";
    reply.failed = true;
  };
  std::optional<Json> focus;
  if (command.starts_with('~')) {
    auto found = prefix(command);
    if (!found) return refuse(found.error().message);
    focus = std::move(found.value());
    if (focus && (command == "s" || command.empty())) {
      const bool moves = command == "s";
      const rpc::Answer answer = api_.call(moves ? "focus" : "registers",
                                           moves ? Json{{"vp", (*focus)["vp"]}, {"vtl", (*focus)["vtl"]}} : Json{{"focus", *focus}});
      if (!answer) return refuse(answer.error().message);
      command = moves ? ".time" : "r";
      if (moves) memory_.last_stop = object_of(answer.value(), "stop");
      if (moves) focus.reset();
    }
  }
  const std::string_view name = command.substr(0, name_length(command));
  const Command* found = find_command(name);
  if (found == nullptr) return refuse(unknown(name));
  Invocation invocation{api_, memory_, *found, std::string{name}, command.substr(name.size()), style, focus};
  const support::Status status = found->run(invocation);
  reply.output += invocation.output;
  if (invocation.stop) reply.stop = invocation.stop;
  if (!status) refuse(status.error().message);
}

Reply Console::execute(std::string_view line, bool colours) {
  Reply reply;
  for (const std::string& command : split_commands(line)) {
    execute_one(command, reply, Style{colours});
    if (reply.failed || memory_.ended) break;
  }
  reply.ended = std::exchange(memory_.ended, false);
  return reply;
}

std::string Console::prompt(bool colours) {
  if (memory_.last_stop.empty()) {
    const rpc::Answer status = api_.call("status", Json::object());
    if (!status) return "> ";
    memory_.last_stop = {{"focus", object_of(status.value(), "focus")}};
    if (memory_.branch.empty()) memory_.branch = text_of(status.value(), "branch");
  }
  const Json& focus = object_of(memory_.last_stop, "focus");
  const uint64_t vtl = number_or_zero(focus, "vtl");
  return fmt::format("{}{}: {}> ", memory_.branch.empty() ? "" : "[what if] ", number_or_zero(focus, "vp"), Style{colours}.vtl(vtl, vtl_name(vtl)));
}

rpc::Answer answer_console(Console& console, const Json& parameters) {
  Reply reply = console.execute(text_of(parameters, "line"), flag_of(parameters, "colours"));
  Json answer{{"output", std::move(reply.output)}};
  if (reply.stop) answer["stop"] = std::move(*reply.stop);
  answer["ended"] = reply.ended;
  return answer;
}

rpc::Answer answer_complete(Console& console, const Json& parameters) {
  const Completion completion = console.complete(text_of(parameters, "line"));
  return Json{{"from", completion.from}, {"words", completion.words}};
}

}  // namespace faces::console
