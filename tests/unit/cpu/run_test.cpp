#include "tests/unit/cpu/world.h"

using namespace cpu_test;

TEST_CASE("instructions are counted and a deadline is met exactly") {
  const auto gear = GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
  World world{gear};
  world.put(kernel_code, {0x48, 0xff, 0xc0, 0xeb, 0xfb});  // inc rax; jmp
  EXPECT(world.run(1001).reason == vtl::ExitReason::Deadline);
  EXPECT(world.now.ticks == 1001);
  EXPECT(world.gpr(vtl::Rax) == 501);
  EXPECT(world.context().rip == kernel_code + 3);
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
  EXPECT(world.context().rip == kernel_code);
}

TEST_CASE("sensitive instructions exit with RIP on them and nothing executed") {
  const auto gear = GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
  World world{gear};
  world.put(kernel_code, {0x90, 0x0f, 0xa2, 0x0f, 0x01, 0xc1, 0x0f, 0x01, 0xd9, 0xf4});
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
  EXPECT(world.now.ticks == 1);
  EXPECT(world.context().rip == kernel_code + 1);
  world.processor->retire(world.vp, world.now, 2);
  vtl::Exit exit = world.run();
  EXPECT(exit.reason == vtl::ExitReason::Hypercall);
  EXPECT(exit.instruction_length == 3);
  world.processor->retire(world.vp, world.now, 3);
  EXPECT(world.run().reason == vtl::ExitReason::Hypercall);
  world.processor->retire(world.vp, world.now, 3);
  exit = world.run();
  EXPECT(exit.reason == vtl::ExitReason::Halt);
  EXPECT(exit.instruction_length == 1);
  EXPECT(world.now.ticks == 4);
}
