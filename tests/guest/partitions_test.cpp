// A parent and its children, and three VTLs, in the whole machine: alike in both gears and under every policy of the
// scheduler.
#include "tests/support/catch.h"

#include "tests/guest/scheduled_run.h"

using namespace test;
using loader::GearSetting;
using loader::SchedulerPolicy;

namespace {

loader::MachineConfig family(SchedulerPolicy policy, GearSetting gear) {
  loader::MachineConfig config = bare_machine();
  config.firmware = guest_image("test_partitions.efi");
  config.disk = "none";
  config.maximum_vtl = 2;
  config.child_processors = 3;
  config.scheduler_policy = policy;
  config.scheduler_seed = 1;
  config.quantum = 1000;
  config.gear = gear;
  return config;
}

}  // namespace

TEST_CASE("a parent and its children pass their micro-kernel under each policy, alike in both gears") {
  for (const SchedulerPolicy policy : policies) {
    CAPTURE(static_cast<int>(policy));
    const Report fast = boot(family(policy, GearSetting::Fast));
    INFO(fast.lines << fast.detail);
    EXPECT(fast.stop == machine::StopReason::PowerOff);
    EXPECT(fast.lines.find("fail ") == std::string::npos);
    EXPECT(fast.lines.find("done ") != std::string::npos);
    const Report exact = boot(family(policy, GearSetting::Exact));
    EXPECT(exact.lines == fast.lines);
    EXPECT(exact.end == fast.end);
    EXPECT(exact.fingerprint == fast.fingerprint);
  }
}

TEST_CASE("a machine with children comes back from a state that was saved at any time") {
  const loader::MachineConfig config = family(SchedulerPolicy::Random, GearSetting::Fast);
  const Report straight = boot(config);
  MachineRun run{config}, other{config};
  for (uint64_t part = 1; part < 24; ++part) {
    REQUIRE(run.machine().run(support::Instant{straight.end * part / 24}) == machine::StopReason::Deadline);
    REQUIRE(other.machine().restore(run.machine().save()).ok());
    REQUIRE(other.machine().fingerprint() == run.machine().fingerprint());
  }
  EXPECT(run.finish() == machine::StopReason::PowerOff);
  EXPECT(other.finish() == machine::StopReason::PowerOff);
  EXPECT(run.machine().fingerprint().to_string() == straight.fingerprint);
  EXPECT(other.machine().fingerprint().to_string() == straight.fingerprint);
}
