#pragma once
#include <cstdint>

#include "mmu/access.h"

namespace mmu {

class Slat;

/// The registers that stage 1 depends on (SDM vol. 3, 4.1).
struct Stage1Registers {
  uint64_t cr0{}, cr3{}, cr4{}, efer{};
  bool alignment_check{};  ///< RFLAGS.AC, which lifts SMAP for explicit supervisor data accesses
};

/// Who translates: the tag of TLB entries plus both stages' roots. Cheap to copy, built per slice.
struct AddressSpace {
  uint8_t partition{};
  abi::hv::Vtl vtl{};
  Stage1Registers stage1;
  const Slat* slat{};  ///< null on a bare machine: GPA and SPA are then the same number
  bool mbec{};         ///< mode-based execute control is enabled for this VTL on this VP (TLFS 15.10)
};

}  // namespace mmu
