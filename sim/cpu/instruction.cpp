#include "sim/cpu/instruction.h"

namespace cpu {
namespace {

/// What follows an opcode.
enum Shape : uint16_t {
  shape_none = 0,
  modrm = 1,
  imm8 = 2,
  imm16 = 4,
  imm_z = 8,         ///< 2 bytes with 16-bit operands, else 4
  imm_v = 16,        ///< 2, 4 or 8 bytes
  moffs = 32,        ///< an address
  far_pointer = 64,  ///< offset and selector
  invalid = 128,
  invalid64 = 256,  ///< in 64-bit mode
};

uint16_t shape_of_alu_row(uint8_t opcode) {
  switch (opcode & 7) {
    case 4:
      return imm8;
    case 5:
      return imm_z;
    case 6:
    case 7:
      return invalid64;  // PUSH/POP segment, DAA, DAS, AAA, AAS
    default:
      return modrm;
  }
}

uint16_t shape_one(uint8_t op) {
  if (op < 0x40) return shape_of_alu_row(op);
  if (op < 0x60) return shape_none;
  switch (op) {
    case 0x60:
    case 0x61:
      return invalid64;
    case 0x62:
      return modrm | invalid64;
    case 0x63:
      return modrm;
    case 0x68:
      return imm_z;
    case 0x69:
      return modrm | imm_z;
    case 0x6a:
      return imm8;
    case 0x6b:
      return modrm | imm8;
    case 0x80:
    case 0x83:
      return modrm | imm8;
    case 0x81:
      return modrm | imm_z;
    case 0x82:
      return modrm | imm8 | invalid64;
    case 0x9a:
    case 0xea:
      return far_pointer | invalid64;
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3:
      return moffs;
    case 0xa8:
      return imm8;
    case 0xa9:
      return imm_z;
    case 0xc0:
    case 0xc1:
    case 0xc6:
      return modrm | imm8;
    case 0xc2:
    case 0xca:
      return imm16;
    case 0xc4:
    case 0xc5:
      return modrm | invalid64;  // LES, LDS; VEX is recognised before
    case 0xc7:
      return modrm | imm_z;
    case 0xc8:
      return imm16 | imm8;
    case 0xcd:
      return imm8;
    case 0xce:
    case 0xd6:
      return invalid64;
    case 0xd4:
    case 0xd5:
      return imm8 | invalid64;
    case 0xe8:
    case 0xe9:
      return imm_z;
    case 0xeb:
      return imm8;
    case 0xf6:
    case 0xf7:
    case 0xfe:
    case 0xff:
      return modrm;
    default:
      break;
  }
  if (op >= 0x70 && op < 0x80) return imm8;
  if (op >= 0x84 && op < 0x90) return modrm;
  if (op >= 0xb0 && op < 0xb8) return imm8;
  if (op >= 0xb8 && op < 0xc0) return imm_v;
  if (op >= 0xd0 && op < 0xd4) return modrm;
  if (op >= 0xd8 && op < 0xe0) return modrm;
  if (op >= 0xe0 && op < 0xe8) return imm8;
  return shape_none;
}

uint16_t shape_0f(uint8_t op) {
  switch (op) {
    case 0x04:
    case 0x0a:
    case 0x0c:
    case 0x24:
    case 0x25:
    case 0x26:
    case 0x27:
    case 0x36:
    case 0x37:
    case 0x39:
    case 0x3b:
    case 0x3c:
    case 0x3d:
    case 0x3e:
    case 0x3f:
    case 0x7a:
    case 0x7b:
    case 0xa6:
    case 0xa7:
    case 0xff:
      return invalid;
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x08:
    case 0x09:
    case 0x0b:
    case 0x0e:
    case 0x77:
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa8:
    case 0xa9:
    case 0xaa:
      return shape_none;
    case 0x0f:
    case 0x70:
    case 0x71:
    case 0x72:
    case 0x73:
    case 0xa4:
    case 0xac:
    case 0xba:
    case 0xc2:
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return modrm | imm8;
    default:
      break;
  }
  if (op >= 0x30 && op < 0x38) return shape_none;
  if (op >= 0x80 && op < 0x90) return imm_z;
  if (op >= 0xc8 && op < 0xd0) return shape_none;
  return modrm;
}

/// Reads bytes of one instruction and notices the two ways to run out of them.
class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, Instruction& in) : bytes_{bytes}, in_{in} {}

