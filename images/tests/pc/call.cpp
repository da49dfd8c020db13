// Calls, returns and branches: two functions a round, one of them by pointer.
#include "pc.h"

namespace {

[[gnu::noinline]] uint64_t even(uint64_t value) {
  asm volatile("" : "+r"(value));
  return (value & 1) != 0 ? value * 3 + 1 : value ^ (value >> 1);
}
[[gnu::noinline]] uint64_t odd(uint64_t value) {
  asm volatile("" : "+r"(value));
  return value ^ 0x5555;
}
uint64_t (*volatile chosen[2])(uint64_t) = {even, odd};

}  // namespace

void kernel_main() {
  const uint64_t rounds = uint64_t{pc::option("millions", 1)} * 1'000'000;
  uint64_t sum = 1;
  for (uint64_t i = 0; i < rounds; ++i) {
    sum += even(sum + i);
    sum += chosen[i & 1](sum);
  }
  pc::print("call %lu rounds: %16lx\n", rounds, sum);
  pc::exit(0);
}
