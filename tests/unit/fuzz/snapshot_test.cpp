// Back to one instant, again and again: nobody can tell the machine from the one that stood there first.
#include "tests/unit/machine/boot.h"

#include <tuple>

#include "fuzz/engine/snapshot.h"
#include "sim/support/prng.h"

namespace {

using fuzzing::Snapshot;
using loader::GearSetting;
using support::Instant;

/// Before the launch of the hypervisor, in the secure kernel's start, at work, and where the boot is over.
constexpr uint64_t places[] = {1'500'000, 3'900'000, 9'000'000, 17'000'000};

/// What no run does: a fuzzer's hands in registers and memory.
void disturb(machine::Machine& machine, support::Prng& prng) {
  const uint64_t pages = machine.config().memory_bytes / abi::page_size;
  for (int i = 0; i < 5; ++i) {
    machine.memory().write(mmu::Spa{prng.below(pages) * abi::page_size + 8 * prng.below(512)}, prng.next());
  }
  machine.change_processor(0, [&](vtl::VirtualProcessor& vp) { vp.shared.gpr[prng.below(16)] = prng.next(); });
}

}  // namespace

TEST_CASE("a machine that went back has the state, and the future, that it had at the snapshot") {
  const GearSetting gear = GENERATE(GearSetting::Fast, GearSetting::Exact);
  CAPTURE(static_cast<int>(gear));
  support::Prng prng{71, "snapshots"};
  for (const uint64_t place : places) {
    const auto machine = boot::make(gear);
    (void)machine->run({place});
    Snapshot snapshot{*machine};
    const support::StateHash there = machine->fingerprint();
    EXPECT(snapshot.restore() == 0);
    (void)machine->run(machine->now() + 30'000);
    const support::StateHash later = machine->fingerprint();
    for (int i = 0; i < 20; ++i) {
      CAPTURE(place, i);
      (void)snapshot.restore();
      if (prng.one_in(3)) {
        REQUIRE(machine->fingerprint() == there);
      }
      if (prng.one_in(2)) {
        disturb(*machine, prng);
        (void)machine->run(machine->now() + prng.below(60'000));
        const uint32_t dirty = snapshot.dirty_pages();
        REQUIRE(snapshot.restore() == dirty);
        if (prng.one_in(2)) {
          REQUIRE(machine->fingerprint() == there);
        }
      }
      REQUIRE(machine->run({place + 30'000}) == machine::StopReason::Deadline);
      if (prng.one_in(2)) {
        REQUIRE(machine->fingerprint() == later);
      }
    }
  }
}

TEST_CASE("a machine goes back over the end of a TLB generation, and over the launch of the hypervisor") {
  const auto machine = boot::make(GearSetting::Fast);
  (void)machine->run({400'000});
  const uint64_t dropped = machine->translator().tlb().generations_dropped();
  Snapshot snapshot{*machine};
  const support::StateHash there = machine->fingerprint();
  (void)machine->run({20'000'000});
  const support::StateHash end = machine->fingerprint();
  REQUIRE(machine->hypervisor().statistics().vtl_calls != 0);
  REQUIRE(machine->translator().tlb().generations_dropped() > dropped);
  for (int i = 0; i < 2; ++i) {
    EXPECT(snapshot.restore() > 200);
    REQUIRE(machine->fingerprint() == there);
    (void)machine->run({20'000'000});
    REQUIRE(machine->fingerprint() == end);
  }
}
