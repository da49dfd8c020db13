// Four processors under every policy of the scheduler: equal in both gears, at every stop, when recorded, and backwards.
#include "tests/support/catch.h"

#include <filesystem>
#include <fstream>

#include "sim/debugger/timeline.h"
#include "sim/support/prng.h"
#include "tests/guest/scheduled_run.h"
#include "tests/guest/shown_rules.h"
#include "tests/support/conformance.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using namespace test;
using loader::GearSetting;
using loader::SchedulerPolicy;
using support::EventKind;

namespace {

constexpr const char* all_done = "done 25";

constexpr ShownRule rules[] = {
    {"three processors start by hypercall", "HvCallStartVirtualProcessor", "starts in its context; running already -> INVALID_VP_STATE",
     "TLFS HvCallStartVirtualProcessor"},
    {"processors that do not exist, run, or lack the level do not start", "HvCallStartVirtualProcessor",
     "no such VP -> INVALID_VP_INDEX; VTL above the caller's -> ACCESS_DENIED", "TLFS HvCallStartVirtualProcessor"},
    {"VTL 0 enables VTL 1 on its own processor, once, and on no other", "HvCallEnableVpVtl",
     "from VTL 0 on another VP -> ACCESS_DENIED", "TLFS 15.6.1"},
    {"VTL 1 enables itself on the other processors", "HvCallEnableVpVtl", "from VTL 1 on every VP; twice -> VTL_ALREADY_ENABLED",
     "TLFS 15.6.1"},
    {"local APICs name their processors, up to the first that nobody has", "HvCallGetVpIndexFromApicId",
     "one index for each; unknown -> INVALID_PARAMETER after those before; VTL above -> ACCESS_DENIED", "TLFS"},
    {"a flush hypercall reaches exactly the processors that it names", "HvCallFlushVirtualAddressSpace",
     "each VP of the mask, no other; AllProcessors", "TLFS 4.4"},
    {"sparse sets of processors are flushed bank by bank, as a whole and by list", "HvCallFlushVirtualAddressSpaceEx",
     "banks 0 and 1, all; wrong banks -> INVALID_HYPERCALL_INPUT, format -> INVALID_PARAMETER", "TLFS 7.8.7.3"},
    {"sparse sets of processors are flushed bank by bank, as a whole and by list", "HvCallFlushVirtualAddressListEx",
     "banks 0 and 1; wrong banks -> INVALID_HYPERCALL_INPUT, format -> INVALID_PARAMETER", "TLFS 7.8.7.3"},
    {"cluster interrupts wake the processors of a mask, or of a sparse set", "HvCallSendSyntheticClusterIpi",
     "each VP of the mask, no other; vector below 16, reserved -> INVALID_PARAMETER", "TLFS 10.5"},
    {"cluster interrupts wake the processors of a mask, or of a sparse set", "HvCallSendSyntheticClusterIpiEx",
     "each VP of the sparse set, no other", "TLFS 10.5"},
    {"HV_X64_MSR_ICR interrupts another processor, EOI ends it, TPR is CR8", "HV_X64_MSR_ICR", "as the local APIC's register",
     "TLFS 10.2.3"},
    {"HV_X64_MSR_ICR interrupts another processor, EOI ends it, TPR is CR8", "HV_X64_MSR_TPR",
     "CR8 is bits 7:4; above 255 -> #GP", "TLFS 10.2.4"},
    {"asserted interrupts reach the local APIC of their destination, and can be taken back", "HvCallAssertVirtualInterrupt",
     "fixed by APIC identifier; vector, VTL, partition: each its status", "TLFS"},
    {"asserted interrupts reach the local APIC of their destination, and can be taken back", "HvCallClearVirtualInterrupt",
     "takes a pending ExtINT back", "TLFS"},
    {"messages and events go to the processor of their port, into pages of its own", "HvCallPostMessage",
     "to the port's VP", "TLFS 11.10"},
    {"messages and events go to the processor of their port, into pages of its own", "HvCallSignalEvent",
     "to the port's VP", "TLFS 11.11"},
    {"a TLB that VTL 1 holds keeps others' flushes waiting until it lets go or returns", "HvRegisterVsmVpSecureConfigVtl0",
     "TlbLocked: flushes of the lower VTL wait until it is cleared, or VTL 1 returns", "TLFS 15.5.1.3"},
    {"a TLB that VTL 1 holds keeps others' flushes waiting until it lets go or returns", "HvRegisterVsmVpWaitForTlbLock",
     "1 while the VP's flush is held back", "TLFS 15.5.1.3"},
    {"a translation with TLB_FLUSH_INHIBIT holds the TLB if it succeeds", "HvCallTranslateVirtualAddress",
     "TLB_FLUSH_INHIBIT of a lower VTL: flushes of others wait until VTL 1 returns; nothing if it fails", "TLFS 5.4"},
};

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
    EXPECT(fast.lines.find(all_done) != std::string::npos);
    for (const ShownRule& shown : rules) {
      INFO(shown.line);
      EXPECT(shown.passed(fast.lines));
      CONFORMANCE(shown.call, shown.rule, shown.source);
    }
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
    EXPECT(two.lines.find(all_done) != std::string::npos);
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
