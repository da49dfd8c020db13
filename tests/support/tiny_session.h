#pragma once
// A debugger's service over a machine of a few instructions.
#include <memory>

#include "sim/rpc/service.h"
#include "tests/support/tiny_firmware.h"

namespace test {

/// Counts in RAX, writes it to 7000h, pushes and pops, for ever.
inline constexpr uint8_t counting_code[] = {
    0x48, 0xff, 0xc0,                                // again: inc rax
    0x48, 0x89, 0x04, 0x25, 0x00, 0x70, 0x00, 0x00,  // mov [7000h], rax
    0x50,                                            // push rax
    0x5b,                                            // pop rbx
    0xeb, 0xf1};                                     // jmp again
inline constexpr uint64_t counting_instructions = 5;

/// Null if the machine cannot be made.
inline std::unique_ptr<rpc::Service> tiny_service() {
  loader::MachineConfig config;
  config.memory_bytes = loader::minimum_memory;
  machine::MachineParts parts;
  parts.firmware = tiny_firmware(counting_code);
  auto timeline = debugger::Timeline::over(config, std::move(parts), {.interval = 10'000});
  if (!timeline) return nullptr;
  auto session = debugger::Session::over(std::move(timeline.value()), {});
  return session ? std::make_unique<rpc::Service>(std::move(session.value()), rpc::RunFacts{"test", "", {}, {}}) : nullptr;
}

}  // namespace test
