#pragma once
// A guest that sends back each byte that arrives, and switches the machine off after '!'.
#include <array>

#include "sim/machine/machine.h"
#include "tests/support/catch.h"
#include "tests/support/tiny_firmware.h"

namespace test {

inline constexpr std::array<uint8_t, 34> echo_code{
    0xba, 0xfd, 0x03, 0x00, 0x00,  // again: mov edx, 3fdh
    0xec,                          //        in al, dx           ; line status
    0xa8, 0x01,                    //        test al, 1          ; data ready
    0x74, 0xf6,                    //        jz again
    0xba, 0xf8, 0x03, 0x00, 0x00,  //        mov edx, 3f8h
    0xec,                          //        in al, dx
    0xee,                          //        out dx, al
    0x3c, 0x21,                    //        cmp al, '!'
    0x75, 0xeb,                    //        jne again
    0xba, 0x04, 0x06, 0x00, 0x00,  //        mov edx, 604h
    0xb8, 0x00, 0x34, 0x00, 0x00,  //        mov eax, 3400h      ; soft off
    0x66, 0xef,                    //        out dx, ax
    0xf4};                         //        hlt

/// Collects the lines that a guest prints.
struct Lines final : support::EventSink {
  void on(const support::Event& event) override {
    if (event.kind == support::EventKind::DebugPrint) lines.emplace_back(event.text);
  }
  std::vector<std::string> lines;
};

inline machine::MachineParts echo_parts() {
  machine::MachineParts parts;
  parts.firmware = tiny_firmware(echo_code);
  return parts;
}

inline loader::MachineConfig small_machine(loader::GearSetting gear = loader::GearSetting::Fast) {
  loader::MachineConfig config;
  config.memory_bytes = loader::minimum_memory;
  config.gear = gear;
  return config;
}

inline std::unique_ptr<machine::Machine> echo_machine(support::EventSink* events,
                                                      loader::GearSetting gear = loader::GearSetting::Fast) {
  auto made = machine::Machine::create(small_machine(gear), echo_parts(), events);
  INFO((made ? std::string{} : made.error().message));
  REQUIRE(made.ok());
  return std::move(made.value());
}

}  // namespace test
