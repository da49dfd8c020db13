// A state is whole when nobody can tell a machine that was put into it from the one that was saved.
#include "tests/unit/machine/boot.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "sim/support/prng.h"

namespace {

using loader::GearSetting;
using machine::Machine;
using machine::State;
using machine::StopReason;
using support::EventKind;
using support::Instant;

/// Instants of a boot that are worth a sample, by kind.
struct Instants : support::EventSink {
  std::map<EventKind, std::vector<uint64_t>> at;
  std::vector<uint64_t> trustlet_calls;  ///< system calls in VTL 1: ring 3 up to there
  void on(const support::Event& event) override {
    at[event.kind].push_back(event.at.ticks);
    if (event.kind == EventKind::SystemCall && event.vtl == abi::hv::Vtl::Vtl1) trustlet_calls.push_back(event.at.ticks);
  }
};

/// Where a sampled instant lies.
struct Place {
  bool launched{}, halted{};
  abi::hv::Vtl vtl{};
  uint8_t cpl{};
};

struct Sample {
  Instant at;
  State state;
  support::StateHash hash;
  Place place;
};

/// A whole boot, sampled.
struct Boot {
  Instant end;
  support::StateHash last;
  std::vector<Sample> samples;
};

/// `busy`: instructions of the boot, about where waiting begins; `end`: waiting included.
std::vector<uint64_t> choose_instants(const Instants& seen, uint64_t busy, uint64_t end, support::Prng& prng) {
  std::vector<uint64_t> chosen;
  for (int i = 0; i < 12; ++i) chosen.push_back(prng.below(busy));
  for (int i = 0; i < 2; ++i) chosen.push_back(prng.between(busy, end - 1));  // mostly waiting
  const auto some_of = [&](const std::vector<uint64_t>& from, int count, uint64_t before) {
    for (int i = 0; i < count && !from.empty(); ++i) {
      const uint64_t at = from[prng.below(from.size())];
      chosen.push_back(at - std::min(at, prng.below(before)));
    }
  };
  const auto kind = [&](EventKind which) {
    const auto found = seen.at.find(which);
    return found == seen.at.end() ? std::vector<uint64_t>{} : found->second;
  };
  some_of(kind(EventKind::HypervisorLaunched), 2, 2000);
  for (const EventKind which : {EventKind::Interrupt, EventKind::VtlCall, EventKind::VtlReturn, EventKind::Intercept,
                                EventKind::Exception, EventKind::SystemCall}) {
    some_of(kind(which), 2, 3);
  }
  some_of(seen.trustlet_calls, 4, 8);
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

Place place_of(const Machine& machine) {
  const vtl::VirtualProcessor& vp = machine.processor();
  return {machine.hypervisor().launched(), vp.halted, vp.active, vp.cpl()};
}

constexpr uint64_t sampling_seed = 20260101;

const Boot& sampled_boot() {
  static const Boot boot = [] {
    Boot result;
    Instants seen;
    const auto straight = boot::make(GearSetting::Fast, &seen);
    REQUIRE(straight->run(boot::limit) == StopReason::PowerOff);
    result.end = straight->now();
    result.last = straight->fingerprint();
    support::Prng prng{sampling_seed, "state samples"};
    const uint64_t busy = result.end.ticks - straight->idle_ticks();
    const auto machine = boot::make(GearSetting::Fast);
    for (const uint64_t at : choose_instants(seen, busy, result.end.ticks, prng)) {
      REQUIRE(machine->run({at}) == StopReason::Deadline);
      result.samples.push_back({{at}, machine->save(), machine->fingerprint(), place_of(*machine)});
    }
    REQUIRE(machine->run(boot::limit) == StopReason::PowerOff);
    // Stopping and saving at all these places changed nothing.
    REQUIRE(machine->fingerprint() == result.last);
    return result;
  }();
  return boot;
}

/// The first fields that differ, for the message of a failure.
std::string explain(Machine& machine, const State& expected) {
  const State now = machine.save();
  auto differences = machine.diff(expected, now);
  if (!differences.ok()) return differences.error().message;
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(differences.value().size(), 12); ++i) {
    const auto& [path, a, b] = differences.value()[i];
    text += path + ": " + a + " and " + b + "\n";
  }
  return text;
}

void restore(Machine& machine, const Sample& sample) {
  const support::Status status = machine.restore(sample.state);
  if (!status.ok()) FAIL(status.error().message);
  INFO(explain(machine, sample.state));
  REQUIRE(machine.fingerprint() == sample.hash);
}

void run_to(Machine& machine, const Sample& sample) {
  REQUIRE(machine.run(sample.at) == StopReason::Deadline);
  if (machine.fingerprint() == sample.hash) return;
  FAIL_CHECK(explain(machine, sample.state));
}

void run_to_end(Machine& machine) {
  REQUIRE(machine.run(boot::limit) == StopReason::PowerOff);
  EXPECT(machine.now() == sampled_boot().end);
  EXPECT(machine.fingerprint() == sampled_boot().last);
}

}  // namespace

