// Ten thousand instructions forward and back, over everything that makes a step unlike the last: each position has the hash
// that it had on the way there.
#include "tests/unit/debugger/boot_timeline.h"

#include "sim/support/prng.h"

using namespace debugger;
using support::EventKind;

namespace {

constexpr uint64_t steps = 10'000;

struct Position {
  Instant at;
  support::StateHash hash;
};

/// From `steps` / 2 before `middle`, forward and back; then to places on the way in no order.
void walk(Timeline& timeline, Instant middle) {
  CAPTURE(Catch::getSeed(), middle.ticks);
  REQUIRE(timeline.seek(middle) == Arrival::There);
  REQUIRE(timeline.reverse_step(steps / 2) == Arrival::There);
  std::vector<Position> way;
  way.push_back({timeline.now(), timeline.machine().fingerprint()});
  for (uint64_t i = 0; i < steps; ++i) {
    REQUIRE(timeline.step_forward() == Arrival::There);
    way.push_back({timeline.now(), timeline.machine().fingerprint()});
  }
  for (uint64_t i = steps; i-- > 0;) {
    CAPTURE(i, way[i].at.ticks);
    REQUIRE(timeline.reverse_step() == Arrival::There);
    REQUIRE(timeline.now() == way[i].at);
    REQUIRE(timeline.machine().fingerprint() == way[i].hash);
  }
  support::Prng prng{Catch::getSeed(), "places"};
  for (int jump = 0; jump < 100; ++jump) {
    const uint64_t from = prng.below(steps + 1), to = prng.below(steps + 1);
    CAPTURE(from, to);
    REQUIRE(timeline.seek(way[from].at) == Arrival::There);
    REQUIRE((to >= from ? timeline.step_forward(to - from) : timeline.reverse_step(from - to)) == Arrival::There);
    REQUIRE(timeline.now() == way[to].at);
    REQUIRE(timeline.machine().fingerprint() == way[to].hash);
  }
}

/// What the run has between two instants, so that a walk proves what its name says.
bool has(Timeline& timeline, Instant middle, EventKind kind) {
  const auto event = timeline.history().first(Instant{middle.ticks - std::min<uint64_t>(middle.ticks, 2'000)},
                                              [kind](const support::Event& seen) { return seen.kind == kind; });
  return event && event->event.at < middle + 2'000;
}

Instant first(Timeline& timeline, const EventFilter& filter) {
  timeline.explore_all();
  const auto event = timeline.history().first({}, filter);
  REQUIRE(event.has_value());
  return event->event.at;
}

}  // namespace

TEST_CASE("forward and back over the first VTL call") {
  const auto timeline = test::boot_timeline();
  const Instant call = first(*timeline, [](const support::Event& event) { return event.kind == EventKind::VtlCall; });
  walk(*timeline, call);
}

TEST_CASE("forward and back over a trustlet in ring 3 of VTL 1 that calls its kernel") {
  const auto timeline = test::boot_timeline();
  const Instant call = first(*timeline, [](const support::Event& event) {
    return event.kind == EventKind::SystemCall && event.vtl == Vtl::Vtl1;
  });
  REQUIRE(timeline->seek(call) == Arrival::There);
  REQUIRE(timeline->reverse_step() == Arrival::There);
  EXPECT(timeline->machine().processor().cpl() == 3);
  EXPECT(timeline->machine().processor().active == Vtl::Vtl1);
  walk(*timeline, call);
}

TEST_CASE("forward and back over the intercept that keeps the secret") {
  const auto timeline = test::boot_timeline();
  const Instant intercept = first(*timeline, [](const support::Event& event) { return event.kind == EventKind::Intercept; });
  EXPECT(has(*timeline, intercept, EventKind::VtlInterruptEntry));
  walk(*timeline, intercept);
}

TEST_CASE("forward and back over a fault that the guest handles") {
  const auto timeline = test::boot_timeline();
  walk(*timeline, first(*timeline, [](const support::Event& event) { return event.kind == EventKind::Exception; }));
}

TEST_CASE("forward and back over an interrupt of the timer that ends waiting") {
  const auto timeline = test::boot_timeline();
  const EventFilter any = [](const support::Event& event) { return event.kind == EventKind::Interrupt; };
  Instant interrupt = first(*timeline, any);
  const auto idle_before = [&] {
    REQUIRE(timeline->seek(interrupt) == Arrival::There);
    const uint64_t idle = timeline->machine().idle_ticks();
    REQUIRE(timeline->reverse_step() == Arrival::There);
    return idle - timeline->machine().idle_ticks();
  };
  while (idle_before() == 0) {
    const auto next = timeline->history().first(interrupt + 1, any);
    REQUIRE(next.has_value());
    interrupt = next->event.at;
  }
  walk(*timeline, interrupt);
}

TEST_CASE("forward and back over places that chance picks") {
  const auto timeline = test::boot_timeline();
  timeline->explore_all();
  (void)timeline->seek(support::never);
  const uint64_t all = timeline->instructions();
  support::Prng prng{Catch::getSeed(), "middles"};
  REQUIRE(timeline->reverse_step(steps + prng.below(all - 2 * steps)) == Arrival::There);
  walk(*timeline, timeline->now());
}
