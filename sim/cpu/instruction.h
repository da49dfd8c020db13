#pragma once
// Where an x86 instruction ends and what kind it is: enough to count instructions in a block, to find those that the
// engine must not run in blocks, and to emulate the few that it must not run at all. Not a disassembler.
#include <cstddef>
#include <cstdint>
#include <span>

namespace cpu {

/// Size of code segment: decides default operand and address sizes (SDM vol. 1, 3.6).
enum class CodeSize : uint8_t { Bits16, Bits32, Bits64 };

enum class OpcodeMap : uint8_t { One, Two0F, Three0F38, Three0F3A };

enum class DecodeStatus : uint8_t {
  Ok,
  Truncated,  ///< the bytes given end before the instruction does
  Invalid,  ///< no such instruction, or longer than 15 bytes: raises #UD or #GP wherever it executes
};

inline constexpr size_t max_instruction_length = 15;
inline constexpr uint8_t no_segment = 0xff;

/// A decoded instruction. Prefixes as the engine reads them: a REX prefix that a legacy prefix follows counts for nothing, and
/// 66 shortens the displacement of near branches in 64-bit mode, as AMD's processors do.
struct Instruction {
  DecodeStatus status{DecodeStatus::Invalid};
  uint8_t length{};  ///< bytes, prefixes included
  OpcodeMap map{OpcodeMap::One};
  uint8_t opcode{};
  CodeSize code_size{CodeSize::Bits64};
  uint8_t operand_size{4};  ///< 2, 4 or 8 bytes; what byte forms do with it is theirs
  uint8_t address_size{8};
  bool lock{}, rep{}, repne{}, operand_size_prefix{}, vex{};
  uint8_t rex{};                ///< 0 or 0x40..0x4f
  uint8_t segment{no_segment};  ///< override: vtl::SegmentName
  bool has_modrm{}, has_sib{};
  bool register_form_only{};      ///< ModRM names a register whatever its mod field says
  uint8_t modrm{}, sib{};
  int64_t displacement{};  ///< of the memory operand, or moffs
  uint64_t immediate{};    ///< zero-extended; of branches: the displacement's bits
  uint8_t immediate_size{};

  [[nodiscard]] uint8_t mod() const { return modrm >> 6; }
  [[nodiscard]] uint8_t reg() const {
    return static_cast<uint8_t>(((modrm >> 3) & 7) | ((rex & 4) << 1));
  }
  [[nodiscard]] uint8_t rm() const { return static_cast<uint8_t>((modrm & 7) | ((rex & 1) << 3)); }
  [[nodiscard]] uint8_t reg_field() const { return (modrm >> 3) & 7; }
  [[nodiscard]] bool is(OpcodeMap in, uint8_t number) const {
    return map == in && opcode == number;
  }
};

/// Decodes the first instruction of `bytes` (15 are always enough).
[[nodiscard]] Instruction decode(std::span<const uint8_t> bytes, CodeSize code_size);

// --- Kinds. All take a decoded instruction with status Ok.

/// IN, OUT, INS, OUTS.
[[nodiscard]] bool is_port_io(const Instruction& in);
/// A string instruction with a REP prefix: counts once for each iteration.
[[nodiscard]] bool is_repeated_string(const Instruction& in);
/// BT, BTS, BTR, BTC: the flags that they leave undefined depend on how the engine cuts blocks.
[[nodiscard]] bool is_bit_test(const Instruction& in);
/// LOCK with a BT-family instruction on a register: #UD by the SDM, and the engine aborts when it translates it.
[[nodiscard]] bool is_locked_register_bit_test(const Instruction& in);
/// A memory form that does not exist (#UD), but the engine takes it for the register form.
[[nodiscard]] bool is_missing_memory_form(const Instruction& in);
/// CMPXCHG r32, r32: the engine clears the upper half of the destination also when it does not write it.
[[nodiscard]] bool is_register_compare_exchange_32(const Instruction& in);
/// LAHF and SAHF with REX, LOCK NEG, SHLD and SHRD of a RIP-relative operand by an immediate, CLFLUSH, PHADDx and PHSUBx of one
/// XMM register: the engine computes something else. PCMPESTRI, PCMPESTRM: with some lengths it leaves its own state.
[[nodiscard]] bool is_corrected(const Instruction& in);
/// A member of a group that does not exist (#UD), but the engine executes a neighbour.
[[nodiscard]] bool is_missing_group_member(const Instruction& in);
/// CPUID does not offer it (#UD), but the engine executes it: SSE4a, and with a VEX prefix the SSE instruction without it.
[[nodiscard]] bool is_not_offered(const Instruction& in);
/// LOCK before an instruction that may not have it (SDM vol. 2, LOCK): #UD, but the engine ignores it.
[[nodiscard]] bool is_lock_refused(const Instruction& in);
/// Its access to memory is locked: LOCK prefix, or XCHG with memory.
[[nodiscard]] bool is_locked(const Instruction& in);
/// XSAVE, XSAVEOPT, XRSTOR.
[[nodiscard]] bool is_extended_state(const Instruction& in);
/// MOVBE.
[[nodiscard]] bool is_big_endian_move(const Instruction& in);
/// Uses XMM registers; or MMX registers, or either by its prefixes. As far as CR0.EM and CR4.OSFXSR are concerned.
[[nodiscard]] bool is_sse(const Instruction& in);
[[nodiscard]] bool is_mmx_or_sse(const Instruction& in);
/// MOV to or from a control register that does not exist.
[[nodiscard]] bool is_undefined_control_register(const Instruction& in);
/// Far JMP and CALL.
[[nodiscard]] bool is_far_transfer(const Instruction& in);
/// What follows it is decided when it executes: branches, conditional ones too if they are not taken, calls, returns, SYSCALL
/// and SYSRET. Not INT n, which delivers an event.
[[nodiscard]] bool is_control_transfer(const Instruction& in);
/// SYSENTER, SYSEXIT.
[[nodiscard]] bool is_system_entry(const Instruction& in);
/// Reads and writes its ModRM operand: a fault of it is that of a write, whichever half meets it first.
[[nodiscard]] bool is_read_modify_write(const Instruction& in);
/// May read descriptor tables with supervisor rights at any CPL (SDM vol. 3, 4.6.1): segment loads, far transfers, LAR...
[[nodiscard]] bool reads_descriptors(const Instruction& in);

/// What an instruction does with OF, SF, AF and PF.
enum class FlagUse : uint8_t {
  None,       ///< neither reads nor writes one of them
  WritesAll,  ///< writes all of them, whatever they were
  Other,      ///< reads some, or writes some, or not known: it must see canonical values
};
[[nodiscard]] FlagUse undefined_flag_use(const Instruction& in);

/// Where LOCK BTx on a register, which the engine must not translate in a block, may begin in code: at any byte counts.
enum class LockedBitTest : uint8_t {
  None,
  AtEnd,   ///< nowhere, unless the bytes that follow complete one
  Inside,  ///< all of it is there
};
[[nodiscard]] LockedBitTest find_locked_bit_test(std::span<const uint8_t> code);

}  // namespace cpu