  uint64_t take(unsigned count) {
    uint64_t value = 0;
    for (unsigned i = 0; i < count; ++i) {
      const uint64_t next = byte();
      if (i < 8) value |= next << (8 * i);  // a far pointer with REX.W has ten, and does not exist
    }
    return value;
  }
  uint8_t byte() {
    if (position_ >= max_instruction_length) return stop(DecodeStatus::Invalid);
    if (position_ >= bytes_.size()) return stop(DecodeStatus::Truncated);
    return bytes_[position_++];
  }
  void back() { --position_; }
  [[nodiscard]] bool at_end() const { return position_ >= bytes_.size(); }
  [[nodiscard]] uint8_t peek() const {
    return position_ < bytes_.size() ? bytes_[position_] : uint8_t{0};
  }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] uint8_t position() const { return static_cast<uint8_t>(position_); }

 private:
  uint8_t stop(DecodeStatus status) {
    if (!stopped_) in_.status = status;
    stopped_ = true;
    return 0;
  }
  std::span<const uint8_t> bytes_;
  Instruction& in_;
  size_t position_{};
  bool stopped_{};
};

/// Takes prefixes; returns the first byte that is none.
uint8_t take_prefixes(Reader& reader, Instruction& in, bool& address_size_prefix) {
  for (;;) {
    const uint8_t byte = reader.byte();
    if (reader.stopped()) return 0;
    switch (byte) {
      case 0x26:
        in.segment = 0;
        break;
      case 0x2e:
        in.segment = 1;
        break;
      case 0x36:
        in.segment = 2;
        break;
      case 0x3e:
        in.segment = 3;
        break;
      case 0x64:
        in.segment = 4;
        break;
      case 0x65:
        in.segment = 5;
        break;
      case 0x66:
        in.operand_size_prefix = true;
        break;
      case 0x67:
        address_size_prefix = true;
        break;
      case 0xf0:
        in.lock = true;
        break;
      case 0xf2:
        in.repne = true;
        break;
      case 0xf3:
        in.rep = true;
        break;
      default:
        if (in.code_size != CodeSize::Bits64 || byte < 0x40 || byte > 0x4f) return byte;
        in.rex = byte;
        continue;
    }
    in.rex = 0;  // it counts only right before the opcode (SDM vol. 2, 2.2.1)
  }
}

void set_sizes(Instruction& in, bool address_size_prefix) {
  if (in.code_size == CodeSize::Bits64) {
    in.operand_size = (in.rex & 8) ? 8 : in.operand_size_prefix ? 2 : 4;
    in.address_size = address_size_prefix ? 4 : 8;
    return;
  }
  const bool wide = in.code_size == CodeSize::Bits32;
  in.operand_size = wide != in.operand_size_prefix ? 4 : 2;
  in.address_size = wide != address_size_prefix ? 4 : 2;
}

/// VEX prefixes after their first byte. False: it is LES or LDS, or the instruction does not exist.
bool take_vex(Reader& reader, Instruction& in, uint8_t first) {
  if (reader.at_end()) {
    (void)reader.byte();
    return false;
  }
  if (in.code_size == CodeSize::Bits16) return false;
  if (in.code_size == CodeSize::Bits32 && (reader.peek() & 0xc0) != 0xc0) return false;
  const uint8_t second = reader.byte();
  in.vex = true;
  uint8_t pp = second & 3;
  in.map = OpcodeMap::Two0F;
  if (first == 0xc4) {
    const uint8_t third = reader.byte();
    pp = third & 3;
    if ((second & 0x1f) == 2) in.map = OpcodeMap::Three0F38;
    if ((second & 0x1f) == 3) in.map = OpcodeMap::Three0F3A;
  }
  if (pp == 1) in.operand_size_prefix = true;
  if (pp == 2) in.rep = true;
  if (pp == 3) in.repne = true;
  in.opcode = reader.byte();
  return true;
}

