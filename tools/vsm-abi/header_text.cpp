#include "header_text.h"

#include <utility>

#include "header_tokens.h"

namespace vsm_abi {
namespace {

void append(std::string& text, const std::string& more) {
  if (!text.empty() && !more.empty()) text += ' ';
  text += more;
}

std::optional<uint64_t> number(const std::string& word) {
  std::string digits;
  for (const char c : word) {
    if (c != '\'') digits += c;
  }
  while (!digits.empty() && (digits.back() == 'u' || digits.back() == 'l' || digits.back() == 'U')) digits.pop_back();
  size_t used = 0;
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return std::nullopt;
  const uint64_t value = std::stoull(digits, &used, 0);
  return used == digits.size() ? std::optional{value} : std::nullopt;
}

using Known = std::map<std::string, uint64_t>;

/// "~a", or "a op b op c" with one kind of operator out of << * |, where an operand is a literal, uint64_t{literal} or a
/// constant that stands above; anything else stays text.
std::optional<uint64_t> evaluate(std::vector<Token> tokens, const Known& known) {
  for (size_t i = 0; i + 3 < tokens.size(); ++i) {
    if (!tokens[i].is("uint64_t") || !tokens[i + 1].is("{") || !tokens[i + 3].is("}")) continue;
    tokens[i] = tokens[i + 2];
    tokens.erase(tokens.begin() + static_cast<long>(i) + 1, tokens.begin() + static_cast<long>(i) + 4);
  }
  const auto operand = [&](size_t i) -> std::optional<uint64_t> {
    if (i >= tokens.size()) return std::nullopt;
    const auto found = known.find(tokens[i].text);
    return found == known.end() ? number(tokens[i].text) : std::optional{found->second};
  };
  if (tokens.size() == 2 && tokens[0].is("~")) {
    const auto value = operand(1);
    return value ? std::optional{~*value} : std::nullopt;
  }
  auto result = operand(0);
  for (size_t i = 1; result && i < tokens.size(); i += 2) {
    const auto right = operand(i + 1);
    if (!right || !tokens[i].is(tokens[1].text.c_str())) return std::nullopt;
    if (tokens[i].is("<<")) {
      *result <<= *right;
    } else if (tokens[i].is("*")) {
      *result *= *right;
    } else if (tokens[i].is("|")) {
      *result |= *right;
    } else {
      return std::nullopt;
    }
  }
  return result;
}

std::string join(const std::vector<Token>& tokens, size_t from, size_t to) {
  std::string text;
  for (size_t i = from; i < to; ++i) {
    const bool tight = text.empty() || tokens[i].kind == Token::Kind::Mark || tokens[i - 1].kind == Token::Kind::Mark;
    if (!tight || tokens[i].is("<<") || (i > from && tokens[i - 1].is("<<"))) text += ' ';
    text += tokens[i].text;
  }
  return text;
}

class Parser {
 public:
  Parser(HeaderText& header, const std::string& text) : header_{header}, tokens_{tokenize(text)} {}

  void parse() {
    while (!at_end()) declaration();
  }

 private:
  [[nodiscard]] bool at_end() const { return tokens_[at_].kind == Token::Kind::End; }
  [[nodiscard]] const Token& peek() const { return tokens_[at_]; }

  /// Comments before the next token: those above it, without a gap, are its documentation; those behind the last token
  /// belong to what came before.
  void comments() {
    while (peek().kind == Token::Kind::Comment) {
      const Token& token = tokens_[at_++];
      if (token.trails && trailing_ != nullptr) {
        append(*trailing_, token.text);
      } else if (token.documents && !token.trails) {
        if (token.line != above_line_ + 1) above_.clear();
        append(above_, token.text);
        above_line_ = token.line;
      }
    }
  }
  std::string take_documentation() {
    std::string text = above_line_ + 1 == peek().line ? above_ : "";
    above_.clear();
    trailing_ = nullptr;
    return text;
  }
  Token next() {
    comments();
    return at_end() ? peek() : tokens_[at_++];
  }
  const Token& look() {
    comments();
    return peek();
  }
  void skip_group(const char* open, const char* close) {
    int depth = 0;
    do {
      const Token token = next();
      if (token.kind == Token::Kind::End) return;
      depth += token.is(open) ? 1 : token.is(close) ? -1 : 0;
    } while (depth > 0);
  }

  [[nodiscard]] std::string qualified(const std::string& name) const {
    std::string text;
    for (const std::string& space : namespaces_) text += space + "::";
    return text + name;
  }

  void declaration() {
    look();
    if (at_end()) return;
    const std::string comment = take_documentation();
    const Token first = next();
    if (first.is("namespace")) return open_namespace();
    if (first.is("}")) return namespaces_.empty() ? void() : namespaces_.pop_back();
    if (first.is("struct") && look().kind == Token::Kind::Word) return structure(comment);
    if (first.is("enum")) return enumeration(comment);
    if (first.is("inline") && look().is("constexpr")) return constants(comment);
    --at_;
    skip_declaration();
  }

  void open_namespace() {
    std::string name;
    while (!at_end() && !look().is("{")) name += next().text;
    next();
    namespaces_.push_back(name);
  }

