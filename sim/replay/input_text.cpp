// Inputs as people write them: an instant, where it arrives, the bytes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "sim/machine/devices/serial.h"
#include "sim/replay/inputs.h"
#include "sim/replay/recording_format.h"

namespace replay {
namespace {

using support::Error;
using support::Result;
using support::Status;

constexpr size_t maximum_inputs = 1u << 20;

/// The words of a line, one after the other; a quoted text is one word with its quotes.
class Words {
 public:
  explicit Words(std::string_view line) : rest_{line} {}
  /// Empty at the end of the line.
  std::string_view next() {
    const size_t begin = rest_.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return rest_ = {};
    rest_.remove_prefix(begin);
    size_t end = 0;
    if (rest_[0] == '"') {
      for (end = 1; end < rest_.size() && rest_[end] != '"'; ++end)
        if (rest_[end] == '\\') ++end;
      end = std::min(end + 1, rest_.size());
    } else {
      end = std::min(rest_.find_first_of(" \t\r"), rest_.size());
    }
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return word;
  }

 private:
  std::string_view rest_;
};

bool number(std::string_view text, int base, uint64_t& value) {
  std::string digits;
  for (const char c : text)
    if (c != '_') digits += c;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return failure == std::errc{} && end == digits.data() + digits.size();
}

bool address(std::string_view text, uint64_t& value) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  return number(text, 16, value);
}

/// The bytes of "text" in quotes, with \r \n \t \\ \" and \xHH.
Status add_text(std::string_view word, std::vector<uint8_t>& bytes) {
  if (word.size() < 2 || word.back() != '"') return Error{"a text without its closing quote"};
  for (size_t i = 1; i + 1 < word.size(); ++i) {
    if (word[i] != '\\') {
      bytes.push_back(static_cast<uint8_t>(word[i]));
      continue;
    }
    constexpr std::string_view names = "rnt\\\"", values = "\r\n\t\\\"";
    const char name = word[++i];
    uint64_t value = 0;
    if (const size_t known = names.find(name); known != std::string_view::npos) {
      bytes.push_back(static_cast<uint8_t>(values[known]));
    } else if (name == 'x' && i + 3 < word.size() && number(word.substr(i + 1, 2), 16, value)) {
      bytes.push_back(static_cast<uint8_t>(value));
      i += 2;
    } else {
      return Error{fmt::format("\"\\{}\" means nothing; there are \\r \\n \\t \\\\ \\\" and \\xHH", name)};
    }
  }
  return support::Unit{};
}

Result<Input> parse_line(std::string_view line) {
  Words words{line};
  Input input;
  const std::string_view when = words.next();
  if (!number(when, 10, input.at.ticks)) return Error{fmt::format("\"{}\" is no instant", when)};
  const std::string_view where = words.next();
  if (where == "serial") {
    input.kind = InputKind::ConsoleBytes;
    input.target = machine::SerialPort::com1;
  } else if (where == "memory") {
    input.kind = InputKind::MemoryPoke;
    const std::string_view spa = words.next();
    if (!address(spa, input.target)) return Error{fmt::format("\"{}\" is no address", spa)};
  } else {
    return Error{fmt::format("\"{}\": inputs arrive at serial, or at memory ADDRESS", where)};
  }
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    uint64_t value = 0;
    if (word[0] == '"') TRY(add_text(word, input.bytes));
    else if (word.size() == 2 && number(word, 16, value)) input.bytes.push_back(static_cast<uint8_t>(value));
    else return Error{fmt::format("\"{}\" is neither two hexadecimal digits nor a text in quotes", word)};
    if (input.bytes.size() > maximum_text) return Error{fmt::format("more than {} bytes at once", maximum_text)};
  }
  if (input.bytes.empty()) return Error{"no bytes arrive"};
  return input;
}

}  // namespace

Result<std::vector<Input>> parse_inputs(std::string_view text) {
  std::multimap<uint64_t, Input> by_time;
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#') continue;
    if (by_time.size() == maximum_inputs) return Error{fmt::format("more than {} inputs", maximum_inputs)};
    Result<Input> input = parse_line(line);
    if (!input) return Error{fmt::format("line {}: {}", line_number, input.error().message)};
    by_time.emplace(input.value().at.ticks, std::move(input.value()));
  }
  std::vector<Input> inputs;
  for (auto& [at, input] : by_time) inputs.push_back(std::move(input));
  return inputs;
}

std::string to_text(const Input& input) {
  constexpr const char* names[] = {"", "bytes at port", "an interrupt of VP", "a write to memory at", "a register of VP"};
  constexpr size_t shown = 16;
  const auto kind = std::min<size_t>(static_cast<size_t>(input.kind), 4);
  const std::vector<uint8_t> head{input.bytes.begin(), input.bytes.begin() + static_cast<ptrdiff_t>(std::min(shown, input.bytes.size()))};
  return fmt::format("{} {:#x} at instant {}: {:02x}{}", names[kind], input.target, input.at.ticks, fmt::join(head, " "),
                     input.bytes.size() > shown ? " ..." : "");
}

}  // namespace replay
