// From text to program: recursive descent over the grammar, one function a level; types are known as it goes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "sim/debugger/expression_lexer.h"
#include "sim/debugger/expression_program.h"
#include "sim/trace/event_names.h"

namespace debugger {
namespace {

struct FieldRow {
  std::string_view name;
  EventField field;
  ValueType type;
  bool without_event;  ///< has a meaning for the focus too
};
constexpr FieldRow fields[] = {
    {"kind", EventField::Kind, ValueType::Text, false},     {"name", EventField::Name, ValueType::Text, false},
    {"code", EventField::Code, ValueType::Integer, false},  {"vtl", EventField::Vtl, ValueType::Integer, true},
    {"vp", EventField::Vp, ValueType::Integer, true},       {"at", EventField::At, ValueType::Integer, true},
    {"a", EventField::A, ValueType::Integer, false},        {"b", EventField::B, ValueType::Integer, false},
    {"c", EventField::C, ValueType::Integer, false},        {"status", EventField::Status, ValueType::Integer, false},
    {"vector", EventField::Vector, ValueType::Integer, false}, {"msr", EventField::Msr, ValueType::Integer, false},
    {"cr3", EventField::Cr3, ValueType::Integer, false},    {"image", EventField::Image, ValueType::Text, true},
    {"process", EventField::Process, ValueType::Text, true}, {"service", EventField::Service, ValueType::Text, false},
};

struct BinaryRow {
  std::string_view name;
  int precedence;  ///< higher binds closer
  OpCode code;
};
constexpr BinaryRow binaries[] = {
    {"||", 1, OpCode::Or},         {"or", 1, OpCode::Or},           {"&&", 2, OpCode::And},
    {"and", 2, OpCode::And},       {"|", 3, OpCode::BitOr},         {"^", 4, OpCode::BitXor},
    {"&", 5, OpCode::BitAnd},      {"==", 6, OpCode::Equal},        {"!=", 6, OpCode::NotEqual},
    {"~", 6, OpCode::TextMatches}, {"contains", 6, OpCode::TextContains}, {"<", 7, OpCode::Less},
    {"<=", 7, OpCode::LessEqual},  {">", 7, OpCode::Greater},       {">=", 7, OpCode::GreaterEqual},
    {"<<", 8, OpCode::ShiftLeft},  {">>", 8, OpCode::ShiftRight},   {"+", 9, OpCode::Add},
    {"-", 9, OpCode::Subtract},    {"*", 10, OpCode::Multiply},     {"/", 10, OpCode::Divide},
    {"%", 10, OpCode::Remainder},
};
constexpr int above_and = 3;

std::string_view word(ValueType type) {
  constexpr std::string_view words[] = {"a number", "a truth value", "a text"};
  return words[static_cast<size_t>(type)];
}

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// The number behind `prefix` in "vtl1", "vp12".
std::optional<uint64_t> numbered(std::string_view word, std::string_view prefix) {
  if (!word.starts_with(prefix) || word.size() == prefix.size() || word.size() > prefix.size() + 3) return std::nullopt;
  uint64_t value = 0;
  for (const char c : word.substr(prefix.size())) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

class ExpressionCompiler {
 public:
  ExpressionCompiler(std::string_view text, const ExpressionContext& context) : lexer_{text}, context_{context} {}

  support::Result<Expression, ExpressionError> compile(std::string_view text) {
    advance();
    const ValueType type = binary(1);
    if (!failed_ && token_.kind != TokenKind::End) fail(token_.column, "the expression should end here");
    if (failed_) return error_;
    out_.text_ = text;
    out_.type_ = type;
    out_.program_ = std::make_shared<const std::vector<Expression::Operation>>(std::move(program_));
    out_.texts_ = std::make_shared<const std::vector<std::string>>(std::move(texts_));
    return std::move(out_);
  }

 private:
  // --- Words and errors. After the first error nothing more is read, and every level returns at once.
  void fail(size_t column, std::string message, bool unknown_name = false) {
    if (failed_) return;
    failed_ = true;
    error_ = {std::move(message), column, unknown_name};
    token_ = {};
  }
  void advance() {
    if (failed_) return;
    auto next = lexer_.next();
    if (!next) return fail(next.error().column, next.error().message);
    token_ = std::move(next.value());
  }
  bool accept(std::string_view what) {
    if (failed_ || !token_.is(what)) return false;
    advance();
    return true;
  }
  void expect(std::string_view what) {
    if (!accept(what)) fail(token_.column, fmt::format("'{}' is missing here", what));
  }

  // --- Code.
  void emit(OpCode code, uint64_t operand = 0, uint8_t first = 0, uint8_t second = 0) {
    program_.push_back({code, first, second, operand});
  }
  void push(OpCode code, uint64_t operand = 0) {
    emit(code, operand);
    if (++depth_ > Expression::deepest) fail(token_.column, "the expression is too deep");
  }
  void combine(OpCode code) {
    emit(code);
    --depth_;
  }
  uint64_t keep(std::string text) {
    texts_.push_back(std::move(text));
    return texts_.size() - 1;
  }
  void want(ValueType is, ValueType wanted, size_t column) {
    if (is != wanted) fail(column, fmt::format("{} is needed here, and this is {}", word(wanted), word(is)));
  }
  /// Makes a truth value of a number.
  void truth(ValueType type, size_t column) {
    if (type == ValueType::Text) return fail(column, "a text is neither true nor false");
    if (type == ValueType::Integer) emit(OpCode::ToBoolean);
  }

  // --- Levels.
  struct Nested {
    explicit Nested(ExpressionCompiler& compiler) : compiler_{compiler} {
      if (++compiler_.nested_ > Expression::most_nested) compiler_.fail(compiler_.token_.column, "the expression is nested too deeply");
    }
    ~Nested() { --compiler_.nested_; }
    ExpressionCompiler& compiler_;
  };

  ValueType binary(int lowest) {
    const Nested nested{*this};
    size_t column = token_.column;
    ValueType left = lowest <= above_and && token_.is("not") ? negation() : unary();
    while (!failed_) {
      const auto* row = std::find_if(std::begin(binaries), std::end(binaries),
                                     [&](const BinaryRow& one) { return token_.is(one.name); });
      if (row == std::end(binaries) || row->precedence < lowest) break;
      const size_t sign = token_.column;
      advance();
      left = row->code == OpCode::And || row->code == OpCode::Or ? logical(*row, left, column)
                                                                 : operation(*row, left, column, sign);
    }
    return left;
  }

  ValueType negation() {
    advance();
    const size_t column = token_.column;
    truth(binary(above_and), column);
    emit(OpCode::Not);
    return ValueType::Boolean;
  }

  ValueType logical(const BinaryRow& row, ValueType left, size_t left_column) {
    truth(left, left_column);
    const size_t jump = program_.size();
    emit(row.code == OpCode::And ? OpCode::SkipIfFalse : OpCode::SkipIfTrue);
    const size_t column = token_.column;
    truth(binary(row.precedence + 1), column);
    combine(row.code);
    if (!failed_) program_[jump].operand = program_.size();
    return ValueType::Boolean;
  }

  ValueType operation(const BinaryRow& row, ValueType left, size_t left_column, size_t sign) {
    const size_t column = token_.column;
    const ValueType right = binary(row.precedence + 1);
    const bool equality = row.code == OpCode::Equal || row.code == OpCode::NotEqual;
    if (row.code == OpCode::TextMatches || row.code == OpCode::TextContains) {
      want(left, ValueType::Text, left_column);
      want(right, ValueType::Text, column);
      combine(row.code);
      return ValueType::Boolean;
    }
    if (equality && left == right) {
      const bool same = row.code == OpCode::Equal;
      combine(left != ValueType::Text ? row.code : same ? OpCode::TextEqual : OpCode::TextNotEqual);
      return ValueType::Boolean;
    }
    if (equality) {
      fail(sign, fmt::format("{} and {} cannot be compared", word(left), word(right)));
      return ValueType::Boolean;
    }
    want(left, ValueType::Integer, left_column);
    want(right, ValueType::Integer, column);
    combine(row.code);
    return row.precedence == 7 ? ValueType::Boolean : ValueType::Integer;
  }

  ValueType unary() {
    const Nested nested{*this};
    const size_t column = token_.column;
    for (const auto& [sign, code] : {std::pair{"-", OpCode::Negate}, std::pair{"~", OpCode::Complement}}) {
      if (!accept(sign)) continue;
      want(unary(), ValueType::Integer, column + 1);
      emit(code);
      return ValueType::Integer;
    }
    if (accept("+")) {
      want(unary(), ValueType::Integer, column + 1);
      return ValueType::Integer;
    }
    if (accept("!")) {
      truth(unary(), column + 1);
      emit(OpCode::Not);
      return ValueType::Boolean;
    }
    return primary();
  }

  ValueType primary() {
    if (failed_) return ValueType::Integer;
    Token token = token_;
    advance();
    switch (token.kind) {
      case TokenKind::Number: push(OpCode::Number, token.number); return ValueType::Integer;
      case TokenKind::Text: push(OpCode::Text, keep(token.text)); return ValueType::Text;
      case TokenKind::Symbol: return symbol(token);
      case TokenKind::Word: return name(token);
      case TokenKind::Operator:
        if (token.text == "(") {
          const ValueType type = binary(1);
          expect(")");
          return type;
        }
        fail(token.column, fmt::format("a value is needed here, and this is '{}'", token.text));
        break;
      case TokenKind::End: fail(token.column, "the expression ends where a value is needed"); break;
    }
    return ValueType::Integer;
  }

  // --- Names.
  ValueType name(const Token& token) {
    const std::string word = lower(token.text);
    if (word == "true" || word == "false") {
      push(word == "true" ? OpCode::True : OpCode::False);
      return ValueType::Boolean;
    }
    if (token_.is("(")) return call(word, token);
    if (word == "event" && accept(".")) return event_member();
    if (const FieldRow* row = field(word); row != nullptr && row->field != EventField::Cr3) return use_field(*row, token.column);
    if (const auto id = find_register(word)) return use_register({*id, RegisterOperand::own, RegisterOperand::own}, token.column);
    if (const auto vp = numbered(word, "vp"); vp && accept(".")) return of_processor(*vp, token.column);
    if (const auto vtl = numbered(word, "vtl"); vtl && accept(".")) return of_vtl({0, RegisterOperand::own, *vtl}, token.column);
    if (context_.events) {
      for (size_t kind = 0; trace::name_of(static_cast<support::EventKind>(kind)) != "unknown event"; ++kind) {
        const std::string_view known = trace::name_of(static_cast<support::EventKind>(kind));
        if (lower(known) != word) continue;
        push(OpCode::Text, keep(std::string{known}));
        return ValueType::Text;
      }
    }
    return address(token);
  }

  static const FieldRow* field(std::string_view name) {
    const auto* row = std::find_if(std::begin(fields), std::end(fields), [&](const FieldRow& one) { return one.name == name; });
    return row == std::end(fields) ? nullptr : row;
  }

  ValueType event_member() {
    const Token token = token_;
    advance();
    const FieldRow* row = token.kind == TokenKind::Word ? field(lower(token.text)) : nullptr;
    if (row == nullptr) fail(token.column, fmt::format("an event has no field '{}'", token.text));
    else if (!context_.events) fail(token.column, "there is no event here");
    if (failed_) return ValueType::Integer;
    out_.uses_event_ = true;
    return emit_field(*row);
  }

  ValueType use_field(const FieldRow& row, size_t column) {
    if (!context_.events && !row.without_event) fail(column, fmt::format("'{}' is a field of events, and there is none here", row.name));
    if (!context_.state && !context_.events) fail(column, fmt::format("'{}' has no meaning here", row.name));
    out_.uses_event_ |= context_.events;
    return emit_field(row);
  }

  ValueType emit_field(const FieldRow& row) {
    out_.uses_names_ |= row.field == EventField::Image || row.field == EventField::Process;
    out_.uses_state_ |= row.field == EventField::Process || (row.without_event && !context_.events);
    push(OpCode::Field, static_cast<uint64_t>(row.field));
    return row.type;
  }

  ValueType use_register(const RegisterOperand& operand, size_t column) {
    if (!context_.state) fail(column, "registers cannot be used here");
    out_.uses_state_ = true;
    push(OpCode::Register, operand.pack());
    return ValueType::Integer;
  }

  ValueType of_processor(uint64_t vp, size_t column) {
    if (vp >= context_.processors || vp >= RegisterOperand::own) fail(column, fmt::format("there is no virtual processor {}", vp));
    RegisterOperand operand{0, vp, RegisterOperand::own};
    const Token token = token_;
    if (const auto vtl = token.kind == TokenKind::Word ? numbered(lower(token.text), "vtl") : std::nullopt) {
      advance();
      expect(".");
      operand.vtl = *vtl;
    }
    return of_vtl(operand, token.column);
  }

  ValueType of_vtl(RegisterOperand operand, size_t column) {
    if (operand.vtl != RegisterOperand::own && operand.vtl > 1) fail(column, "a VTL is 0 or 1");
    const Token token = token_;
    advance();
    const auto id = token.kind == TokenKind::Word ? find_register(token.text) : std::nullopt;
    if (!id) fail(token.column, "the name of a register is needed here");
    operand.id = id.value_or(0);
    return use_register(operand, token.column);
  }

  std::vector<NamedAddress> find(const std::string& name) {
    out_.symbol_ = name;
    std::vector<NamedAddress> found;
    if (context_.names != nullptr) found = context_.names->find(name);
    if (found.empty() && context_.assume_names) found.push_back({});
    return found;
  }

  /// "module", when nothing else has that name.
  ValueType address(const Token& token) {
    const std::vector<NamedAddress> found = find(token.text);
    if (found.empty()) {
      fail(token.column, fmt::format("'{}' is no register, field, image or symbol known here", token.text), true);
      return ValueType::Integer;
    }
    return use_address(found);
  }

  ValueType symbol(const Token& token) {
    if (context_.types != nullptr && context_.types->has(token.text) && token_.is("(")) {
      accept("(");
      integer();
      expect(")");
      return members(token.text);
    }
    const std::vector<NamedAddress> found = find(token.text);
    if (found.empty()) {
      fail(token.column, fmt::format("{}: no symbol of an image that is loaded here", token.text), true);
      return ValueType::Integer;
    }
    return use_address(found);
  }

  /// Of several address spaces the one that is looked from, else the latest.
  ValueType use_address(const std::vector<NamedAddress>& found) {
    const auto own = std::find_if(found.begin(), found.end(), [&](const NamedAddress& one) {
      return one.cr3 == 0 || one.cr3 >> 12 == context_.cr3 >> 12;
    });
    out_.uses_symbols_ = true;
    push(OpCode::Number, own != found.end() ? own->address : found.back().address);
    return ValueType::Integer;
  }

  // --- Calls and members.
  void integer() {
    const size_t column = token_.column;
    want(binary(1), ValueType::Integer, column);
  }

  ValueType call(const std::string& word, const Token& token) {
    accept("(");
    if (word == "arg") return argument();
    static constexpr std::array<std::pair<std::string_view, uint8_t>, 4> loads{{{"u8", 1}, {"u16", 2}, {"u32", 4}, {"u64", 8}}};
    const auto* load = std::find_if(loads.begin(), loads.end(), [&](const auto& one) { return one.first == word; });
    if (load == loads.end()) {
      fail(token.column, fmt::format("there is no function '{}'; known are u8, u16, u32, u64 and arg", token.text));
      return ValueType::Integer;
    }
    if (!context_.state) fail(token.column, "memory cannot be used here");
    out_.uses_state_ = true;
    const AddressSpaceKind space = located();
    expect(")");
    emit(OpCode::Load, 0, load->second, static_cast<uint8_t>(space));
    return ValueType::Integer;
  }

  ValueType argument() {
    const Token token = token_;
    if (token.kind != TokenKind::Text) fail(token.column, "arg(\"name\") needs the name of a parameter as a text");
    if (!context_.events) fail(token.column, "there is no event here");
    advance();
    expect(")");
    out_.uses_event_ = true;
    push(OpCode::Argument, keep(token.text));
    return ValueType::Integer;
  }

  /// An address, with its space: gpa(...), spa(...), gva(...), or a GVA.
  AddressSpaceKind located() {
    static constexpr std::array<std::pair<std::string_view, AddressSpaceKind>, 3> spaces{
        {{"gva", AddressSpaceKind::Gva}, {"gpa", AddressSpaceKind::Gpa}, {"spa", AddressSpaceKind::Spa}}};
    for (const auto& [name, space] : spaces) {
      if (token_.kind != TokenKind::Word || lower(token_.text) != name) continue;
      advance();
      expect("(");
      integer();
      expect(")");
      return space;
    }
    integer();
    return AddressSpaceKind::Gva;
  }

  /// `.member`s behind the address of a structure that is on the stack.
  ValueType members(std::string type) {
    TypeSource::Member member{};
    bool address = true;  // what is on the stack is one, of `member`
    while (!failed_ && accept(".")) {
      const Token token = token_;
      advance();
      if (!address && !type.empty()) load(member);
      const auto next = token.kind == TokenKind::Word && !type.empty() ? context_.types->member(type, token.text) : std::nullopt;
      if (!next) fail(token.column, fmt::format("{} has no member '{}'", type.empty() ? "what is no structure" : type, token.text));
      if (failed_) break;
      member = *next;
      type = member.type;
      emit(OpCode::AddConstant, member.offset);
      if (member.count != 0 && accept("[")) {
        integer();
        push(OpCode::Number, member.stride);
        combine(OpCode::Multiply);
        combine(OpCode::Add);
        expect("]");
        member.count = 0;
      }
      address = member.bytes == 0 || member.count != 0;
    }
    if (!address) load(member);
    return ValueType::Integer;
  }

  void load(const TypeSource::Member& member) {
    if (!context_.state) fail(token_.column, "memory cannot be used here");
    out_.uses_state_ = true;
    emit(OpCode::Load, 0, member.bytes, static_cast<uint8_t>(AddressSpaceKind::Gva));
    if (member.bits != 0) emit(OpCode::Bits, 0, member.bit, member.bits);
    const uint8_t bits = member.bits != 0 ? member.bits : static_cast<uint8_t>(member.bytes * 8);
    if (member.is_signed && bits < 64) emit(OpCode::Extend, 0, bits);
  }

  Lexer lexer_;
  const ExpressionContext& context_;
  Token token_;
  bool failed_{};
  ExpressionError error_;
  std::vector<Expression::Operation> program_;
  std::vector<std::string> texts_;
  size_t depth_{};
  int nested_{};
  Expression out_;
};

support::Result<Expression, ExpressionError> Expression::compile(std::string_view text, const ExpressionContext& context) {
  if (text.size() > longest) return ExpressionError{fmt::format("an expression has at most {} bytes", longest), 1, false};
  return ExpressionCompiler{text, context}.compile(text);
}

}  // namespace debugger
