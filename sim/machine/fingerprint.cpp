#include "sim/machine/fingerprint.h"

namespace machine {
namespace {

void add(support::StateHasher& hasher, const vtl::Segment& segment) {
  const auto& [base, limit, selector, attributes] = segment;
  hasher.add(base).add(limit).add(selector).add(attributes);
}

void add(support::StateHasher& hasher, const vtl::DescriptorTable& table) {
  const auto& [base, limit] = table;
  hasher.add(base).add(limit);
}

void add(support::StateHasher& hasher, const vtl::FloatingPoint& fp) {
  const auto& [control, status, opcode, tag, mxcsr, instruction, operand, st, xmm] = fp;
  hasher.add(control).add(status).add(opcode).add(tag).add(mxcsr).add(instruction).add(operand);
  for (const vtl::Xmm& value : st) hasher.add(value.low).add(value.high);
  for (const vtl::Xmm& value : xmm) hasher.add(value.low).add(value.high);
}

void add(support::StateHasher& hasher, const vtl::SharedRegisters& shared) {
  const auto& [gpr, cr2, dr, dr6, xcr0, fp] = shared;
  for (const uint64_t value : gpr) hasher.add(value);
  hasher.add(cr2).add(dr6).add(xcr0);
  for (const uint64_t value : dr) hasher.add(value);
  add(hasher, fp);
}

void add(support::StateHasher& hasher, const vtl::PendingException& exception) {
  const auto& [vector, has_error_code, error_code, parameter] = exception;
  hasher.add(vector).add(has_error_code).add(error_code).add(parameter);
}

void add(support::StateHasher& hasher, const vtl::VtlContext& context) {
  // `changes` counts for the engine's cache and is no state.
  const auto& [rip, rsp, rflags, cr0, cr3, cr4, efer, dr7, segments, ldtr, tr, gdtr, idtr, star, lstar, cstar,
               sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc_aux, tsc_offset,
               misc_enable, tpr, interrupt_shadow, nmi_masked, exception_pending, pending, halted, changes] = context;
  static_cast<void>(changes);
  for (const uint64_t value : {rip, rsp, rflags, cr0, cr3, cr4, efer, dr7, star, lstar, cstar, sfmask,
                               kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc_aux, tsc_offset,
                               misc_enable}) {
    hasher.add(value);
  }
  for (const vtl::Segment& segment : segments) add(hasher, segment);
  add(hasher, ldtr), add(hasher, tr), add(hasher, gdtr), add(hasher, idtr);
  hasher.add(tpr).add(interrupt_shadow).add(nmi_masked).add(exception_pending).add(halted);
  add(hasher, pending);
}

}  // namespace

void add_processor(support::StateHasher& hasher, const vtl::VirtualProcessor& vp) {
  const auto& [index, active, shared, contexts, halted] = vp;
  hasher.add(index).add(static_cast<uint64_t>(active)).add(halted);
  add(hasher, shared);
  for (const vtl::VtlContext& context : contexts.values) add(hasher, context);
}

}  // namespace machine
