// Boots each micro-kernel in both gears and reads its report.
#include "tests/support/catch.h"

#include "tests/support/machine_run.h"

using namespace test;
using support::EventKind;

namespace {

struct Report {
  std::vector<std::string> lines;
  machine::StopReason stop{};
  std::string detail, fingerprint;
};

Report boot(const std::string& image, loader::GearSetting gear) {
  loader::MachineConfig config = bare_machine();
  config.firmware = guest_image(image);
  config.gear = gear;
  MachineRun run{config};
  Report report;
  report.stop = run.finish();
  report.detail = run.machine().detail();
  for (const Seen& seen : run.seen().of(EventKind::Milestone)) report.lines.push_back(seen.text);
  report.fingerprint = run.machine().fingerprint().to_string();
  return report;
}

void check(const std::string& image, size_t at_least) {
  const Report fast = boot(image, loader::GearSetting::Fast);
  size_t passed = 0;
  for (const std::string& line : fast.lines) {
    if (line.starts_with("fail ")) FAIL_CHECK(image << ": " << line);
    if (line.starts_with("pass ")) ++passed;
  }
  INFO(image << " stopped: " << fast.detail);
  EXPECT(fast.stop == machine::StopReason::PowerOff);
  EXPECT(passed >= at_least);
  REQUIRE_FALSE(fast.lines.empty());
  EXPECT(fast.lines.back() == "done " + std::to_string(passed));

  const Report exact = boot(image, loader::GearSetting::Exact);
  EXPECT(exact.lines == fast.lines);
  EXPECT(exact.fingerprint == fast.fingerprint);
}

}  // namespace

TEST_CASE("The processor passes its micro-kernel: exceptions, privilege, paging, time") {
  check("test_processor.efi", 43);
}

TEST_CASE("The devices pass their micro-kernel: local APIC, timer, disk, ports") {
  check("test_devices.efi", 19);
}

TEST_CASE("The hypervisor passes its micro-kernel: launch, hypercalls, two VTLs, intercepts, interrupts") {
  check("test_hypervisor.efi", 40);
}
