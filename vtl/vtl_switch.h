#pragma once
// The state after a VTL call, a VTL return, and an entry by interrupt (TLFS 15.6, 15.7; section
// 4.2). Touches the virtual processor and the assist page of the higher VTL, nothing else. Private
// registers stay in their VtlContext: switching means to name another one active. Who checks that
// the switch is allowed is the hypervisor.
#include "abi/hv/assist_page.h"
#include "mmu/physical_memory.h"
#include "vtl/virtual_processor.h"

namespace vtl {

/// The higher VTL's side of a switch. `assist_page` 0: not enabled; then no reason is told and no
/// register restored.
struct UpperVtl {
  Vtl vtl{};
  mmu::Spa assist_page;
  bool vina_auto_reset{};
};

class VtlSwitch {
 public:
  explicit VtlSwitch(mmu::PhysicalMemory& memory) : memory_{memory} {}

  /// VTL call: the caller goes on after its VMCALL when the upper VTL returns.
  void call(VirtualProcessor& vp, const UpperVtl& upper);
  /// An interrupt or intercept for a higher VTL: the lower one is stopped where it is.
  void enter(VirtualProcessor& vp, const UpperVtl& upper, abi::hv::VtlEntryReason reason);
  /// VTL return to `lower`; `fast` leaves RAX and RCX as they are.
  void leave(VirtualProcessor& vp, const UpperVtl& upper, Vtl lower, bool fast);

 private:
  void activate(VirtualProcessor& vp, Vtl vtl);
  mmu::PhysicalMemory& memory_;
};

}  // namespace vtl
