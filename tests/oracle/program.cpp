#include "tests/oracle/program.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace oracle {
namespace {

/// Registers that point into memory at the start, and are seldom written; the others come and go.
constexpr uint8_t pointers_64[] = {6, 7, 5, 12, 13, 14, 15, 6, 7};
constexpr uint8_t pointers_32[] = {6, 7, 5, 3};
constexpr uint8_t values_64[] = {0, 1, 2, 3, 8, 9, 10, 11};
constexpr uint8_t values_32[] = {0, 1, 2, 0};

class Encoder {
 public:
  Encoder(Mode mode, support::Prng& random) : mode_{mode}, random_{random} {}

  Op encode(const Row& row) {
    op_ = {};
    op_.name = row.name;
    op_.reads = row.reads;
    op_.writes = row.writes;
    op_.undefined = row.undefined;
    const bool memory =
        row.operand == Operand::Memory || (row.operand == Operand::Any && random_.one_in(2));
    const bool wide = prefixes(row, memory);
    opcode(row);
    if (row.operand != Operand::None) {
      modrm(row, memory);
    }
    immediate(row, wide);
    return op_;
  }

 private:
  void byte(unsigned value) {
    if (op_.length < 15) op_.bytes[op_.length++] = static_cast<uint8_t>(value);
  }
  void bytes(uint64_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      byte(static_cast<unsigned>(value >> (8 * i)) & 0xff);
  }
  bool with(const Row& row, Attribute attribute) const { return (row.attributes & attribute) != 0; }

  uint8_t value_register(bool only_read) {
    if (only_read || random_.one_in(25))
      return static_cast<uint8_t>(random_.below(is_64(mode_) ? 16 : 8));
    return is_64(mode_) ? values_64[random_.below(std::size(values_64))]
                        : values_32[random_.below(std::size(values_32))];
  }
  uint8_t pointer_register() {
    return is_64(mode_) ? pointers_64[random_.below(std::size(pointers_64))]
                        : pointers_32[random_.below(std::size(pointers_32))];
  }

  /// Chooses registers and prefixes. True: the operand has 64 bits (REX.W).
  bool prefixes(const Row& row, bool memory) {
    const bool sse = with(row, Sse), x87 = with(row, X87);
    uint8_t mandatory = row.prefix;
    if (sse && mandatory == 0 && !with(row, Rare)) {
      static constexpr uint8_t choices[] = {0, 0x66, 0x66, 0xf2, 0xf3};
      mandatory = row.map >= 2 ? (random_.one_in(4) ? uint8_t{0} : uint8_t{0x66})
                               : choices[random_.below(std::size(choices))];
    }
    half_ = !sse && !x87 && !with(row, Byte) && !with(row, No66) && random_.one_in(4);
    if (memory && with(row, Lockable) && random_.one_in(4)) {
      byte(0xf0);
    }
    if (half_) byte(0x66);
    short_address_ = memory && random_.one_in(is_64(mode_) ? 30 : 60);
    if (short_address_) byte(0x67);
    if (memory && random_.one_in(20)) byte(random_.one_in(2) ? 0x64 : 0x65);
    if (with(row, Repeatable) && random_.one_in(2)) byte(random_.one_in(4) ? 0xf2 : 0xf3);
    if (with(row, RepeatConditional)) {
      // Without REP all flags are written; with a count of 0 none is.
      if (random_.one_in(2)) {
        byte(random_.one_in(2) ? 0xf2 : 0xf3);
      } else {
        op_.writes = arithmetic;
      }
    }
    if (mandatory != 0) byte(mandatory);

    const bool fixed = row.digit >= 0;
    rm_ = memory ? pointer_register() : value_register(with(row, NoWrite));
    reg_ = fixed ? static_cast<uint8_t>(row.digit) : value_register(with(row, NoWrite));
    if (sse || x87) {
      if (!memory) rm_ = static_cast<uint8_t>(random_.below(is_64(mode_) && sse ? 16 : 8));
      if (!fixed) reg_ = static_cast<uint8_t>(random_.below(is_64(mode_) && sse ? 16 : 8));
      // These may write a general register.
      if (row.opcode == 0x7e || row.opcode == 0xd7 || row.opcode == 0x50 || row.opcode == 0xc5 ||
          row.opcode == 0x2c || row.opcode == 0x2d || row.map == 3) {
        if (!memory) rm_ = value_register(false);
        if (!fixed) reg_ = value_register(false);
      }
    }
    if (with(row, Rare) && std::strncmp(row.name, "mov ", 4) == 0 && !fixed &&
        (row.opcode == 0x8e || row.opcode == 0x8c))
      reg_ = static_cast<uint8_t>(random_.below(random_.one_in(10) ? 8 : 6));
    index_ = random_.one_in(8) ? value_register(true) : uint8_t{4};
    bool wide = false;
    if (is_64(mode_)) {
      unsigned rex = 0;
      wide = !x87 && !with(row, NoRexW) && random_.one_in(sse ? 4 : 2);
      if (with(row, Byte) || with(row, PlusRegister)) wide = wide && !with(row, Byte);
      if (wide) rex |= 8;
      if (!fixed && reg_ >= 8 && row.operand != Operand::None) rex |= 4;
      if (memory && index_ >= 8) rex |= 2;
      if (rm_ >= 8 && (row.operand != Operand::None || with(row, PlusRegister))) rex |= 1;
      if (rex != 0 || random_.one_in(6)) byte(0x40 | rex);
      rex_ = rex;
    }
    return wide;
  }