TEST_CASE("the samples of a boot lie in every kind of place") {
  bool bare = false, vtl0 = false, vtl1 = false, trustlet = false;
  for (const Sample& sample : sampled_boot().samples) {
    bare |= !sample.place.launched;
    vtl0 |= sample.place.launched && sample.place.vtl == abi::hv::Vtl::Vtl0;
    vtl1 |= sample.place.vtl == abi::hv::Vtl::Vtl1 && sample.place.cpl == 0;
    trustlet |= sample.place.vtl == abi::hv::Vtl::Vtl1 && sample.place.cpl == 3;
  }
  EXPECT(bare);
  EXPECT(vtl0);
  EXPECT(vtl1);
  EXPECT(trustlet);
}

TEST_CASE("a restored machine runs on as the saved one did, in any order, before and after the hypervisor's launch") {
  const std::vector<Sample>& samples = sampled_boot().samples;
  support::Prng prng{sampling_seed, "order of restores"};
  CAPTURE(sampling_seed);
  const auto machine = boot::make(GearSetting::Fast);
  for (int i = 0; i < 24; ++i) {
    const size_t from = prng.below(samples.size() - 1);
    CAPTURE(i, from, samples[from].at.ticks, samples[from + 1].at.ticks);
    restore(*machine, samples[from]);
    run_to(*machine, samples[from + 1]);
  }
}

TEST_CASE("a state restored into a fresh machine, of either gear, runs to the same end") {
  const std::vector<Sample>& samples = sampled_boot().samples;
  support::Prng prng{sampling_seed, "fresh machines"};
  CAPTURE(sampling_seed);
  for (const GearSetting gear : {GearSetting::Fast, GearSetting::Exact}) {
    for (int i = 0; i < 3; ++i) {
      const size_t from = prng.below(samples.size());
      CAPTURE(gear, i, from, samples[from].at.ticks);
      const auto machine = boot::make(gear);
      restore(*machine, samples[from]);
      run_to_end(*machine);
    }
  }
}

TEST_CASE("in the exact gear, each stretch between two samples gives the same state") {
  const std::vector<Sample>& samples = sampled_boot().samples;
  const auto machine = boot::make(GearSetting::Exact);
  for (size_t from = 0; from + 1 < samples.size(); ++from) {
    CAPTURE(from, samples[from].at.ticks, samples[from + 1].at.ticks);
    restore(*machine, samples[from]);
    run_to(*machine, samples[from + 1]);
  }
}

TEST_CASE("a state goes through bytes unchanged") {
  const Sample& sample = sampled_boot().samples.back();
  const std::vector<uint8_t> bytes = machine::to_bytes(sample.state);
  const auto state = machine::state_from_bytes(bytes);
  REQUIRE(state.ok());
  const auto machine = boot::make(GearSetting::Fast);
  REQUIRE(machine->restore(state.value()).ok());
  EXPECT(machine->fingerprint() == sample.hash);
}

TEST_CASE("diff names the fields that differ, and the byte of memory") {
  const std::vector<Sample>& samples = sampled_boot().samples;
  const auto found = std::find_if(samples.begin(), samples.end(),
                                  [](const Sample& it) { return it.place.vtl == abi::hv::Vtl::Vtl1 && !it.place.halted; });
  REQUIRE(found != samples.end());
  const Sample& sample = *found;
  const auto machine = boot::make(GearSetting::Fast);
  restore(*machine, sample);
  State other = sample.state;
  other.contents[5 * 4096 + 0x123] ^= 1;
  auto differences = machine->diff(sample.state, other);
  REQUIRE(differences.ok());
  REQUIRE(differences.value().size() == 1);
  CAPTURE(differences.value()[0].path);
  EXPECT(differences.value()[0].path == fmt::format("memory[{:#x}]", other.pages[5] * 4096 + 0x123));
  REQUIRE(machine->run(machine->now() + 1) == StopReason::Deadline);
  const State next = machine->save();
  differences = machine->diff(sample.state, next);
  REQUIRE(differences.ok());
  const auto named = [&](std::string_view path) {
    return std::any_of(differences.value().begin(), differences.value().end(),
                       [&](const support::StateDifference& difference) { return difference.path == path; });
  };
  EXPECT(named("now"));
  EXPECT(named(fmt::format("vp[0].contexts[{}].rip", static_cast<int>(machine->processor().active))));
  EXPECT(machine->diff(next, next).value().empty());
  EXPECT(machine->now() == sample.at + 1);  // diff leaves the machine as it was
}

TEST_CASE("a state of another configuration or version is refused, and changes nothing") {
  const auto machine = boot::make(GearSetting::Fast);
  const support::StateHash before = machine->fingerprint();
  State state = boot::make(GearSetting::Fast, nullptr, 2)->save();
  const support::Status status = machine->restore(state);
  REQUIRE(!status.ok());
  EXPECT(status.error().message == "state: of a machine of another configuration or disk");
  state = machine->save();
  ++state.semantics;
  EXPECT(!machine->restore(state).ok());
  EXPECT(machine->fingerprint() == before);
}
