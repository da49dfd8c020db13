#include "sim/trace/predictor.h"

#include <algorithm>
#include <bit>

namespace trace {
namespace {

constexpr uint64_t CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, DF = 0x400, OF = 0x800;
constexpr uint64_t arithmetic = CF | PF | AF | ZF | SF | OF;

uint64_t mask_of(uint8_t size) { return size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * size)) - 1; }
uint64_t sign_of(uint8_t size) { return uint64_t{1} << (8 * (size >= 8 ? 8 : size) - 1); }
uint64_t extend(uint64_t value, uint8_t size) {
  const uint64_t sign = sign_of(size);
  return ((value & mask_of(size)) ^ sign) - sign;
}

/// One instruction under way.
class Step {
 public:
  Step(const MicroOp& op, uint8_t vtl, uint64_t rip, Registers& registers, std::span<const uint8_t> memory,
       MemoryShadow& shadow)
      : op_{op}, vtl_{vtl}, rip_{rip}, r_{registers}, shadow_{shadow} {
    std::memcpy(&memory_, memory.data(), std::min<size_t>(memory.size(), sizeof memory_));
    if (op.op == Op::Other) return;
    if (op.a.kind == Operand::Kind::Memory || op.b.kind == Operand::Kind::Memory) address_ = op.address(r_, rip);
  }
  uint64_t run();

 private:
  uint64_t get(const Operand& from) const {
    switch (from.kind) {
      case Operand::Kind::Register: return r_[from.number] & mask_of(from.size);
      case Operand::Kind::HighByte: return r_[from.number] >> 8 & 0xff;
      case Operand::Kind::Immediate: return from.value;
      case Operand::Kind::Memory: return memory_ & mask_of(from.size);
      case Operand::Kind::None: break;
    }
    return 0;
  }
  void set(const Operand& to, uint64_t value) {
    if (to.kind == Operand::Kind::Register) {
      uint64_t& all = r_[to.number];
      if (to.size >= 4) all = value & mask_of(to.size);
      else all = (all & ~mask_of(to.size)) | (value & mask_of(to.size));
    } else if (to.kind == Operand::Kind::HighByte) {
      r_[to.number] = (r_[to.number] & ~uint64_t{0xff00}) | (value & 0xff) << 8;
    } else if (to.kind == Operand::Kind::Memory) {
      store(address_, value, to.size);
    }
  }
  void store(uint64_t address, uint64_t value, uint8_t size) {
    shadow_.write(vtl_, address, {reinterpret_cast<const uint8_t*>(&value), std::min<size_t>(size, 8)});
  }
  void flags(uint64_t changed, uint64_t value) { r_[rflags] = (r_[rflags] & ~changed) | value; }
  static uint64_t result_flags(uint64_t result, uint8_t size) {
    result &= mask_of(size);
    return (result == 0 ? ZF : 0) | ((result & sign_of(size)) != 0 ? SF : 0) |
           (std::popcount(result & 0xff) % 2 == 0 ? PF : 0);
  }
  [[nodiscard]] bool condition() const;
  uint64_t add(uint64_t a, uint64_t b, uint64_t carry, uint64_t changed = arithmetic);
  uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, uint64_t changed = arithmetic);
  uint64_t logic(uint64_t result) {
    flags(arithmetic, result_flags(result, op_.a.size));
    return result;
  }
  void shift();
  void rotate();
  void multiply();
  void multiply_wide();
  void push(uint64_t value, uint8_t size) {
    r_[vtl::Rsp] -= size;
    store(r_[vtl::Rsp], value, size);
  }
  uint64_t string_step();
  bool arithmetic_step();
  void other_step();

  const MicroOp& op_;
  uint8_t vtl_;
  uint64_t rip_;
  Registers& r_;
  MemoryShadow& shadow_;
  uint64_t memory_{}, address_{};
};

bool Step::condition() const {
  const uint64_t f = r_[rflags];
  const bool less = ((f & SF) != 0) != ((f & OF) != 0);
  bool met = false;
  switch (op_.condition >> 1) {
    case 0: met = (f & OF) != 0; break;
    case 1: met = (f & CF) != 0; break;
    case 2: met = (f & ZF) != 0; break;
    case 3: met = (f & (CF | ZF)) != 0; break;
    case 4: met = (f & SF) != 0; break;
    case 5: met = (f & PF) != 0; break;
    case 6: met = less; break;
    default: met = less || (f & ZF) != 0; break;
  }
  return met != ((op_.condition & 1) != 0);
}

uint64_t Step::add(uint64_t a, uint64_t b, uint64_t carry, uint64_t changed) {
  const uint8_t size = op_.a.size;
  a &= mask_of(size);
  b &= mask_of(size);
  const uint64_t result = (a + b + carry) & mask_of(size);
  const bool over = result < a || (carry != 0 && result == a);
  flags(changed, (result_flags(result, size) | (over ? CF : 0) | ((a ^ b ^ result) & AF) |
                  (((a ^ result) & (b ^ result) & sign_of(size)) != 0 ? OF : 0)) & changed);
  return result;
}

