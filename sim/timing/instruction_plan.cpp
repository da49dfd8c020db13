#include "sim/timing/instruction_plan.h"

#include <algorithm>

#include "sim/timing/instruction_class.h"

namespace timing {
namespace {

using cpu::CodeSize;
using cpu::Instruction;
using cpu::OpcodeMap;

/// What ModRM's operand in memory is to the instruction; size 0: it is not touched (LEA, NOP, INVLPG, prefetches).
struct Use {
  uint16_t size{};
  Touch touch{Touch::Read};
};

constexpr Use none{};
Use read(uint16_t size) { return {size, Touch::Read}; }
Use write(uint16_t size) { return {size, Touch::Write}; }
Use modify(uint16_t size) { return {size, Touch::ReadWrite}; }

Use x87(const Instruction& in) {
  // SDM vol. 2, tables: by opcode and the reg field.
  static constexpr uint8_t sizes[8][8] = {{4, 4, 4, 4, 4, 4, 4, 4},  {4, 0, 4, 4, 28, 2, 28, 2},
                                          {4, 4, 4, 4, 4, 4, 4, 4},  {4, 4, 4, 4, 0, 10, 0, 10},
                                          {8, 8, 8, 8, 8, 8, 8, 8},  {8, 8, 8, 8, 108, 0, 108, 2},
                                          {2, 2, 2, 2, 2, 2, 2, 2},  {2, 2, 2, 2, 10, 8, 10, 8}};
  const unsigned row = in.opcode & 7, column = in.reg_field();
  const bool stores = (row & 1) != 0 && ((column >= 1 && column <= 3) || column >= 6);
  return {sizes[row][column], stores ? Touch::Write : Touch::Read};
}

Use one(const Instruction& in) {
  const uint8_t op = in.opcode;
  const uint16_t wide = in.operand_size;
  const uint16_t size = (op & 1) != 0 ? wide : uint16_t{1};
  const uint8_t reg = in.reg_field();
  if (op < 0x40) return (op & 7) >= 2 || (op & 0x38) == 0x38 ? read(size) : modify(size);
  if (op >= 0xd8 && op < 0xe0) return x87(in);
  switch (op) {
    case 0x63: return read(4);
    case 0x69:
    case 0x6b: return read(wide);
    case 0x80:
    case 0x81:
    case 0x83: return reg == 7 ? read(size) : modify(size);
    case 0x84:
    case 0x85:
    case 0x8a:
    case 0x8b: return read(size);
    case 0x86:
    case 0x87:
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return modify(size);
    case 0x88:
    case 0x89:
    case 0xc6:
    case 0xc7: return write(size);
    case 0x8c: return write(2);
    case 0x8e: return read(2);
    case 0x8f: return write(in.operand_size == 2 ? 2 : 8);
    case 0xf6:
    case 0xf7: return reg == 2 || reg == 3 ? modify(size) : read(size);
    case 0xfe: return modify(1);
    case 0xff:
      if (reg < 2) return modify(wide);
      if (reg == 3 || reg == 5) return read(static_cast<uint16_t>(wide + 2));
      return read(in.code_size == CodeSize::Bits64 && wide == 4 ? 8 : wide);
    default: return none;
  }
}

Use group_ae(const Instruction& in) {
  switch (in.reg_field()) {
    case 0: return write(512);
    case 1: return read(512);
    case 2: return read(4);
    case 3: return write(4);
    case 4:
    case 6: return write(576);
    case 5: return read(576);
    default: return none;
  }
}

Use group_01(const Instruction& in) {
  switch (in.reg_field()) {
    case 0:
    case 1: return write(10);
    case 2:
    case 3: return read(10);
    case 4: return write(2);
    case 6: return read(2);
    default: return none;
  }
}

/// A vector operand: by the prefix that selects scalar or packed forms. VEX prefixes are decoded without theirs.
uint16_t vector_size(const Instruction& in) {
  if (in.rep) return 4;
  return in.repne ? 8 : 16;
}

Use two_vector(const Instruction& in) {
  switch (in.opcode) {
    case 0x11: return write(vector_size(in));
    case 0x12:
    case 0x16: return read(8);
    case 0x13:
    case 0x17: return write(8);
    case 0x29:
    case 0x2b:
    case 0x7f:
    case 0xe7: return write(in.opcode == 0x7f && !in.rep && !in.operand_size_prefix && !in.vex ? 8 : 16);
    case 0x2a: return read(in.rep || in.repne ? in.operand_size : uint16_t{8});
    case 0x2e:
    case 0x2f: return read(in.operand_size_prefix ? 8 : 4);
    case 0x6e: return read(in.operand_size == 8 ? 8 : 4);
    case 0x7e:
      if (in.rep) return read(8);
      return write(in.operand_size == 8 ? 8 : 4);
    case 0xc4: return read(2);
    case 0xd6: return write(8);
    case 0x6f: return read(in.rep || in.operand_size_prefix || in.vex ? 16 : 8);
    default: return read(vector_size(in));
  }
}

Use two(const Instruction& in) {
  const uint8_t op = in.opcode;
  const uint16_t size = in.operand_size;
  if (op >= 0x40 && op < 0x50) return read(size);
  if (op >= 0x90 && op < 0xa0) return write(1);
  if (op >= 0x18 && op < 0x20) return none;
  switch (op) {
    case 0x00: return in.reg_field() < 2 ? write(2) : read(2);
    case 0x01: return group_01(in);
    case 0x02:
    case 0x03: return read(2);
    case 0x0d: return none;
    case 0xa3:
    case 0xaf:
    case 0xb8:
    case 0xbc:
    case 0xbd: return read(size);
    case 0xba: return in.reg_field() == 4 ? read(size) : modify(size);
    case 0xa4:
    case 0xa5:
    case 0xab:
    case 0xac:
    case 0xad:
    case 0xb1:
    case 0xb3:
    case 0xbb:
    case 0xc1: return modify(size);
    case 0xb0:
    case 0xc0: return modify(1);
    case 0xae: return group_ae(in);
    case 0xb2:
    case 0xb4:
    case 0xb5: return read(static_cast<uint16_t>(size + 2));
    case 0xb6:
    case 0xbe: return read(1);
    case 0xb7:
    case 0xbf: return read(2);
    case 0xc3: return write(size);
    case 0xc7: return in.reg_field() == 1 ? modify(size == 8 ? 16 : 8) : none;
    default: break;
  }
  const bool vector = (op >= 0x10 && op < 0x18) || (op >= 0x28 && op < 0x30) ||
                      (op >= 0x50 && op < 0x80) || op == 0xc2 || op == 0xc4 || op == 0xc6 || op >= 0xd0;
  return vector ? two_vector(in) : none;
}

Use three(const Instruction& in) {
  const uint8_t op = in.opcode;
  if (in.map == OpcodeMap::Three0F3A) {
    static constexpr uint8_t extracts[] = {1, 2, 4, 4};
    if (op >= 0x14 && op < 0x18) return write(op == 0x16 && in.operand_size == 8 ? 8 : extracts[op - 0x14]);
    return read(16);
  }
  if (op == 0xf0) return read(in.repne ? uint16_t{1} : in.operand_size);
  if (op == 0xf1) return in.repne ? read(in.operand_size) : write(in.operand_size);
  return read(op >= 0xf2 ? in.operand_size : uint16_t{16});
}

uint8_t segment_of(const Instruction& in) {
  if (in.segment == vtl::Fs) return trace::fs_base;
  return in.segment == vtl::Gs ? uint8_t{trace::gs_base} : Operand::none;
}

Operand modrm_operand(const Instruction& in, Use use) {
  Operand out;
  out.size = use.size;
  out.touch = use.touch;
  out.address_bytes = in.address_size;
  out.segment = segment_of(in);
  out.displacement = in.displacement;
  const uint8_t low = in.modrm & 7;
  if (low == 4) {
    const uint8_t base = static_cast<uint8_t>((in.sib & 7) | ((in.rex & 1) << 3));
    const uint8_t index = static_cast<uint8_t>(((in.sib >> 3) & 7) | ((in.rex & 2) << 2));
    if (!((in.sib & 7) == 5 && in.mod() == 0)) out.base = base;
    if (index != 4) out.index = index;
    out.scale = static_cast<uint8_t>(1u << (in.sib >> 6));
  } else if (low == 5 && in.mod() == 0) {
    out.rip_relative = in.code_size == CodeSize::Bits64;
  } else {
    out.base = in.rm();
  }
  return out;
}

Operand at_register(const Instruction& in, uint8_t base, int64_t displacement, uint16_t size, Touch touch) {
  Operand out;
  out.base = base;
  out.displacement = displacement;
  out.size = size;
  out.touch = touch;
  out.address_bytes = in.code_size == CodeSize::Bits64 ? 8 : 4;
  return out;
}

void add(InstructionPlan& plan, const Operand& operand) {
  if (plan.operand_count < plan.operands.size()) plan.operands[plan.operand_count++] = operand;
}

void add_strings(InstructionPlan& plan, const Instruction& in) {
  const uint8_t op = in.opcode;
  if (in.map != OpcodeMap::One) return;
  const bool string = (op >= 0x6c && op <= 0x6f) || (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf);
  if (!string) return;
  const uint16_t size = (op & 1) != 0 ? std::min<uint8_t>(in.operand_size, op < 0x70 ? 4 : 8) : uint16_t{1};
  const auto element = [&](uint8_t base, Touch touch) {
    Operand out = at_register(in, base, 0, size, touch);
    out.address_bytes = in.address_size;
    if (base == vtl::Rsi) out.segment = segment_of(in);
    add(plan, out);
  };
  plan.repeats = in.rep || in.repne;
  const uint8_t form = op & 0xfe;
  if (form == 0x6e || form == 0xa4 || form == 0xa6 || form == 0xac) element(vtl::Rsi, Touch::Read);
  if (form == 0x6c || form == 0xa4 || form == 0xaa) element(vtl::Rdi, Touch::Write);
  if (form == 0xa6 || form == 0xae) element(vtl::Rdi, Touch::Read);
}

void add_stack(InstructionPlan& plan, const Instruction& in) {
  const uint8_t op = in.opcode;
  const bool wide_code = in.code_size == CodeSize::Bits64;
  const uint16_t native = wide_code ? 8 : 4;
  const uint16_t size = in.operand_size == 2 ? uint16_t{2} : native;
  const auto push = [&](uint16_t bytes) { add(plan, at_register(in, vtl::Rsp, -int64_t{bytes}, bytes, Touch::Write)); };
  const auto pop = [&](uint16_t bytes) { add(plan, at_register(in, vtl::Rsp, 0, bytes, Touch::Read)); };
  if (in.map == OpcodeMap::Two0F) {
    if (op == 0xa0 || op == 0xa8) push(size);
    if (op == 0xa1 || op == 0xa9) pop(size);
    return;
  }
  if (in.map != OpcodeMap::One) return;
  if (op >= 0x50 && op < 0x58) return push(size);
  if (op >= 0x58 && op < 0x60) return pop(size);
  switch (op) {
    case 0x68:
    case 0x6a:
    case 0x9c: return push(size);
    case 0x8f:
    case 0x9d: return pop(size);
    case 0xc8:
    case 0xe8: return push(native);
    case 0xc2:
    case 0xc3: return pop(native);
    case 0xc9: return add(plan, at_register(in, vtl::Rbp, 0, native, Touch::Read));
    case 0xca:
    case 0xcb: return pop(static_cast<uint16_t>(2 * in.operand_size));
    case 0xcf: return pop(static_cast<uint16_t>((wide_code ? 5 : 3) * in.operand_size));
    case 0xff:
      if (in.reg_field() == 2) push(native);
      if (in.reg_field() == 6) push(size);
      return;
    default: return;
  }
}

void add_direct(InstructionPlan& plan, const Instruction& in) {
  if (in.map != OpcodeMap::One) return;
  if (in.opcode >= 0xa0 && in.opcode <= 0xa3) {  // moffs
    Operand out;
    out.displacement = in.displacement;
    out.segment = segment_of(in);
    out.address_bytes = in.address_size;
    out.size = (in.opcode & 1) != 0 ? in.operand_size : uint16_t{1};
    out.touch = in.opcode < 0xa2 ? Touch::Read : Touch::Write;
    add(plan, out);
  }
}

void find_effect(InstructionPlan& plan, const Instruction& in) {
  using enum InstructionPlan::Effect;
  if (in.is(OpcodeMap::One, 0xf4)) plan.effect = Halt;
  if (in.is(OpcodeMap::Two0F, 0x30)) plan.effect = WriteMsr;
  if (in.is(OpcodeMap::Two0F, 0x32)) plan.effect = ReadMsr;
  if (in.is(OpcodeMap::Two0F, 0x22) && in.reg() == 3) {
    plan.effect = LoadCr3;
    plan.effect_register = in.rm();
  }
  if (in.is(OpcodeMap::Two0F, 0x22) && (in.reg() == 4 || in.reg() == 0)) plan.effect = ChangeCr4;
  if (in.is(OpcodeMap::Three0F38, 0x82)) plan.effect = ChangeCr4;  // INVPCID: all is forgotten
  if (in.is(OpcodeMap::Two0F, 0x01) && in.mod() != 3 && in.reg_field() == 7) {
    plan.effect = InvalidateAddress;
    plan.operands[0] = modrm_operand(in, {});
  }
}

}  // namespace

InstructionPlan plan_of(std::span<const uint8_t> bytes, uint8_t code_bits) {
  InstructionPlan plan;
  const CodeSize size = code_bits == 64   ? CodeSize::Bits64
                        : code_bits == 32 ? CodeSize::Bits32
                                          : CodeSize::Bits16;
  const Instruction in = cpu::decode(bytes, size);
  if (in.status != cpu::DecodeStatus::Ok) return plan;
  const bool memory = in.has_modrm && in.mod() != 3;
  plan.length = in.length;
  plan.kind = class_of(in, memory);
  if (code_bits == 16) return plan;
  if (memory) {
    const Use use = in.map == OpcodeMap::One ? one(in) : in.map == OpcodeMap::Two0F ? two(in) : three(in);
    if (use.size != 0) add(plan, modrm_operand(in, use));
  }
  add_direct(plan, in);
  add_strings(plan, in);
  add_stack(plan, in);
  find_effect(plan, in);
  return plan;
}

uint64_t address_of(const Operand& operand, const trace::InstructionRecord& record, uint8_t length) {
  uint64_t offset = static_cast<uint64_t>(operand.displacement);
  if (operand.base != Operand::none) offset += record.registers[operand.base];
  if (operand.index != Operand::none) offset += record.registers[operand.index] * operand.scale;
  if (operand.rip_relative) offset += record.rip + length;
  if (operand.address_bytes == 4) offset &= 0xffffffff;
  return operand.segment == Operand::none ? offset : offset + record.registers[operand.segment];
}

PlanCache::PlanCache() : lines_(line_count) {}

const InstructionPlan& PlanCache::find(const trace::InstructionRecord& record) {
  Line& line = lines_[(record.rip ^ record.rip >> 14) % line_count];
  const bool same = line.rip == record.rip && line.code_bits == record.code_bits &&
                    line.length == record.length &&
                    std::equal(line.bytes.begin(), line.bytes.begin() + line.length, record.bytes.begin());
  if (same) return line.plan;
  line.rip = record.rip;
  line.code_bits = record.code_bits;
  line.length = record.length;
  line.bytes = record.bytes;
  line.plan = plan_of({record.bytes.data(), record.length}, record.code_bits);
  return line.plan;
}

}  // namespace timing
