#include <algorithm>
#include <array>

#include "sim/faces/console/command.h"
#include "sim/rpc/schema.h"

namespace faces::console {
namespace {

bool has_parameter(std::string_view method, std::string_view name) {
  const rpc::Method* row = rpc::find_method(method);
  return row != nullptr && std::ranges::any_of(row->parameters, [&](const rpc::Field& field) { return field.name == name; });
}

constexpr std::array<std::string_view, 3> spaces{"gva", "gpa", "spa"};

}  // namespace

support::Result<Json> Invocation::ask(std::string_view method, Json parameters) {
  if (focus_ && has_parameter(method, "focus") && !parameters.contains("focus")) parameters["focus"] = *focus_;
  rpc::Answer answer = api_.call(method, parameters);
  if (!answer) return support::Error{answer.error().message};
  if (const Json& moved = object_of(answer.value(), "stop"); !moved.empty()) {
    stop = moved;
    memory.last_stop = moved;
    memory.unassemble_next.reset();
  }
  return std::move(answer.value());
}

support::Status Invocation::move(std::string_view method, Json parameters) {
  const Json answer = TRY(ask(method, std::move(parameters)));
  return show_stop(*this, object_of(answer, "stop"));
}

support::Result<Json> Invocation::where() {
  if (focus_) return Json(*focus_);
  if (!memory.last_stop.empty()) return Json(object_of(memory.last_stop, "focus"));
  const Json status = TRY(ask("status"));
  return Json(object_of(status, "focus"));
}

support::Result<uint64_t> Invocation::evaluate(std::string_view expression) {
  if (expression.empty()) return support::Error{"an expression is missing"};
  if (const auto value = literal(expression)) return *value;
  const Json answer = TRY(ask("evaluate", {{"expression", translate(expression)}}));
  if (const auto value = number_of(answer, "number")) return *value;
  return support::Error{fmt::format("{} is {} of type {}, where a number is wanted", expression, text_of(answer, "value"),
                                    text_of(answer, "type"))};
}

support::Status Invocation::location_options(Location& location) {
  while (true) {
    if (words.take("/h")) {
      location.privileged = true;
    } else if (words.take("/p")) {
      if (words.empty()) return support::Error{"/p wants the name of a process"};
      location.process = words.next();
    } else {
      return support::Unit{};
    }
  }
}

support::Result<Location> Invocation::location(std::string_view what) {
  Location location;
  TRY(location_options(location));
  if (words.empty()) return support::Error{fmt::format("{} wants {}: {} {}", spelling_, what, spelling_, command_.arguments)};
  std::string text = words.next();
  for (const std::string_view space : spaces)
    if (text.size() > 4 && text.starts_with(space) && text[3] == ':') {
      location.space = space;
      text.erase(0, 4);
      break;
    }
  location.address = TRY(evaluate(text));
  return location;
}

support::Result<Range> Invocation::range(uint64_t element, uint64_t otherwise) {
  Range range{TRY(location()), otherwise * element};
  if (words.empty()) return range;
  std::string text = words.next();
  const bool counted = text[0] == 'L' || (text[0] == 'l' && literal(std::string_view{text}.substr(1)));
  if (!counted) {
    const uint64_t last = TRY(evaluate(text));
    if (last < range.location.address)
      return support::Error{fmt::format("the range ends at {:#x}, before it begins", last)};
    range.bytes = last - range.location.address + 1;
    return range;
  }
  text.erase(0, 1);
  if (text.empty()) text = words.next();
  const uint64_t count = TRY(evaluate(text));
  if (count == 0 || count > UINT64_MAX / element) return support::Error{fmt::format("L{:x} is no length", count)};
  range.bytes = count * element;
  return range;
}

support::Status Invocation::end_of_words() {
  if (words.empty()) return support::Unit{};
  return support::Error{fmt::format("{} does not take '{}'; it is written: {} {}", spelling_, words.peek(), command_.name,
                                    command_.arguments)};
}

std::string Invocation::place(const Json& place) const {
  const std::string text = text_of(place, "text");
  return text_of(place, "symbol").empty() && text_of(place, "module").empty() ? kd_address(number_or_zero(place, "address"))
                                                                              : style.symbol(text);
}

void put(Json& parameters, const Location& location) {
  parameters["space"] = location.space;
  parameters["address"] = hex(location.address);
  if (!location.process.empty()) parameters["process"] = location.process;
}

}  // namespace faces::console
