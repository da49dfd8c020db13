#include "vtl/processor_reset.h"

#include "abi/x64/registers.h"

namespace vtl {

void reset_registers(VirtualProcessor& vp, Vtl vtl, uint32_t signature) {
  constexpr uint64_t cache_bits = abi::x64::cr0::cd | abi::x64::cr0::nw;
  constexpr uint16_t data = 0x93, code = 0x9B, ldt = 0x82, busy_tss = 0x8B;
  VtlContext& own = vp.contexts[vtl];
  own.rip = 0xFFF0;
  own.rsp = 0;
  own.rflags = abi::x64::rflags::always_one;
  own.cr0 = (own.cr0 & cache_bits) | abi::x64::cr0::et;
  own.cr3 = own.cr4 = own.efer = 0;
  own.pdpte = {};
  own.dr7 = abi::x64::dr7::fixed_one;
  own.segments.fill({0, 0xFFFF, 0, data});
  own.segments[Cs] = {0xFFFF0000, 0xFFFF, 0xF000, code};
  own.ldtr = {0, 0xFFFF, 0, ldt};
  own.tr = {0, 0xFFFF, 0, busy_tss};
  own.gdtr = own.idtr = {0, 0xFFFF};
  own.tpr = 0;
  own.interrupt_shadow = own.nmi_masked = own.nmi_pending = own.exception_pending = false;
  own.pending = {};
  own.halted = false;
  ++own.changes;
  vp.shared.gpr = {};
  vp.shared.gpr[Rdx] = signature;
  vp.shared.cr2 = 0;
  vp.shared.dr = {};
  vp.shared.dr6 = abi::x64::dr6::fixed_ones;
  if (vp.active == vtl) vp.halted = false;
}

void start_at(VirtualProcessor& vp, Vtl vtl, uint8_t vector) {
  VtlContext& own = vp.contexts[vtl];
  Segment& cs = own.segments[Cs];
  cs.selector = static_cast<uint16_t>(vector << 8);
  cs.base = uint64_t{vector} << 12;
  own.rip = 0;
  ++own.changes;
}

}  // namespace vtl
