#include "sim/trace/disassembler.h"

#include <capstone/capstone.h>

#include <algorithm>

#include "sim/support/check.h"
#include "sim/trace/disassembler_registers.h"

namespace trace {
namespace {

uint64_t width_mask(uint8_t bytes) {
  return bytes >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * bytes)) - 1;
}

/// Operands in memory that the instruction only computes with, or hints about.
bool touches_memory(unsigned id) {
  switch (id) {
    case X86_INS_LEA:
    case X86_INS_NOP:
    case X86_INS_PREFETCH:
    case X86_INS_PREFETCHNTA:
    case X86_INS_PREFETCHT0:
    case X86_INS_PREFETCHT1:
    case X86_INS_PREFETCHT2:
    case X86_INS_PREFETCHW:
    case X86_INS_PREFETCHWT1:
    case X86_INS_INVLPG:
    case X86_INS_CLFLUSH:
      return false;
    default:
      return true;
  }
}

/// What the instruction does to a destination in memory, where Capstone 5 says something else: for
/// these it claims a read only. The test "Memory accesses are computed" holds the other kinds.
enum class Destination : uint8_t { AsStated, Write, ReadWrite };

Destination destination_of(unsigned id) {
  static constexpr unsigned writes[] = {
      X86_INS_MOVUPS, X86_INS_MOVUPD,  X86_INS_MOVAPS,    X86_INS_MOVAPD,     X86_INS_MOVDQU,
      X86_INS_MOVDQA, X86_INS_MOVSS,   X86_INS_MOVSD,     X86_INS_MOVD,       X86_INS_MOVQ,
      X86_INS_MOVHPS, X86_INS_MOVHPD,  X86_INS_MOVLPS,    X86_INS_MOVLPD,     X86_INS_MOVNTDQ,
      X86_INS_MOVNTI, X86_INS_MOVNTPS, X86_INS_MOVNTPD,   X86_INS_PEXTRB,     X86_INS_PEXTRW,
      X86_INS_PEXTRD, X86_INS_PEXTRQ,  X86_INS_EXTRACTPS, X86_INS_FXSAVE,     X86_INS_FXSAVE64,
      X86_INS_XSAVE,  X86_INS_XSAVE64, X86_INS_XSAVEOPT,  X86_INS_XSAVEOPT64, X86_INS_STMXCSR,
      X86_INS_FNSTCW, X86_INS_FNSTSW,  X86_INS_FNSTENV,   X86_INS_FNSAVE,     X86_INS_FST,
      X86_INS_FSTP,   X86_INS_FIST,    X86_INS_FISTP,     X86_INS_FISTTP,     X86_INS_FBSTP,
      X86_INS_SGDT,   X86_INS_SIDT,    X86_INS_SLDT,      X86_INS_STR,        X86_INS_SMSW,
      X86_INS_INSB,   X86_INS_INSW,    X86_INS_INSD,      X86_INS_SETAE,      X86_INS_SETA,
      X86_INS_SETBE,  X86_INS_SETB,    X86_INS_SETE,      X86_INS_SETGE,      X86_INS_SETG,
      X86_INS_SETLE,  X86_INS_SETL,    X86_INS_SETNE,     X86_INS_SETNO,      X86_INS_SETNP,
      X86_INS_SETNS,  X86_INS_SETO,    X86_INS_SETP,      X86_INS_SETS};
  static constexpr unsigned both[] = {X86_INS_CMPXCHG, X86_INS_CMPXCHG8B, X86_INS_CMPXCHG16B,
                                      X86_INS_ROL,     X86_INS_ROR,       X86_INS_RCL,
                                      X86_INS_RCR};
  if (std::find(std::begin(writes), std::end(writes), id) != std::end(writes))
    return Destination::Write;
  if (std::find(std::begin(both), std::end(both), id) != std::end(both))
    return Destination::ReadWrite;
  return Destination::AsStated;
}

