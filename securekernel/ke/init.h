#pragma once
// From the first instruction in VTL 1 to the last of SkInitSystem, and the processor loop behind it.
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

/// Service 208: closes VTL 1's memory to VTL 0 and, under HVCI, takes kernel execution from VTL 0's memory.
NtStatus SkiPhase0Initialize();

}  // namespace sk
