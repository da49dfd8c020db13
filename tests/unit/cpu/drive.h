#pragma once
// Answers exits the way a very small machine would, so that programs run on.
#include "tests/unit/cpu/world.h"

namespace cpu_test {

/// False: the program ended (HLT, triple fault, failure).
inline bool serve(World& world, const vtl::Exit& exit) {
  switch (exit.reason) {
    case vtl::ExitReason::Deadline:
    case vtl::ExitReason::InterruptAccepted:
      return true;
    case vtl::ExitReason::Cpuid:
      world.gpr(vtl::Rax) = 0x1234 + world.now.ticks;
      world.gpr(vtl::Rbx) = 0x756e6547;
      world.gpr(vtl::Rcx) = 0x6c65746e;
      world.gpr(vtl::Rdx) = 0x49656e69;
      break;
    case vtl::ExitReason::Hypercall:
      world.gpr(vtl::R10) ^= world.gpr(vtl::R9) * 3;
      break;
    case vtl::ExitReason::MsrRead:
      world.gpr(vtl::Rax) = exit.msr;
      world.gpr(vtl::Rdx) = 0;
      break;
    case vtl::ExitReason::MsrWrite:
      break;
    case vtl::ExitReason::IoRead:
      world.processor->complete_io_read(world.vp, world.now, exit, exit.io.port * 0x01010101u);
      return true;
    case vtl::ExitReason::IoWrite:
      world.processor->complete_io_write(world.vp, world.now, exit);
      return true;
    default:
      return false;
  }
  world.processor->retire(world.vp, world.now, exit.instruction_length);
  return true;
}

/// Runs until the instant, or the end of the program. True while it has not ended.
inline bool drive(World& world, uint64_t until, vtl::Exit* last = nullptr) {
  while (world.now.ticks < until) {
    const vtl::Exit exit = world.processor->run(world.vp, world.now, {until});
    if (last != nullptr) *last = exit;
    if (!serve(world, exit)) return false;
  }
  return true;
}

}  // namespace cpu_test