uint64_t Step::subtract(uint64_t a, uint64_t b, uint64_t borrow, uint64_t changed) {
  const uint8_t size = op_.a.size;
  a &= mask_of(size);
  b &= mask_of(size);
  const uint64_t result = (a - b - borrow) & mask_of(size);
  const bool under = a < b || (borrow != 0 && a == b);
  flags(changed, (result_flags(result, size) | (under ? CF : 0) | ((a ^ b ^ result) & AF) |
                  (((a ^ b) & (a ^ result) & sign_of(size)) != 0 ? OF : 0)) & changed);
  return result;
}

void Step::shift() {
  const uint8_t size = op_.a.size;
  const uint64_t count = (op_.b.kind == Operand::Kind::None ? 1 : get(op_.b)) & (size == 8 ? 63 : 31);
  if (count == 0) return set(op_.a, get(op_.a));
  const uint64_t a = get(op_.a);
  uint64_t before = 0, result = 0;
  bool carry = false;
  if (op_.op == Op::Shl) {
    before = a << (count - 1) & mask_of(size);
    result = before << 1 & mask_of(size);
    carry = (before & sign_of(size)) != 0;
  } else {
    const uint64_t wide = op_.op == Op::Sar ? extend(a, size) : a;
    before = op_.op == Op::Sar ? static_cast<uint64_t>(static_cast<int64_t>(wide) >> (count - 1)) : wide >> (count - 1);
    result = (op_.op == Op::Sar ? static_cast<uint64_t>(static_cast<int64_t>(before) >> 1) : before >> 1) & mask_of(size);
    carry = (before & 1) != 0;
  }
  flags(arithmetic, result_flags(result, size) | (carry ? CF : 0) |
                        (((before ^ result) & sign_of(size)) != 0 ? OF : 0));
  set(op_.a, result);
}

void Step::rotate() {
  const uint8_t size = op_.a.size;
  const unsigned bits = size * 8u;
  const uint64_t count = (op_.b.kind == Operand::Kind::None ? 1 : get(op_.b)) & (size == 8 ? 63 : 31);
  if (count == 0 || bits == 0) return set(op_.a, get(op_.a));
  const uint64_t a = get(op_.a);
  const unsigned by = static_cast<unsigned>(count % bits);
  const bool right = op_.op == Op::Ror;
  uint64_t result = a;
  if (by != 0) result = right ? (a >> by | a << (bits - by)) : (a << by | a >> (bits - by));
  result &= mask_of(size);
  const bool top = (result & sign_of(size)) != 0;
  const bool carry = right ? top : (result & 1) != 0;
  const bool other = right ? (result & sign_of(size) >> 1) != 0 : top;
  flags(CF | OF, (carry ? CF : 0) | (other != carry ? OF : 0));
  set(op_.a, result);
}

void Step::multiply() {
  const uint8_t size = op_.a.size;
  const bool three = op_.c.kind != Operand::Kind::None;
  const auto product = static_cast<__int128>(static_cast<int64_t>(extend(get(three ? op_.b : op_.a), size))) *
                       static_cast<int64_t>(extend(get(three ? op_.c : op_.b), size));
  const auto low = static_cast<uint64_t>(product) & mask_of(size);
  const bool lost = product != static_cast<int64_t>(extend(low, size));
  flags(arithmetic, result_flags(low, size) | (lost ? CF | OF : 0));
  set(op_.a, low);
}

void Step::multiply_wide() {
  const uint8_t size = op_.a.size;
  if (size < 4) return;
  const uint64_t a = r_[vtl::Rax] & mask_of(size), b = get(op_.a);
  unsigned __int128 product;
  bool lost = false;
  if (op_.op == Op::Mul) {
    product = static_cast<unsigned __int128>(a) * b;
    lost = product >> (8 * size) != 0;
  } else {
    const __int128 exact = static_cast<__int128>(static_cast<int64_t>(extend(a, size))) *
                           static_cast<int64_t>(extend(b, size));
    product = static_cast<unsigned __int128>(exact);
    lost = exact != static_cast<int64_t>(extend(static_cast<uint64_t>(product), size));
  }
  r_[vtl::Rax] = static_cast<uint64_t>(product) & mask_of(size);
  r_[vtl::Rdx] = static_cast<uint64_t>(product >> (8 * size)) & mask_of(size);
  flags(arithmetic, result_flags(r_[vtl::Rax], size) | (lost ? CF | OF : 0));
}

