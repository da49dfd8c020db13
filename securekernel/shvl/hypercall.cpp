#include "shvl/hypercall.h"

#include <string.h>

#include "abi/hv/cpuid.h"
#include "abi/hv/msrs.h"
#include "abi/hv/synic.h"
#include "rt/arch.h"
#include "shvl/vtl_switch.h"

namespace sk {

using namespace abi::hv;

ShvlPages ShvlInterface;

static HvStatus call(CallCode code, uint16_t reps = 0) {
  const uint64_t control = control_for(code, reps).raw;
  const uint64_t result = ShvlpHypercall(control, ShvlInterface.input_physical, ShvlInterface.output_physical,
                                         ShvlInterface.hypercall);
  return static_cast<HvStatus>(HypercallResult{result}.status());
}

template <class Header>
static Header& header() {
  auto* page = reinterpret_cast<Header*>(ShvlInterface.input);
  *page = {};
  return *page;
}

static InputVtl input_vtl(Vtl vtl) {
  return InputVtl{}.with_target_vtl(static_cast<uint8_t>(vtl)).with_use_target_vtl(true);
}

bool ShvlIsVsmAvailable() {
  if ((arch::cpuid(1).ecx & cpuid::hypervisor_present) == 0) return false;
  if (arch::cpuid(cpuid::interface_leaf).eax != cpuid::interface_eax) return false;
  const arch::Cpuid features = arch::cpuid(cpuid::features_leaf);
  const PrivilegeMask privileges{uint64_t{features.ebx} << 32 | features.eax};
  return privileges.access_hypercall_msrs() && privileges.access_vsm() && privileges.access_vp_registers() &&
         privileges.access_synic_regs();
}

uint64_t ShvlEnableHypercallPage(uint64_t page_physical) {
  const OverlayRegister current{arch::read_msr(msr::Hypercall)};
  if (current.enable()) return current.page() * page_size;
  // The page cannot be enabled while the guest is anonymous (TLFS 2.6).
  if (arch::read_msr(msr::GuestOsId) == 0)
    arch::write_msr(msr::GuestOsId,
                    GuestOsId{}.with_build(10240).with_major_version(10).with_os_id(4).with_vendor_id(1).raw);
  arch::write_msr(msr::Hypercall, OverlayRegister{}.with_page(page_physical / page_size).with_enable(true).raw);
  return page_physical;
}

HvStatus ShvlEnablePartitionVtl(Vtl vtl, bool mbec) {
  auto& in = header<EnablePartitionVtl>();
  in.target_partition = partition_self;
  in.target_vtl = static_cast<uint8_t>(vtl);
  in.flags = in.flags.with_enable_mbec(mbec);
  return call(CallCode::EnablePartitionVtl);
}

HvStatus ShvlEnableVpVtl(uint32_t vp, Vtl vtl, const InitialVpContext& context) {
  auto& in = header<EnableVpVtl>();
  in.target_partition = partition_self;
  in.target_vp = vp;
  in.target_vtl = static_cast<uint8_t>(vtl);
  in.context = context;
  return call(CallCode::EnableVpVtl);
}

HvStatus ShvlStartVirtualProcessor(uint32_t vp, const InitialVpContext& context) {
  auto& in = header<EnableVpVtl>();
  in.target_partition = partition_self;
  in.target_vp = vp;
  in.target_vtl = static_cast<uint8_t>(Vtl::Vtl0);
  in.context = context;
  return call(CallCode::StartVirtualProcessor);
}

HvStatus ShvlGetRegister(Vtl vtl, RegisterName name, RegisterValue& value) {
  auto& in = header<GetVpRegisters>();
  in.target_partition = partition_self;
  in.target_vp = vp_self;
  in.target_vtl = input_vtl(vtl);
  reinterpret_cast<RegisterNameElement*>(&in + 1)->name = static_cast<uint32_t>(name);
  const HvStatus status = call(CallCode::GetVpRegisters, 1);
  memcpy(&value, ShvlInterface.output, sizeof value);
  return status;
}

HvStatus ShvlSetRegister(Vtl vtl, RegisterName name, RegisterValue value) {
  auto& in = header<GetVpRegisters>();
  in.target_partition = partition_self;
  in.target_vp = vp_self;
  in.target_vtl = input_vtl(vtl);
  *reinterpret_cast<RegisterAssignment*>(&in + 1) = {static_cast<uint32_t>(name), {}, value};
  return call(CallCode::SetVpRegisters, 1);
}

HvStatus ShvlFlushNormalTb() {
  auto& in = header<FlushVirtualAddressSpace>();
  in.flags = flush::all_processors | flush::all_virtual_address_spaces | flush::use_target_vtl | flush::target_vtl0;
  return call(CallCode::FlushVirtualAddressSpace);
}

void ShvlVtlCall(uint16_t vtl_call_offset) {
  ShvlpVtlCall(ShvlInterface.hypercall + vtl_call_offset);
}

NtStatus ShvlToNtStatus(HvStatus status) { return static_cast<NtStatus>(to_ntstatus(status)); }

}  // namespace sk
