#pragma once
// What expressions are compiled to.
#include <cstdint>

#include "sim/debugger/expression.h"

namespace debugger {

enum class OpCode : uint8_t {
  // Push one value.
  Number, True, False, Text,   ///< operand: the value, or the index of the text
  Register,                    ///< operand: RegisterOperand
  Field,                       ///< operand: EventField
  Argument,                    ///< operand: the index of its name
  // Replace the top value.
  Load,                        ///< first: bytes, second: AddressSpaceKind
  Bits,                        ///< first: the lowest bit, second: their number
  Extend,                      ///< first: bits; by the sign
  AddConstant,                 ///< operand
  Negate, Complement, Not, ToBoolean,
  // Replace the two top values.
  Add, Subtract, Multiply, Divide, Remainder, ShiftLeft, ShiftRight, BitAnd, BitOr, BitXor,
  Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual,
  TextEqual, TextNotEqual, TextMatches, TextContains,
  And, Or,
  // Keep the top value and go to `operand` if it decides.
  SkipIfFalse, SkipIfTrue,
};

enum class AddressSpaceKind : uint8_t { Gva, Gpa, Spa };

enum class EventField : uint8_t { Kind, Name, Code, Vtl, Vp, At, A, B, C, Status, Vector, Msr, Cr3, Image, Process, Service };

struct Expression::Operation {
  OpCode code{};
  uint8_t first{}, second{};
  uint64_t operand{};
};

/// A register of the processor and VTL that are looked from, or of others.
struct RegisterOperand {
  static constexpr uint64_t own = 0xff;
  RegisterId id{};
  uint64_t vp{own}, vtl{own};
  [[nodiscard]] uint64_t pack() const { return id | vp << 8 | vtl << 16; }
  [[nodiscard]] static RegisterOperand unpack(uint64_t packed) {
    return {static_cast<RegisterId>(packed), packed >> 8 & 0xff, packed >> 16 & 0xff};
  }
};

}  // namespace debugger
