#include "header_tokens.h"

#include <algorithm>
#include <cctype>

namespace vsm_abi {
namespace {

bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '\''; }

/// End of a preprocessor line, with the lines that it continues on.
size_t end_of_directive(const std::string& text, size_t at, int& line) {
  while (at < text.size() && text[at] != '\n') {
    if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == '\n') ++at, ++line;
    ++at;
  }
  return at;
}

Token comment_at(const std::string& text, size_t& at, int line, bool alone) {
  const size_t end = std::min(text.find('\n', at), text.size());
  Token token{Token::Kind::Comment, text.substr(at + 2, end - at - 2), line, false, !alone};
  at = end;
  if (token.text.starts_with("/")) token.documents = true, token.text.erase(0, 1);
  if (token.documents && token.text.starts_with("<")) token.trails = true, token.text.erase(0, 1);
  token.text.erase(0, std::min(token.text.find_first_not_of(' '), token.text.size()));
  while (!token.text.empty() && token.text.back() == ' ') token.text.pop_back();
  return token;
}

Token string_at(const std::string& text, size_t& at, int line) {
  const size_t start = at++;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  ++at;
  return {Token::Kind::String, text.substr(start, at - start), line, false, false};
}

}  // namespace

std::vector<Token> tokenize(const std::string& text) {
  std::vector<Token> tokens;
  int line = 1;
  bool alone = true;  // nothing on this line yet
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '\n') {
      ++line, ++at, alone = true;
    } else if (c == ' ' || c == '\t') {
      ++at;
    } else if (c == '#' && alone) {
      at = end_of_directive(text, at, line);
    } else if (text.compare(at, 2, "//") == 0) {
      tokens.push_back(comment_at(text, at, line, alone));
    } else if (c == '"') {
      tokens.push_back(string_at(text, at, line)), alone = false;
    } else if (in_word(c) && c != '\'') {
      const size_t start = at;
      while (at < text.size() && in_word(text[at])) ++at;
      tokens.push_back({Token::Kind::Word, text.substr(start, at - start), line, false, false}), alone = false;
    } else {
      const size_t length = text.compare(at, 2, "::") == 0 || text.compare(at, 2, "<<") == 0 ? 2 : 1;
      tokens.push_back({Token::Kind::Mark, text.substr(at, length), line, false, false}), alone = false;
      at += length;
    }
  }
  tokens.push_back({Token::Kind::End, "", line, false, false});
  return tokens;
}

}  // namespace vsm_abi
