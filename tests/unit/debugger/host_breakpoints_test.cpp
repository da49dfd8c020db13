// A machine stops before an instruction at an address, and what it computes does not depend on it.
#include "tests/unit/debugger/boot_timeline.h"

#include "sim/support/prng.h"
#include "tests/support/tiny_firmware.h"

using loader::GearSetting;
using machine::StopReason;
using support::Instant;

namespace {

constexpr uint64_t loop = test::tiny_code + 5, middle = loop + 3, strings = loop + 10, after_strings = strings + 12;

/// A loop of 1000 rounds whose block has four instructions, a string instruction of 50 iterations, and the end.
constexpr uint8_t code[] = {
    0xb9, 0xe8, 0x03, 0x00, 0x00,              //        mov ecx, 1000
    0x48, 0xff, 0xc0,                          // loop:  inc rax
    0x48, 0x01, 0xc3,                          // middle: add rbx, rax
    0xff, 0xc9,                                //        dec ecx
    0x75, 0xf6,                                //        jnz loop
    0xb9, 0x32, 0x00, 0x00, 0x00,              // strings: mov ecx, 50
    0xbf, 0x00, 0x18, 0x10, 0x00,              //        mov edi, 101800h
    0xf3, 0xaa,                                //        rep stosb
    0xba, 0x04, 0x06, 0x00, 0x00,              // after: mov edx, 604h
    0xb8, 0x00, 0x34, 0x00, 0x00,              //        mov eax, 3400h
    0x66, 0xef,                                //        out dx, ax          ; soft off
    0xf4};                                     //        hlt

std::unique_ptr<machine::Machine> machine_of(GearSetting gear) {
  loader::MachineConfig config;
  config.memory_bytes = loader::minimum_memory;
  config.gear = gear;
  machine::MachineParts parts;
  parts.firmware = test::tiny_firmware(code);
  auto made = machine::Machine::create(config, std::move(parts), nullptr);
  if (!made) FAIL(made.error().message);
  return std::move(made.value());
}

std::string plain_end(GearSetting gear) {
  const auto machine = machine_of(gear);
  REQUIRE(machine->run({1'000'000}) == StopReason::PowerOff);
  return machine->fingerprint().to_string();
}

}  // namespace

TEST_CASE("a machine stops before the instruction at each address, wherever it lies in a block, and ends as without") {
  for (const GearSetting gear : {GearSetting::Fast, GearSetting::Exact}) {
    CAPTURE(static_cast<int>(gear));
    for (const uint64_t address : {loop, middle}) {
      CAPTURE(address);
      const auto machine = machine_of(gear);
      uint64_t met = 0, sum = 0;
      Instant earliest;
      for (;;) {
        machine->stop_before({address, 0x500000}, earliest);
        const StopReason reason = machine->run({1'000'000});
        if (!machine->stopped_before_address()) {
          EXPECT(reason == StopReason::PowerOff);
          break;
        }
        REQUIRE(reason == StopReason::Requested);
        REQUIRE(machine->processor().context().rip == address);
        REQUIRE(machine->now().ticks == 1 + met * 4 + (address == middle ? 1 : 0));
        sum += machine->processor().shared.gpr[vtl::Rax];
        ++met;
        earliest = machine->now() + 1;
      }
      EXPECT(met == 1000);
      EXPECT(sum == (address == middle ? 500'500u : 499'500u));
      EXPECT(machine->fingerprint().to_string() == plain_end(gear));
    }
  }
}

TEST_CASE("a string instruction is met once, before its first iteration") {
  const auto machine = machine_of(GearSetting::Fast);
  constexpr uint64_t stores = strings + 10;
  machine->stop_before({stores}, {});
  REQUIRE(machine->run({1'000'000}) == StopReason::Requested);
  EXPECT(machine->processor().shared.gpr[vtl::Rcx] == 50);
  machine->stop_before({stores}, machine->now() + 1);
  EXPECT(machine->run({1'000'000}) == StopReason::PowerOff);
}

TEST_CASE("addresses that come too early are passed over, and others can be given in the middle of a run") {
  const auto machine = machine_of(GearSetting::Fast);
  machine->stop_before({loop}, {2'000});
  REQUIRE(machine->run({1'000'000}) == StopReason::Requested);
  EXPECT(machine->now().ticks >= 2'000);
  EXPECT(machine->now().ticks < 2'004);
  machine->stop_before({after_strings}, {});
  REQUIRE(machine->run({1'000'000}) == StopReason::Requested);
  EXPECT(machine->processor().context().rip == after_strings);
  machine->stop_before({}, {});
  EXPECT(machine->run({1'000'000}) == StopReason::PowerOff);
  EXPECT(machine->fingerprint().to_string() == plain_end(GearSetting::Fast));
}

TEST_CASE("a boot with breakpoints that are hit thousands of times ends with the state of one without") {
  struct Sample final : vtl::InstructionObserver {
    explicit Sample(uint64_t seed) : prng{seed, "addresses"} {}
    void before_instruction(Instant, const vtl::VirtualProcessor& vp) override {
      if (prng.below(400'000) == 0) addresses.push_back(vp.context().rip);
    }
    support::Prng prng;
    std::vector<uint64_t> addresses;
  };
  Sample sample{Catch::getSeed()};
  const auto exact = boot::make(GearSetting::Exact);
  exact->observe(&sample);
  REQUIRE(exact->run(boot::limit) == StopReason::PowerOff);
  REQUIRE(sample.addresses.size() > 10);
  const auto watched = boot::make(GearSetting::Fast);
  uint64_t met = 0;
  for (watched->stop_before(sample.addresses, {}); watched->run(boot::limit) == StopReason::Requested; ++met)
    watched->stop_before(sample.addresses, watched->now() + 1);
  CAPTURE(Catch::getSeed(), met);
  EXPECT(met >= sample.addresses.size());
  EXPECT(watched->fingerprint() == exact->fingerprint());
}
