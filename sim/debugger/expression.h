#pragma once
// The debugger's small typed language, the same for conditions of breakpoints, queries over events, `evaluate` and the console.
// A text is compiled once, with all names resolved and all types checked, into a program for a stack machine; evaluating it
// allocates nothing.
//
//   1 0x1f 1_000 "text" true               integers are 64 bits without sign, decimal or 0x; texts compare without case
//   + - * / % << >> & | ^ ~ < <= > >= == != ! && || and or not       with C's precedence; an integer is true when it is not 0
//   text == text, != , ~ (a pattern with * and ?), contains
//   rax  vtl1.rip  vp2.rcx  vp0.vtl1.cr3   registers of the focus' processor and VTL, or of those named
//   nt!PsActiveProcessHead 'nt!any name'   the address of a symbol; `module` alone is the image's base
//   u8(a) u16(a) u32(a) u64(a)             memory at a GVA as the VTL sees it; u64(gpa(a)), u64(spa(a)), u64(gva(a))
//   nt!_EPROCESS(a).UniqueProcessId        a member of a structure, once types are at hand; p.member, p.list[2]
//   kind name code vtl vp at a b c status vector msr image process service arg("map_flags")      of an event, whose kind is
//   its name (VtlCall); event.cr3 is its CR3, where cr3 alone is the register
// A part that has no value (a field that such events do not have, memory that cannot be read, a division by zero) makes what
// is computed from it have none; `or` is true if one side is, `and` false if one side is.
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/debugger/focus.h"
#include "sim/debugger/names.h"
#include "sim/debugger/registers.h"
#include "sim/machine/machine.h"

namespace debugger {

enum class ValueType : uint8_t { Integer, Boolean, Text };

/// `text` lives as long as the expression, the event and the names do.
struct Value {
  ValueType type{};
  uint64_t number{};  ///< of Boolean 0 or 1
  std::string_view text;
};

/// Why a text is no expression.
struct ExpressionError {
  std::string message;      ///< a sentence
  size_t column{};          ///< of the byte at fault, 1 for the first
  bool unknown_name{};      ///< a name that may be known later, when its image has been loaded
};

/// What expressions need to know of structures; sim/symbols does.
class TypeSource {
 public:
  struct Member {
    uint64_t offset{};      ///< bytes
    uint8_t bytes{};        ///< 1, 2, 4 or 8 of a scalar, of an array's element; 0: a structure, whose address is its value
    uint8_t bit{}, bits{};  ///< of a bit field; 0 bits: none
    bool is_signed{};
    bool pointer{};         ///< to `type`
    std::string type{};     ///< of a structure, or what a pointer names, "module!name"; empty: nothing further
    uint64_t count{};       ///< elements of an array; 0: it is none
    uint64_t stride{};      ///< bytes of an element
  };
  virtual ~TypeSource() = default;
  /// `type` as "module!name".
  [[nodiscard]] virtual std::optional<Member> member(std::string_view type, std::string_view name) const = 0;
  [[nodiscard]] virtual bool has(std::string_view type) const = 0;
};

/// What names mean when a text is compiled.
struct ExpressionContext {
  const Names* names{};          ///< null: no symbols
  const TypeSource* types{};     ///< null: no structures
  uint64_t cr3{};                ///< whose names of user mode
  size_t processors{1};
  bool events{true};             ///< the fields of an event can be used
  bool state{true};              ///< registers and memory can be used
  bool assume_names{};           ///< names of images and symbols that are not known are 0: to tell them from mistakes
};

/// What a program looks at. Null members: what needs them is not available, and the value is unknown.
struct Environment {
  const machine::Machine* machine{};
  const support::Event* event{};
  const Names* names{};
  uint32_t vp{};
  abi::hv::Vtl vtl{};
};

class Expression {
 public:
  static constexpr size_t longest = 4096;     ///< bytes of a text
  static constexpr size_t deepest = 64;       ///< operands that wait at once

  [[nodiscard]] static support::Result<Expression, ExpressionError> compile(std::string_view text,
                                                                            const ExpressionContext& context);

  /// Nothing if it has no value there: memory that cannot be read, a field that such events do not have, a division by zero.
  [[nodiscard]] std::optional<Value> evaluate(const Environment& environment) const;
  /// What has no value is false.
  [[nodiscard]] bool holds(const Environment& environment) const;

  [[nodiscard]] ValueType type() const { return type_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// The same program: it has the same value everywhere.
  [[nodiscard]] bool same_as(const Expression& other) const;
  /// Whether it looks at registers or memory, at an event, at names (image, process) when evaluated.
  [[nodiscard]] bool uses_state() const { return uses_state_; }
  [[nodiscard]] bool uses_event() const { return uses_event_; }
  [[nodiscard]] bool uses_names() const { return uses_names_; }
  /// Whether a name of an image or symbol was resolved: it may mean something else once images come and go.
  [[nodiscard]] bool uses_symbols() const { return uses_symbols_; }
  /// The image or symbol that was named last, as it was written; empty: none.
  [[nodiscard]] const std::string& symbol() const { return symbol_; }

  struct Operation;
  static constexpr int most_nested = 200;     ///< parentheses and the like

 private:
  friend class ExpressionCompiler;
  std::string text_, symbol_;
  std::shared_ptr<const std::vector<Operation>> program_;  ///< immutable: copies share it
  std::shared_ptr<const std::vector<std::string>> texts_;
  ValueType type_{};
  bool uses_state_{}, uses_event_{}, uses_names_{}, uses_symbols_{};
};

}  // namespace debugger
