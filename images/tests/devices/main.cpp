// The devices of the machine, without firmware.
#include "tests.h"

extern "C" [[noreturn]] void TestEntry(const abi::boot::FirmwareHandoff* handoff) {
  static kernel::Test all[64];
  std::size_t count = 0;
  for (const auto& tests : {apic_tests(), port_tests()})
    for (const kernel::Test& test : tests) all[count++] = test;
  kernel::run_tests(handoff, {all, count});
}
