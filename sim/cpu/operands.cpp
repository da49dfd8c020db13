#include "abi/x64/exceptions.h"
#include "sim/cpu/system_instructions.h"

namespace cpu {
namespace {

using vtl::VirtualProcessor;

uint64_t value_of(const VirtualProcessor& vp, uint8_t index) {
  return index == vtl::Rsp ? vp.context().rsp : vp.shared.gpr[index];
}

/// Offset in the segment, and which segment by default.
uint64_t offset_16(const Instruction& in, const VirtualProcessor& vp, uint8_t& segment) {
  static constexpr uint8_t none = 0xff;
  static constexpr uint8_t first[8] = {vtl::Rbx, vtl::Rbx, vtl::Rbp, vtl::Rbp,
                                       vtl::Rsi, vtl::Rdi, vtl::Rbp, vtl::Rbx};
  static constexpr uint8_t second[8] = {vtl::Rsi, vtl::Rdi, vtl::Rsi, vtl::Rdi,
                                        none,     none,     none,     none};
  const unsigned rm = in.modrm & 7;
  auto offset = static_cast<uint64_t>(in.displacement);
  if (in.mod() == 0 && rm == 6) return offset;
  if (first[rm] == vtl::Rbp) segment = vtl::Ss;
  offset += value_of(vp, first[rm]);
  if (second[rm] != none) offset += value_of(vp, second[rm]);
  return offset;
}

uint64_t offset_sib(const Instruction& in, const VirtualProcessor& vp, uint8_t& segment) {
  uint64_t offset = 0;
  const auto index = static_cast<uint8_t>(((in.sib >> 3) & 7) | ((in.rex & 2) << 2));
  if (index != vtl::Rsp) offset += value_of(vp, index) << (in.sib >> 6);
  if ((in.sib & 7) == 5 && in.mod() == 0) return offset;
  const auto base = static_cast<uint8_t>((in.sib & 7) | ((in.rex & 1) << 3));
  if (base == vtl::Rsp || base == vtl::Rbp) segment = vtl::Ss;
  return offset + value_of(vp, base);
}

uint64_t offset_32_64(const Instruction& in, const VirtualProcessor& vp, uint8_t& segment) {
  const auto displacement = static_cast<uint64_t>(in.displacement);
  if (in.has_sib) return offset_sib(in, vp, segment) + displacement;
  if (in.mod() == 0 && (in.modrm & 7) == 5) {
    const bool relative = in.code_size == CodeSize::Bits64;
    return displacement + (relative ? vp.context().rip + in.length : 0);
  }
  const uint8_t base = in.rm();
  if (base == vtl::Rbp) segment = vtl::Ss;
  return value_of(vp, base) + displacement;
}

}  // namespace

uint64_t& general_register(VirtualProcessor& vp, uint8_t index) {
  return index == vtl::Rsp ? vp.context().rsp : vp.shared.gpr[index];
}

void write_general(VirtualProcessor& vp, uint8_t index, uint8_t size, uint64_t value) {
  uint64_t& target = general_register(vp, index);
  switch (size) {
    case 1:
      target = (target & ~uint64_t{0xff}) | (value & 0xff);
      break;
    case 2:
      target = (target & ~uint64_t{0xffff}) | (value & 0xffff);
      break;
    case 4:
      target = value & 0xffffffff;
      break;
    default:
      target = value;
  }
}

uint64_t in_segment(const VirtualProcessor& vp, uint8_t segment, uint64_t offset,
                    CodeSize code_size) {
  const uint64_t base = vp.context().segments[segment].base;
  if (code_size == CodeSize::Bits64)
    return segment == vtl::Fs || segment == vtl::Gs ? base + offset : offset;
  return static_cast<uint32_t>(base + offset);
}

uint64_t linear_address(const Instruction& in, const VirtualProcessor& vp) {
  uint8_t segment = vtl::Ds;
  uint64_t offset =
      in.address_size == 2 ? offset_16(in, vp, segment) : offset_32_64(in, vp, segment);
  if (in.address_size == 4) offset &= 0xffffffff;
  if (in.address_size == 2) offset &= 0xffff;
  if (in.segment != no_segment) segment = in.segment;
  return in_segment(vp, segment, offset, in.code_size);
}

Emulation retire() {
  Emulation result;
  result.kind = Emulation::Kind::Retire;
  return result;
}

Emulation raise(uint8_t vector) {
  Emulation result;
  result.kind = Emulation::Kind::Exception;
  result.exception.vector = vector;
  return result;
}

Emulation raise(uint8_t vector, uint32_t error_code) {
  Emulation result = raise(vector);
  result.exception.has_error_code = true;
  result.exception.error_code = error_code;
  return result;
}

Emulation general_protection(uint32_t error_code) {
  return raise(static_cast<uint8_t>(abi::x64::Vector::GeneralProtection), error_code);
}
Emulation invalid_opcode() {
  return raise(static_cast<uint8_t>(abi::x64::Vector::InvalidOpcode));
}

Emulation refused(const MemoryFault& fault) {
  Emulation result;
  result.kind = Emulation::Kind::Refused;
  result.refused = fault;
  return result;
}

}  // namespace cpu
