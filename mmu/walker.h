#pragma once
// The two-dimensional walk itself: stage 1 through stage 2, in the order of section 8.3. Used by
// the translator, which commits what a walk changes, and by the explainer, which writes down what
// it reads.
#include <cstdint>

#include "mmu/access.h"
#include "mmu/address_space.h"
#include "mmu/explain.h"
#include "mmu/physical_memory.h"

namespace mmu {

struct WalkVerdict {
  WalkRule rule{WalkRule::Granted};
  TranslationResult result;
  uint64_t attributes{};  ///< of the TLB entry; if granted
};

enum class WalkEffect : uint8_t {
  None,    ///< A and D are not written, but the rights to write them are checked
  Commit,  ///< A and D are written
};

/// `report`, if not null, receives each reference.
[[nodiscard]] WalkVerdict walk(PhysicalMemory& memory, uint8_t physical_address_bits,
                               const AddressSpace& space, const Access& access, WalkEffect effect,
                               WalkReport* report);

}  // namespace mmu
