// The whole stack on two processors, each with VTL 0 and VTL 1: the same story under every schedule, in both gears, and from a
// state in the middle; and without a secure kernel.
#include "tests/support/catch.h"

#include <algorithm>
#include <set>

#include "tests/support/machine_run.h"

using namespace test;
using abi::hv::Vtl;
using loader::SchedulerPolicy;
using support::EventKind;

namespace {

loader::MachineConfig two(loader::MachineConfig config, SchedulerPolicy policy, uint32_t quantum) {
  config.processors = 2;
  config.scheduler_policy = policy;
  config.scheduler_seed = 7;
  config.quantum = quantum;
  return config;
}

/// What a person reads of the story, whoever tells it when: without addresses and the processors' own lines.
std::multiset<std::string> story(const Recorder& seen) {
  std::multiset<std::string> lines;
  for (const Seen& event : seen.of(EventKind::Milestone)) {
    const std::string& text = event.text;
    const bool detail = text.find("processor") != std::string::npos || text.find("free") != std::string::npos ||
                        text.find("0x") != std::string::npos || text.find("boot)") != std::string::npos;
    if (!detail) lines.insert(text);
  }
  return lines;
}

const std::multiset<std::string>& story_of_one() {
  static const std::multiset<std::string> lines = [] {
    MachineRun run{with_vsm()};
    EXPECT(run.finish() == machine::StopReason::PowerOff);
    return story(run.seen());
  }();
  return lines;
}

/// Switches into VTL 1 that this processor made.
size_t switches(const MachineRun& run, EventKind kind, uint32_t vp) {
  const auto& events = run.seen().events();
  return static_cast<size_t>(std::count_if(events.begin(), events.end(), [&](const Seen& seen) {
    return seen.kind() == kind && seen.event.vp == vp;
  }));
}

void expect_two_processors(const MachineRun& run) {
  EXPECT(run.seen().has(EventKind::Milestone, "securekernel: VTL 1 runs on processor 1"));
  EXPECT(run.seen().has(EventKind::Milestone, "ntoskrnl: processor 1 runs, with VTL 1 above it"));
  for (const auto& vp : run.machine().hypervisor().partition().vps) {
    CAPTURE(vp->registers->index);
    EXPECT(vp->enabled(Vtl::Vtl1));
    EXPECT(!vp->registers->startup_suspend);
    EXPECT(switches(run, EventKind::VtlReturn, vp->registers->index) > 0);
  }
}

}  // namespace

TEST_CASE("Windows' guests tell the same story on two processors as on one, under every schedule") {
  for (const auto& [policy, quantum] : {std::pair{SchedulerPolicy::RoundRobin, 200'000u},
                                        {SchedulerPolicy::Random, 1000u},
                                        {SchedulerPolicy::Adversarial, 500u}}) {
    CAPTURE(static_cast<int>(policy));
    MachineRun run{two(with_vsm(), policy, quantum)};
    INFO(run.machine().detail());
    REQUIRE(run.finish() == machine::StopReason::PowerOff);
    expect_two_processors(run);
    EXPECT(story(run.seen()) == story_of_one());
    EXPECT(switches(run, EventKind::VtlCall, 0) > 0);
    EXPECT(switches(run, EventKind::VtlCall, 1) > 0);  // NTOS's threads run there, and ask the secure kernel

    loader::MachineConfig config = two(with_vsm(), policy, quantum);
    config.gear = loader::GearSetting::Exact;
    MachineRun exact{config};
    REQUIRE(exact.finish() == machine::StopReason::PowerOff);
    EXPECT(exact.machine().fingerprint().to_string() == run.machine().fingerprint().to_string());
    EXPECT(exact.seen().milestones() == run.seen().milestones());
  }
}

TEST_CASE("Two processors in both VTLs come back from a state that was saved at any time") {
  const loader::MachineConfig config = two(with_vsm(), SchedulerPolicy::Random, 1000);
  MachineRun straight{config};
  REQUIRE(straight.finish() == machine::StopReason::PowerOff);
  const uint64_t end = straight.machine().now().ticks;
  MachineRun run{config}, other{config};
  for (uint64_t part = 1; part < 8; ++part) {
    REQUIRE(run.machine().run(support::Instant{end * part / 8}) == machine::StopReason::Deadline);
    REQUIRE(other.machine().restore(run.machine().save()).ok());
  }
  EXPECT(other.finish() == machine::StopReason::PowerOff);
  EXPECT(other.machine().fingerprint().to_string() == straight.machine().fingerprint().to_string());
}

TEST_CASE("Without a secure kernel NTOS starts its second processor by hypercall, and on a bare machine it does not") {
  MachineRun run{two(hypervisor_only(), SchedulerPolicy::Adversarial, 500)};
  REQUIRE(run.finish() == machine::StopReason::PowerOff);
  EXPECT(run.seen().has(EventKind::Milestone, "ntoskrnl: processor 1 runs"));
  EXPECT(!run.seen().has(EventKind::Milestone, "with VTL 1 above it"));
  MachineRun bare{two(bare_machine(), SchedulerPolicy::RoundRobin, 200'000)};
  REQUIRE(bare.finish() == machine::StopReason::PowerOff);
  EXPECT(!bare.seen().has(EventKind::Milestone, "ntoskrnl: processor 1 runs"));
}
