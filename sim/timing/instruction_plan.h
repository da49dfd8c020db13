#pragma once
// What one instruction is to the timing model: its class, and how to find the memory that it touches. Decoded once and
// kept, because a run executes the same bytes again and again.
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/cpu/instruction.h"
#include "sim/timing/cost_table.h"
#include "sim/trace/record.h"

namespace timing {

/// What an operand does to memory.
enum class Touch : uint8_t { Read, Write, ReadWrite };

/// An address: base + index * scale + displacement, cut to the address size, plus a segment's base. Registers are
/// indices into trace::Registers.
struct Operand {
  static constexpr uint8_t none = 0xff;
  uint8_t base{none}, index{none}, scale{1};
  uint8_t segment{none};  ///< trace::fs_base or trace::gs_base
  uint8_t address_bytes{8};
  bool rip_relative{};
  int64_t displacement{};
  uint16_t size{};        ///< bytes
  Touch touch{};
};

struct InstructionPlan {
  InstructionClass kind{InstructionClass::Other};
  uint8_t length{};    ///< 0: not an instruction
  bool repeats{};      ///< a string form with REP: nothing is touched when the count is 0
  uint8_t operand_count{};
  std::array<Operand, 2> operands{};
  /// What the model itself has to react to.
  enum class Effect : uint8_t { None, LoadCr3, InvalidateAddress, ChangeCr4, WriteMsr, ReadMsr, Halt };
  Effect effect{Effect::None};
  uint8_t effect_register{};  ///< LoadCr3: the source

  [[nodiscard]] std::span<const Operand> memory() const { return {operands.data(), operand_count}; }
};

/// Code of 16 bits gets a class but no operands: nothing after the reset vector of this machine runs it.
[[nodiscard]] InstructionPlan plan_of(std::span<const uint8_t> bytes, uint8_t code_bits);

/// The linear address of an operand, with the registers before the instruction.
[[nodiscard]] uint64_t address_of(const Operand& operand, const trace::InstructionRecord& record,
                                  uint8_t length);

/// Plans by RIP, checked against the bytes.
class PlanCache {
 public:
  PlanCache();
  const InstructionPlan& find(const trace::InstructionRecord& record);

 private:
  struct Line {
    uint64_t rip{~uint64_t{0}};
    uint8_t code_bits{}, length{};
    std::array<uint8_t, trace::longest_instruction> bytes{};
    InstructionPlan plan;
  };
  static constexpr size_t line_count = 16384;
  std::vector<Line> lines_;
};

}  // namespace timing
