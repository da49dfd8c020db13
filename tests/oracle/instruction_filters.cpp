// What is left out of random programs, and why.
#include "tests/oracle/instructions.h"

namespace oracle {
namespace {

struct Prefixes {
  size_t length = 0;
  bool operand_size = false;
  uint8_t repeat = 0;
};

bool comparable_0f(std::span<const uint8_t> b, const Prefixes& p, bool kernel) {
  const uint8_t op = b[0];
  const uint8_t modrm = b.size() > 1 ? b[1] : 0;
  const unsigned digit = (modrm >> 3) & 7u;
  const bool reg = modrm >= 0xc0;
  switch (op) {
    case 0x00:
      return kernel || digit >= 2;
    case 0x01:
      if (!reg) return kernel || (digit != 0 && digit != 1 && digit != 4);
      return modrm == 0xf8 || (kernel && digit == 4);
    case 0x0e:
    case 0x0f:
    case 0x52:
    case 0x53:
    case 0x78:
    case 0x79:
    case 0xa2:
    case 0x31:
    case 0x33:
    case 0x37:
    case 0x34:
    case 0x35:
    case 0x1e:
    case 0x1c:
    case 0x1a:
    case 0x1b:
    case 0x0d:
    case 0x19:
    case 0xff:
    case 0x04:
    case 0x0a:
    case 0x0c:
    case 0x24:
    case 0x25:
    case 0x26:
    case 0x27:
    case 0x36:
    case 0x7a:
    case 0x7b:
    case 0xa6:
    case 0xa7:
    case 0xaa:
      return false;
    case 0x2b:
      return p.repeat == 0;  // MOVNTSS, MOVNTSD are SSE4a
    case 0xbc:
    case 0xbd:
      return p.repeat == 0;  // TZCNT, LZCNT
    case 0xae:
      if (p.repeat != 0 || p.operand_size) return false;
      return reg ? digit >= 5 : digit == 2 || digit == 3 || digit == 7;
    case 0xc7:
      return !reg && digit == 1;
    case 0x38: {
      if (b.size() < 2) return false;
      const uint8_t op3 = b[1];
      if (op3 >= 0xc8 && op3 <= 0xcf) return false;
      if (op3 >= 0x80 && op3 <= 0x8f) return false;
      return op3 < 0xf2;
    }
    case 0x3a: {
      if (b.size() < 2) return false;
      return b[1] < 0xc0 || b[1] == 0xdf;
    }
    default:
      return true;
  }
}

}  // namespace

bool engine_agrees(std::span<const uint8_t> bytes, bool mode_64) {
  bool sized = false, lock = false, repeat = false;
  size_t i = 0;
  for (; i < bytes.size(); ++i) {
    const uint8_t b = bytes[i];
    const bool rex = mode_64 && b >= 0x40 && b <= 0x4f;
    if (b == 0xf2 || b == 0xf3) {
      repeat = true;
    } else if (b == 0x66) {
      sized = true;
    } else if (b == 0xf0) {
      lock = true;
    } else if (!rex && b != 0x67 && b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26 && b != 0x64 &&
               b != 0x65) {
      break;
    }
  }
  if (i + 3 >= bytes.size()) return false;
  const uint8_t op = bytes[i], next = bytes[i + 1], third = bytes[i + 2];
  const unsigned digit = (next >> 3) & 7u;
  if (lock && op != 0x0f) {  // LOCK is not refused where it is not allowed
    const bool alu = op < 0x38 && (op & 7u) < 2;
    const bool group = (op >= 0x80 && op < 0x84 && op != 0x82 && digit != 7) || op == 0x86 ||
                       op == 0x87 || ((op & 0xfeu) == 0xf6 && (digit == 2 || digit == 3)) ||
                       ((op & 0xfeu) == 0xfe && digit < 2);
    if (next >= 0xc0 || !(alu || group)) return false;
  }
  if (op == 0x8e && digit == 1) return false;                 // MOV CS: which fault comes first
  if (op == 0xdf && next < 0xc0 && digit == 6) return false;  // FBSTP of what does not fit
  if (op == 0xd9 && next < 0xc0 && digit == 5) return false;  // FLDCW keeps reserved bits
  if (op == 0xd9 && (next == 0xf4 || next == 0xf5 || next == 0xf8 || next == 0xfd))
    return false;                                                // FXTRACT, FPREM, FPREM1, FSCALE
  if (op == 0xd9 && next >= 0xe9 && next <= 0xed) return false;  // FLDL2T ... FLDLN2 ignore RC
  if (op == 0xdb && next == 0xe2) return false;               // FNCLEX hides what happened before
  if (op == 0xdd && next < 0xc0 && digit == 7) return false;  // FNSTSW shows the flags above
  if (op == 0xdf && next == 0xe0) return false;
  if ((op == 0xf6 || op == 0xf7) && digit == 1) return false;  // the second TEST
  if (op == 0xf1) return false;                                // INT1 pushes RF
  if (op == 0xc8 && sized) return false;                       // ENTER with 66 changes all of RBP
  if (op == 0xc2 && third >= 0x80) return false;               // RET takes its imm16 as signed
  // RCL and RCR of memory: CF and OF.
  if ((op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op < 0xd4)) && next < 0xc0 &&
      (digit == 2 || digit == 3))
    return false;
  if ((op == 0xc6 || op == 0xc7) && next == 0xf8) return false;  // XABORT, XBEGIN, which the host may have
  // x87 encodings that mean something else, or are not listed by the SDM.
  if (op >= 0xd9 && op <= 0xdf && next >= 0xc0) {
    if (op == 0xd9 && ((next >= 0xd1 && next <= 0xdf) || next == 0xe2 || next == 0xe3 ||
                       next == 0xe6 || next == 0xe7 || next == 0xef))
      return false;
    if (op == 0xdc && next >= 0xd0 && next < 0xe0) return false;
    if (op == 0xdd && (next < 0xd0 ? next >= 0xc8 : next >= 0xf0)) return false;
    if (op == 0xde && next >= 0xd0 && next < 0xd8) return false;
    if (op == 0xdf && (next < 0xe0 || next > 0xe0) && (next < 0xe8 || next > 0xf7)) return false;
    if (op == 0xdb &&
        (next == 0xe0 || next == 0xe1 || (next >= 0xe4 && next < 0xe8) || next >= 0xf8))
      return false;
    if (op == 0xda && next >= 0xe0 && next != 0xe9) return false;
  }
  if ((op == 0xdb || op == 0xdd || op == 0xdf) && next < 0xc0 && digit == 1)
    return false;  // FISTTP
  if (op != 0x0f) return true;
  if (lock) {
    const bool allowed = next == 0xab || next == 0xb3 || next == 0xbb || next == 0xb0 ||
                         next == 0xb1 || next == 0xc0 || next == 0xc1 ||
                         (next == 0xba && ((third >> 3) & 7u) >= 5) ||
                         (next == 0xc7 && ((third >> 3) & 7u) == 1);
    if (third >= 0xc0 || !allowed) return false;
  }
  const bool reg = third >= 0xc0;
  if (next == 0xc3 && (repeat || sized))
    return false;  // MOVNTI with a prefix that it does not have
  if (next == 0xae && !reg && ((third >> 3) & 7u) == 2)
    return false;  // LDMXCSR takes reserved bits
  if (next == 0xc5 && !reg) return false;
  if (next == 0xc7) return false;  // CMPXCHG8B, CMPXCHG16B: OF, SF, AF, PF, CF
  if (next == 0xc2 && reg && bytes[i + 3] >= 8) return false;  // CMPPS and kin refuse imm8 above 7
  if (next == 0xc2 && !reg) return false;
  if (next == 0x38) {
    return third < 0xf0 && sized;  // MOVBE, CRC32; MMX forms of SSSE3
  }
  if (next == 0xf7) return false;  // MASKMOVQ, MASKMOVDQU: masked-out bytes
  if (next == 0x3a)
    return sized && third != 0x40 && third != 0x41;  // MMX forms; DPPS, DPPD: last bit
  if ((next == 0xe7 || next == 0xc3 || next == 0x2b) && third >= 0xc0) return false;
  return true;
}

