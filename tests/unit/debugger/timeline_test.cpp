// Walking in time over a boot with VSM, live.
#include "tests/unit/debugger/boot_timeline.h"

#include "sim/support/prng.h"

using namespace debugger;
using support::EventKind;

namespace {

EventFilter of(EventKind kind) {
  return [kind](const support::Event& event) { return event.kind == kind; };
}

Conditions event_of(EventKind kind) { return {EventBreak{of(kind)}}; }

/// What a plain run has at these instants.
std::vector<support::StateHash> plain_hashes(const std::vector<uint64_t>& instants) {
  const auto machine = machine::Machine::create({}, test::boot_parts(), nullptr);
  REQUIRE(machine.ok());
  std::vector<support::StateHash> hashes;
  for (const uint64_t at : instants) {
    REQUIRE(machine.value()->run({at}) == machine::StopReason::Deadline);
    hashes.push_back(machine.value()->fingerprint());
  }
  return hashes;
}

}  // namespace

TEST_CASE("a seek to any instant, in any order, finds the state that a plain run has there") {
  support::Prng prng{Catch::getSeed(), "seeks"};
  std::vector<uint64_t> instants;
  for (int i = 0; i < 25; ++i) instants.push_back(prng.below(24'000'000));
  std::sort(instants.begin(), instants.end());
  const std::vector<support::StateHash> hashes = plain_hashes(instants);
  const auto timeline = test::boot_timeline();
  for (int i = 0; i < 60; ++i) {
    const size_t which = prng.below(instants.size());
    CAPTURE(Catch::getSeed(), i, instants[which]);
    REQUIRE(timeline->seek({instants[which]}) == Arrival::There);
    REQUIRE(timeline->now() == Instant{instants[which]});
    REQUIRE(timeline->machine().fingerprint() == hashes[which]);
  }
}

TEST_CASE("a small budget makes moves slower and nothing else") {
  const std::vector<uint64_t> instants{3'000'000, 9'000'000, 21'000'000};
  const std::vector<support::StateHash> hashes = plain_hashes(instants);
  const auto timeline = test::boot_timeline({.interval = 200'000, .focus = 1'000, .budget = size_t{48} << 20});
  for (const size_t which : {2u, 0u, 1u, 0u, 2u}) {
    REQUIRE(timeline->seek({instants[which]}) == Arrival::There);
    REQUIRE(timeline->machine().fingerprint() == hashes[which]);
    REQUIRE(timeline->checkpoints().bytes() <= timeline->checkpoints().budget());
  }
}

TEST_CASE("time begins at the reset and ends when the guest switches the machine off, and can be walked from both") {
  const auto timeline = test::boot_timeline();
  EXPECT(timeline->reverse_step() == Arrival::Beginning);
  EXPECT(timeline->seek(support::never) == Arrival::End);
  const Instant end = timeline->now();
  EXPECT(timeline->ending() == machine::StopReason::PowerOff);
  const support::StateHash last = timeline->machine().fingerprint();
  EXPECT(timeline->step_forward() == Arrival::End);
  EXPECT(timeline->now() == end);
  for (const uint64_t steps : {1u, 17u, 3'000u, 300'000u}) {
    CAPTURE(steps);
    REQUIRE(timeline->reverse_step(steps) == Arrival::There);
    REQUIRE(timeline->step_forward(steps) == Arrival::There);
    EXPECT(timeline->now() == end);
    EXPECT(timeline->machine().fingerprint() == last);
  }
  EXPECT(timeline->reverse_step(timeline->instructions() + 1) == Arrival::Beginning);
  EXPECT(timeline->now() == Instant{});
}

TEST_CASE("steps count instructions: waiting in HLT is not one, and both directions agree") {
  const auto timeline = test::boot_timeline();
  (void)timeline->seek(support::never);
  REQUIRE(timeline->machine().idle_ticks() > 0);
  const auto idle = timeline->first({EventBreak{of(EventKind::Interrupt)}}, {});
  REQUIRE(idle.has_value());
  REQUIRE(timeline->seek(idle->at) == Arrival::There);
  REQUIRE(timeline->reverse_step(50) == Arrival::There);
  std::vector<std::pair<Instant, uint64_t>> way;
  for (int i = 0; i < 120; ++i) {
    way.emplace_back(timeline->now(), timeline->instructions());
    REQUIRE(timeline->step_forward() == Arrival::There);
    EXPECT(timeline->instructions() == way.back().second + 1);
  }
  for (int i = 119; i >= 0; --i) {
    REQUIRE(timeline->reverse_step() == Arrival::There);
    EXPECT(timeline->now() == way[static_cast<size_t>(i)].first);
    EXPECT(timeline->instructions() == way[static_cast<size_t>(i)].second);
  }
}

