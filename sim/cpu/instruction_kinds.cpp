#include <algorithm>
#include <cstring>

#include "sim/cpu/instruction.h"

namespace cpu {
namespace {

/// Conditions of Jcc, SETcc, CMOVcc (SDM vol. 1, appendix B): CF, ZF and both are defined after a bit test.
FlagUse use_of_condition(uint8_t opcode) {
  const uint8_t pair = (opcode >> 1) & 7;
  return pair >= 1 && pair <= 3 ? FlagUse::None : FlagUse::Other;
}

FlagUse use_of_shift(const Instruction& in) {
  const bool rotate = in.reg_field() < 4;
  if (rotate) return FlagUse::Other;
  if (in.opcode == 0xd0 || in.opcode == 0xd1) return FlagUse::WritesAll;
  if (in.opcode == 0xd2 || in.opcode == 0xd3)
    return FlagUse::Other;  // by CL: nothing written if CL is 0
  const uint64_t mask = in.operand_size == 8 ? 0x3f : 0x1f;
  return (in.immediate & mask) != 0 ? FlagUse::WritesAll : FlagUse::Other;
}

FlagUse use_of_group_f6(const Instruction& in) {
  switch (in.reg_field()) {
    case 2:
    case 6:
    case 7:
      return FlagUse::None;  // NOT; DIV and IDIV, which the engine lets pass through
    default:
      return FlagUse::WritesAll;
  }
}

FlagUse use_one(const Instruction& in) {
  const uint8_t op = in.opcode;
  if (op < 0x40) return (op & 7) < 6 ? FlagUse::WritesAll : FlagUse::Other;
  if (op < 0x50) return FlagUse::WritesAll;  // INC, DEC outside 64-bit mode
  if (op < 0x60) return FlagUse::None;
  if (op >= 0x70 && op < 0x80) return use_of_condition(op);
  switch (op) {
    case 0x63:
      return in.code_size == CodeSize::Bits64 ? FlagUse::None : FlagUse::Other;  // MOVSXD, or ARPL
    case 0x68:
    case 0x6a:
      return FlagUse::None;
    case 0x69:
    case 0x6b:
      return FlagUse::WritesAll;
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
    case 0x84:
    case 0x85:
    case 0xa8:
    case 0xa9:
      return FlagUse::WritesAll;
    case 0xa6:
    case 0xa7:
    case 0xae:
    case 0xaf:
      return in.rep || in.repne ? FlagUse::Other : FlagUse::WritesAll;
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return use_of_shift(in);
    case 0xf6:
    case 0xf7:
      return use_of_group_f6(in);
    case 0xfe:
      return FlagUse::WritesAll;
    case 0xff:
      return in.reg_field() < 2 ? FlagUse::WritesAll : FlagUse::None;
    case 0x9c:
    case 0x9d:
    case 0x9e:
    case 0x9f:
    case 0xcf:
    case 0xce:
      return FlagUse::Other;
    case 0xda:
    case 0xdb:
    case 0xdf:
      return FlagUse::Other;  // FCMOVcc, FCOMI
    case 0xd4:
    case 0xd5:
      return FlagUse::Other;
    default:
      break;
  }
  if (op >= 0x86 && op < 0xa6) return FlagUse::None;
  if (op >= 0xaa && op < 0xc0) return FlagUse::None;
  if (op >= 0xc2) return FlagUse::None;
  return FlagUse::Other;
}

FlagUse use_0f(const Instruction& in) {
  const uint8_t op = in.opcode;
  if ((op >= 0x40 && op < 0x50) || (op >= 0x80 && op < 0xa0)) return use_of_condition(op);
  switch (op) {
    case 0xaf:
    case 0xb0:
    case 0xb1:
    case 0xc0:
    case 0xc1:
      return FlagUse::WritesAll;
    case 0x05:
    case 0x0b:
    case 0x0d:
    case 0x28:
    case 0x29:
    case 0x2a:
    case 0x2b:
    case 0x2c:
    case 0x2d:
    case 0xa2:
    case 0xae:
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
    case 0xc3:
      return FlagUse::None;
    default:
      break;
  }
  if (op >= 0x10 && op < 0x20) return FlagUse::None;
  if (op >= 0x30 && op < 0x34) return FlagUse::None;
  if (op >= 0x50 && op < 0x78) return FlagUse::None;
  if (op >= 0xc8) return FlagUse::None;  // BSWAP, MMX and SSE arithmetic
  return FlagUse::Other;
}

bool is_prefix(uint8_t byte) {
  switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
      return true;
    default:
      return byte >= 0x40 && byte <= 0x4f;
  }
}

/// A bit test on a register begins at code[at], or what there is of it does.
LockedBitTest register_bit_test(std::span<const uint8_t> code, size_t at) {
  const auto byte = [&](size_t i) { return i < code.size() ? int{code[i]} : -1; };
  const auto at_least = [&](int modrm) {
    if (byte(at + 2) == -1) return LockedBitTest::AtEnd;
    return byte(at + 2) >= modrm ? LockedBitTest::Inside : LockedBitTest::None;
  };
  if (byte(at) == -1) return LockedBitTest::AtEnd;
  if (byte(at) != 0x0f) return LockedBitTest::None;
  switch (byte(at + 1)) {
    case -1:
      return LockedBitTest::AtEnd;
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
      return at_least(0xc0);
    case 0xba:
      return at_least(0xe0);
    default:
      return LockedBitTest::None;
  }
}

}  // namespace

