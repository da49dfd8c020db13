#include "rt/arch.h"
#include "thief.h"

namespace thief {

uint64_t* find_pte(const void* address) {
  constexpr uint64_t present = 1, large = 0x80, frame = 0x000FFFFFFFFFF000;
  const auto va = reinterpret_cast<uint64_t>(address);
  uint64_t table = arch::read_cr3() & frame;
  for (int level = 4;; --level) {
    auto entries = static_cast<uint64_t*>(MmGetVirtualForPhysical(table));
    uint64_t* entry = entries + (va >> (12 + 9 * (level - 1)) & 511);
    if (level == 1) return entry;
    if ((*entry & present) == 0 || (level < 4 && (*entry & large) != 0)) return nullptr;
    table = *entry & frame;
  }
}

}  // namespace thief
