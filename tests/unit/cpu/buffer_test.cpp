// What large programs do to the engine's buffers.
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

TEST_CASE("more code than the translation buffer holds runs on, again and again") {
  World world{cpu::Gear::Fast};
  // inc rax; add rbx, rax; xor rcx, rdx; jmp to the next instruction
  const uint8_t block[] = {0x48, 0xff, 0xc0, 0x48, 0x01, 0xc3, 0x48, 0x31, 0xd1, 0xeb, 0x00};
  constexpr uint64_t from = kernel_data, to = 0x310000, blocks = (to - from) / sizeof block;
  for (uint64_t page = from; page < to + 0x1000; page += 0x1000)
    world.map(page, page, 3);
  std::vector<uint8_t> code;
  for (uint64_t i = 0; i < blocks; ++i)
    code.insert(code.end(), std::begin(block), std::end(block));
  code.push_back(0xf4);
  world.put(from, code);
  for (unsigned pass = 1; pass <= 2; ++pass) {
    world.context().rip = from;
    const vtl::Exit exit = world.run(4 * blocks + 10);
    EXPECT(exit.reason == vtl::ExitReason::Halt);
    EXPECT(world.gpr(vtl::Rax) == blocks * pass);
    EXPECT(world.now.ticks == 4 * blocks * pass);
  }
}

TEST_CASE("more pages than the TLB holds are counted as the same misses in both gears") {
  uint64_t misses[2]{};
  unsigned index = 0;
  for (const auto gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    World world{gear};
    // L: mov rax, [rsi]; add rsi, 4096; dec rcx; jnz L; hlt
    world.put(kernel_code, {0x48, 0x8b, 0x06, 0x48, 0x81, 0xc6, 0x00, 0x10, 0x00, 0x00, 0x48, 0xff,
                            0xc9, 0x75, 0xf1, 0xf4});
    for (unsigned pass = 0; pass < 3; ++pass) {
      world.context().rip = kernel_code;
      world.gpr(vtl::Rsi) = 0;
      world.gpr(vtl::Rcx) = ram_size / 4096;
      EXPECT(world.run().reason == vtl::ExitReason::Halt);
    }
    EXPECT(world.translator.tlb().generations_dropped() >= 3);
    misses[index++] = world.translator.misses();
  }
  EXPECT(misses[0] == misses[1]);
}
