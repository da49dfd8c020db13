#include "kernel.h"

#include <string.h>

#include "abi/boot/debug_port.h"
#include "rt/panic.h"
#include "rt/startup.h"
#include "state.h"

namespace kernel {
namespace {

void milestone(std::string_view text) {
  abi::boot::DebugText record{};
  record.length = static_cast<std::uint32_t>(text.size() < sizeof record.text ? text.size() : sizeof record.text);
  memcpy(record.text, text.data(), record.length);
  arch::out32(abi::boot::debug_event_port, static_cast<std::uint32_t>(abi::boot::DebugEvent::Milestone),
              reinterpret_cast<std::uint64_t>(&record));
}

template <typename... T>
void report(std::string_view pattern, const T&... values) {
  char text[256];
  milestone(rt::print(text, pattern, values...));
}

[[noreturn]] void power_off() {
  arch::out16(0x604, 0x3400);
  arch::stop();
}

struct Run {
  const Test* test;
  const char* answer;
};

void run_one(void* context) {
  auto run = static_cast<Run*>(context);
  run->answer = run->test->run();
}

}  // namespace

[[noreturn]] void fatal(std::string_view what, const TrapFrame& frame) {
  report("fail {}: vector {} error {:#x} rip {:#x} cr2 {:#x}", what, frame.vector, frame.error_code, frame.rip, arch::read_cr2());
  power_off();
}

void run_tests(const abi::boot::FirmwareHandoff* handoff, std::span<const Test> tests) {
  rt::run_static_initializers();
  rt::set_panic_handler([](const char* text) {
    report("fail panic: {}", text);
    power_off();
  });
  initialize_memory(handoff->memory_size);
  initialize_descriptors();
  unsigned done = 0;
  for (const Test& test : tests) {
    Run run{&test, nullptr};
    const Caught caught = guarded(run_one, &run);
    arch::disable_interrupts();
    if (caught.happened) {
      report("fail {}: vector {} error {:#x} at {:#x}, cr2 {:#x}", test.name, caught.vector, caught.error_code,
             caught.rip, caught.cr2);
    } else if (run.answer != nullptr) {
      report("fail {}: {}", test.name, run.answer);
    } else {
      report("pass {}", test.name);
    }
    ++done;
  }
  report("done {}", done);
  power_off();
}

}  // namespace kernel
