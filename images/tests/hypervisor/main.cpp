// From a bare machine to two VTLs, step by step, without Windows.
#include "tests.h"

extern "C" [[noreturn]] void TestEntry(const abi::boot::FirmwareHandoff* handoff) {
  static kernel::Test all[96];
  std::size_t count = 0;
  for (const auto& tests : {launch_tests(), call_tests(), vtl_tests(), intercept_tests(), interrupt_tests()})
    for (const kernel::Test& test : tests) all[count++] = test;
  kernel::run_tests(handoff, {all, count});
}