  /// To the end of a function, a template, an assertion: a semicolon or a block in braces.
  void skip_declaration() {
    while (!at_end()) {
      if (look().is("(")) {
        skip_group("(", ")");
      } else if (look().is("{")) {
        skip_group("{", "}");
        if (look().is(";")) next();
        return;
      } else if (next().is(";")) {
        return;
      }
    }
  }

  void structure(const std::string& comment) {
    StructText result{qualified(next().text), comment, "", {}, {}};
    while (!at_end() && !look().is("{") && !look().is(";")) next();
    if (next().is(";")) return;
    result.members.reserve(128);  // trailing comments point into the vectors
    result.bits.reserve(128);
    while (!at_end() && !look().is("}")) member(result);
    next();
    if (look().is(";")) next();
    trailing_ = nullptr;
    header_.structs.push_back(std::move(result));
  }

  void member(StructText& owner) {
    const std::string comment = take_documentation();
    if (peek().is("ABI_BITS") || peek().is("ABI_BIT")) return bit_field(owner, comment);
    if (peek().is("using")) {
      next();
      const bool raw = next().is("Raw");
      next();
      if (raw) owner.raw_type = next().text;
      return skip_declaration();
    }
    std::vector<Token> words;
    while (!at_end() && !look().is(";")) {
      if (look().is("(")) return skip_declaration();  // a function
      if (look().is("{")) {
        skip_group("{", "}");
        continue;
      }
      words.push_back(next());
    }
    declarators(owner, words, comment);
    next();
    if (!owner.members.empty()) trailing_ = &owner.members.back().comment;
  }

  /// "type a, b[3]"
  void declarators(StructText& owner, const std::vector<Token>& words, const std::string& comment) {
    size_t type_end = 0;
    while (type_end + 1 < words.size() && !words[type_end + 1].is(",") && !words[type_end + 1].is("[")) ++type_end;
    const std::string type = join(words, 0, type_end);
    for (size_t i = type_end; i < words.size(); ++i) {
      Member member{type, words[i].text, comment};
      size_t end = i + 1;
      while (end < words.size() && !words[end].is(",")) ++end;
      member.type += join(words, i + 1, end);
      if (member.name != "raw") owner.members.push_back(member);
      i = end;
    }
  }

  void bit_field(StructText& owner, const std::string& comment) {
    const bool single = next().is("ABI_BIT");
    next();
    BitField field;
    field.comment = comment;
    field.high = field.low = static_cast<unsigned>(number(next().text).value_or(0));
    next();
    if (!single) {
      field.low = static_cast<unsigned>(number(next().text).value_or(0));
      next();
      field.type = next().text;
      next();
    } else {
      field.type = "bool";
    }
    field.name = next().text;
    next();
    owner.bits.push_back(field);
    trailing_ = &owner.bits.back().comment;
  }

  void enumeration(const std::string& comment) {
    if (look().is("class")) next();
    EnumText result{qualified(next().text), "", comment, {}};
    while (!at_end() && !look().is("{")) {
      if (!look().is(":")) result.underlying += peek().text;
      next();
    }
    next();
    result.values.reserve(256);
    uint64_t following = 0;
    while (!at_end() && !look().is("}")) {
      Enumerator entry{"", take_documentation(), following};
      entry.name = next().text;
      if (look().is("=")) {
        next();
        std::vector<Token> words;
        while (!at_end() && !look().is(",") && !look().is("}")) words.push_back(next());
        entry.value = evaluate(words, known_);
      }
      following = entry.value.value_or(following) + 1;
      result.values.push_back(entry);
      if (look().is(",")) next();
      trailing_ = &result.values.back().comment;
    }
    next();
    next();
    trailing_ = nullptr;
    if (!result.values.empty()) header_.enums.push_back(std::move(result));
  }

  /// "inline constexpr type a = 1, b = 2;"
  void constants(const std::string& comment) {
    next();
    std::vector<Token> words;
    int depth = 0;
    while (!at_end() && !(depth == 0 && look().is(";"))) {
      words.push_back(next());
      depth += words.back().is("{") || words.back().is("(") ? 1 : words.back().is("}") || words.back().is(")") ? -1 : 0;
    }
    next();
    if (header_.constants.capacity() == 0) header_.constants.reserve(1024);
    for (size_t i = 1; i < words.size(); ++i) {
      if (!words[i].is("=")) continue;
      size_t end = i + 1;
      while (end < words.size() && !(words[end].is(",") && end + 2 < words.size() && words[end + 2].is("="))) ++end;
      if (words[i - 1].kind != Token::Kind::Word) continue;  // an array
      const auto value =
          evaluate({words.begin() + static_cast<long>(i) + 1, words.begin() + static_cast<long>(end)}, known_);
      header_.constants.push_back({qualified(words[i - 1].text), join(words, i + 1, end), value, comment});
      if (value) known_[words[i - 1].text] = *value;
      trailing_ = &header_.constants.back().comment;
    }
  }

  HeaderText& header_;
  std::vector<Token> tokens_;
  size_t at_{};
  std::vector<std::string> namespaces_;
  Known known_;
  std::string above_;
  int above_line_{-1};
  std::string* trailing_{};
};

}  // namespace

HeaderText parse_header(std::string path, const std::string& text) {
  HeaderText header;
  header.path = std::move(path);
  header.summary = leading_comment(text);
  Parser{header, text}.parse();
  return header;
}

}  // namespace vsm_abi
