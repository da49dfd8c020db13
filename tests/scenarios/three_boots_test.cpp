// Scenario 1: the same disk without a hypervisor, with a hypervisor alone, and with VSM.
#include "tests/support/catch.h"

#include "tests/support/machine_run.h"

#include "abi/hv/hypercalls.h"

using namespace test;
using abi::hv::CallCode;
using abi::hv::Vtl;
using support::EventKind;

namespace {

/// A finished run of one world in the Exact gear.
struct Boot {
  explicit Boot(loader::MachineConfig config) : run{exact(std::move(config))}, instructions{run} {
    run.seen().watch([this](const Seen& seen) {
      if (seen.kind() == EventKind::Hypercall || seen.kind() == EventKind::VtlCall)
        callers.push_back(run.caller_in(seen.event.vtl));
    });
    stop = run.finish();
  }

  static loader::MachineConfig exact(loader::MachineConfig config) {
    config.gear = loader::GearSetting::Exact;
    return config;
  }

  MachineRun run;
  InstructionCount instructions;
  std::vector<std::string> callers;  ///< of each hypercall and VTL call, in order
  machine::StopReason stop{};
};

const Boot& bare() {
  static const Boot boot{bare_machine()};
  return boot;
}
const Boot& hypervisor() {
  static const Boot boot{hypervisor_only()};
  return boot;
}
const Boot& vsm() {
  static const Boot boot{with_vsm()};
  return boot;
}

bool concerns_vtls(EventKind kind) {
  return kind == EventKind::VtlCall || kind == EventKind::VtlReturn || kind == EventKind::VtlInterruptEntry ||
         kind == EventKind::VtlEnabled || kind == EventKind::ProtectionChange || kind == EventKind::Intercept;
}

/// Index of the hypercall of this code among all events; events().size() if it never came.
size_t index_of(const Recorder& seen, CallCode code) {
  for (size_t i = 0; i < seen.events().size(); ++i)
    if (seen.events()[i].kind() == EventKind::Hypercall && seen.events()[i].call_code() == static_cast<uint16_t>(code))
      return i;
  return seen.events().size();
}

}  // namespace

TEST_CASE("Each of the three worlds boots from the same disk and powers off") {
  for (const Boot* boot : {&bare(), &hypervisor(), &vsm()}) {
    INFO(boot->run.seen().milestones());
    EXPECT(boot->stop == machine::StopReason::PowerOff);
    EXPECT(boot->run.seen().has(EventKind::Milestone, "ntoskrnl: phase 1 done"));
    EXPECT(boot->run.seen().has(EventKind::Milestone, "ntoskrnl: shutting down"));
  }
}

TEST_CASE("The observer counts the instructions that time consists of, but for those that an exit completed") {
  for (const Boot* boot : {&bare(), &hypervisor(), &vsm()}) {
    EXPECT(boot->instructions.total() > 1'000'000);
    EXPECT(boot->instructions.total() <= boot->run.machine().now().ticks);
  }
}

TEST_CASE("On the bare machine nothing of a hypervisor ever shows") {
  const Recorder& seen = bare().run.seen();
  CHECK_FALSE(bare().run.machine().hypervisor().launched());
  EXPECT(seen.count(EventKind::HypervisorLaunched) == 0);
  EXPECT(seen.count(EventKind::Hypercall) == 0);
  EXPECT(seen.count(EventKind::MsrWrite) == 0);
  for (const Seen& event : seen.events()) CHECK_FALSE(concerns_vtls(event.kind()));
  EXPECT(bare().instructions.in(Vtl::Vtl1) == 0);
}

TEST_CASE("With a hypervisor alone no instruction ever runs in VTL 1, and only VTL 0 is enabled") {
  const Recorder& seen = hypervisor().run.seen();
  EXPECT(seen.count(EventKind::HypervisorLaunched) == 1);
  EXPECT(hypervisor().run.machine().hypervisor().partition().enabled_vtls == 1);
  EXPECT(hypervisor().run.machine().hypervisor().partition().vps.at(0)->enabled_vtls == 1);
  EXPECT(hypervisor().instructions.in(Vtl::Vtl1) == 0);
  EXPECT(hypervisor().instructions.in(Vtl::Vtl0) > 1'000'000);
  EXPECT(hypervisor().instructions.in_image("securekernel.exe") == 0);
  for (const Seen& event : seen.events()) {
    CHECK_FALSE(concerns_vtls(event.kind()));
    EXPECT(event.event.vtl == Vtl::Vtl0);
  }
}

