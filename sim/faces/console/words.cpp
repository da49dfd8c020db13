#include "sim/faces/console/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace faces::console {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_name_character(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '!' || c == '$' || c == '@' || c == '`' || c == '?'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Follows quotes and brackets over a text.
class Nesting {
 public:
  /// Whether `c` stands outside of both, brackets of its own included.
  bool outside(char c) {
    if (c == '"') quoted_ = !quoted_;
    if (quoted_) return false;
    const bool before = depth_ == 0;
    if (c == '(' || c == '[') ++depth_;
    if ((c == ')' || c == ']') && depth_ > 0) --depth_;
    return before && depth_ == 0 && c != '"';
  }

 private:
  bool quoted_{};
  int depth_{};
};

std::optional<uint64_t> digits_of(std::string_view text, int base) {
  std::string digits;
  for (const char c : text)
    if (c != '`' && !(base == 10 && c == '_')) digits += c;
  uint64_t value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// Names of the kernel debugger that the interface calls otherwise.
struct Renamed {
  std::string_view kd, ours;
};
constexpr std::array renamed{Renamed{"poi", "u64"}, Renamed{"qwo", "u64"}, Renamed{"dwo", "u32"}, Renamed{"wo", "u16"},
                             Renamed{"by", "u8"},   Renamed{"$ip", "rip"}, Renamed{"$csp", "rsp"}, Renamed{"mod", "%"}};

/// A name or number of an expression.
std::string translate_token(std::string_view token) {
  if (token.starts_with('@')) return std::string{token.substr(1)};
  for (const Renamed& row : renamed)
    if (token == row.kd) return std::string{row.ours};
  if (const auto value = literal(token)) return fmt::format("{:#x}", *value);
  return std::string{token};
}

/// An instruction pointer that is called by a dot: nothing that belongs to a name or number stands beside it.
bool is_lone_dot(std::string_view text, size_t at) {
  const auto lone = [](char c) { return is_space(c) || c == '+' || c == '-' || c == '(' || c == ')' || c == ','; };
  return (at == 0 || lone(text[at - 1])) && (at + 1 == text.size() || lone(text[at + 1]));
}

constexpr std::string_view operators = "+%&|^<>=";

/// Those that are also part of words stand alone.
bool is_operator(std::string_view word) { return word == "-" || word == "*" || word == "/"; }
bool ends_with_operator(std::string_view text) {
  return operators.find(text.back()) != std::string_view::npos || is_operator(text) ||
         (text.size() > 2 && text[text.size() - 2] == ' ' && is_operator(text.substr(text.size() - 1)));
}

/// Two words are one expression: the first ends, or the second begins, with an operator.
bool belong_together(std::string_view first, std::string_view second) {
  return ends_with_operator(first) || is_operator(second) || operators.find(second.front()) != std::string_view::npos;
}

}  // namespace

std::optional<uint64_t> literal(std::string_view text) {
  if (text.size() > 2 && text[0] == '0') {
    if (text[1] == 'x' || text[1] == 'X') return digits_of(text.substr(2), 16);
    if (text[1] == 'n') return digits_of(text.substr(2), 10);
    if (text[1] == 'y') return digits_of(text.substr(2), 2);
  }
  if (text.size() > 1 && is_digit(text[0]) && (text.back() == 'h' || text.back() == 'H')) text.remove_suffix(1);
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return is_hex_digit(c) || c == '`'; })) return std::nullopt;
  return digits_of(text, 16);
}

std::optional<uint64_t> decimal(std::string_view text) { return digits_of(text.starts_with("0n") ? text.substr(2) : text, 10); }

std::string translate(std::string_view expression) {
  std::string result;
  bool member = false;  // after `).` comes a member's name, which may look like a number
  for (size_t at = 0; at < expression.size();) {
    const char c = expression[at];
    if (c == '"') {
      const size_t end = std::min(expression.find('"', at + 1), expression.size() - 1);
      result += expression.substr(at, end + 1 - at);
      at = end + 1;
    } else if (is_name_character(c)) {
      size_t end = at + 1;
      const auto goes_on = [&](size_t here) {
        return is_name_character(expression[here]) || (expression.substr(here, 2) == "::");
      };
      while (end < expression.size() && goes_on(end)) end += expression.substr(end, 2) == "::" ? 2 : 1;
      const std::string_view token = expression.substr(at, end - at);
      const bool names_more = end < expression.size() && expression[end] == '.' && !is_digit(c);  // vtl1.rip
      result += member || names_more ? std::string{token} : translate_token(token);
      member = false;
      at = end;
    } else {
      result += c == '.' && is_lone_dot(expression, at) ? std::string{"rip"} : std::string(1, c);
      member = c == '.' && !is_lone_dot(expression, at);
      ++at;
    }
  }
  return result;
}

std::vector<std::string> split_commands(std::string_view line) {
  line = trimmed(line);
  if (line.starts_with('*')) return {};
  std::vector<std::string> commands;
  Nesting nesting;
  size_t begin = 0;
  const auto add = [&](std::string_view command) {
    command = trimmed(command);
    if (!command.empty() && !command.starts_with("$$")) commands.emplace_back(command);
  };
  for (size_t at = 0; at < line.size(); ++at)
    if (nesting.outside(line[at]) && line[at] == ';') {
      add(line.substr(begin, at - begin));
      begin = at + 1;
    }
  add(line.substr(begin));
  return commands;
}

Words::Words(std::string_view text) : text_{trimmed(text)} { cut(); }

void Words::cut() {
  words_.clear();
  Nesting nesting;
  bool inside = false;
  for (size_t at = 0; at < text_.size(); ++at) {
    const bool separates = nesting.outside(text_[at]) && is_space(text_[at]);
    if (!separates && !inside) words_.push_back({{}, at});
    if (!separates) words_.back().text += text_[at];
    inside = !separates;
  }
  for (size_t at = 0; at + 1 < words_.size();) {
    if (belong_together(words_[at].text, words_[at + 1].text)) {
      const size_t end = words_[at + 1].at + words_[at + 1].text.size();
      words_[at].text = text_.substr(words_[at].at, end - words_[at].at);
      words_.erase(words_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    } else {
      ++at;
    }
  }
}

std::string Words::rest() {
  if (empty()) return {};
  std::string text = text_.substr(words_[next_].at);
  next_ = words_.size();
  return text;
}

bool Words::take(std::string_view word) {
  if (peek() != word) return false;
  ++next_;
  return true;
}

void Words::find_condition() {
  Nesting nesting;
  for (size_t at = 0; at < text_.size(); ++at) {
    if (!nesting.outside(text_[at]) || (at > 0 && !is_space(text_[at - 1]))) continue;
    const std::string_view here = std::string_view{text_}.substr(at);
    if (here.starts_with("if ")) {
      condition_ = std::string{trimmed(here.substr(3))};
      text_.erase(at);
    } else if (here.starts_with("/w ")) {
      const size_t begin = here.find('"'), end = begin == std::string_view::npos ? begin : here.find('"', begin + 1);
      if (end == std::string_view::npos) continue;
      condition_ = std::string{here.substr(begin + 1, end - begin - 1)};
      text_.erase(at, end + 1);
    } else {
      continue;
    }
    break;
  }
  if (!condition_) return;
  if (condition_->size() > 1 && condition_->front() == '"' && condition_->back() == '"' &&
      std::ranges::count(*condition_, '"') == 2)
    condition_ = condition_->substr(1, condition_->size() - 2);
  cut();
}

}  // namespace faces::console
