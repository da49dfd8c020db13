#include "ske/kernel_lock.h"

#include "ke/skpcr.h"
#include "rt/arch.h"

namespace sk {

static constexpr uint64_t nobody = ~uint64_t{0};
static constexpr uint64_t cr4_pge = 1 << 7;

static uint64_t owner = nobody;  // the processor's number
static uint64_t last_owner;

void SkiEnterKernel() {
  const uint64_t self = SkiCurrentPcr()->number;
  for (;;) {
    uint64_t expected = nobody;
    if (__atomic_compare_exchange_n(&owner, &expected, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) break;
    arch::pause();
  }
  if (last_owner == self) return;
  last_owner = self;
  const uint64_t cr4 = arch::read_cr4();
  arch::write_cr4(cr4 & ~cr4_pge);  // drops global translations too
  arch::write_cr4(cr4);
}

void SkiLeaveKernel() {
  if (owner != SkiCurrentPcr()->number) SkeBugCheck("a processor leaves VTL 1 without having entered it");
  __atomic_store_n(&owner, nobody, __ATOMIC_RELEASE);
}

}  // namespace sk