bool is_port_io(const Instruction& in) {
  if (in.map != OpcodeMap::One) return false;
  return (in.opcode >= 0x6c && in.opcode <= 0x6f) || (in.opcode >= 0xe4 && in.opcode <= 0xe7) ||
         (in.opcode >= 0xec && in.opcode <= 0xef);
}

bool is_repeated_string(const Instruction& in) {
  if (in.map != OpcodeMap::One || !(in.rep || in.repne)) return false;
  const uint8_t op = in.opcode;
  return (op >= 0x6c && op <= 0x6f) || (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf);
}

bool is_bit_test(const Instruction& in) {
  if (in.map != OpcodeMap::Two0F || in.vex) return false;
  switch (in.opcode) {
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
      return true;
    case 0xba:
      return in.reg_field() >= 4;
    default:
      return false;
  }
}

bool is_locked_register_bit_test(const Instruction& in) {
  return in.lock && is_bit_test(in) && in.mod() == 3;
}

bool is_missing_memory_form(const Instruction& in) {
  const bool moves_control = in.opcode >= 0x20 && in.opcode < 0x24;
  return in.register_form_only && !moves_control && in.mod() != 3;
}

bool is_register_compare_exchange_32(const Instruction& in) {
  return in.is(OpcodeMap::Two0F, 0xb1) && in.mod() == 3 && in.operand_size == 4 && !in.lock &&
         !in.vex;
}

bool is_corrected(const Instruction& in) {
  if (in.vex) return false;
  const bool prefixed = in.rep || in.repne;
  switch (in.map) {
    case OpcodeMap::One:
      if (in.opcode == 0x9e || in.opcode == 0x9f) return in.rex != 0;
      return in.lock && (in.opcode == 0xf6 || in.opcode == 0xf7) && in.mod() != 3 && in.reg_field() == 3;
    case OpcodeMap::Two0F:
      if (in.opcode == 0xa4 || in.opcode == 0xac) return in.code_size == CodeSize::Bits64 && in.mod() == 0 && (in.modrm & 7) == 5;
      return in.opcode == 0xae && in.mod() != 3 && in.reg_field() == 7 && !prefixed && !in.operand_size_prefix;
    case OpcodeMap::Three0F38:
      return in.opcode >= 1 && in.opcode <= 7 && in.opcode != 4 && in.operand_size_prefix && !prefixed && in.mod() == 3 &&
             in.reg() == in.rm();
    case OpcodeMap::Three0F3A:
      return (in.opcode == 0x60 || in.opcode == 0x61) && in.operand_size_prefix && !prefixed;
    default:
      return false;
  }
}