  void opcode(const Row& row) {
    if (row.map != 0) byte(0x0f);
    if (row.map == 2) byte(0x38);
    if (row.map == 3) byte(0x3a);
    byte(with(row, PlusRegister) ? row.opcode + (rm_ & 7u) : row.opcode);
  }

  void modrm(const Row& row, bool memory) {
    const unsigned reg = (reg_ & 7u) << 3;
    if (!memory) return byte(0xc0 | reg | (rm_ & 7u));
    (void)row;
    const bool addresses_16 = (mode_ == Mode::Real16) != (short_address_ && !is_64(mode_));
    if (addresses_16) {
      const unsigned mod = static_cast<unsigned>(random_.below(3));
      const unsigned rm = static_cast<unsigned>(random_.below(8));
      byte(mod << 6 | reg | rm);
      if (mod == 1) byte(static_cast<unsigned>(random_.below(256)));
      if (mod == 2 || (mod == 0 && rm == 6)) bytes(random_.below(0x400), 2);
      return;
    }
    if (is_64(mode_) && random_.one_in(30)) {  // RIP-relative: behind the program
      byte(reg | 5);
      return bytes(0x100 + random_.below(0x200), 4);
    }
    const unsigned mod = static_cast<unsigned>(random_.below(8)) < 4 ? 0
                         : random_.one_in(4)                         ? 2
                                                                     : 1;
    const unsigned base = rm_ & 7u;
    const unsigned real_mod = mod == 0 && base == 5 ? 1 : mod;
    const bool sib = base == 4 || index_ != 4;
    byte(real_mod << 6 | reg | (sib ? 4 : base));
    if (sib) {
      const unsigned index = index_ & 7u;
      byte(static_cast<unsigned>(random_.below(4)) << 6 | index << 3 | base);
    }
    if (real_mod == 1) byte(static_cast<unsigned>(random_.below(256)));
    if (real_mod == 2)
      bytes(static_cast<uint64_t>(static_cast<int64_t>(random_.below(0x1000)) - 0x800), 4);
  }

  uint64_t number() {
    switch (random_.below(5)) {
      case 0:
        return random_.below(64);
      case 1:
        return uint64_t{0} - random_.below(64);
      case 2:
        return uint64_t{1} << random_.below(64);
      case 3:
        return 0x8000'0000'0000'0000 >> random_.below(64);
      default:
        return random_.next();
    }
  }

  void immediate(const Row& row, bool wide) {
    const bool operand_16 = (mode_ == Mode::Real16) != half_;
    const unsigned z = operand_16 && !wide ? 2 : 4;
    switch (row.immediate) {
      case None0:
        break;
      case I8:
        if (std::strcmp(row.name, "int") == 0) {
          byte(0x40 + static_cast<unsigned>(random_.below(8)));
        } else if (std::strcmp(row.name, "aad") == 0 || std::strcmp(row.name, "aam") == 0) {
          byte(static_cast<unsigned>(random_.below(20)));
        } else {
          byte(static_cast<unsigned>(number()) & 0xff);
        }
        break;
      case I16:
        bytes(random_.below(0x40) * 8, 2);
        break;
      case Iz:
        if (with(row, WideImmediate) && wide) {
          bytes(number(), 8);
        } else {
          bytes(number(), z);
        }
        break;
      case I8I16:
        bytes(random_.below(0x40) * 8, 2);
        byte(static_cast<unsigned>(random_.one_in(3) ? random_.below(4) : 0));
        break;
      case Moffs:
        if (is_64(mode_)) {
          bytes((is_user(mode_) ? 0x240000 : 0x140000) + random_.below(0xa000), 8);
        } else if (mode_ == Mode::Real16) {
          bytes(random_.below(0x8000), 2);
        } else {
          bytes((is_user(mode_) ? 0x240000 : 0x140000) + random_.below(0xa000), 4);
        }
        break;
    }
    if (with(row, Relative8)) op_.branch_bytes = 1;
    if (with(row, RelativeZ)) op_.branch_bytes = mode_ == Mode::Real16 ? 2 : 4;
    if (op_.branch_bytes != 0) {
      op_.skip = static_cast<uint8_t>(random_.below(4));
      bytes(0, op_.branch_bytes);
    }
  }

