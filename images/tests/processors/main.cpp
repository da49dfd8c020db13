// Several processors of one partition under a seeded scheduler.
#include "processors.h"

extern "C" [[noreturn]] void TestEntry(const abi::boot::FirmwareHandoff* handoff) {
  static kernel::Test all[32];
  std::size_t count = 0;
  for (const auto& tests : {launch_tests(), start_tests(), together_tests(), level_tests(), cross_tests()})
    for (const kernel::Test& test : tests) all[count++] = test;
  kernel::run_tests(handoff, {all, count});
}
