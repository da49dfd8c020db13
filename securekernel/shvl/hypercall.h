#pragma once
// The secure kernel's side of the hypercall interface (TLFS chapter 3). One input and one output
// page: in VTL 1 whoever calls is alone (ske/kernel_lock.h).
#include <span>

#include "abi/hv/hypercalls.h"
#include "abi/hv/vp_registers.h"
#include "abi/hv/vsm_registers.h"
#include "ke/base.h"

namespace sk {

using abi::hv::HvStatus;
using abi::hv::RegisterName;
using abi::hv::RegisterValue;
using abi::hv::Vtl;

/// Where the current VTL reaches the pages of the interface; changes once, when VTL 1 takes over.
struct ShvlPages {
  uint64_t hypercall;       ///< virtual address of the hypercall page of the VTL that runs
  uint8_t* input;
  uint64_t input_physical;
  uint8_t* output;
  uint64_t output_physical;
};
extern ShvlPages ShvlInterface;

/// CPUID says: a hypervisor with the Hv#1 interface that offers VSM and register calls (section 2.7, step 2 of 7.14).
bool ShvlIsVsmAvailable();

/// Names ourselves and turns the hypercall page on at `page_physical`, unless this VTL already has one; then nothing
/// changes. Returns the physical address of the page in use.
uint64_t ShvlEnableHypercallPage(uint64_t page_physical);

HvStatus ShvlEnablePartitionVtl(Vtl vtl, bool mbec);
/// `vp` is an HV_VP_INDEX, or abi::hv::vp_self.
HvStatus ShvlEnableVpVtl(uint32_t vp, Vtl vtl, const abi::hv::InitialVpContext& context);
/// HvCallStartVirtualProcessor for VTL 0.
HvStatus ShvlStartVirtualProcessor(uint32_t vp, const abi::hv::InitialVpContext& context);
HvStatus ShvlGetRegister(Vtl vtl, RegisterName name, RegisterValue& value);
HvStatus ShvlSetRegister(Vtl vtl, RegisterName name, RegisterValue value);

/// Drops all translations of VTL 0 (operation 2 of SKCALL).
HvStatus ShvlFlushNormalTb();

/// HvCallVtlCall through the hypercall page: comes back when VTL 1 returns.
void ShvlVtlCall(uint16_t vtl_call_offset);

NtStatus ShvlToNtStatus(HvStatus status);

}  // namespace sk