bool is_missing_group_member(const Instruction& in) {
  if (!in.has_modrm || in.vex) return false;
  const uint8_t field = in.reg_field();
  if (in.map == OpcodeMap::Two0F)  // MOVLPD and MOVHPD have no register form
    return (in.opcode == 0x12 || in.opcode == 0x16) && in.operand_size_prefix && !in.rep && !in.repne && in.mod() == 3;
  if (in.map != OpcodeMap::One) return false;
  switch (in.opcode) {
    case 0x8f:
    case 0xc6:
    case 0xc7:
      return field != 0;
    case 0xfe:
      return field > 1;
    case 0xff:
      return field == 7;
    default:
      return false;
  }
}

bool is_not_offered(const Instruction& in) {
  if (in.vex) return true;
  if (in.is(OpcodeMap::Two0F, 0x78) || in.is(OpcodeMap::Two0F, 0x79)) return in.operand_size_prefix || in.repne;  // EXTRQ, INSERTQ
  return in.is(OpcodeMap::Two0F, 0x2b) && (in.rep || in.repne);  // MOVNTSS, MOVNTSD
}

bool is_lock_refused(const Instruction& in) {
  if (!in.lock) return false;
  if (in.vex || !in.has_modrm || in.mod() == 3) return true;
  const uint8_t op = in.opcode, field = in.reg_field();
  if (in.map == OpcodeMap::Two0F) {
    switch (op) {
      case 0xab:
      case 0xb3:
      case 0xbb:
      case 0xb0:
      case 0xb1:
      case 0xc0:
      case 0xc1:
        return false;
      case 0xba:
        return field < 5;  // BT is none
      case 0xc7:
        return field != 1;
      default:
        return true;
    }
  }
  if (in.map != OpcodeMap::One) return true;
  if (op < 0x38) return (op & 7) > 1;
  switch (op) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
      return field == 7;
    case 0x86:
    case 0x87:
      return false;
    case 0xf6:
    case 0xf7:
      return field != 2 && field != 3;
    case 0xfe:
    case 0xff:
      return field > 1;
    default:
      return true;
  }
}

bool is_sse(const Instruction& in) {
  const bool prefixed = in.operand_size_prefix || in.rep || in.repne;
  if (in.map == OpcodeMap::One || in.vex) return false;
  if (in.map != OpcodeMap::Two0F) return in.operand_size_prefix;
  const uint8_t op = in.opcode;
  if ((op >= 0x10 && op < 0x18) || (op >= 0x28 && op < 0x30) || (op >= 0x50 && op < 0x60)) return true;
  if (op == 0xc2 || op == 0xc6) return true;
  return prefixed && is_mmx_or_sse(in);
}

bool is_mmx_or_sse(const Instruction& in) {
  if (in.map == OpcodeMap::One || in.vex) return false;
  if (in.map != OpcodeMap::Two0F) return true;
  const uint8_t op = in.opcode;
  return (op >= 0x10 && op < 0x18) || (op >= 0x28 && op < 0x30) || (op >= 0x50 && op < 0x80) || op == 0xc2 ||
         (op >= 0xc4 && op < 0xc7) || op >= 0xd0;
}

bool is_undefined_control_register(const Instruction& in) {
  if (!in.is(OpcodeMap::Two0F, 0x20) && !in.is(OpcodeMap::Two0F, 0x22)) return false;
  const uint8_t number = in.reg();
  return number != 0 && number != 2 && number != 3 && number != 4 && number != 8;
}

bool is_locked(const Instruction& in) {
  if (in.lock) return true;
  return in.map == OpcodeMap::One && (in.opcode == 0x86 || in.opcode == 0x87) && in.mod() != 3;
}

bool is_extended_state(const Instruction& in) {
  return in.is(OpcodeMap::Two0F, 0xae) && !in.vex && in.mod() != 3 && in.reg_field() >= 4 &&
         in.reg_field() <= 6 && !in.operand_size_prefix && !in.rep && !in.repne;
}

bool is_big_endian_move(const Instruction& in) {
  return (in.is(OpcodeMap::Three0F38, 0xf0) || in.is(OpcodeMap::Three0F38, 0xf1)) && !in.vex &&
         in.mod() != 3 && !in.rep && !in.repne && !in.lock;
}

bool is_far_transfer(const Instruction& in) {
  if (in.map != OpcodeMap::One) return false;
  if (in.opcode == 0xff) return in.reg_field() == 3 || in.reg_field() == 5;
  return in.opcode == 0x9a || in.opcode == 0xea;
}

