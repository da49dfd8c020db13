#pragma once
// Physical memory as the secure kernel reaches it: one window on all of RAM. In VTL 0 (start-up) it is winload's direct
// map, in VTL 1 the one that SkmmBuildKernelSpace made.
#include "ke/base.h"

namespace sk {

extern uint64_t SkmmDirectMap;  ///< virtual address of physical page 0 in the page tables in force

template <class T = void>
T* SkmmFromPhysical(uint64_t physical) {
  return reinterpret_cast<T*>(SkmmDirectMap + physical);
}
/// Only for addresses of the window.
inline uint64_t SkmmToPhysical(const void* address) { return reinterpret_cast<uint64_t>(address) - SkmmDirectMap; }

/// Pages before the page frame database exists: taken one after the other from VTL 1's free memory, zeroed.
uint64_t SkmiTakeBootPage();
uint64_t SkmiTakeBootPages(uint64_t count);
/// Physical address of the first page that was not taken.
uint64_t SkmiBootPagesEnd();
void SkmiInitBootPages(uint64_t first, uint64_t end);

}  // namespace sk