/// One element; the engine shows each iteration as an instruction.
uint64_t Step::string_step() {
  const uint8_t size = op_.a.size;
  const uint64_t by = (r_[rflags] & DF) != 0 ? 0 - uint64_t{size} : size;
  if (op_.repeats && r_[vtl::Rcx] == 0) return rip_ + op_.length;
  store(r_[vtl::Rdi], op_.op == Op::MoveString ? memory_ : r_[vtl::Rax], size);
  r_[vtl::Rdi] += by;
  if (op_.op == Op::MoveString) r_[vtl::Rsi] += by;
  if (!op_.repeats) return rip_ + op_.length;
  return --r_[vtl::Rcx] != 0 ? rip_ : rip_ + op_.length;
}

bool Step::arithmetic_step() {
  const uint64_t carry = r_[rflags] & CF;
  const Operand& a = op_.a;
  switch (op_.op) {
    case Op::Add: set(a, add(get(a), get(op_.b), 0)); return true;
    case Op::Adc: set(a, add(get(a), get(op_.b), carry)); return true;
    case Op::Sub: set(a, subtract(get(a), get(op_.b), 0)); return true;
    case Op::Sbb: set(a, subtract(get(a), get(op_.b), carry)); return true;
    case Op::Cmp: subtract(get(a), get(op_.b), 0); return true;
    case Op::And: set(a, logic(get(a) & get(op_.b))); return true;
    case Op::Or: set(a, logic(get(a) | get(op_.b))); return true;
    case Op::Xor: set(a, logic(get(a) ^ get(op_.b))); return true;
    case Op::Test: logic(get(a) & get(op_.b)); return true;
    case Op::Inc: set(a, add(get(a), 1, 0, arithmetic & ~CF)); return true;
    case Op::Dec: set(a, subtract(get(a), 1, 0, arithmetic & ~CF)); return true;
    case Op::Neg: set(a, subtract(0, get(a), 0)); return true;
    case Op::Not: set(a, ~get(a)); return true;
    case Op::Shl:
    case Op::Shr:
    case Op::Sar: shift(); return true;
    case Op::Rol:
    case Op::Ror: rotate(); return true;
    case Op::Imul: multiply(); return true;
    case Op::Mul:
    case Op::ImulWide: multiply_wide(); return true;
    default: return false;
  }
}

void Step::other_step() {
  const Operand &a = op_.a, &b = op_.b;
  switch (op_.op) {
    case Op::Mov: return set(a, get(b));
    case Op::MovSigned: return set(a, extend(get(b), b.size));
    case Op::Lea: return set(a, op_.address(r_, rip_));
    case Op::Setcc: return set(a, condition() ? 1 : 0);
    case Op::Cmovcc: return set(a, condition() ? get(b) : get(a));
    case Op::Push: return push(a.kind == Operand::Kind::Register ? r_[a.number] : get(a), a.size == 2 ? 2 : 8);
    case Op::Pop:
      r_[vtl::Rsp] += a.size == 2 ? 2 : 8;
      return set(a, memory_);
    case Op::Leave:
      r_[vtl::Rsp] = r_[vtl::Rbp] + 8;
      r_[vtl::Rbp] = memory_;
      return;
    case Op::Xchg: {
      const uint64_t first = get(a), second = get(b);
      set(a, second);
      return set(b, first);
    }
    case Op::Bswap: {
      const uint64_t swapped = __builtin_bswap64(get(a));
      return set(a, a.size == 8 ? swapped : swapped >> 32);
    }
    case Op::BitTest:
      return flags(arithmetic & ~ZF, a.size == 0 ? 0 : get(a) >> (get(b) % (8u * a.size)) & 1);
    default: return;
  }
}

uint64_t Step::run() {
  const uint64_t next = rip_ + op_.length;
  switch (op_.op) {
    case Op::Other:
    case Op::SignExtend:
    case Op::SignFill: return next;
    case Op::Jcc: return condition() ? rip_ + op_.a.value : next;
    case Op::Jmp: return op_.a.kind == Operand::Kind::Immediate ? rip_ + op_.a.value : get(op_.a);
    case Op::Call: {
      const uint64_t target = op_.a.kind == Operand::Kind::Immediate ? rip_ + op_.a.value : get(op_.a);
      push(next, 8);
      return target;
    }
    case Op::Ret:
      r_[vtl::Rsp] += 8 + (op_.a.kind == Operand::Kind::Immediate ? op_.a.value : 0);
      return memory_;
    case Op::MoveString:
    case Op::StoreString: return string_step();
    default: break;
  }
  if (!arithmetic_step()) other_step();
  return next;
}

}  // namespace

uint64_t predict(const MicroOp& op, uint8_t vtl, uint64_t rip, Registers& registers, std::span<const uint8_t> memory,
                 MemoryShadow& shadow) {
  return Step{op, vtl, rip, registers, memory, shadow}.run();
}

}  // namespace trace