bool is_control_transfer(const Instruction& in) {
  const uint8_t op = in.opcode;
  if (in.map == OpcodeMap::Two0F && !in.vex)
    return (op & 0xf0) == 0x80 || op == 0x05 || op == 0x07 || op == 0x34 || op == 0x35;
  if (in.map != OpcodeMap::One) return false;
  if ((op & 0xf0) == 0x70 || (op & 0xfc) == 0xe0 || (op >= 0xe8 && op <= 0xeb)) return true;
  if (op == 0xff) return in.reg_field() >= 2 && in.reg_field() <= 5;
  return op == 0xc2 || op == 0xc3 || op == 0x9a || op == 0xca || op == 0xcb || op == 0xcf;
}

bool is_system_entry(const Instruction& in) {
  return in.is(OpcodeMap::Two0F, 0x34) || in.is(OpcodeMap::Two0F, 0x35);
}

bool is_read_modify_write(const Instruction& in) {
  if (!in.has_modrm || in.mod() == 3 || in.vex) return false;
  const uint8_t op = in.opcode, digit = in.reg_field();
  if (in.map == OpcodeMap::Two0F) {
    switch (op) {
      case 0xa4:  // SHLD, SHRD
      case 0xa5:
      case 0xac:
      case 0xad:
      case 0xab:  // BTS, BTR, BTC
      case 0xb3:
      case 0xbb:
      case 0xb0:  // CMPXCHG, XADD
      case 0xb1:
      case 0xc0:
      case 0xc1:
        return true;
      case 0xba:
        return digit >= 5;
      case 0xc7:
        return digit == 1;
      default:
        return false;
    }
  }
  if (in.map != OpcodeMap::One) return false;
  if (op < 0x38) return (op & 7) < 2;
  if (op >= 0x80 && op < 0x84) return digit != 7;
  if (op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op < 0xd4)) return true;
  if (op == 0xf6 || op == 0xf7) return digit == 2 || digit == 3;
  if (op == 0xfe || op == 0xff) return digit < 2;
  return op == 0x86 || op == 0x87;
}

bool reads_descriptors(const Instruction& in) {
  const uint8_t op = in.opcode;
  if (in.map == OpcodeMap::Two0F) {
    switch (op) {
      case 0x00:
        return in.reg_field() >= 2 && in.reg_field() <= 5;  // LLDT, LTR, VERR, VERW
      case 0x02:
      case 0x03:
      case 0xa1:
      case 0xa9:
      case 0xb2:
      case 0xb4:
      case 0xb5:
        return true;
      default:
        return false;
    }
  }
  if (in.map != OpcodeMap::One) return false;
  switch (op) {
    case 0x07:
    case 0x17:
    case 0x1f:
    case 0x8e:
    case 0xc4:
    case 0xc5:
    case 0xca:
    case 0xcb:
    case 0xcf:
      return true;
    default:
      return is_far_transfer(in);
  }
}

FlagUse undefined_flag_use(const Instruction& in) {
  if (in.vex) return FlagUse::Other;
  if (in.map == OpcodeMap::One) return use_one(in);
  if (in.map == OpcodeMap::Two0F) return use_0f(in);
  return FlagUse::Other;
}

LockedBitTest find_locked_bit_test(std::span<const uint8_t> code) {
  constexpr uint8_t lock = 0xf0;
  LockedBitTest found = LockedBitTest::None;
  const uint8_t* const end = code.data() + code.size();
  for (const uint8_t* from = code.data(); from < end; ++from) {
    from = static_cast<const uint8_t*>(std::memchr(from, lock, static_cast<size_t>(end - from)));
    if (from == nullptr) break;
    // Whatever prefixes stand between LOCK and the opcode, 14 of them at most.
    const auto start = static_cast<size_t>(from - code.data());
    for (size_t at = start + 1; at <= start + max_instruction_length; ++at) {
      found = std::max(found, register_bit_test(code, at));
      if (at >= code.size() || !is_prefix(code[at])) break;
    }
  }
  return found;
}

}  // namespace cpu
