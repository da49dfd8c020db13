#pragma once
// What an instruction does to general registers, flags and memory, as far as a full trace predicts it.
#include <cstdint>
#include <memory>

#include "sim/loader/byte_view.h"
#include "sim/trace/record.h"

namespace trace {

/// Everything else is Other: nothing is predicted but that the next instruction follows.
enum class Op : uint8_t {
  Other, Mov, MovSigned, Lea, Add, Adc, Sub, Sbb, Cmp, And, Or, Xor, Test, Inc, Dec, Neg, Not, Shl, Shr, Sar, Rol,
  Ror, Imul, ImulWide, Mul, Push, Pop, Call, Ret, Jmp, Jcc, Setcc, Cmovcc, Xchg, Bswap, BitTest, Leave, SignExtend,
  SignFill, MoveString, StoreString,
};

struct Operand {
  enum class Kind : uint8_t { None, Register, HighByte, Immediate, Memory } kind{};
  uint8_t number{};  ///< of the register
  uint8_t size{};    ///< bytes
  uint64_t value{};  ///< Immediate
};

struct MicroOp {
  static constexpr uint8_t no_register = 0xff, instruction_pointer = 0xfe;
  /// What is read from memory before anything else happens.
  enum class Source : uint8_t { None, Explicit, Stack, Frame, String };

  Op op{};
  uint8_t length{};
  uint8_t condition{};  ///< of Jcc, Setcc, Cmovcc, as in the opcode
  bool repeats{};       ///< a string operation under REP: the count is RCX
  Source source{};
  uint8_t source_size{};  ///< 1..16; 0 where source is None
  Operand a, b, c;
  uint8_t base{no_register}, index{no_register}, scale{1};
  uint8_t segment_base{no_register};  ///< fs_base, gs_base
  uint64_t displacement{}, address_mask{~uint64_t{0}};

  /// GVA of the explicit operand in memory.
  [[nodiscard]] uint64_t address(const Registers& registers, uint64_t rip) const;
  /// GVA of what is read.
  [[nodiscard]] uint64_t source_address(const Registers& registers, uint64_t rip) const;
};

class MicroOpDecoder {
 public:
  MicroOpDecoder();
  ~MicroOpDecoder();
  MicroOpDecoder(const MicroOpDecoder&) = delete;
  MicroOpDecoder& operator=(const MicroOpDecoder&) = delete;

  /// Of one instruction of exactly these bytes. Other, if it is not 64-bit code or no instruction.
  [[nodiscard]] MicroOp decode(uint8_t code_bits, loader::Bytes bytes);

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace trace
