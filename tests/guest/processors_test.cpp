// Four processors under every policy of the scheduler: equal in both gears, at every stop, when recorded, and backwards.
#include "tests/support/catch.h"

#include <filesystem>
#include <fstream>

#include "sim/debugger/timeline.h"
#include "sim/support/prng.h"
#include "tests/guest/scheduled_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using namespace test;
using loader::GearSetting;
using loader::SchedulerPolicy;
using support::EventKind;

namespace {

loader::MachineConfig four_processors(SchedulerPolicy policy, uint64_t seed, GearSetting gear) {
  loader::MachineConfig config = bare_machine();
  config.firmware = guest_image("test_processors.efi");
  config.disk = "none";
  config.processors = 4;
  config.scheduler_policy = policy;
  config.scheduler_seed = seed;
  config.quantum = 1000;
  config.gear = gear;
  return config;
}

}  // namespace

TEST_CASE("Four processors pass their micro-kernel under each policy, alike in both gears") {
  for (const SchedulerPolicy policy : policies) {
    CAPTURE(static_cast<int>(policy));
    const Report fast = boot(four_processors(policy, 1, GearSetting::Fast));
    INFO(fast.lines << fast.detail);
    EXPECT(fast.stop == machine::StopReason::PowerOff);
    EXPECT(fast.lines.find("fail ") == std::string::npos);
    EXPECT(fast.lines.find("done 17") != std::string::npos);
    const Report exact = boot(four_processors(policy, 1, GearSetting::Exact));
    EXPECT(exact.lines == fast.lines);
    EXPECT(exact.end == fast.end);
    EXPECT(exact.fingerprint == fast.fingerprint);
  }
}

TEST_CASE("Another seed of the scheduler is another run, the same seed the same") {
  for (const SchedulerPolicy policy : {SchedulerPolicy::Random, SchedulerPolicy::Adversarial}) {
    CAPTURE(static_cast<int>(policy));
    const Report one = boot(four_processors(policy, 1, GearSetting::Fast));
    const Report two = boot(four_processors(policy, 2, GearSetting::Fast));
    EXPECT(two.lines.find("done 17") != std::string::npos);
    EXPECT(two.lines.find("fail ") == std::string::npos);
    EXPECT(one.fingerprint != two.fingerprint);
    EXPECT(boot(four_processors(policy, 2, GearSetting::Fast)).fingerprint == two.fingerprint);
  }
}

TEST_CASE("Stopping several processors anywhere, saving and restoring changes nothing") {
  for (const SchedulerPolicy policy : policies) {
    CAPTURE(static_cast<int>(policy), Catch::getSeed());
    const loader::MachineConfig config = four_processors(policy, 3, GearSetting::Fast);
    const Report straight = boot(config);
    support::Prng prng{Catch::getSeed(), "stops"};
    MachineRun run{config}, other{config};
    for (int i = 0; i < 60; ++i) {
      const support::Instant at{prng.below(straight.end)};
      if (at > run.machine().now()) REQUIRE(run.machine().run(at) == machine::StopReason::Deadline);
      if (i % 20 == 7) REQUIRE(other.machine().restore(run.machine().save()).ok());
    }
    EXPECT(run.finish() == machine::StopReason::PowerOff);
    EXPECT(run.machine().fingerprint().to_string() == straight.fingerprint);
    EXPECT(other.finish() == machine::StopReason::PowerOff);
    EXPECT(other.machine().fingerprint().to_string() == straight.fingerprint);
  }
}

TEST_CASE("A recording of several processors replays, verified, in the other gear too") {
  const TemporaryFolder folder;
  const std::string machine = folder.file("four.toml"), recording = folder.file("four.air");
  std::ofstream{machine} << "[machine]\nprocessors = 4\n[scheduler]\npolicy = \"adversarial\"\nseed = 5\nquantum = 500\n"
                         << "[boot]\nhypervisorlaunchtype = \"off\"\nfirmware = \""
                         << std::filesystem::absolute(guest_image("test_processors.efi")).string() << "\"\n";
  const ProgramResult run = airlock({"run", machine, "-q", "--record", recording, "--hash-interval", "0.05"});
  INFO(run.output << run.errors);
  REQUIRE(run.exit_code == 0);
  for (const char* gear : {"fast", "exact"}) {
    const ProgramResult replay = airlock({"replay", recording, "--verify", "-q", "--gear", gear, "--firmware",
                                          guest_image("test_processors.efi")});
    INFO(replay.output << replay.errors);
    EXPECT(replay.exit_code == 0);
    EXPECT(replay.output.find("Verified: ") != std::string::npos);
  }
}

TEST_CASE("Two thousand steps of several processors lead back through the same states") {
  loader::MachineConfig config = four_processors(SchedulerPolicy::Adversarial, 1, GearSetting::Fast);
  machine::MachineParts parts;
  parts.firmware = read_file(config.firmware);
  config.firmware.clear();
  config.disk.clear();
  auto made = debugger::Timeline::over(config, std::move(parts), {});
  REQUIRE(made.ok());
  debugger::Timeline& timeline = *made.value();
  timeline.explore_all();
  const auto third = timeline.history().first({}, [](const support::Event& event) {
    return event.kind == EventKind::Interrupt && event.vp == 3;
  });
  REQUIRE(third.has_value());
  REQUIRE(timeline.seek(third->event.at) == debugger::Arrival::There);
  REQUIRE(timeline.reverse_step(1000) == debugger::Arrival::There);
  std::vector<support::StateHash> way{timeline.machine().fingerprint()};
  uint32_t ran = 0;
  for (int i = 0; i < 2000; ++i) {
    ran |= 1u << timeline.machine().processor().number;
    REQUIRE(timeline.step_forward() == debugger::Arrival::There);
    way.push_back(timeline.machine().fingerprint());
  }
  EXPECT(ran == 0b1111);  // or nothing is shown
  for (size_t i = way.size() - 1; i-- > 0;) {
    REQUIRE(timeline.reverse_step() == debugger::Arrival::There);
    REQUIRE(timeline.machine().fingerprint() == way[i]);
  }
}
