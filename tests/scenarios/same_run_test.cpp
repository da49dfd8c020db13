// A run is a pure function of its configuration: twice, and in both gears.
#include "tests/support/catch.h"

#include "tests/support/machine_run.h"

using namespace test;

namespace {

struct Outcome {
  std::vector<std::string> events;
  std::string fingerprint;
  uint64_t instructions{}, misses{};
};

Outcome run_once(loader::MachineConfig config) {
  MachineRun run{std::move(config)};
  Outcome outcome;
  EXPECT(run.finish() == machine::StopReason::PowerOff);
  for (const Seen& seen : run.seen().events()) outcome.events.push_back(describe(seen));
  outcome.fingerprint = run.machine().fingerprint().to_string();
  outcome.instructions = run.machine().now().ticks;
  outcome.misses = run.machine().translator().misses();
  return outcome;
}

const Outcome& fast() {
  static const Outcome outcome = run_once(with_vsm());
  return outcome;
}

void compare(const Outcome& a, const Outcome& b) {
  for (size_t i = 0; i < std::min(a.events.size(), b.events.size()); ++i) {
    INFO("event " << i);
    REQUIRE(a.events[i] == b.events[i]);  // the first difference says more than all of them
  }
  EXPECT(a.events.size() == b.events.size());
  EXPECT(a.instructions == b.instructions);
  EXPECT(a.misses == b.misses);
  EXPECT(a.fingerprint == b.fingerprint);
}

}  // namespace

TEST_CASE("Two runs of one configuration have the same events and the same fingerprint") {
  compare(fast(), run_once(with_vsm()));
}

TEST_CASE("The Exact gear gives the same events and the same fingerprint as the Fast one") {
  loader::MachineConfig config = with_vsm();
  config.gear = loader::GearSetting::Exact;
  compare(fast(), run_once(config));
}

TEST_CASE("Stopping and going on at many instants changes nothing") {
  MachineRun run{with_vsm()};
  uint64_t step = 1;
  while (run.machine().run({run.machine().now().ticks + step}) == machine::StopReason::Deadline) step = step * 7 % 99'991;
  EXPECT(run.machine().now().ticks == fast().instructions);
  EXPECT(run.machine().fingerprint().to_string() == fast().fingerprint);
}

TEST_CASE("Another seed is another run") {
  loader::MachineConfig config = with_vsm();
  config.seed = 2;
  EXPECT(run_once(config).fingerprint != fast().fingerprint);
}
