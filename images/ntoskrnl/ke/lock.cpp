// The kernel lock, and processors that have nothing to do.
#include "ke/ke.h"

namespace {

constexpr uint32_t nobody = ~0u;
constexpr uint8_t wake_vector = 0xE1;  // Windows' IPI vector

uint32_t owner;  // the boot processor begins with it
uint32_t idle_processors;  // bit n: processor n halts; under the lock

}  // namespace

extern "C" bool KiAcquireKernel() {
  const uint32_t self = KeGetCurrentProcessorNumber();
  if (__atomic_load_n(&owner, __ATOMIC_RELAXED) == self) return false;
  for (;;) {
    uint32_t expected = nobody;
    if (__atomic_compare_exchange_n(&owner, &expected, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return true;
    arch::pause();
  }
}

extern "C" void KiReleaseKernel() {
  __atomic_store_n(&owner, nobody, __ATOMIC_RELEASE);
}

// From the idle loop, with interrupts off and nothing ready. Whoever makes a thread ready does so under the lock: either
// it sees the bit and interrupts, or this processor has not looked yet.
void KiHaltUntilInterrupt() {
  const uint32_t bit = 1u << KeGetCurrentProcessorNumber();
  idle_processors |= bit;
  KiReleaseKernel();
  arch::enable_interrupts_and_halt();
  arch::disable_interrupts();
  KiAcquireKernel();
  idle_processors &= ~bit;
}

void KiWakeIdleProcessor() {
  const uint32_t others = idle_processors & ~(1u << KeGetCurrentProcessorNumber());
  if (others == 0) return;
  const auto processor = static_cast<uint32_t>(__builtin_ctz(others));
  idle_processors &= ~(1u << processor);
  KiRequestInterrupt(processor, wake_vector);
}
