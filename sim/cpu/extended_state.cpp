// XSETBV, XGETBV, XSAVE, XSAVEOPT, XRSTOR for x87 and SSE (SDM vol. 1, chapter 13). The engine's own are never reached: it
// does not see CR4.OSXSAVE.
#include <cstring>

#include "abi/x64/exceptions.h"
#include "abi/x64/registers.h"
#include "sim/cpu/interception.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::FloatingPoint;
using vtl::VirtualProcessor;

constexpr uint64_t x87 = x64::xcr0::x87, sse = x64::xcr0::sse;
constexpr uint32_t mxcsr_mask = 0xffff;

/// The standard form of the area: legacy region and header (SDM vol. 1, 13.4).
struct XsaveArea {
  uint16_t control, status;
  uint8_t tag, reserved0;
  uint16_t opcode;
  uint64_t instruction, operand;
  uint32_t mxcsr, mxcsr_mask;
  vtl::Xmm st[8];
  vtl::Xmm xmm[16];
  uint8_t reserved1[96];
  uint64_t components, compaction;
  uint64_t reserved2[6];
};
static_assert(sizeof(XsaveArea) == x64::xcr0::area_bytes && offsetof(XsaveArea, components) == 512);

bool is_initial_x87(const FloatingPoint& fp) {
  const FloatingPoint initial;
  return fp.control == initial.control && fp.status == 0 && fp.tag == 0 && fp.opcode == 0 &&
         fp.instruction == 0 && fp.operand == 0 && fp.instruction_selector == 0 &&
         fp.operand_selector == 0 && fp.st == initial.st;
}

unsigned xmm_count(const Instruction& in) {
  return in.code_size == CodeSize::Bits64 ? 16 : 8;
}

bool is_initial_sse(const FloatingPoint& fp, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    if (fp.xmm[i] != vtl::Xmm{}) return false;
  }
  return true;
}

/// What all of them check first; nothing if they may go on.
std::optional<Emulation> refuse(const Instruction& in, const VirtualProcessor& vp) {
  const vtl::VtlContext& context = vp.context();
  if ((context.cr4 & x64::cr4::osxsave) == 0 || in.lock) return invalid_opcode();
  if ((context.cr0 & x64::cr0::ts) != 0) return raise(static_cast<uint8_t>(x64::Vector::DeviceNotAvailable));
  if (linear_address(in, vp) % 64 != 0) return general_protection();
  return std::nullopt;
}

uint64_t requested(const VirtualProcessor& vp) {
  const uint64_t mask = (vp.shared.gpr[vtl::Rdx] << 32) | (vp.shared.gpr[vtl::Rax] & 0xffffffff);
  return mask & vp.shared.xcr0;
}

/// With REX.W the pointers have 64 bits, without it 32 and their selectors.
bool is_wide(const Instruction& in) {
  return (in.rex & 8) != 0;
}

void put_x87(XsaveArea& area, const FloatingPoint& fp, bool wide) {
  area.control = fp.control;
  area.status = fp.status;
  area.tag = fp.tag;
  area.reserved0 = 0;
  area.opcode = fp.opcode;
  area.instruction = wide ? fp.instruction : (fp.instruction & 0xffffffff) | uint64_t{fp.instruction_selector} << 32;
  area.operand = wide ? fp.operand : (fp.operand & 0xffffffff) | uint64_t{fp.operand_selector} << 32;
  for (unsigned i = 0; i < 8; ++i)
    area.st[i] = {fp.st[i].low, fp.st[i].high & 0xffff};
}

Emulation save(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (auto refusal = refuse(in, vp)) return *refusal;
  const FloatingPoint& fp = vp.shared.fp;
  const uint64_t address = linear_address(in, vp), wanted = requested(vp);
  const Privilege privilege = explicit_privilege(vp.cpl());
  const unsigned count = xmm_count(in);
  XsaveArea area{};
  if (auto fault = with.memory.read(address, {reinterpret_cast<uint8_t*>(&area), sizeof area}, privilege))
    return refused(*fault);
  const uint64_t in_use = (is_initial_x87(fp) ? 0 : x87) | (is_initial_sse(fp, count) ? 0 : sse);
  const bool optimises = in.reg_field() == 6;
  const uint64_t written = optimises ? wanted & in_use : wanted;
  if ((written & x87) != 0) put_x87(area, fp, is_wide(in));
  if ((wanted & sse) != 0) {
    area.mxcsr = fp.mxcsr;
    area.mxcsr_mask = mxcsr_mask;
  }
  for (unsigned i = 0; (written & sse) != 0 && i < count; ++i)
    area.xmm[i] = fp.xmm[i];
  area.components = (area.components & ~wanted) | (in_use & wanted);
  if (auto fault = with.memory.write(address, {reinterpret_cast<const uint8_t*>(&area), sizeof area}, privilege))
    return refused(*fault);
  return retire();
}

