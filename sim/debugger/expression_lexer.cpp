#include "sim/debugger/expression_lexer.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

namespace debugger {
namespace {

using Lexed = support::Result<Token, ExpressionError>;

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '@'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

unsigned value_of(char c) {
  return static_cast<unsigned>(is_digit(c) ? c - '0' : std::tolower(static_cast<unsigned char>(c)) - 'a' + 10);
}

std::string shown(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f ? fmt::format("'{}'", c) : fmt::format("the byte {:#04x}", byte);
}

}  // namespace

Lexed Lexer::next() {
  while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  begin_ = at_;
  if (at_ == text_.size()) return Token{TokenKind::End, begin_ + 1, {}, 0};
  const char c = text_[at_];
  if (is_digit(c)) return number();
  if (c == '"') return text();
  if (c == '\'') return quoted_symbol();
  return is_letter(c) ? word() : sign();
}

/// `_` and ` separate digits anywhere.
Lexed Lexer::number() {
  const bool hex = text_[at_] == '0' && (at(at_ + 1) == 'x' || at(at_ + 1) == 'X');
  if (hex) at_ += 2;
  const unsigned base = hex ? 16 : 10;
  uint64_t value = 0;
  size_t digits = 0;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '_' || c == '`') continue;
    if (hex ? !is_hex(c) : !is_digit(c)) break;
    ++digits;
    const unsigned digit = value_of(c);
    if (value > (~uint64_t{0} - digit) / base) return refuse("a number has at most 64 bits");
    value = value * base + digit;
  }
  if (digits == 0) return refuse("0x needs digits");
  if (is_letter(at(at_))) return refuse("a number ends where a word begins; hexadecimal ones begin with 0x");
  return Token{TokenKind::Number, begin_ + 1, {}, value};
}

Lexed Lexer::text() {
  std::string content;
  for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
    if (text_[at_] == '\\' && (at(at_ + 1) == '"' || at(at_ + 1) == '\\')) ++at_;
    content += text_[at_];
  }
  if (at_ == text_.size()) return refuse("the text does not end");
  ++at_;
  return Token{TokenKind::Text, begin_ + 1, std::move(content), 0};
}

/// 'module!any name'.
Lexed Lexer::quoted_symbol() {
  const size_t end = text_.find('\'', at_ + 1);
  if (end == std::string_view::npos) return refuse("the name does not end");
  std::string name{text_.substr(at_ + 1, end - at_ - 1)};
  at_ = end + 1;
  if (name.find('!') == std::string::npos) return refuse("a quoted name is module!name");
  return Token{TokenKind::Symbol, begin_ + 1, std::move(name), 0};
}

/// A word; with `!` and a name right behind it a symbol, whose name may be qualified by `::`.
Lexed Lexer::word() {
  const auto letters = [&] {
    while (is_letter(at(at_)) || is_digit(at(at_))) ++at_;
  };
  letters();
  if (at(at_) == '!' && (is_letter(at(at_ + 1)) || at(at_ + 1) == '?')) {
    at_ += 2;
    for (letters(); at(at_) == ':' && at(at_ + 1) == ':'; letters()) {
      at_ += 2;
      if (at(at_) == '~') ++at_;
    }
    return Token{TokenKind::Symbol, begin_ + 1, std::string{text_.substr(begin_, at_ - begin_)}, 0};
  }
  return Token{TokenKind::Word, begin_ + 1, std::string{text_.substr(begin_, at_ - begin_)}, 0};
}

Lexed Lexer::sign() {
  static constexpr std::array<std::string_view, 8> pairs{"==", "!=", "<=", ">=", "<<", ">>", "&&", "||"};
  for (const std::string_view pair : pairs) {
    if (text_.substr(at_, 2) != pair) continue;
    at_ += 2;
    return Token{TokenKind::Operator, begin_ + 1, std::string{pair}, 0};
  }
  const char c = text_[at_];
  if (std::string_view{"+-*/%&|^~!<>().[]"}.find(c) == std::string_view::npos)
    return refuse(fmt::format("{} has no meaning here", shown(c)));
  ++at_;
  return Token{TokenKind::Operator, begin_ + 1, std::string(1, c), 0};
}

}  // namespace debugger
