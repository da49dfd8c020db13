// Going back in time: checkpoints in memory.
#include "tests/unit/machine/boot.h"

#include <algorithm>
#include <map>

#include "sim/machine/checkpoint.h"
#include "sim/support/prng.h"

namespace {

using loader::GearSetting;
using machine::Checkpoints;
using machine::StopReason;
using support::Instant;

/// Instructions of a boot, up to where it only waits.
constexpr uint64_t busy = 24'000'000;

/// Runs to `at` and says what the machine's state is called there.
support::StateHash hash_at(machine::Machine& machine, Instant at) {
  REQUIRE(machine.run(at) == StopReason::Deadline);
  return machine.fingerprint();
}

}  // namespace

TEST_CASE("a machine jumps between checkpoints in any order, over the launch of the hypervisor too") {
  const auto machine = boot::make(GearSetting::Fast);
  Checkpoints checkpoints{*machine};
  checkpoints.take();
  std::map<uint64_t, support::StateHash> known{{0, machine->fingerprint()}};
  for (uint64_t at = 400'000; at < busy; at += 900'000) {
    known[at] = hash_at(*machine, {at});
    checkpoints.take();
  }
  REQUIRE(checkpoints.count() == known.size());
  support::Prng prng{3, "jumps"};
  for (int i = 0; i < 60; ++i) {
    const auto target = std::next(known.begin(), static_cast<ptrdiff_t>(prng.below(known.size())));
    CAPTURE(i, target->first);
    REQUIRE(checkpoints.restore({target->first}));
    REQUIRE(machine->now() == Instant{target->first});
    REQUIRE(machine->fingerprint() == target->second);
    if (const auto next = std::next(target); prng.one_in(3) && next != known.end()) {
      REQUIRE(hash_at(*machine, {next->first}) == next->second);
    } else if (prng.one_in(2)) {
      (void)machine->run(machine->now() + prng.below(20'000));  // leaves dirty pages behind for the next jump
    }
  }
}

TEST_CASE("steps back over restored code give what stepping forward gave, instant by instant") {
  const auto machine = boot::make(GearSetting::Fast);
  Checkpoints checkpoints{*machine};
  support::Prng prng{4, "steps"};
  for (const uint64_t around : {2'000'000u, 3'900'000u, 5'200'000u, 24'200'000u}) {
    REQUIRE(machine->run({around}) == StopReason::Deadline);
    checkpoints.take();
    std::vector<support::StateHash> hashes;
    for (uint64_t step = 0; step < 300; ++step) hashes.push_back(hash_at(*machine, {around + step}));
    for (int i = 0; i < 40; ++i) {
      const uint64_t step = prng.below(hashes.size());
      CAPTURE(around, step);
      REQUIRE(checkpoints.restore({around}));
      REQUIRE(hash_at(*machine, {around + step}) == hashes[step]);
    }
  }
}

TEST_CASE("checkpoints keep their budget, dense near the present and sparse far from it, and the first for ever") {
  const auto machine = boot::make(GearSetting::Fast);
  const size_t budget = size_t{12} << 20;
  Checkpoints checkpoints{*machine, budget};
  checkpoints.take();
  for (uint64_t at = 50'000; at < busy; at += 50'000) {
    REQUIRE(machine->run({at}) == StopReason::Deadline);
    checkpoints.take();
    REQUIRE(checkpoints.bytes() <= budget);
  }
  const std::vector<Instant> instants = checkpoints.instants();
  CAPTURE(instants.size());
  REQUIRE(instants.size() > 16);
  REQUIRE(instants.size() < busy / 50'000);
  EXPECT(instants.front() == Instant{0});
  EXPECT(instants.back() == machine->now());
  EXPECT(instants[instants.size() - 1] - instants[instants.size() - 2] == 50'000);
  // No gap is out of proportion to its distance from the present.
  for (size_t i = 1; i + 1 < instants.size(); ++i) {
    CAPTURE(i, instants[i].ticks, instants[i + 1].ticks);
    EXPECT(instants[i + 1] - instants[i] <= 100'000 + (machine->now() - instants[i]));
  }
  EXPECT(checkpoints.latest({49'999}) == Instant{0});
  // What is left is right.
  const auto other = boot::make(GearSetting::Fast);
  const Instant middle = instants[instants.size() / 2];
  REQUIRE(checkpoints.restore(middle));
  EXPECT(machine->fingerprint() == hash_at(*other, middle));
}

TEST_CASE("another future: checkpoints after the present are forgotten, unknown instants refused") {
  const auto machine = boot::make(GearSetting::Fast);
  Checkpoints checkpoints{*machine};
  EXPECT(!checkpoints.restore({0}));
  EXPECT(!checkpoints.latest({5}));
  checkpoints.take();
  const size_t first_bytes = checkpoints.bytes();
  for (const uint64_t at : {100'000u, 200'000u, 300'000u}) {
    REQUIRE(machine->run({at}) == StopReason::Deadline);
    checkpoints.take();
    checkpoints.take();  // twice is once
  }
  EXPECT(checkpoints.count() == 4);
  REQUIRE(checkpoints.restore({100'000}));
  machine->memory().write(mmu::Spa{0x7000'000}, uint64_t{42});  // someone edits history
  checkpoints.forget_after({100'000});
  EXPECT(checkpoints.instants() == std::vector<Instant>{{0}, {100'000}});
  REQUIRE(machine->run({150'000}) == StopReason::Deadline);
  checkpoints.take();
  REQUIRE(checkpoints.restore({100'000}));
  EXPECT(machine->memory().read<uint64_t>(mmu::Spa{0x7000'000}) == 0);
  REQUIRE(checkpoints.restore({150'000}));
  EXPECT(machine->memory().read<uint64_t>(mmu::Spa{0x7000'000}) == 42);
  REQUIRE(checkpoints.restore({0}));
  checkpoints.forget_after({0});
  EXPECT(checkpoints.bytes() == first_bytes);
}
