// What the engine must not do by itself when control leaves a segment: SYSENTER and SYSEXIT, whose registers it does not
// have, and task switches, which would change the address space behind our back (SDM vol. 2; vol. 3, 7.3).
#include "abi/x64/exceptions.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "sim/cpu/descriptor.h"
#include "sim/cpu/system_instructions.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::VirtualProcessor;
using vtl::VtlContext;

constexpr uint16_t flat_code = 0x809b, flat_data = 0xc093;  // present, granular, accessed

vtl::Segment flat(uint16_t selector, uint16_t attributes, uint8_t dpl) {
  const auto level = static_cast<uint16_t>(dpl << x64::segment::dpl_shift);
  return {0, ~uint32_t{0}, static_cast<uint16_t>((selector & ~3u) | dpl),
          static_cast<uint16_t>(attributes | level)};
}

Emulation jump() {
  Emulation result;
  result.kind = Emulation::Kind::Jump;
  return result;
}

Emulation enter_system(VirtualProcessor& vp) {
  VtlContext& context = vp.context();
  const auto selector = static_cast<uint16_t>(context.sysenter_cs & 0xfffc);
  if ((context.cr0 & x64::cr0::pe) == 0 || selector == 0) return general_protection();
  const bool long_mode = (context.efer & x64::efer::lma) != 0;
  const uint64_t mask = long_mode ? ~uint64_t{0} : 0xffffffff;
  context.rflags &= ~(x64::rflags::vm | x64::rflags::if_ | x64::rflags::rf);
  context.rsp = context.sysenter_esp & mask;
  context.rip = context.sysenter_eip & mask;
  context.segments[vtl::Cs] =
      flat(selector, flat_code | (long_mode ? x64::segment::long_mode : x64::segment::default_big), 0);
  context.segments[vtl::Ss] = flat(static_cast<uint16_t>(selector + 8), flat_data, 0);
  return jump();
}

Emulation exit_system(const Instruction& in, VirtualProcessor& vp) {
  VtlContext& context = vp.context();
  const auto selector = static_cast<uint16_t>(context.sysenter_cs & 0xfffc);
  if ((context.cr0 & x64::cr0::pe) == 0 || selector == 0 || vp.cpl() != 0) return general_protection();
  const bool to_64 = in.operand_size == 8;
  const uint64_t rip = vp.shared.gpr[vtl::Rdx], rsp = vp.shared.gpr[vtl::Rcx];
  const int bits = x64::linear_address_bits(context.cr4);
  if (to_64 && !(x64::is_canonical(rip, bits) && x64::is_canonical(rsp, bits))) return general_protection();
  const uint64_t mask = to_64 ? ~uint64_t{0} : 0xffffffff;
  context.rip = rip & mask;
  context.rsp = rsp & mask;
  const auto code = static_cast<uint16_t>(selector + (to_64 ? 32 : 16));
  context.segments[vtl::Cs] =
      flat(code, flat_code | (to_64 ? x64::segment::long_mode : x64::segment::default_big), 3);
  context.segments[vtl::Ss] = flat(static_cast<uint16_t>(code + 8), flat_data, 3);
  return jump();
}

/// Selector of a far JMP or CALL; nothing if its operand cannot be read: the engine meets that too.
std::optional<uint16_t> target_selector(const Instruction& in, const VirtualProcessor& vp,
                                        const ProcessorMemory& memory) {
  if (in.opcode != 0xff) return static_cast<uint16_t>(in.immediate >> (8 * in.operand_size));
  if (in.mod() == 3) return std::nullopt;
  uint16_t selector = 0;
  const uint64_t address = linear_address(in, vp) + in.operand_size;
  if (memory.read_value(address, selector, explicit_privilege(vp.cpl()))) return std::nullopt;
  return selector;
}

std::optional<Descriptor> read_descriptor(const VtlContext& context, uint16_t selector,
                                          const ProcessorMemory& memory) {
  const auto address = descriptor_address(context, selector, 8);
  Descriptor descriptor;
  if ((selector & ~3u) == 0 || !address || memory.read_value(*address, descriptor.raw, Privilege::Implicit))
    return std::nullopt;
  return descriptor;
}

/// A call gate out of ring 3 into another ring: the engine would reach the new stack with rights of ring 3.
bool leaves_ring_3(const Descriptor& gate, const VirtualProcessor& vp, const ProcessorMemory& memory) {
  if (vp.cpl() != 3) return false;
  const auto code = read_descriptor(vp.context(), static_cast<uint16_t>(gate.raw >> 16), memory);
  return code && code->dpl() != 3;
}

}  // namespace

std::optional<Emulation> emulate_far_transfer(const Instruction& in, VirtualProcessor& vp,
                                              const ProcessorMemory& memory) {
  if (in.is(OpcodeMap::Two0F, 0x34)) return enter_system(vp);
  if (in.is(OpcodeMap::Two0F, 0x35)) return exit_system(in, vp);
  const VtlContext& context = vp.context();
  const bool protected_mode =
      (context.cr0 & x64::cr0::pe) != 0 && (context.rflags & x64::rflags::vm) == 0;
  const bool long_mode = (context.efer & x64::efer::lma) != 0;
  if (!protected_mode) return std::nullopt;
  if (in.is(OpcodeMap::One, 0xcf)) {
    if (!long_mode && (context.rflags & x64::rflags::nt) != 0) return general_protection();
    return std::nullopt;
  }
  if (!is_far_transfer(in)) return std::nullopt;
  const auto selector = target_selector(in, vp, memory);
  if (!selector) return std::nullopt;
  const auto descriptor = read_descriptor(context, *selector, memory);
  if (!descriptor) return std::nullopt;
  switch (descriptor->attributes() & (x64::segment::type | x64::segment::s)) {
    case 1:
    case 3:
    case 5:
    case 9:
    case 11:  // task-state segments and task gates
      return general_protection(*selector & 0xfffcu);
    case 4:
    case x64::segment::type_call_gate:
      if (leaves_ring_3(*descriptor, vp, memory)) return general_protection(*selector & 0xfffcu);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace cpu
