#pragma once
// One thing in a trace: an instruction about to execute, or an event.
#include <array>
#include <cstdint>
#include <string>
#include <variant>

#include "sim/support/events.h"
#include "vtl/virtual_processor.h"

namespace trace {

/// What an instruction's operands may refer to. The general registers in the processor's order, RSP
/// among them.
enum Register : uint8_t { rflags = vtl::gpr_count, fs_base, gs_base, cr3, register_count };
using Registers = std::array<uint64_t, register_count>;

inline constexpr size_t longest_instruction = 15;
inline constexpr size_t longest_memory = 16;

/// How much a trace knows of each instruction.
enum class Detail : uint8_t {
  Control,  ///< where and when, and the bytes
  Full,     ///< also registers, and what is read from memory
};

struct InstructionRecord {
  support::Instant at;  ///< before the instruction
  uint32_t vp{};
  abi::hv::Vtl vtl{};
  uint8_t code_bits{64};
  uint8_t length{};  ///< 0: the bytes could not be read
  std::array<uint8_t, longest_instruction> bytes{};
  uint64_t rip{};
  /// False in a compact trace, which knows neither registers nor memory: they are zero here.
  bool has_registers{true};
  Registers registers{};
  /// What the instruction is about to read from memory, if that is known and at most 16 bytes long.
  uint8_t memory_size{};
  uint64_t memory_address{};  ///< GVA
  std::array<uint8_t, longest_memory> memory{};
};

struct EventRecord {
  support::Event event;  ///< `frame` and `text` are null here: use the members below
  bool has_frame{};
  std::array<uint64_t, 13> frame{};
  std::string text;

  /// The event as its listeners saw it; valid while this record lives.
  [[nodiscard]] support::Event view() const {
    support::Event out = event;
    out.frame = has_frame ? frame.data() : nullptr;
    out.text = text;
    return out;
  }
};

using Record = std::variant<InstructionRecord, EventRecord>;

/// The part of a VP that a trace of `detail` keeps. Memory is not looked at.
[[nodiscard]] InstructionRecord capture(support::Instant now, const vtl::VirtualProcessor& vp,
                                        Detail detail = Detail::Full);

}  // namespace trace
