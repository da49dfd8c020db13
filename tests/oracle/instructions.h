#pragma once
// What the processor oracle generates: our own table of instructions, with what each does to the flags (SDM vol. 2).
#include <cstddef>
#include <cstdint>
#include <span>

namespace oracle {

/// RFLAGS bits as the SDM's tables name them.
enum FlagMask : uint16_t { C = 1, P = 4, A = 0x10, Z = 0x40, S = 0x80, O = 0x800, DF = 0x400 };
inline constexpr uint16_t no_flags = 0;
inline constexpr uint16_t arithmetic = C | P | A | Z | S | O;

enum class Operand : uint8_t { None, Any, Memory, Register };

enum Attribute : uint32_t {
  Byte = 1 << 0,      ///< byte operand: REX.W and 66 mean nothing
  Lockable = 1 << 1,  ///< LOCK is allowed with memory
  No66 = 1 << 2,      ///< not with the operand-size prefix
  No64 = 1 << 3,      ///< not in 64-bit code
  Only64 = 1 << 4,
  Relative8 = 1 << 5,  ///< ends with a displacement to another instruction of the program
  RelativeZ = 1 << 6,
  PlusRegister = 1 << 7,  ///< the register is in the opcode
  Repeatable = 1 << 8,
  RepeatConditional = 1 << 9,
  Sse = 1 << 10,
  X87 = 1 << 11,
  Rare = 1 << 12,  ///< usually faults, or ends the sequence
  NoRexW = 1 << 13,
  WideImmediate = 1 << 14,  ///< MOV r64, imm64
  NoWrite = 1 << 15,        ///< writes no general register: any register will do
  Native = 1 << 17,         ///< at CPL 3 only where the processor executes everything (KvmKind)
  Kernel = 1 << 16,         ///< only generated for CPL 0 (at CPL 3 it would show the host)
};

enum Immediate : uint8_t { None0, I8, I16, Iz, I8I16, Moffs };

struct Row {
  const char* name;
  uint8_t prefix;  ///< mandatory 66, F2, F3, or 0
  uint8_t map;     ///< 0 one byte, 1 0F, 2 0F 38, 3 0F 3A
  uint8_t opcode;
  int8_t digit;  ///< /digit, or -1 for a register
  Operand operand;
  Immediate immediate;
  uint16_t reads, writes, undefined;  ///< flags; `writes` only what is always written
  uint32_t attributes;
};

std::span<const Row> integer_rows();
std::span<const Row> control_rows();  ///< transfers, segments, privileged
std::span<const Row> sse_rows();
std::span<const Row> x87_rows();

/// False for what the two processors are known to have in different sets: VEX, XOP, EVEX, 3DNow!, BMI, SHA, RDRAND, FSGSBASE
/// and the like, and for what answers with the host's own facts (CPUID, RDTSC, SGDT). `mode_64`: 64-bit code.
bool comparable(std::span<const uint8_t> bytes, bool mode_64, bool kernel);

/// False for what Airlock's engine is known to execute differently, one instruction at a time (pinned in pinned_test.cpp).
bool engine_agrees(std::span<const uint8_t> bytes, bool mode_64);

}  // namespace oracle