/// Bytes of an operand in memory; the save areas of FXSAVE and XSAVE (legacy region and header)
/// have no operand size.
uint16_t size_of(const cs_insn& instruction, const cs_x86_op& operand) {
  switch (instruction.id) {
    case X86_INS_FXSAVE:
    case X86_INS_FXSAVE64:
    case X86_INS_FXRSTOR:
    case X86_INS_FXRSTOR64:
      return 512;
    case X86_INS_XSAVE:
    case X86_INS_XSAVE64:
    case X86_INS_XSAVEOPT:
    case X86_INS_XSAVEOPT64:
    case X86_INS_XRSTOR:
    case X86_INS_XRSTOR64:
      return 576;
    default:
      return operand.size;
  }
}

uint64_t segment_base(const InstructionRecord& record, x86_reg segment) {
  if (segment == X86_REG_FS) return record.registers[fs_base];
  if (segment == X86_REG_GS) return record.registers[gs_base];
  return 0;
}

uint64_t effective_address(const InstructionRecord& record, const cs_insn& instruction,
                           const x86_op_mem& memory) {
  const auto value = [&](x86_reg name) -> uint64_t {
    if (name == X86_REG_RIP || name == X86_REG_EIP) return record.rip + instruction.size;
    const uint32_t index = register_index(name);
    return index < register_count ? record.registers[index] : 0;
  };
  const uint64_t offset = value(memory.base) +
                          value(memory.index) * static_cast<uint64_t>(memory.scale) +
                          static_cast<uint64_t>(memory.disp);
  return segment_base(record, memory.segment) +
         (offset & width_mask(instruction.detail->x86.addr_size));
}

void add_operands(const InstructionRecord& record, const cs_insn& instruction, Instruction& out) {
  if (!touches_memory(instruction.id)) return;
  const cs_x86& x86 = instruction.detail->x86;
  for (uint8_t i = 0; i < x86.op_count; ++i) {
    const cs_x86_op& operand = x86.operands[i];
    if (operand.type != X86_OP_MEM) continue;
    const Destination rule = i == 0 ? destination_of(instruction.id) : Destination::AsStated;
    const bool write = rule != Destination::AsStated || (operand.access & CS_AC_WRITE) != 0;
    // Where nothing is stated, the instruction reads.
    const bool read =
        rule == Destination::ReadWrite ||
        (rule == Destination::AsStated && (!write || (operand.access & CS_AC_READ) != 0));
    out.accesses.push_back({effective_address(record, instruction, operand.mem),
                            size_of(instruction, operand), read, write});
  }
}

/// The implicit access to the stack, which Capstone does not list.
void add_stack(const InstructionRecord& record, const cs_insn& instruction, Instruction& out) {
  const uint64_t rsp = record.registers[vtl::Rsp];
  const cs_x86& x86 = instruction.detail->x86;
  const auto width = static_cast<uint16_t>(record.code_bits / 8);
  const uint16_t operand = x86.op_count == 1 && x86.operands[0].size == 2 ? uint16_t{2} : width;
  const auto push = [&](uint16_t size) { out.accesses.push_back({rsp - size, size, false, true}); };
  const auto pop = [&](uint64_t from, uint16_t size) {
    out.accesses.push_back({from, size, true, false});
  };
  switch (instruction.id) {
    case X86_INS_PUSH:
      return push(operand);
    case X86_INS_CALL:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFD:
    case X86_INS_PUSHFQ:
    case X86_INS_ENTER:
      return push(width);
    case X86_INS_POP:
      return pop(rsp, operand);
    case X86_INS_RET:
    case X86_INS_POPF:
    case X86_INS_POPFD:
    case X86_INS_POPFQ:
      return pop(rsp, width);
    case X86_INS_LEAVE:
      return pop(record.registers[vtl::Rbp], width);
    case X86_INS_IRETQ:
      return pop(rsp, 40);
    case X86_INS_IRETD:
      return pop(rsp, record.code_bits == 64 ? uint16_t{20} : uint16_t{12});
    default:
      return;
  }
}

