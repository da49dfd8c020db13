#include "sim/cpu/system_instructions.h"

#include "abi/x64/exceptions.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::VirtualProcessor;
using vtl::VtlContext;

Emulation exit_with(vtl::ExitReason reason) {
  Emulation result;
  result.kind = Emulation::Kind::Exit;
  result.exit.reason = reason;
  return result;
}

/// In virtual-8086 mode INT n, unlike INT3 and INTO, needs IOPL 3 (SDM vol. 3, 20.2.8).
bool is_interrupt_refused(const VtlContext& context) {
  return (context.rflags & x64::rflags::vm) != 0 &&
         (context.rflags & x64::rflags::iopl) != x64::rflags::iopl;
}

Emulation software_interrupt(uint8_t vector) {
  Emulation result;
  result.kind = Emulation::Kind::Interrupt;
  result.exception.vector = vector;
  return result;
}

/// ICEBP (INT1): DR6 does not change.
Emulation debug_trap() {
  Emulation result;
  result.kind = Emulation::Kind::Trap;
  result.exception.vector = static_cast<uint8_t>(x64::Vector::Debug);
  return result;
}

Emulation pause() {
  Emulation result = retire();
  result.pauses = true;
  return result;
}

Emulation read_time(VirtualProcessor& vp, const Surroundings& with, bool with_aux) {
  const VtlContext& context = vp.context();
  if (vp.cpl() != 0 && (context.cr4 & x64::cr4::tsd) != 0) return general_protection();
  const uint64_t tsc = with.instant + context.tsc_offset;
  vp.shared.gpr[vtl::Rax] = tsc & 0xffffffff;
  vp.shared.gpr[vtl::Rdx] = tsc >> 32;
  if (with_aux) vp.shared.gpr[vtl::Rcx] = context.tsc_aux;
  return retire();
}

/// RDRAND, RDSEED: always succeed; CF = 1, the other arithmetic flags 0.
Emulation read_random(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  write_general(vp, in.rm(), in.operand_size, with.random.next());
  uint64_t& flags = vp.context().rflags;
  flags = (flags & ~x64::rflags::arithmetic) | x64::rflags::cf;
  return retire();
}

/// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE.
Emulation access_base(const Instruction& in, VirtualProcessor& vp) {
  VtlContext& context = vp.context();
  if ((context.cr4 & x64::cr4::fsgsbase) == 0 || in.code_size != CodeSize::Bits64 || in.lock)
    return invalid_opcode();
  vtl::Segment& segment = context.segments[(in.reg_field() & 1) != 0 ? vtl::Gs : vtl::Fs];
  const uint8_t size = in.operand_size == 8 ? 8 : 4;
  if (in.reg_field() < 2) {
    write_general(vp, in.rm(), size, segment.base);
    return retire();
  }
  uint64_t value = general_register(vp, in.rm());
  if (size == 4) value &= 0xffffffff;
  if (!x64::is_canonical(value, x64::linear_address_bits(context.cr4))) return general_protection();
  segment.base = value;
  return retire();
}

/// STAC and CLAC.
Emulation change_alignment_check(VirtualProcessor& vp, bool set) {
  VtlContext& context = vp.context();
  if (vp.cpl() != 0) return invalid_opcode();
  context.rflags = set ? context.rflags | x64::rflags::ac : context.rflags & ~x64::rflags::ac;
  return retire();
}

/// 0F 01 with a register form: the byte after it says which.
Emulation emulate_0f01_register(const Instruction& in, VirtualProcessor& vp,
                                const Surroundings& with) {
  switch (in.modrm) {
    case 0xc1:
    case 0xd9:
      return exit_with(vtl::ExitReason::Hypercall);  // VMCALL, VMMCALL
    case 0xca:
      return change_alignment_check(vp, false);
    case 0xcb:
      return change_alignment_check(vp, true);
    case 0xd0:
      return read_extended_control(vp);
    case 0xd1:
      return write_extended_control(in, vp);
    case 0xf9:
      return read_time(vp, with, true);  // RDTSCP
    case 0xc8:
    case 0xc9:
      return invalid_opcode();  // MONITOR, MWAIT: CPUID does not have them
    case 0xd8:
    case 0xda:
    case 0xdb:
    case 0xdc:
    case 0xdd:
    case 0xde:
    case 0xdf:
      return invalid_opcode();  // SVM
    default:
      return {};
  }
}

