// Hypercalls from inside: what the hypervisor's kernel does not call.
#include "hypercalls.h"

namespace {

const char* prepare_vtl1() {
  if (const char* answer = upper::enable_pages()) return answer;
  return upper::enable_intercepts();
}

constexpr kernel::Test preparation[] = {{"VTL 1 has an assist page, a message page and an interrupt for intercepts", prepare_vtl1}};

}  // namespace

extern "C" [[noreturn]] void TestEntry(const abi::boot::FirmwareHandoff* handoff) {
  static kernel::Test all[96];
  std::size_t count = 0;
  for (const auto& tests : {launch_tests(), call_tests(), std::span<const kernel::Test>{preparation}, form_tests(),
                            message_tests(), time_tests(), translation_tests(), interception_tests()})
    for (const kernel::Test& test : tests) all[count++] = test;
  kernel::run_tests(handoff, {all, count});
}
