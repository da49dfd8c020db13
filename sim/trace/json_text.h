#pragma once
// One JSON object on one line, keys in the order they are added.
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/trace/call_decoder.h"

namespace trace {

class JsonLine {
 public:
  JsonLine& text(std::string_view key, std::string_view value);
  JsonLine& number(std::string_view key, uint64_t value);
  /// As "0x..." text: JSON numbers do not carry 64 bits everywhere.
  JsonLine& hex(std::string_view key, uint64_t value);
  JsonLine& boolean(std::string_view key, bool value);
  JsonLine& arguments(std::string_view key, const Arguments& values);
  /// `json` is a finished JSON value.
  JsonLine& raw(std::string_view key, std::string_view json);
  [[nodiscard]] std::string line() const { return body_.empty() ? "{}" : body_ + "}"; }

 private:
  void key(std::string_view name);
  std::string body_;
};

/// With quotes. Bytes outside printable ASCII become \u00NN: texts of guests may hold anything.
[[nodiscard]] std::string json_quote(std::string_view text);

}  // namespace trace