  Mode mode_;
  support::Prng& random_;
  Op op_;
  uint8_t rm_{}, reg_{}, index_{4};
  unsigned rex_{};
  bool half_{}, short_address_{};
};

class Disassembler {
 public:
  explicit Disassembler(Mode mode) {
    const cs_mode m = is_64(mode) ? CS_MODE_64 : mode == Mode::Real16 ? CS_MODE_16 : CS_MODE_32;
    ready_ = cs_open(CS_ARCH_X86, m, &handle_) == CS_ERR_OK;
  }
  ~Disassembler() {
    if (ready_) cs_close(&handle_);
  }
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  /// Length, 0 if it is none.
  size_t length(std::span<const uint8_t> bytes) {
    cs_insn* in = nullptr;
    if (!ready_ || cs_disasm(handle_, bytes.data(), bytes.size(), 0, 1, &in) != 1) return 0;
    const size_t n = in->size;
    cs_free(in, 1);
    return n;
  }
  std::string text(std::span<const uint8_t> bytes, uint64_t address) {
    cs_insn* in = nullptr;
    if (!ready_ || cs_disasm(handle_, bytes.data(), bytes.size(), address, 1, &in) != 1)
      return "(not an instruction)";
    std::string out = fmt::format("{} {}", in->mnemonic, in->op_str);
    cs_free(in, 1);
    return out;
  }

 private:
  csh handle_{};
  bool ready_{};
};

/// Branches, which would lead into what is not a program; INT n, IRET, SYSCALL, and reads of segment selectors, which at CPL
/// 3 a KVM that emulates answers with the host's.
bool is_left_out(std::span<const uint8_t> bytes, bool mode_64) {
  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    const uint8_t b = bytes[i];
    const bool prefix = b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 ||
                        b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 ||
                        b == 0x65 || (mode_64 && b >= 0x40 && b <= 0x4f);
    if (prefix) continue;
    if (b == 0xca || b == 0xcb ||
        (b == 0xff && (bytes[i + 1] & 0x28) == 0x28 && (bytes[i + 1] & 0x10) != 0x10) ||
        (b == 0xff && (bytes[i + 1] & 0x38) == 0x18))
      return true;
    if (b == 0xcd || b == 0xcf || b == 0x8c || b == 0x8e || b == 0x9d) return true;
    if (b == 0xe8 || b == 0xe9 || b == 0xeb || (b >= 0xe0 && b < 0xe4) || (b & 0xf0) == 0x70)
      return true;
    return b == 0x0f && ((bytes[i + 1] & 0xf0) == 0x80 || bytes[i + 1] == 0x05 ||
                         bytes[i + 1] <= 0x03 || (bytes[i + 1] & 0xf0) == 0xa0 ||
                         bytes[i + 1] == 0xb2 || bytes[i + 1] == 0xb4 || bytes[i + 1] == 0xb5);
  }
  return false;
}

/// Random bytes that one instruction could be made of. It reads nothing that is undefined (see generate) and everything
/// that it leaves is taken as undefined.
bool random_op(Mode mode, support::Prng& random, bool filtered, Op& op) {
  thread_local Disassembler sixteen{Mode::Real16}, thirty_two{Mode::Kernel32},
      sixty_four{Mode::User64};
  Disassembler& disassembler = is_64(mode)            ? sixty_four
                               : mode == Mode::Real16 ? sixteen
                                                      : thirty_two;
  std::array<uint8_t, 15> bytes;
  random.fill(bytes);
  if (random.one_in(3)) bytes[random.below(3)] = 0x0f;
  if (random.one_in(6)) bytes[0] = 0x66;
  if (filtered && (!comparable(bytes, is_64(mode), !is_user(mode)) ||
                   !engine_agrees(bytes, is_64(mode)) || is_left_out(bytes, is_64(mode))))
    return false;
  const size_t length = disassembler.length(bytes);
  if (length == 0) return false;
  op = {};
  op.bytes = bytes;
  op.length = static_cast<uint8_t>(length);
  op.undefined = arithmetic;
  op.name = "bytes";
  return true;
}

