#pragma once
// From the first instruction in VTL 1 to the last of SkInitSystem, and the processor loop behind it.
#include "abi/hv/structs.h"
#include "ke/base.h"

namespace sk {

/// Physical pages that VTL 0's half of the start-up took for both halves.
struct SkiInterfacePages {
  uint64_t input, output, hypercall, assist, messages;
  bool mbec;  ///< mode-based execution control is enabled for the partition
};
extern SkiInterfacePages SkiPages;
/// What SkInitSystem says to winload.
extern NtStatus SkiStartStatus;

/// How far NTOS has brought us (S59).
struct InitPhases {
  bool phase0;   ///< service 208 succeeded: VTL 0 is no longer trusted with our pages
  bool phase3;   ///< service 1 succeeded
  bool shut_down;
};
extern InitPhases SkPhases;

extern "C" [[noreturn]] void SkiStartInVtl1();

/// Control registers with which VTL 1 starts on every processor: long mode with paging (section 3.7).
void SkiSetInitialControl(abi::hv::InitialVpContext& context, uint64_t root);
/// Service 2: VTL 1 exists on processor `number` from now on, runs there first, and returns to VTL 0 as the page
/// `context_pfn` of NTOS describes it (HV_INITIAL_VP_CONTEXT). Only after service 1. Serialised by the kernel lock.
NtStatus SkiStartProcessor(uint64_t number, uint64_t context_pfn);

/// Service 208: closes VTL 1's memory to VTL 0 and, under HVCI, takes kernel execution from VTL 0's memory.
NtStatus SkiPhase0Initialize();

}  // namespace sk
