#include "vtl/vtl_switch.h"

#include <cstddef>

#include "abi/hv/hypercall_control.h"

namespace vtl {
namespace {

constexpr uint64_t control_at = offsetof(abi::hv::VpAssistPage, vtl_control);
constexpr uint64_t reason_at = control_at + offsetof(abi::hv::VpVtlControl, entry_reason);
constexpr uint64_t vina_at = control_at + offsetof(abi::hv::VpVtlControl, vina_status);
constexpr uint64_t rax_at = control_at + offsetof(abi::hv::VpVtlControl, vtl_return_x64_rax);
constexpr uint64_t rcx_at = control_at + offsetof(abi::hv::VpVtlControl, vtl_return_x64_rcx);

}  // namespace

void VtlSwitch::activate(VirtualProcessor& vp, Vtl vtl) {
  vp.context().halted = vp.halted;  // a VTL that waits in HLT waits on when it is active again
  vp.active = vtl;
  vp.halted = vp.context().halted;
}

void VtlSwitch::enter(VirtualProcessor& vp, const UpperVtl& upper, abi::hv::VtlEntryReason reason) {
  if (upper.assist_page.value() != 0) {
    memory_.write(upper.assist_page + reason_at, reason);
    if (upper.vina_auto_reset) memory_.write<uint8_t>(upper.assist_page + vina_at, 0);
  }
  activate(vp, upper.vtl);
}

void VtlSwitch::call(VirtualProcessor& vp, const UpperVtl& upper) {
  vp.context().rip += abi::hv::hypercall_instruction_bytes;
  vp.context().interrupt_shadow = false;
  ++vp.context().changes;
  enter(vp, upper, abi::hv::VtlEntryReason::VtlCall);
}

void VtlSwitch::leave(VirtualProcessor& vp, const UpperVtl& upper, Vtl lower, bool fast) {
  vp.context().rip += abi::hv::hypercall_instruction_bytes;
  vp.context().interrupt_shadow = false;
  ++vp.context().changes;
  if (!fast && upper.assist_page.value() != 0) {
    vp.shared.gpr[Rax] = memory_.read<uint64_t>(upper.assist_page + rax_at);
    vp.shared.gpr[Rcx] = memory_.read<uint64_t>(upper.assist_page + rcx_at);
  }
  activate(vp, lower);
}

}  // namespace vtl