TEST_CASE("With a hypervisor alone NTOS uses the hypercall interface that it found") {
  const Recorder& seen = hypervisor().run.seen();
  const std::vector<Seen> writes = seen.of(EventKind::MsrWrite);
  const auto wrote = [&](uint64_t msr) {
    return std::any_of(writes.begin(), writes.end(), [msr](const Seen& write) { return write.event.a == msr; });
  };
  EXPECT(wrote(0x40000000));  // GUEST_OS_ID
  EXPECT(wrote(0x40000001));  // HYPERCALL
  for (const Seen& call : seen.of(EventKind::Hypercall)) EXPECT(call.call_status() == 0);
}

TEST_CASE("No VTL event comes before the hypervisor's launch") {
  const Recorder& seen = vsm().run.seen();
  const size_t launch = seen.find(EventKind::HypervisorLaunched);
  REQUIRE(launch < seen.events().size());
  for (size_t i = 0; i < launch; ++i) {
    CHECK_FALSE(concerns_vtls(seen.events()[i].kind()));
    EXPECT(seen.events()[i].kind() != EventKind::Hypercall);
  }
}

TEST_CASE("The secure kernel itself enables VTL 1 for the partition, then for the processor, then calls it") {
  const Recorder& seen = vsm().run.seen();
  INFO(seen.milestones());
  const size_t partition = index_of(seen, CallCode::EnablePartitionVtl);
  const size_t processor = index_of(seen, CallCode::EnableVpVtl);
  const size_t call = seen.find(EventKind::VtlCall);
  REQUIRE(partition < processor);
  REQUIRE(processor < call);
  REQUIRE(call < seen.events().size());
  EXPECT(seen.find(EventKind::HypervisorLaunched) < partition);
  EXPECT(seen.events()[partition].call_status() == 0);
  EXPECT(seen.events()[processor].call_status() == 0);
  EXPECT(seen.events()[partition].event.vtl == Vtl::Vtl0);

  size_t call_number = 0;
  for (size_t i = 0; i <= call; ++i) {
    const EventKind kind = seen.events()[i].kind();
    if (kind != EventKind::Hypercall && kind != EventKind::VtlCall) continue;
    INFO(describe(seen.events()[i]));
    EXPECT(vsm().callers.at(call_number++) == "securekernel.exe");
  }
  EXPECT(call_number >= 3);
}

TEST_CASE("VTL 1 runs and returns before the first instruction of NTOS") {
  const Recorder& seen = vsm().run.seen();
  const support::Instant first = vsm().instructions.first_in_image("ntoskrnl.exe");
  REQUIRE(first != support::never);
  const size_t call = seen.find(EventKind::VtlCall), came_back = seen.find(EventKind::VtlReturn);
  REQUIRE(came_back < seen.events().size());
  EXPECT(call < came_back);
  EXPECT(seen.events()[came_back].event.at < first);
  EXPECT(vsm().instructions.in(Vtl::Vtl1) > 10'000);
  EXPECT(vsm().instructions.user_mode_in(Vtl::Vtl1) > 1'000);
  EXPECT(vsm().run.machine().hypervisor().partition().enabled_vtls == 3);
}

TEST_CASE("The hypervisor's loader comes before the secure images, and NTOS comes last") {
  const Recorder& seen = vsm().run.seen();
  const auto milestone = [&](std::string_view text) { return seen.find(EventKind::Milestone, text); };
  INFO(seen.milestones());
  const std::array<size_t, 7> order{milestone("OslArchHypervisorSetup(0)"), milestone("OslVsmSetup(0)"),
                                    milestone("OslVsmSetup(1)"),            milestone("hvloader: launching"),
                                    milestone("OslVsmSetup(2)"),            milestone("OslArchTransferToKernel"),
                                    milestone("KiSystemStartup")};
  EXPECT(std::is_sorted(order.begin(), order.end()));
  EXPECT(order.back() < seen.events().size());
}

TEST_CASE("VTL 0 uses every VTL call and return through the hypercall page, at the offsets of the register") {
  // The page's stubs end in RET behind VMCALL; what called them is an image, never a bare VMCALL inside one.
  for (const std::string& caller : vsm().callers) CHECK_FALSE(caller.empty());
  for (const Seen& call : vsm().run.seen().of(EventKind::VtlCall)) {
    INFO(describe(call));
    EXPECT(vsm().run.image_at(call.event.rip).empty());
  }
  EXPECT(vsm().run.seen().count(EventKind::VtlCall) > 50);
}
