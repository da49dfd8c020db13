#include "sim/machine/scheduler.h"

#include <array>
#include <bit>

#include "sim/support/state.h"
#include "tests/support/catch.h"

using loader::SchedulerPolicy;
using machine::Scheduler;
using support::Instant;

namespace {

loader::MachineConfig config_of(SchedulerPolicy policy, uint64_t seed = 1, uint32_t quantum = 1000) {
  loader::MachineConfig config;
  config.scheduler_policy = policy;
  config.scheduler_seed = seed;
  config.quantum = quantum;
  return config;
}

}  // namespace

TEST_CASE("One processor has one slice that does not end, whatever is asked") {
  Scheduler scheduler{config_of(SchedulerPolicy::Adversarial), 1};
  scheduler.choose(1, Instant{5});
  scheduler.yield(Instant{6});
  scheduler.opportunity(Instant{7});
  scheduler.yielded(Instant{8});
  EXPECT(scheduler.current() == 0);
  EXPECT(scheduler.slice_end() == support::never);
}

TEST_CASE("Round robin gives each processor that can run one quantum, in order") {
  Scheduler scheduler{config_of(SchedulerPolicy::RoundRobin), 4};
  Instant now;
  for (const uint32_t expected : {1u, 3u, 1u, 3u}) {
    scheduler.choose(0b1010, now);
    EXPECT(scheduler.current() == expected);
    EXPECT(scheduler.slice_end() == now + 1000);
    now = scheduler.slice_end();
  }
  scheduler.choose(0b0001, now);
  EXPECT(scheduler.current() == 0);
  scheduler.choose(0b0001, now + 10);  // alone: it goes on
  EXPECT(scheduler.current() == 0);
  scheduler.yield(now + 20);
  EXPECT(scheduler.slice_over(now + 20));
}

TEST_CASE("The random policy draws every processor about as often and no slice of two quanta") {
  Scheduler scheduler{config_of(SchedulerPolicy::Random, 7), 3};
  std::array<int, 3> times{};
  for (int i = 0; i < 3000; ++i) {
    const Instant now{static_cast<uint64_t>(i) * 10'000};
    scheduler.choose(0b111, now);
    ++times[scheduler.current()];
    const uint64_t length = scheduler.slice_end() - now;
    REQUIRE((length >= 1 && length < 2000));
  }
  for (const int count : times) EXPECT((count > 800 && count < 1200));
}

TEST_CASE("The adversarial policy has slices of every order of magnitude and takes half of its opportunities") {
  Scheduler scheduler{config_of(SchedulerPolicy::Adversarial, 7), 2};
  std::array<int, 10> magnitudes{};
  int taken = 0;
  for (int i = 0; i < 2000; ++i) {
    const Instant now{static_cast<uint64_t>(i) * 10'000};
    scheduler.choose(0b11, now);
    const uint64_t length = scheduler.slice_end() - now;
    REQUIRE((length >= 1 && length < 1024));
    ++magnitudes[static_cast<size_t>(std::bit_width(length) - 1)];
    scheduler.opportunity(now + 0);
    if (scheduler.slice_over(now)) ++taken;
  }
  for (const int count : magnitudes) EXPECT(count > 100);
  EXPECT((taken > 850 && taken < 1150));
}

TEST_CASE("A schedule goes on from its saved state, and is another for another seed") {
  const auto slices = [](Scheduler& scheduler) {
    std::vector<uint64_t> all;
    for (uint64_t now = 0; all.size() < 100; now += 5000) {
      scheduler.choose(0b1111, Instant{now});
      all.push_back(scheduler.current() * 100'000 + (scheduler.slice_end() - Instant{now}));
    }
    return all;
  };
  Scheduler one{config_of(SchedulerPolicy::Random, 1), 4}, two{config_of(SchedulerPolicy::Random, 2), 4};
  slices(one);
  std::vector<uint8_t> bytes;
  support::StateWriter{bytes}.visit(one);
  Scheduler again{config_of(SchedulerPolicy::Random, 1), 4};
  support::StateReader reader{bytes};
  reader.visit(again);
  REQUIRE(reader.finish().ok());
  const auto expected = slices(one);
  EXPECT(slices(again) == expected);
  EXPECT(slices(two) != expected);
}

TEST_CASE("A state in which nobody's slice runs is refused") {
  Scheduler four{config_of(SchedulerPolicy::RoundRobin), 4}, two{config_of(SchedulerPolicy::RoundRobin), 2};
  four.choose(0b1000, Instant{});
  std::vector<uint8_t> bytes;
  support::StateWriter{bytes}.visit(four);
  support::StateReader reader{bytes};
  reader.visit(two);
  CHECK_FALSE(reader.finish().ok());
}
