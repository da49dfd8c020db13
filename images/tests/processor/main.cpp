// The processor as an operating system meets it, on a bare machine.
#include <string.h>

#include "tests.h"

extern "C" [[noreturn]] void TestEntry(const abi::boot::FirmwareHandoff* handoff) {
  static kernel::Test all[96];
  std::size_t count = 0;
  for (const auto& tests : {exception_tests(), privilege_tests(), paging_tests(), time_tests()})
    for (const kernel::Test& test : tests) all[count++] = test;
  kernel::run_tests(handoff, {all, count});
}