void take_x87(FloatingPoint& fp, const XsaveArea& area, bool wide) {
  fp.control = area.control;
  fp.status = area.status;
  fp.tag = area.tag;
  fp.opcode = area.opcode;
  fp.instruction = wide ? area.instruction : area.instruction & 0xffffffff;
  fp.operand = wide ? area.operand : area.operand & 0xffffffff;
  fp.instruction_selector = wide ? uint16_t{0} : static_cast<uint16_t>(area.instruction >> 32);
  fp.operand_selector = wide ? uint16_t{0} : static_cast<uint16_t>(area.operand >> 32);
  for (unsigned i = 0; i < 8; ++i)
    fp.st[i] = {area.st[i].low, area.st[i].high & 0xffff};
}

Emulation restore(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (auto refusal = refuse(in, vp)) return *refusal;
  const uint64_t wanted = requested(vp);
  XsaveArea area{};
  if (auto fault = with.memory.read(linear_address(in, vp), {reinterpret_cast<uint8_t*>(&area), sizeof area},
                                    explicit_privilege(vp.cpl())))
    return refused(*fault);
  // The compacted form does not exist here; in the standard form these 16 bytes are zero (SDM vol. 1, 13.8.1).
  if ((area.components & ~vp.shared.xcr0) != 0 || area.compaction != 0 || area.reserved2[0] != 0)
    return general_protection();
  if ((wanted & sse) != 0 && (area.mxcsr & ~mxcsr_mask) != 0) return general_protection();
  FloatingPoint& fp = vp.shared.fp;
  const FloatingPoint initial;
  if ((wanted & x87) != 0) {
    XsaveArea from = area;
    if ((area.components & x87) == 0) put_x87(from, initial, is_wide(in));
    take_x87(fp, from, is_wide(in));
  }
  if ((wanted & sse) != 0) fp.mxcsr = area.mxcsr;
  for (unsigned i = 0; (wanted & sse) != 0 && i < xmm_count(in); ++i)
    fp.xmm[i] = (area.components & sse) != 0 ? area.xmm[i] : vtl::Xmm{};
  return retire();
}

}  // namespace

Emulation emulate_extended_state(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (in.reg_field() == 5) return restore(in, vp, with);
  return save(in, vp, with);
}

Emulation read_extended_control(VirtualProcessor& vp) {
  if ((vp.context().cr4 & x64::cr4::osxsave) == 0) return invalid_opcode();
  if (static_cast<uint32_t>(vp.shared.gpr[vtl::Rcx]) != 0) return general_protection();
  vp.shared.gpr[vtl::Rax] = vp.shared.xcr0 & 0xffffffff;
  vp.shared.gpr[vtl::Rdx] = vp.shared.xcr0 >> 32;
  return retire();
}

Emulation write_extended_control(const Instruction& in, VirtualProcessor& vp) {
  if ((vp.context().cr4 & x64::cr4::osxsave) == 0) return invalid_opcode();
  if (vp.cpl() != 0) return general_protection();
  const uint64_t value = (vp.shared.gpr[vtl::Rdx] << 32) | (vp.shared.gpr[vtl::Rax] & 0xffffffff);
  if (static_cast<uint32_t>(vp.shared.gpr[vtl::Rcx]) != 0) return general_protection();
  if (auto exit = intercept_write(vp, in, abi::hv::RegisterName::Xfem, value)) return *exit;
  if ((value & x87) == 0 || (value & ~x64::xcr0::supported) != 0) return general_protection();
  vp.shared.xcr0 = value;
  return retire();
}

/// MOVBE (SDM vol. 2): the engine's processor model does not have it.
Emulation move_big_endian(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  const uint64_t address = linear_address(in, vp);
  const Privilege privilege = explicit_privilege(vp.cpl());
  const auto swapped = [&](uint64_t value) {
    return __builtin_bswap64(value) >> (64 - 8 * in.operand_size);
  };
  uint64_t value = general_register(vp, in.reg());
  if (in.opcode == 0xf1) {
    value = swapped(value);
    if (auto fault = with.memory.write(address, {reinterpret_cast<const uint8_t*>(&value), in.operand_size}, privilege))
      return refused(*fault);
    return retire();
  }
  value = 0;
  if (auto fault = with.memory.read(address, {reinterpret_cast<uint8_t*>(&value), in.operand_size}, privilege))
    return refused(*fault);
  write_general(vp, in.reg(), in.operand_size, swapped(value));
  return retire();
}

}  // namespace cpu