TEST_CASE("events are found in both directions without looking at instructions") {
  const auto timeline = test::boot_timeline();
  timeline->explore_all();
  EXPECT(timeline->now() == Instant{});
  const auto forward = timeline->run_to(event_of(EventKind::VtlCall));
  REQUIRE(forward.arrival == Arrival::Hit);
  const Instant first_call = timeline->now();
  EXPECT(timeline->machine().processor().active == Vtl::Vtl0);
  (void)timeline->seek(support::never);
  size_t calls = 0;
  while (timeline->reverse_continue(event_of(EventKind::VtlCall)).arrival == Arrival::Hit) {
    ++calls;
    if (calls > 20) break;
    EXPECT(timeline->step_forward() == Arrival::There);
    EXPECT(timeline->machine().processor().active == Vtl::Vtl1);
    EXPECT(timeline->reverse_step() == Arrival::There);
  }
  EXPECT(calls > 10);
  const auto back = timeline->last(event_of(EventKind::VtlCall), first_call + 1);
  REQUIRE(back.has_value());
  EXPECT(back->at == first_call);
  EXPECT(timeline->looked_at() == 0);
}

TEST_CASE("a breakpoint at an address is met at the same instants going forward and going back") {
  const auto timeline = test::boot_timeline();
  REQUIRE(timeline->run_to(event_of(EventKind::SystemCall)).arrival == Arrival::Hit);
  REQUIRE(timeline->step_forward() == Arrival::There);  // to the kernel's entry
  REQUIRE(timeline->machine().processor().cpl() == 0);
  const Instant start = timeline->now();
  const vtl::VirtualProcessor& vp = timeline->machine().processor();
  const Conditions here{AddressBreak{.rip = vp.context().rip, .vtl = vp.active, .cr3 = {}}};
  std::vector<Instant> met{start};
  for (int i = 0; i < 4; ++i) {
    const auto move = timeline->run_to(here);
    REQUIRE(move.arrival == Arrival::Hit);
    EXPECT(timeline->machine().processor().context().rip == move.hit->rip);
    met.push_back(timeline->now());
  }
  for (int i = 3; i >= 0; --i) {
    REQUIRE(timeline->reverse_continue(here).arrival == Arrival::Hit);
    EXPECT(timeline->now() == met[static_cast<size_t>(i)]);
  }
}

TEST_CASE("addresses are found in both directions without looking at instructions one by one") {
  const auto timeline = test::boot_timeline();
  (void)timeline->seek({4'000'000});
  const uint64_t rip = timeline->machine().processor().context().rip;
  const Conditions nowhere{AddressBreak{.rip = 0xdead'0000'1234, .vtl = {}, .cr3 = {}}};
  for (int i = 0; i < 2; ++i) {
    EXPECT(timeline->reverse_continue(nowhere).arrival == Arrival::Beginning);
    EXPECT(timeline->run_to({AddressBreak{.rip = rip, .vtl = {}, .cr3 = {}}}).arrival == Arrival::Hit);
    EXPECT(timeline->machine().processor().context().rip == rip);
    (void)timeline->seek({4'000'000});
    EXPECT(timeline->machine().processor().context().rip == rip);
  }
  EXPECT(timeline->looked_at() == 0);
}

TEST_CASE("what was looked at once is not looked at again in vain") {
  const auto timeline = test::boot_timeline();
  (void)timeline->seek({4'000'000});
  const Conditions nowhere{RegisterWatch{.id = *find_register("dr3"), .vtl = Vtl::Vtl0, .vp = 0}};
  EXPECT(timeline->reverse_continue(nowhere).arrival == Arrival::Beginning);
  const uint64_t cost = timeline->looked_at();
  EXPECT(cost > 3'000'000);
  (void)timeline->seek({4'000'000});
  EXPECT(timeline->reverse_continue(nowhere).arrival == Arrival::Beginning);
  EXPECT(timeline->looked_at() == cost);
}

TEST_CASE("entering a VTL and an address space are found where their first instruction is next") {
  const auto timeline = test::boot_timeline();
  REQUIRE(timeline->run_to(event_of(EventKind::VtlReturn)).arrival == Arrival::Hit);
  REQUIRE(timeline->reverse_continue({VtlBreak{Vtl::Vtl1}}).arrival == Arrival::Hit);
  EXPECT(timeline->machine().processor().active == Vtl::Vtl1);
  const uint64_t cr3 = timeline->machine().processor().context().cr3;
  const Instant entered = timeline->now();
  REQUIRE(timeline->reverse_step() == Arrival::There);
  EXPECT(timeline->machine().processor().active == Vtl::Vtl0);
  REQUIRE(timeline->run_to({Cr3Break{cr3}}).arrival == Arrival::Hit);
  EXPECT(timeline->now() == entered);
}
