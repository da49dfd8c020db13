// How runs end that a guest has ruined for itself.
#include <cstring>
#include <string>

#include "sim/machine/machine.h"
#include "tests/support/catch.h"

namespace {

/// A kernel without a header: the whole file lies at 1 MiB and begins there, in 32-bit protected mode.
struct Kernel {
  static constexpr uint32_t base = 0x100000, gdt = 0x100, idt = 0x200;
  std::vector<uint8_t> bytes = std::vector<uint8_t>(0x1000);

  template <class T>
  void put(size_t at, T value) {
    std::memcpy(&bytes[at], &value, sizeof value);
  }
  void code(size_t at, std::initializer_list<uint8_t> instructions) { std::copy(instructions.begin(), instructions.end(), &bytes[at]); }
  /// A 32-bit interrupt gate for `vector`.
  void gate(unsigned vector, uint32_t handler) {
    put<uint64_t>(idt + vector * 8, (handler & 0xffff) | uint64_t{8} << 16 | uint64_t{0x8e00} << 32 | uint64_t{handler >> 16} << 48);
  }

  Kernel() {
    // lgdt [descriptor]; lidt [descriptor]; mov esp, 600000h; jmp 8:base + 40h
    code(0, {0x0f, 0x01, 0x15, 0x80, 0x00, 0x10, 0x00, 0x0f, 0x01, 0x1d, 0x90, 0x00, 0x10, 0x00, 0xbc, 0, 0, 0x60, 0,
             0xea, 0x40, 0x00, 0x10, 0x00, 0x08, 0x00});
    put<uint16_t>(0x80, 0x17);
    put<uint32_t>(0x82, base + gdt);
    put<uint16_t>(0x90, 0xff);
    put<uint32_t>(0x92, base + idt);
    put<uint64_t>(gdt + 8, 0x00cf9b000000ffff);
    put<uint64_t>(gdt + 16, 0x00cf93000000ffff);
  }
};

std::unique_ptr<machine::Machine> machine_with(const Kernel& kernel, loader::GearSetting gear) {
  loader::MachineConfig config;
  config.board = loader::Board::Pc;
  config.gear = gear;
  config.hypervisor_launch_type = config.vsm_launch_type = loader::LaunchType::Off;
  machine::MachineParts parts;
  parts.firmware = kernel.bytes;
  auto made = machine::Machine::create(config, std::move(parts), nullptr);
  if (!made.ok()) FAIL(made.error().message);
  return std::move(made.value());
}

}  // namespace

TEST_CASE("A guest whose exceptions recur without an instruction being executed hangs, and the machine has not failed") {
  Kernel kernel;
  kernel.code(0x40, {0x0f, 0x0b});  // ud2, which is its own handler
  kernel.gate(6, Kernel::base + 0x40);
  std::string fingerprint;
  for (const auto gear : {loader::GearSetting::Fast, loader::GearSetting::Exact}) {
    const auto machine = machine_with(kernel, gear);
    EXPECT(machine->run({1'000'000}) == machine::StopReason::Hung);
    EXPECT(std::string{machine->detail()} == "its exceptions recur without an instruction being executed");
    EXPECT(machine->now().ticks == 4);
    EXPECT(machine->processor().context().rip == Kernel::base + 0x40);
    const std::string mine = machine->fingerprint().to_string();
    if (fingerprint.empty()) fingerprint = mine;
    EXPECT(mine == fingerprint);
  }
}

TEST_CASE("A guest that waits in HLT with interrupts off hangs without a detail") {
  Kernel kernel;
  kernel.code(0x40, {0xfa, 0xf4});  // cli; hlt
  const auto machine = machine_with(kernel, loader::GearSetting::Fast);
  EXPECT(machine->run({1'000'000}) == machine::StopReason::Hung);
  EXPECT(std::string{machine->detail()}.empty());
}

TEST_CASE("Every reason to stop has its own word") {
  std::vector<std::string> words;
  for (unsigned i = 0; i <= static_cast<unsigned>(machine::StopReason::GuestExit); ++i)
    words.emplace_back(machine::word(static_cast<machine::StopReason>(i)));
  EXPECT(words == std::vector<std::string>{"deadline", "requested", "power-off", "reset", "triple-fault", "hung",
                                           "machine-failure", "guest-exit"});
}
