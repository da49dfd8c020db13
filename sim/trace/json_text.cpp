#include "sim/trace/json_text.h"

#include <fmt/format.h>

namespace trace {

std::string json_quote(std::string_view text) {
  std::string out{'"'};
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (byte >= 0x20 && byte < 0x7f)
      out += c;
    else
      out += fmt::format("\\u{:04x}", byte);
  }
  return out + '"';
}

void JsonLine::key(std::string_view name) {
  body_ += body_.empty() ? "{" : ",";
  body_ += json_quote(name) + ":";
}

JsonLine& JsonLine::text(std::string_view name, std::string_view value) {
  return raw(name, json_quote(value));
}

JsonLine& JsonLine::number(std::string_view name, uint64_t value) {
  return raw(name, std::to_string(value));
}

JsonLine& JsonLine::hex(std::string_view name, uint64_t value) {
  return raw(name, fmt::format("\"{:#x}\"", value));
}

JsonLine& JsonLine::boolean(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}

JsonLine& JsonLine::raw(std::string_view name, std::string_view json) {
  key(name);
  body_ += json;
  return *this;
}

JsonLine& JsonLine::arguments(std::string_view name, const Arguments& values) {
  JsonLine inner;
  for (const Argument& argument : values)
    inner.text(argument.name, argument.value);
  return raw(name, inner.line());
}

}  // namespace trace