bool comparable(std::span<const uint8_t> bytes, bool mode_64, bool kernel) {
  Prefixes p;
  size_t i = 0;
  for (; i < bytes.size(); ++i) {
    const uint8_t b = bytes[i];
    if (b == 0x66) {
      p.operand_size = true;
    } else if (b == 0xf2 || b == 0xf3) {
      p.repeat = b;
    } else if (b != 0x67 && b != 0xf0 && b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26 &&
               b != 0x64 && b != 0x65 && !(mode_64 && b >= 0x40 && b <= 0x4f)) {
      break;
    }
  }
  if (i + 2 >= bytes.size()) return false;
  const uint8_t op = bytes[i], next = bytes[i + 1];
  const bool reg = next >= 0xc0;
  const unsigned digit = (next >> 3) & 7u;
  if ((op == 0xc4 || op == 0xc5 || op == 0x62) && (mode_64 || reg)) return false;
  if (op == 0x8f && digit != 0) return false;  // XOP
  // State that FNSTENV, FNSAVE, FXSAVE store: where the last instruction was, which vendors keep differently.
  if (op == 0xd9 && !reg && (digit == 4 || digit == 6)) return false;
  if (op == 0xdd && !reg && (digit == 4 || digit == 6)) return false;
  // Transcendentals, whose last bit each vendor chooses.
  if (op == 0xd9 && next >= 0xf0 && next != 0xf4 && next != 0xf5 && next != 0xf6 && next != 0xf7 &&
      next != 0xf8 && next != 0xfa && next != 0xfc && next != 0xfd)
    return false;
  if (op == 0x9b || op == 0xd6 || op == 0x82) return op == 0x9b;
  if (op == 0x0f) return comparable_0f(bytes.subspan(i + 1), p, kernel);
  return true;
}

}  // namespace oracle
