#include "shvl/protect.h"

#include "shvl/hypercall.h"
#include "shvl/vtl_switch.h"

namespace sk {

using namespace abi::hv;

// Fills and issues one HvCallModifyVtlProtectionMask; `pfn(i)` names element i. UseTargetVtl = 0 means this VTL's own
// instance: our restrictions on the VTLs below (section 3.8).
template <class Pfn>
static HvStatus modify(uint64_t count, PageAccess access, Pfn pfn) {
  auto* in = reinterpret_cast<ModifyVtlProtectionMask*>(ShvlInterface.input);
  *in = {};
  in->target_partition = partition_self;
  in->map_flags = static_cast<uint32_t>(access);
  auto* list = reinterpret_cast<GpaPage*>(in + 1);
  for (uint64_t i = 0; i < count; ++i) list[i].page = pfn(i);
  // A rep call may stop early to let interrupts in; the hypervisor then leaves RIP on its own VMCALL (section 2.3), so
  // that one call does all elements.
  const uint64_t control = control_for(CallCode::ModifyVtlProtectionMask, static_cast<uint16_t>(count)).raw;
  const HypercallResult result{ShvlpHypercall(control, ShvlInterface.input_physical, 0, ShvlInterface.hypercall)};
  const auto status = static_cast<HvStatus>(result.status());
  if (status == HvStatus::Success && result.reps_completed() != count) return HvStatus::OperationFailed;
  return status;
}

template <class Pfn>
static NtStatus modify_all(uint64_t count, PageAccess access, Pfn pfn) {
  for (uint64_t done = 0; done < count;) {
    const uint64_t batch = count - done < max_protection_pages ? count - done : max_protection_pages;
    const HvStatus status = modify(batch, access, [&](uint64_t i) { return pfn(done + i); });
    if (status != HvStatus::Success) return ShvlToNtStatus(status);
    done += batch;
  }
  return NtStatus::Success;
}

NtStatus ShvlProtectPages(std::span<const uint64_t> pfns, PageAccess access) {
  return modify_all(pfns.size(), access, [&](uint64_t i) { return pfns[i]; });
}

NtStatus ShvlProtectContiguousPages(uint64_t first_pfn, uint64_t count, PageAccess access) {
  return modify_all(count, access, [&](uint64_t i) { return first_pfn + i; });
}

NtStatus ShvlEnableProtection() {
  const auto config = VsmPartitionConfig{}
                          .with_enable_vtl_protection(true)
                          .with_default_vtl_protection_mask(map_gpa::all_access)
                          .with_zero_memory_on_reset(true)
                          .with_deny_lower_vtl_startup(true);
  return ShvlToNtStatus(ShvlSetRegister(Vtl::Vtl1, RegisterName::VsmPartitionConfig, {config.raw, 0}));
}

}  // namespace sk