std::optional<uint64_t> find_target(uint64_t rip, const cs_insn& instruction) {
  const cs_x86& x86 = instruction.detail->x86;
  const bool branch = std::any_of(
      instruction.detail->groups, instruction.detail->groups + instruction.detail->groups_count,
      [](uint8_t group) {
        return group == CS_GRP_JUMP || group == CS_GRP_CALL || group == CS_GRP_BRANCH_RELATIVE;
      });
  for (uint8_t i = 0; i < x86.op_count; ++i) {
    const cs_x86_op& operand = x86.operands[i];
    if (branch && operand.type == X86_OP_IMM) return static_cast<uint64_t>(operand.imm);
    if (operand.type == X86_OP_MEM && operand.mem.base == X86_REG_RIP)
      return rip + instruction.size + static_cast<uint64_t>(operand.mem.disp);
  }
  return std::nullopt;
}

}  // namespace

struct Disassembler::Engines {
  struct One {
    csh handle{};
    cs_insn* buffer{};
  };
  One full[3];     // 16, 32, 64 bits, with operands
  One lengths[3];  // without: faster, for lengths

  static size_t index(uint8_t code_bits) { return code_bits == 16 ? 0 : code_bits == 32 ? 1 : 2; }
  static void open(One& one, cs_mode mode, bool details) {
    CHECK_MSG(cs_open(CS_ARCH_X86, mode, &one.handle) == CS_ERR_OK, "Capstone has no x86");
    cs_option(one.handle, CS_OPT_DETAIL, details ? CS_OPT_ON : CS_OPT_OFF);
    one.buffer = cs_malloc(one.handle);
  }
  Engines() {
    constexpr cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    for (size_t i = 0; i < 3; ++i) {
      open(full[i], modes[i], true);
      open(lengths[i], modes[i], false);
    }
  }
  ~Engines() {
    for (auto* set : {full, lengths}) {
      for (size_t i = 0; i < 3; ++i) {
        cs_free(set[i].buffer, 1);
        cs_close(&set[i].handle);
      }
    }
  }
  static const cs_insn* decode(const One& one, uint64_t rip, loader::Bytes bytes) {
    const uint8_t* at = bytes.data();
    size_t left = bytes.size();
    return left != 0 && cs_disasm_iter(one.handle, &at, &left, &rip, one.buffer) ? one.buffer
                                                                                 : nullptr;
  }
};

Disassembler::Disassembler() : engines_{std::make_unique<Engines>()} {}
Disassembler::~Disassembler() = default;

uint8_t Disassembler::length(uint8_t code_bits, loader::Bytes bytes) {
  const cs_insn* instruction =
      Engines::decode(engines_->lengths[Engines::index(code_bits)], 0, bytes);
  return instruction != nullptr ? static_cast<uint8_t>(instruction->size) : uint8_t{0};
}

Instruction Disassembler::decode(uint8_t code_bits, uint64_t rip, loader::Bytes bytes) {
  Instruction out;
  const cs_insn* instruction =
      Engines::decode(engines_->full[Engines::index(code_bits)], rip, bytes);
  if (instruction == nullptr) {
    out.mnemonic = bytes.empty() ? "(bytes could not be read)" : "(bad)";
    return out;
  }
  out.mnemonic = instruction->mnemonic;
  out.operands = instruction->op_str;
  out.length = static_cast<uint8_t>(instruction->size);
  out.target = find_target(rip, *instruction);
  return out;
}

Instruction Disassembler::decode(const InstructionRecord& record) {
  const loader::Bytes bytes = loader::Bytes{record.bytes}.first(record.length);
  Instruction out = decode(record.code_bits, record.rip, bytes);
  if (out.length == 0 || !record.has_registers) return out;
  const cs_insn& instruction = *engines_->full[Engines::index(record.code_bits)].buffer;
  add_operands(record, instruction, out);
  add_stack(record, instruction, out);
  return out;
}

}  // namespace trace
