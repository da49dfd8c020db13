#pragma once
#include <string>
#include <vector>

namespace vsm_abi {

struct Token {
  enum class Kind { Word, Mark, String, Comment, End };
  Kind kind{Kind::End};
  std::string text;  ///< of a comment: without its slashes
  int line{};
  bool documents{};     ///< a comment that begins with ///
  bool trails{};        ///< a comment with something before it on its line, or one that begins with ///<
  [[nodiscard]] bool is(const char* what) const { return kind != Kind::Comment && text == what; }
};

/// Splits C++ text; preprocessor lines vanish, the last token is an End.
std::vector<Token> tokenize(const std::string& text);

}  // namespace vsm_abi
