// States that nobody vouches for: refused with a reason, or accepted, never a crash, and a refusal changes nothing.
#include "tests/unit/machine/boot.h"

#include <cstring>

#include "sim/support/prng.h"

namespace {

using loader::GearSetting;
using machine::Machine;
using machine::State;

constexpr uint64_t seed = 77;

/// A state with everything in it: VTL 1 runs, protections and overlays stand.
const State& full_state() {
  static const State state = [] {
    const auto machine = boot::make(GearSetting::Fast);
    (void)machine->run({24'250'000});
    REQUIRE(machine->hypervisor().launched());
    REQUIRE(machine->hypervisor().partition().enabled(abi::hv::Vtl::Vtl1));
    return machine->save();
  }();
  return state;
}

/// Fields as bytes with some of them overwritten: bytes, words, numbers that mean something.
std::vector<uint8_t> damage(std::vector<uint8_t> bytes, support::Prng& prng) {
  static constexpr uint64_t meaningful[] = {0, 1, 2, 3, 0xff, 0x1000, 0x8000'0000, ~uint64_t{0}, uint64_t{1} << 40, 0x0800'0000};
  for (uint64_t changes = prng.between(1, 3); changes != 0; --changes) {
    // The TLB and the masks are most of the bytes; the rest stands at the beginning and around them.
    const size_t at = prng.one_in(2) ? prng.below(std::min<size_t>(bytes.size(), 4000)) : prng.below(bytes.size());
    const uint64_t value = prng.one_in(2) ? meaningful[prng.below(std::size(meaningful))] : prng.next();
    const size_t size = std::min<size_t>(bytes.size() - at, prng.one_in(3) ? 8 : 1);
    std::memcpy(bytes.data() + at, &value, size);
  }
  return bytes;
}

}  // namespace

TEST_CASE("a state that is cut off, wherever, is refused") {
  const State& state = full_state();
  const std::vector<uint8_t> bytes = machine::to_bytes(state);
  support::Prng prng{seed, "cuts"};
  for (int i = 0; i < 400; ++i) {
    const size_t size = i < 100 ? static_cast<size_t>(i) : prng.below(bytes.size());
    CAPTURE(size);
    const auto parsed = machine::state_from_bytes(std::span{bytes}.first(size));
    REQUIRE(!parsed.ok());
    REQUIRE(parsed.error().message.starts_with("state: "));
  }
  const auto machine = boot::make(GearSetting::Fast);
  const support::StateHash before = machine->fingerprint();
  for (int i = 0; i < 60; ++i) {
    State cut = state;
    cut.fields.resize(prng.below(cut.fields.size()));
    CAPTURE(i, cut.fields.size());
    REQUIRE(!machine->restore(cut).ok());
    REQUIRE(!machine->diff(state, cut).ok());
    REQUIRE(machine->fingerprint() == before);
  }
}

TEST_CASE("damaged fields are refused or make another state, on which the machine can run") {
  const State& state = full_state();
  support::Prng prng{seed, "fields"};
  const auto machine = boot::make(GearSetting::Fast);
  int refused = 0, accepted = 0;
  for (int i = 0; i < 600; ++i) {
    CAPTURE(seed, i);
    State damaged = state;
    damaged.fields = damage(damaged.fields, prng);
    const support::StateHash before = machine->fingerprint();
    const support::Status status = machine->restore(damaged);
    if (!status.ok()) {
      ++refused;
      REQUIRE(!status.error().message.empty());
      REQUIRE(machine->fingerprint() == before);
      continue;
    }
    ++accepted;
    (void)machine->run(machine->now() + prng.below(3000));
    if (prng.one_in(8)) REQUIRE(machine->restore(state).ok());
  }
  CAPTURE(refused, accepted);
  EXPECT(refused > 20);
  EXPECT(accepted > 100);
}

TEST_CASE("SLAT tables in memory that lead anywhere are refused") {
  const State& state = full_state();
  support::Prng prng{seed, "tables"};
  const auto machine = boot::make(GearSetting::Fast);
  const uint64_t first_own = machine->config().memory_bytes / abi::page_size;
  std::vector<size_t> own;
  for (size_t i = 0; i < state.pages.size(); ++i) {
    if (state.pages[i] >= first_own) own.push_back(i);
  }
  REQUIRE(own.size() > 4);
  const State fresh = machine->save();
  const support::StateHash before = machine->fingerprint();
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    CAPTURE(seed, i);
    State damaged = state;
    const uint64_t entry = prng.one_in(2) ? prng.next() : (state.pages[own[prng.below(own.size())]] << 12 | 7);
    std::memcpy(damaged.contents.data() + own[prng.below(own.size())] * 4096 + prng.below(512) * 8, &entry, 8);
    const support::Status status = machine->restore(damaged);
    if (!status.ok()) {
      ++refused;
      REQUIRE(machine->fingerprint() == before);
      continue;
    }
    (void)machine->run(machine->now() + 1000);
    REQUIRE(machine->restore(state).ok());
    REQUIRE(machine->restore(fresh).ok());
    REQUIRE(machine->fingerprint() == before);
  }
  CAPTURE(refused);
  EXPECT(refused > 5);
}
