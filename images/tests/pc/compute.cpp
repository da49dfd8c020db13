// Registers only: a generator of numbers and the sum of its output, one block.
#include "pc.h"

void kernel_main() {
  const uint64_t rounds = uint64_t{pc::option("millions", 1)} * 1'000'000;
  uint64_t state = 0x9e3779b97f4a7c15, sum = 0;
  for (uint64_t i = 0; i < rounds; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    sum += state;
    asm volatile("" : "+r"(sum), "+r"(state));
  }
  pc::print("compute %lu rounds: %16lx\n", rounds, sum);
  pc::exit(0);
}