Emulation emulate_one_byte(const Instruction& in, VirtualProcessor& vp) {
  switch (in.opcode) {
    case 0xcc:
      return software_interrupt(3);
    case 0xcd:
      if (is_interrupt_refused(vp.context())) return general_protection();
      return software_interrupt(static_cast<uint8_t>(in.immediate));
    case 0xce:
      return (vp.context().rflags & x64::rflags::of) != 0 ? software_interrupt(4) : retire();
    case 0xf1:
      return debug_trap();
    case 0x90:
      return pause();
    case 0xf4:
      return vp.cpl() != 0 ? general_protection() : exit_with(vtl::ExitReason::Halt);
    default:
      return {};
  }
}

Emulation emulate_0f(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  switch (in.opcode) {
    case 0x01:
      return in.mod() == 3 ? emulate_0f01_register(in, vp, with) : Emulation{};
    case 0x08:
    case 0x09:
      return vp.cpl() != 0 ? general_protection() : retire();  // INVD, WBINVD: no caches
    case 0x30:
      return write_msr(vp, with);
    case 0x31:
      return read_time(vp, with, false);
    case 0x32:
      return read_msr(vp, with);
    case 0x33:
      return general_protection();  // RDPMC: no counters
    case 0xa2:
      return exit_with(vtl::ExitReason::Cpuid);
    case 0xae:
      if (is_extended_state(in)) return emulate_extended_state(in, vp, with);
      return in.rep && in.mod() == 3 && in.reg_field() < 4 ? access_base(in, vp) : Emulation{};
    case 0xc7:
      if (in.mod() != 3 || in.lock) return {};
      if (in.rep) {
        if (in.reg_field() != 7) return {};
        write_general(vp, in.rm(), in.code_size == CodeSize::Bits64 ? 8 : 4,
                      vp.context().tsc_aux);  // RDPID
        return retire();
      }
      return in.reg_field() >= 6 && !in.repne ? read_random(in, vp, with) : Emulation{};
    default:
      return {};
  }
}

}  // namespace

Emulation emulate(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (in.status != DecodeStatus::Ok) return {};
  if (in.map == OpcodeMap::One) return emulate_one_byte(in, vp);
  if (in.map == OpcodeMap::Two0F) {
    if (Emulation result = emulate_0f(in, vp, with); result.kind != Emulation::Kind::Unknown)
      return result;
    if (Emulation result = emulate_descriptor_tables(in, vp, with);
        result.kind != Emulation::Kind::Unknown)
      return result;
  }
  if (is_big_endian_move(in)) return move_big_endian(in, vp, with);
  return emulate_control(in, vp, with);
}

bool enter_system_call(VirtualProcessor& vp) {
  VtlContext& context = vp.context();
  const bool code_64 = (context.segments[vtl::Cs].attributes & x64::segment::long_mode) != 0;
  if ((context.efer & x64::efer::sce) == 0 || (context.efer & x64::efer::lma) == 0 || !code_64)
    return false;
  vp.shared.gpr[vtl::Rcx] = context.rip;
  vp.shared.gpr[vtl::R11] = context.rflags & ~x64::rflags::rf;
  context.rip = context.lstar;
  context.rflags = (context.rflags & ~context.sfmask & ~x64::rflags::rf) | x64::rflags::always_one;
  const auto selector = static_cast<uint16_t>((context.star >> 32) & 0xfffc);
  context.segments[vtl::Cs] = {0, ~uint32_t{0}, selector, 0xa09b};
  context.segments[vtl::Ss] = {0, ~uint32_t{0}, static_cast<uint16_t>(selector + 8), 0xc093};
  context.interrupt_shadow = false;
  return true;
}

void compare_exchange_registers_32(const Instruction& in, VirtualProcessor& vp) {
  const auto accumulator = static_cast<uint32_t>(vp.shared.gpr[vtl::Rax]);
  const auto destination = static_cast<uint32_t>(general_register(vp, in.rm()));
  const uint32_t difference = accumulator - destination;
  uint64_t flags = vp.context().rflags & ~x64::rflags::arithmetic;
  if (accumulator < destination) flags |= x64::rflags::cf;
  if (difference == 0) flags |= x64::rflags::zf;
  if ((difference >> 31) != 0) flags |= x64::rflags::sf;
  if ((__builtin_popcount(difference & 0xff) & 1) == 0) flags |= x64::rflags::pf;
  if (((accumulator ^ destination ^ difference) & 0x10) != 0) flags |= x64::rflags::af;
  if ((((accumulator ^ destination) & (accumulator ^ difference)) >> 31) != 0)
    flags |= x64::rflags::of;
  vp.context().rflags = flags;
  if (difference == 0) {
    write_general(vp, in.rm(), 4, general_register(vp, in.reg()));
  } else {
    write_general(vp, vtl::Rax, 4, destination);
  }
}

}  // namespace cpu
