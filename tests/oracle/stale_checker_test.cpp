// The checker of stale translations sees what it is for.
#include "tests/oracle/stale_translations.h"
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

/// mov eax, [rbx]; mov [rcx], rdx; mov eax, [rbx]; hlt, with an INVLPG before the last read or without.
oracle::StaleTranslations& run(World& world, oracle::StaleTranslations& checker, bool invalidate) {
  if (invalidate) {
    world.put(kernel_code, {0x8b, 0x03, 0x48, 0x89, 0x11, 0x0f, 0x01, 0x3b, 0x8b, 0x03, 0xf4});
  } else {
    world.put(kernel_code, {0x8b, 0x03, 0x48, 0x89, 0x11, 0x8b, 0x03, 0xf4});
  }
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rcx) = world.entry_address(kernel_data);
  world.gpr(vtl::Rdx) = (kernel_data + 0x1000) | 3;
  world.processor->observe(&checker);
  (void)drive(world, 100);
  world.processor->observe(nullptr);
  return checker;
}

}  // namespace

TEST_CASE(
    "a translation that is used after its entry was changed is reported, with INVLPG it is not") {
  {
    World world{cpu::Gear::Exact};
    oracle::StaleTranslations checker{world.translator, world};
    EXPECT(run(world, checker, false).of_stage_1() == 1);
    EXPECT(checker.of_stage_2() == 0);
    REQUIRE(checker.uses().size() == 1);
    EXPECT(checker.uses()[0].address == kernel_data);
    EXPECT(checker.uses()[0].rip == kernel_code + 5);
  }
  World world{cpu::Gear::Exact};
  oracle::StaleTranslations checker{world.translator, world};
  EXPECT(run(world, checker, true).of_stage_1() == 0);
  EXPECT(checker.hits() > 4);
}
