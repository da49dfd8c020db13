#include "sim/faces/dap/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace faces::dap {
namespace {

constexpr std::string_view end_of_header = "\r\n\r\n";

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

/// The value of Content-Length; fields with other names are passed over.
support::Result<size_t> length_in(std::string_view header) {
  std::optional<size_t> length;
  while (!header.empty()) {
    const size_t end = std::min(header.find("\r\n"), header.size());
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 2, header.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return support::Error{"a header field without a colon"};
    if (!same_name(line.substr(0, colon), "Content-Length")) continue;
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    size_t number{};
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || stop != value.data() + value.size()) return support::Error{"Content-Length is no number"};
    if (length) return support::Error{"two fields Content-Length"};
    length = number;
  }
  if (!length) return support::Error{"a header without Content-Length"};
  if (*length > maximum_message) return support::Error{fmt::format("a message of {} bytes, where at most {} are taken", *length, maximum_message)};
  return *length;
}

bool is_nested_too_deeply(std::string_view text) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted && c == '\\') ++at;
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if ((c == '{' || c == '[') && ++depth > maximum_depth) return true;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return false;
}

}  // namespace

void MessageReader::add(std::string_view bytes) {
  if (!broken_.empty()) return;
  bytes_.erase(0, std::exchange(begin_, 0));
  bytes_ += bytes;
}

support::Result<std::optional<std::string>> MessageReader::next() {
  if (!broken_.empty()) return support::Error{broken_};
  const std::string_view rest = std::string_view{bytes_}.substr(begin_);
  if (!length_) {
    const size_t end = rest.find(end_of_header);
    if (end == std::string_view::npos && rest.size() <= maximum_header) return std::optional<std::string>{};
    const auto length = end > maximum_header ? support::Result<size_t>{support::Error{fmt::format("a header of more than {} bytes", maximum_header)}}
                                             : length_in(rest.substr(0, end));
    if (!length) {
      broken_ = length.error().message;
      bytes_.clear();
      begin_ = 0;
      return length.error();
    }
    length_ = length.value();
    begin_ += end + end_of_header.size();
  }
  if (waiting() < *length_) return std::optional<std::string>{};
  std::optional<std::string> message = bytes_.substr(begin_, *length_);
  begin_ += *length_;
  length_.reset();
  return message;
}

std::string frame(const Json& message) {
  const std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("Content-Length: {}\r\n\r\n{}", text.size(), text);
}

support::Result<Json> parse_message(std::string_view text) {
  if (is_nested_too_deeply(text)) return support::Error{fmt::format("a message nested more than {} deep", maximum_depth)};
  Json message = Json::parse(text, nullptr, false);
  if (message.is_discarded()) return support::Error{"a message that is not JSON"};
  if (!message.is_object()) return support::Error{"a message that is no object"};
  return message;
}

}  // namespace faces::dap
