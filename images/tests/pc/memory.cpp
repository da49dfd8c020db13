// Loads and stores over 256 KiB: a running sum that is written back, four memory operands a round.
#include "pc.h"

namespace {
constexpr uint64_t words = 32 * 1024;
uint64_t table[words];
}  // namespace

void kernel_main() {
  const uint64_t rounds = uint64_t{pc::option("millions", 1)} * 1'000'000;
  for (uint64_t i = 0; i < words; ++i) table[i] = i * 0x9e3779b97f4a7c15;
  uint64_t sum = 0, at = 0;
  auto* const volatile_table = static_cast<volatile uint64_t*>(table);
  for (uint64_t i = 0; i < rounds; ++i) {
    sum += volatile_table[at];
    volatile_table[at] = sum;
    const uint64_t other = (at + 16381) & (words - 1);
    sum ^= volatile_table[other];
    volatile_table[other] = sum + i;
    at = (at + 7) & (words - 1);
  }
  pc::print("memory %lu rounds: %16lx\n", rounds, sum);
  pc::exit(0);
}