/// CMP of two registers: defines every flag.
Op definer() {
  Op op;
  op.bytes = {0x39, 0xd8};
  op.length = 2;
  op.writes = arithmetic;
  op.name = "cmp";
  return op;
}

}  // namespace

const char* name_of(Mode mode) {
  static constexpr const char* names[] = {"64-bit CPL 3",           "64-bit CPL 0",
                                          "compatibility CPL 3",    "compatibility CPL 0",
                                          "protected 32-bit CPL 0", "real mode"};
  return names[static_cast<size_t>(mode)];
}

Undefined analyse(const Program& program) {
  const size_t n = program.ops.size();
  Undefined result{true, std::vector<uint16_t>(n + 1)};
  // Reachable from a branch or from above: the union of what may be undefined there.
  for (size_t i = 0; i < n; ++i) {
    const Op& op = program.ops[i];
    const uint16_t before = result.before[i];
    if ((before & op.reads) != 0) result.valid = false;
    const auto after = static_cast<uint16_t>((before & ~op.writes) | op.undefined);
    result.before[i + 1] |= after;
    if (op.branch_bytes != 0) result.before[std::min(n, i + 1 + op.skip)] |= after;
  }
  return result;
}

std::vector<uint8_t> layout(const Program& program, std::vector<uint32_t>& offsets) {
  offsets.assign(1, 0);
  for (const Op& op : program.ops)
    offsets.push_back(offsets.back() + op.length);
  std::vector<uint8_t> code;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    code.insert(code.end(), op.bytes.begin(), op.bytes.begin() + op.length);
    if (op.branch_bytes == 0) continue;
    const size_t target = std::min(program.ops.size(), i + 1 + op.skip);
    const uint32_t displacement = offsets[target] - offsets[i + 1];
    std::memcpy(code.data() + code.size() - op.branch_bytes, &displacement, op.branch_bytes);
  }
  return code;
}

Program generate(Mode mode, support::Prng& random, const Mixture& mixture, unsigned most) {
  Program program{mode, {}};
  Encoder encoder{mode, random};
  const size_t count = 1 + random.below(most);
  uint16_t undefined_since_branch = 0;
  for (unsigned tries = 0; program.ops.size() < count && tries < 400; ++tries) {
    Op op;
    const uint64_t dice = random.below(100);
    std::span<const Row> rows = integer_rows();
    if (dice < 18) {
      if (!mixture.control) continue;
      rows = control_rows();
    } else if (dice < 34) {
      if (!mixture.sse) continue;
      rows = sse_rows();
    } else if (dice < 40) {
      if (!mixture.x87) continue;
      rows = x87_rows();
    } else if (dice < 46) {
      if (!mixture.random_bytes || !random_op(mode, random, mixture.filtered, op)) continue;
      program.ops.push_back(definer());
      program.ops.push_back(op);
      continue;
    } else if (!mixture.integer) {
      continue;
    }
    const Row& row = rows[random.below(rows.size())];
    const bool mode_64 = is_64(mode);
    if ((row.attributes & (mode_64 ? No64 : Only64)) != 0) continue;
    if ((row.attributes & Kernel) != 0 && is_user(mode)) continue;
    if ((row.attributes & Native) != 0 && is_user(mode) && !mixture.native) continue;
    if ((row.attributes & Rare) != 0 && !random.one_in(3)) continue;
    op = encoder.encode(row);
    if (mixture.filtered && !(comparable(std::span{op.bytes}, mode_64, !is_user(mode)) &&
                              engine_agrees(std::span{op.bytes}, mode_64)))
      continue;
    program.ops.push_back(op);
    if (mixture.filtered && !analyse(program).valid) {
      program.ops.pop_back();
      program.ops.push_back(definer());
      program.ops.push_back(op);
      if (!analyse(program).valid) program.ops.pop_back();
    }
  }
  (void)undefined_since_branch;
  return program;
}

std::string disassemble(const Program& program, uint64_t address) {
  Disassembler disassembler{program.mode};
  std::vector<uint32_t> offsets;
  const std::vector<uint8_t> code = layout(program, offsets);
  std::string out;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const std::span bytes{code.data() + offsets[i], program.ops[i].length};
    std::string hex;
    for (const uint8_t b : bytes)
      hex += fmt::format("{:02x} ", b);
    out += fmt::format("  {:x}: {:<32} {}\n", address + offsets[i], hex,
                       disassembler.text(bytes, address + offsets[i]));
  }
  return out;
}

}  // namespace oracle
