// A parent and its children, and three VTLs in one partition.
#include "partitions.h"

extern "C" [[noreturn]] void TestEntry(const abi::boot::FirmwareHandoff* handoff) {
  static kernel::Test all[32];
  std::size_t count = 0;
  for (const auto& tests : {launch_tests(), child_tests(), family_tests(), three_level_tests()})
    for (const kernel::Test& test : tests) all[count++] = test;
  kernel::run_tests(handoff, {all, count});
}
