#include "sim/timing/instruction_class.h"

namespace timing {
namespace {

using enum InstructionClass;
using cpu::Instruction;
using cpu::OpcodeMap;

bool compares_only(uint8_t opcode) { return (opcode & 0x38) == 0x38; }

InstructionClass arithmetic(const Instruction& in, bool memory, bool writes_memory) {
  if (in.lock) return Locked;
  if (!memory) return Alu;
  return writes_memory ? AluStore : AluLoad;
}

InstructionClass group_ff(const Instruction& in, bool memory) {
  switch (in.reg_field()) {
    case 0:
    case 1: return arithmetic(in, memory, true);
    case 2: return Call;
    case 4: return Jump;
    case 6: return Push;
    default: return FarTransfer;
  }
}

InstructionClass group_f6(const Instruction& in, bool memory) {
  switch (in.reg_field()) {
    case 0:
    case 1: return arithmetic(in, memory, false);
    case 2:
    case 3: return arithmetic(in, memory, true);
    case 4:
    case 5: return Multiply;
    default: return in.opcode == 0xf7 && in.operand_size == 8 ? Divide64 : Divide32;
  }
}

InstructionClass one_below_80(const Instruction& in, bool memory) {
  const uint8_t op = in.opcode;
  if (op < 0x40) {
    if ((op & 7) >= 6) return op == 0x26 || op == 0x2e ? Nop : DescriptorTable;
    const bool to_memory = (op & 7) < 2;
    return arithmetic(in, memory, to_memory && !compares_only(op));
  }
  if (op < 0x50) return Alu;
  if (op < 0x58) return Push;
  if (op < 0x60) return Pop;
  if (op >= 0x70) return Branch;
  switch (op) {
    case 0x63: return memory ? Load : Move;
    case 0x68:
    case 0x6a: return Push;
    case 0x69:
    case 0x6b: return Multiply;
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f: return PortIo;
    default: return Other;
  }
}

InstructionClass one_from_80(const Instruction& in, bool memory) {
  const uint8_t op = in.opcode;
  if (op >= 0xb0 && op < 0xc0) return Move;
  if (op >= 0xd8 && op < 0xe0) return FloatingPoint;
  if (op >= 0x91 && op < 0x98) return Move;
  if (op >= 0xa4 && op < 0xb0 && op != 0xa8 && op != 0xa9) return String;
  switch (op) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83: return arithmetic(in, memory, in.reg_field() != 7);
    case 0x84:
    case 0x85: return arithmetic(in, memory, false);
    case 0x86:
    case 0x87: return memory ? Locked : Move;
    case 0x88:
    case 0x89:
    case 0xc6:
    case 0xc7: return memory ? Store : Move;
    case 0x8a:
    case 0x8b: return memory ? Load : Move;
    case 0x8c: return memory ? Store : Move;
    case 0x8d: return Move;
    case 0x8e: return DescriptorTable;
    case 0x8f: return Pop;
    case 0x90: return in.rep ? Pause : Nop;
    case 0x98:
    case 0x99:
    case 0xa8:
    case 0xa9:
    case 0xf5:
    case 0xf8:
    case 0xf9: return Alu;
    case 0xa0:
    case 0xa1: return Load;
    case 0xa2:
    case 0xa3: return Store;
    case 0x9c:
    case 0x9d:
    case 0x9e:
    case 0x9f:
    case 0xfa:
    case 0xfb:
    case 0xfc:
    case 0xfd: return FlagControl;
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return memory ? AluStore : Shift;
    case 0xc2:
    case 0xc3: return Return;
    case 0xc9: return Pop;
    case 0x9a:
    case 0xca:
    case 0xcb:
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xea: return FarTransfer;
    case 0xcf: return InterruptReturn;
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3: return Branch;
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef: return PortIo;
    case 0xe8: return Call;
    case 0xe9:
    case 0xeb: return Jump;
    case 0xf4: return Halt;
    case 0xf6:
    case 0xf7: return group_f6(in, memory);
    case 0xfe: return arithmetic(in, memory, true);
    case 0xff: return group_ff(in, memory);
    default: return Other;
  }
}

InstructionClass group_01(const Instruction& in) {
  if (in.mod() == 3) {
    if (in.modrm == 0xc1) return Hypercall;
    if (in.modrm == 0xf8) return SwapGs;
    if (in.modrm == 0xf9) return TimeStamp;
    return in.reg_field() == 4 || in.reg_field() == 6 ? ControlRegister : Other;
  }
  if (in.reg_field() == 7) return InvalidateAddress;
  return in.reg_field() == 4 || in.reg_field() == 6 ? ControlRegister : DescriptorTable;
}

InstructionClass group_ae(const Instruction& in) {
  if (in.mod() == 3) return in.rep ? SwapGs : Fence;  // RDFSBASE to WRGSBASE with F3
  switch (in.reg_field()) {
    case 2: return Load;
    case 3: return Store;
    case 7: return CacheControl;
    default: return SaveState;
  }
}

/// The rows of map 0F that are neither vectors nor alone.
InstructionClass two_single(const Instruction& in, bool memory) {
  const uint8_t op = in.opcode;
  switch (op) {
    case 0x00: return DescriptorTable;
    case 0x01: return group_01(in);
    case 0x02:
    case 0x03: return DescriptorTable;
    case 0x05: return SystemCall;
    case 0x07: return SystemReturn;
    case 0x06: return ControlRegister;
    case 0x08:
    case 0x09: return CacheControl;
    case 0x0d:
    case 0x18:
    case 0x19:
    case 0x1a:
    case 0x1b:
    case 0x1c:
    case 0x1d:
    case 0x1e:
    case 0x1f: return Nop;
    case 0x20:
    case 0x21:
    case 0x23: return ControlRegister;
    case 0x22: return in.reg() == 3 ? LoadCr3 : ControlRegister;
    case 0x30: return MsrWrite;
    case 0x31: return TimeStamp;
    case 0x32: return MsrRead;
    case 0xa0:
    case 0xa8: return Push;
    case 0xa1:
    case 0xa9:
    case 0xb2:
    case 0xb4:
    case 0xb5: return DescriptorTable;
    case 0xa2: return Cpuid;
    case 0xa3: return memory ? AluLoad : Shift;
    case 0xab:
    case 0xb3:
    case 0xbb: return in.lock ? Locked : memory ? AluStore : Shift;
    case 0xba: return in.lock ? Locked : !memory ? Shift : in.reg_field() == 4 ? AluLoad : AluStore;
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad: return memory ? AluStore : Shift;
    case 0xae: return group_ae(in);
    case 0xaf:
    case 0xb8:
    case 0xbc:
    case 0xbd: return Multiply;
    case 0xb0:
    case 0xb1:
    case 0xc0:
    case 0xc1: return in.lock ? Locked : memory ? AluStore : Alu;
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf: return memory ? Load : Move;
    case 0xc3: return Store;
    case 0xc7:
      if (in.mod() == 3) return Random;
      return in.reg_field() == 1 ? (in.lock ? Locked : AluStore) : SaveState;
    default: return Other;
  }
}

InstructionClass two(const Instruction& in, bool memory) {
  const uint8_t op = in.opcode;
  if (op >= 0x40 && op < 0x50 && !in.vex) return Shift;
  if (op >= 0x80 && op < 0x90) return Branch;
  if (op >= 0x90 && op < 0xa0) return memory ? Store : Shift;
  if (op >= 0xc8 && op < 0xd0) return Alu;
  if (op == 0x51 || op == 0x52 || op == 0x53 || op == 0x5e) return VectorDivide;
  const bool vector = (op >= 0x10 && op < 0x18) || (op >= 0x28 && op < 0x30) ||
                      (op >= 0x50 && op < 0x80) || op == 0xc2 || (op >= 0xc4 && op < 0xc7) ||
                      op >= 0xd0 || (in.vex && op >= 0x40 && op < 0x50);
  return vector ? Vector : two_single(in, memory);
}

InstructionClass three(const Instruction& in, bool memory) {
  const uint8_t op = in.opcode;
  if (in.map == OpcodeMap::Three0F3A) return op == 0x44 || op == 0xcc || op == 0xdf ? Crypto : Vector;
  if (op == 0x80 || op == 0x81 || op == 0x82) return LoadCr3;
  if ((op >= 0xc8 && op < 0xce) || (op >= 0xdb && op < 0xe0)) return Crypto;
  if (op == 0xf0 || op == 0xf1) return in.repne ? Multiply : memory && op == 0xf1 ? Store : Load;
  return op >= 0xf2 ? Alu : Vector;
}

}  // namespace

InstructionClass class_of(const Instruction& in, bool memory) {
  if (in.status != cpu::DecodeStatus::Ok) return Other;
  switch (in.map) {
    case OpcodeMap::One:
      return in.opcode < 0x80 ? one_below_80(in, memory) : one_from_80(in, memory);
    case OpcodeMap::Two0F: return two(in, memory);
    default: return three(in, memory);
  }
}

}  // namespace timing
