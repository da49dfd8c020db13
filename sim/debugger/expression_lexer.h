#pragma once
// The words of an expression.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/debugger/expression.h"

namespace debugger {

enum class TokenKind : uint8_t { End, Number, Text, Word, Symbol, Operator };

struct Token {
  TokenKind kind{};
  size_t column{1};        ///< of its first byte
  std::string text;        ///< of Word the word, of Symbol "module!name", of Text its content, of Operator itself
  uint64_t number{};

  [[nodiscard]] bool is(std::string_view what) const {
    return (kind == TokenKind::Operator || kind == TokenKind::Word) && text == what;
  }
};

class Lexer {
 public:
  /// `text` must outlive this.
  explicit Lexer(std::string_view text) : text_{text} {}
  [[nodiscard]] support::Result<Token, ExpressionError> next();

 private:
  [[nodiscard]] ExpressionError refuse(std::string message) const { return {std::move(message), begin_ + 1, false}; }
  [[nodiscard]] char at(size_t index) const { return index < text_.size() ? text_[index] : '\0'; }
  support::Result<Token, ExpressionError> number();
  support::Result<Token, ExpressionError> text();
  support::Result<Token, ExpressionError> quoted_symbol();
  support::Result<Token, ExpressionError> word();
  support::Result<Token, ExpressionError> sign();

  std::string_view text_;
  size_t at_{}, begin_{};
};

}  // namespace debugger
