#include "vtl/register_rules.h"

#include "abi/x64/paging.h"
#include "abi/x64/registers.h"

namespace vtl {
namespace {

namespace x64 = abi::x64;
using abi::hv::InitialVpContext;
using abi::hv::RegisterName;
using abi::hv::SegmentRegister;
using abi::hv::TableRegister;

constexpr uint64_t low32 = 0xFFFFFFFF;
constexpr uint64_t cr0_bits = x64::cr0::pe | x64::cr0::mp | x64::cr0::em | x64::cr0::ts |
                              x64::cr0::et | x64::cr0::ne | x64::cr0::wp | x64::cr0::am |
                              x64::cr0::nw | x64::cr0::cd | x64::cr0::pg;
/// What MOV CR4 takes (sim/cpu has the same set).
constexpr uint64_t cr4_bits = x64::cr4::tsd | x64::cr4::de | x64::cr4::pse | x64::cr4::pae |
                              x64::cr4::mce | x64::cr4::pge | x64::cr4::pce | x64::cr4::osfxsr |
                              x64::cr4::osxmmexcpt | x64::cr4::umip | x64::cr4::la57 |
                              x64::cr4::fsgsbase | x64::cr4::pcide | x64::cr4::osxsave |
                              x64::cr4::smep | x64::cr4::smap;
constexpr uint64_t efer_bits = x64::efer::sce | x64::efer::lme | x64::efer::lma | x64::efer::nxe;
constexpr uint16_t reserved_attributes = 0xF << 8;

bool has(uint64_t value, uint64_t bits) {
  return (value & bits) == bits;
}

bool valid_cr0(uint64_t value) {
  if ((value & ~low32) != 0) return false;
  if (has(value, x64::cr0::pg) && !has(value, x64::cr0::pe)) return false;
  return !has(value, x64::cr0::nw) || has(value, x64::cr0::cd);
}

bool valid_efer(uint64_t value) {
  return (value & ~efer_bits) == 0 && (!has(value, x64::efer::lma) || has(value, x64::efer::lme));
}

bool valid_code(const SegmentRegister& cs) {
  constexpr uint16_t needed =
      x64::segment::present | x64::segment::s | x64::segment::code | x64::segment::long_mode;
  constexpr uint16_t refused = x64::segment::default_big | x64::segment::dpl;
  return has(cs.attributes, needed) && (cs.attributes & refused) == 0;
}

bool valid_stack(const SegmentRegister& ss) {
  return (ss.attributes & x64::segment::dpl) == 0;
}

bool valid_task(const SegmentRegister& tr) {
  return has(tr.attributes, x64::segment::present) && (tr.attributes & x64::segment::s) == 0 &&
         (tr.attributes & x64::segment::type) == x64::segment::type_tss_busy;
}

bool valid_ldt(const SegmentRegister& ldtr) {
  if ((ldtr.attributes & x64::segment::present) == 0) return true;
  return (ldtr.attributes & (x64::segment::s | x64::segment::type)) == x64::segment::type_ldt;
}

}  // namespace

bool valid_pat(uint64_t value) {
  for (unsigned i = 0; i < 8; ++i) {
    const uint64_t type = (value >> (8 * i)) & 0xFF;
    if (type > 7 || type == 2 || type == 3) return false;
  }
  return true;
}

bool valid_register(RegisterName name, uint64_t value, AddressBits bits) {
  switch (name) {
    case RegisterName::Cr0:
      return valid_cr0(value);
    case RegisterName::Cr3:
      return value >> bits.physical == 0;
    case RegisterName::Cr4:
      return (value & ~cr4_bits) == 0;
    case RegisterName::Cr8:
      return value <= 15;
    case RegisterName::Efer:
      return valid_efer(value);
    case RegisterName::Pat:
      return valid_pat(value);
    case RegisterName::Rflags:
      return (value & ~x64::rflags::defined & ~x64::rflags::always_one) == 0;
    case RegisterName::Xfem:
      return value == 1 || value == 3;  // x87, and SSE with it: XSETBV takes no other
    case RegisterName::Xss:
      return value == 0;  // no XSAVES: there is no such state
    case RegisterName::MsrIa32MiscEnable:
      return (value & ~uint64_t{1}) == 0;  // fast strings
    case RegisterName::Sfmask:
    case RegisterName::SysenterCs:
    case RegisterName::TscAux:
    case RegisterName::Dr6:
    case RegisterName::Dr7:
      return (value & ~low32) == 0;
    case RegisterName::Rip:
    case RegisterName::KernelGsBase:
    case RegisterName::SysenterEip:
    case RegisterName::SysenterEsp:
    case RegisterName::Lstar:
    case RegisterName::Cstar:
      return x64::is_canonical(value, bits.linear);
    default:
      return true;
  }
}

uint64_t stored_register(RegisterName name, uint64_t value) {
  switch (name) {
    case RegisterName::Cr0:
      return (value & cr0_bits) | x64::cr0::et;
    case RegisterName::Rflags:
      return value | x64::rflags::always_one;
    case RegisterName::Dr6:
      return value | x64::dr6::fixed_ones;
    case RegisterName::Dr7:
      return value | x64::dr7::fixed_one;
    default:
      return value;
  }
}

bool valid_segment(const SegmentRegister& segment, AddressBits bits) {
  return x64::is_canonical(segment.base, bits.linear) && (segment.attributes & reserved_attributes) == 0;
}

bool valid_initial_context(const InitialVpContext& context, uint8_t physical_address_bits) {
  const AddressBits bits{physical_address_bits, x64::linear_address_bits(context.cr4)};
  const auto valid = [&](RegisterName name, uint64_t value) {
    return valid_register(name, value, bits);
  };
  if (!valid(RegisterName::Rip, context.rip) || !x64::is_canonical(context.rsp, bits.linear)) return false;
  if (!valid(RegisterName::Rflags, context.rflags) ||
      !has(context.rflags, x64::rflags::always_one) || (context.rflags & x64::rflags::vm) != 0) {
    return false;
  }
  if (!valid(RegisterName::Cr0, context.cr0) || !has(context.cr0, x64::cr0::pe | x64::cr0::pg))
    return false;
  if (!valid(RegisterName::Cr4, context.cr4) || !has(context.cr4, x64::cr4::pae)) return false;
  if (!valid(RegisterName::Efer, context.efer) ||
      !has(context.efer, x64::efer::lme | x64::efer::lma))
    return false;
  if (!valid(RegisterName::Cr3, context.cr3) || !valid_pat(context.msr_cr_pat)) return false;
  for (const SegmentRegister* segment : {&context.cs, &context.ds, &context.es, &context.fs,
                                         &context.gs, &context.ss, &context.tr, &context.ldtr}) {
    if (!valid_segment(*segment, bits)) return false;
  }
  if (!valid_code(context.cs) || !valid_stack(context.ss) || !valid_task(context.tr) ||
      !valid_ldt(context.ldtr)) {
    return false;
  }
  return x64::is_canonical(context.idtr.base, bits.linear) && x64::is_canonical(context.gdtr.base, bits.linear);
}

bool valid_start_context(const InitialVpContext& context, uint8_t physical_address_bits) {
  const AddressBits bits{physical_address_bits, x64::linear_address_bits(context.cr4)};
  const auto valid = [&](RegisterName name, uint64_t value) {
    return valid_register(name, value, bits);
  };
  if (!valid(RegisterName::Rip, context.rip) || !x64::is_canonical(context.rsp, bits.linear) ||
      !valid(RegisterName::Rflags, context.rflags) ||
      !has(context.rflags, x64::rflags::always_one) || (context.rflags & x64::rflags::vm) != 0 ||
      !valid(RegisterName::Cr0, context.cr0) || !valid(RegisterName::Cr3, context.cr3) ||
      !valid(RegisterName::Cr4, context.cr4) || !valid(RegisterName::Efer, context.efer) ||
      !valid_pat(context.msr_cr_pat)) {
    return false;
  }
  const bool paging = has(context.cr0, x64::cr0::pg);
  const bool long_mode = has(context.efer, x64::efer::lma);
  if (long_mode != (paging && has(context.efer, x64::efer::lme))) return false;
  if (long_mode && !has(context.cr4, x64::cr4::pae)) return false;
  for (const SegmentRegister* segment : {&context.cs, &context.ds, &context.es, &context.fs,
                                         &context.gs, &context.ss, &context.tr, &context.ldtr}) {
    if (!valid_segment(*segment, bits)) return false;
  }
  return x64::is_canonical(context.idtr.base, bits.linear) && x64::is_canonical(context.gdtr.base, bits.linear);
}

VtlContext initial_registers(const InitialVpContext& context) {
  VtlContext registers;
  registers.rip = context.rip;
  registers.rsp = context.rsp;
  registers.rflags = context.rflags;
  registers.cr0 = stored_register(RegisterName::Cr0, context.cr0);
  registers.cr3 = context.cr3;
  registers.cr4 = context.cr4;
  registers.efer = context.efer;
  registers.pat = context.msr_cr_pat;
  registers.segments = {segment_of(context.es), segment_of(context.cs), segment_of(context.ss),
                        segment_of(context.ds), segment_of(context.fs), segment_of(context.gs)};
  registers.tr = segment_of(context.tr);
  registers.ldtr = segment_of(context.ldtr);
  registers.idtr = {context.idtr.base, context.idtr.limit};
  registers.gdtr = {context.gdtr.base, context.gdtr.limit};
  return registers;
}

Segment segment_of(const SegmentRegister& segment) {
  return {segment.base, segment.limit, segment.selector, segment.attributes};
}

SegmentRegister segment_register_of(const Segment& segment) {
  return {segment.base, segment.limit, segment.selector, segment.attributes};
}

}  // namespace vtl