/// MOV to and from control and debug registers by the manual; the others in the engine (is_missing_memory_form()).
bool has_register_form_only(const Instruction& in) {
  if (in.map != OpcodeMap::Two0F) return false;
  switch (in.opcode) {
    case 0x20: case 0x21: case 0x22: case 0x23: return true;
    case 0x50: case 0x71: case 0x72: case 0x73: return true;
    case 0x78: return in.operand_size_prefix || (in.repne && !in.rep);  // EXTRQ, INSERTQ
    case 0xd6: return !in.operand_size_prefix && (in.rep || in.repne);  // MOVQ2DQ, MOVDQ2Q
    default: return false;
  }
}

void take_memory_operand(Reader& reader, Instruction& in) {
  if (in.mod() == 3) return;
  if (in.address_size == 2) {
    if (in.mod() == 1) in.displacement = static_cast<int8_t>(reader.take(1));
    if (in.mod() == 2 || (in.mod() == 0 && (in.modrm & 7) == 6))
      in.displacement = static_cast<int16_t>(reader.take(2));
    return;
  }
  uint8_t base = in.modrm & 7;
  if (base == 4) {
    in.has_sib = true;
    in.sib = reader.byte();
    base = in.sib & 7;
  }
  if (in.mod() == 1) in.displacement = static_cast<int8_t>(reader.take(1));
  if (in.mod() == 2 || (in.mod() == 0 && base == 5))
    in.displacement = static_cast<int32_t>(reader.take(4));
}

uint16_t shape_of(const Instruction& in) {
  switch (in.map) {
    case OpcodeMap::One:
      return shape_one(in.opcode);
    case OpcodeMap::Two0F: {
      uint16_t shape = shape_0f(in.opcode);
      if (in.opcode == 0x78 && (in.operand_size_prefix || in.repne))
        shape |= imm16;  // EXTRQ, INSERTQ
      return shape;
    }
    case OpcodeMap::Three0F38:
      return modrm;
    default:
      return modrm | imm8;
  }
}

void take_operands(Reader& reader, Instruction& in) {
  uint16_t shape = shape_of(in);
  if ((shape & modrm) != 0) {
    in.has_modrm = true;
    in.modrm = reader.byte();
    in.register_form_only = has_register_form_only(in);
    if (!in.register_form_only) take_memory_operand(reader, in);
    if (in.map == OpcodeMap::One &&
        in.reg_field() < 2) {  // TEST has an immediate, its neighbours have none
      if (in.opcode == 0xf6) shape |= imm8;
      if (in.opcode == 0xf7) shape |= imm_z;
    }
  }
  unsigned bytes = 0;
  if ((shape & imm8) != 0) bytes += 1;
  if ((shape & imm16) != 0) bytes += 2;
  if ((shape & imm_z) != 0) bytes += in.operand_size == 2 ? 2 : 4;
  if ((shape & imm_v) != 0) bytes += in.operand_size;
  if ((shape & far_pointer) != 0) bytes += in.operand_size + 2u;
  if ((shape & moffs) != 0) in.displacement = static_cast<int64_t>(reader.take(in.address_size));
  in.immediate_size = static_cast<uint8_t>(bytes);
  in.immediate = reader.take(bytes);
  const bool bad = (shape & invalid) != 0 ||
                   ((shape & invalid64) != 0 && in.code_size == CodeSize::Bits64 && !in.vex);
  if (bad && !reader.stopped()) in.status = DecodeStatus::Invalid;
}

}  // namespace

Instruction decode(std::span<const uint8_t> bytes, CodeSize code_size) {
  Instruction in;
  in.status = DecodeStatus::Ok;
  in.code_size = code_size;
  Reader reader{bytes, in};
  bool address_size_prefix = false;
  const uint8_t first = take_prefixes(reader, in, address_size_prefix);
  if (reader.stopped()) return in;
  set_sizes(in, address_size_prefix);
  const bool vex = (first == 0xc4 || first == 0xc5) && take_vex(reader, in, first);
  if (!vex) {
    in.opcode = first;
    if (first == 0x0f) {
      in.map = OpcodeMap::Two0F;
      in.opcode = reader.byte();
      if (!reader.stopped() && (in.opcode == 0x38 || in.opcode == 0x3a)) {
        in.map = in.opcode == 0x38 ? OpcodeMap::Three0F38 : OpcodeMap::Three0F3A;
        in.opcode = reader.byte();
      }
    }
  }
  if (!reader.stopped()) take_operands(reader, in);
  in.length = reader.position();
  return in;
}

}  // namespace cpu
