#pragma once
// What DR0 to DR3 and DR7 ask for (SDM vol. 3, 18.2). All answers are bits B0 to B3 of DR6.
#include <array>
#include <cstdint>
#include <span>

#include "sim/cpu/instruction.h"
#include "vtl/virtual_processor.h"

namespace cpu {

/// One access to memory that an instruction made, by linear address.
struct MemoryTouch {
  uint64_t address{};
  uint32_t bytes{};
  bool write{};
};

/// The breakpoints that are enabled in the active VTL.
class Breakpoints {
 public:
  Breakpoints() = default;
  explicit Breakpoints(const vtl::VirtualProcessor& vp);

  [[nodiscard]] bool execution() const { return execution_; }
  [[nodiscard]] bool data() const { return data_; }
  [[nodiscard]] uint64_t at_instruction(uint64_t linear_rip) const;
  [[nodiscard]] uint64_t at_port(uint16_t port, uint8_t bytes) const;
  [[nodiscard]] uint64_t at_memory(const MemoryTouch& touch) const;
  [[nodiscard]] uint64_t at_memory(std::span<const MemoryTouch> touches) const;
  /// One of the instruction breakpoints may be in these bytes.
  [[nodiscard]] bool in_code(uint64_t address, uint64_t bytes) const;
  [[nodiscard]] bool in_page_of(uint64_t address) const;

  friend bool operator==(const Breakpoints&, const Breakpoints&) = default;

 private:
  enum class Kind : uint8_t { None, Execution, Write, Port, Access };
  struct One {
    Kind kind{};
    uint8_t bytes{};
    uint64_t address{};  ///< aligned to `bytes`
    friend bool operator==(const One&, const One&) = default;
  };
  std::array<One, 4> list_{};
  bool execution_{}, data_{};
};

/// An unaligned read of a page that is watched arrives as two aligned ones that cover it. Where an operand of the
/// instruction explains them, its bytes count. `operands`: where its accesses may begin, before it executed.
[[nodiscard]] uint64_t hits_of(const Breakpoints& breakpoints, std::span<const MemoryTouch> touches,
                               std::span<const uint64_t> operands);

/// Linear addresses that `in` may begin an access at: ModRM operand, strings, stack.
[[nodiscard]] std::array<uint64_t, 4> operand_addresses(const Instruction& in, const vtl::VirtualProcessor& vp);

}  // namespace cpu
