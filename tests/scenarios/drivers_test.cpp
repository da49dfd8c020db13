// Scenario 4: which drivers may run in VTL 0's kernel when code integrity is enforced from VTL 1.
#include "tests/support/catch.h"

#include <algorithm>

#include "sim/loader/pe_image.h"
#include "tests/support/machine_run.h"
#include "tests/support/memory_search.h"

using namespace test;
using abi::hv::Vtl;
using support::EventKind;

namespace {

constexpr uint64_t page = 4096;
const std::string thief_path = std::string{driver_folder} + "thief.sys";
const std::string unsigned_path = std::string{driver_folder} + "unsigned.sys";

/// VTL 0's second stage, watched from the moment when code integrity is in force.
class WriteXorExecute {
 public:
  WriteXorExecute(MachineRun& run, bool strict) : run_{run}, strict_{strict} {
    run.seen().watch([this](const Seen& seen) { on(seen); });
  }

  void check_all() {
    for (uint64_t gpa = 0; gpa < run_.machine().config().memory_bytes; gpa += page) check(gpa);
  }
  [[nodiscard]] size_t checks() const { return checks_; }
  [[nodiscard]] size_t violations() const { return violations_; }

 private:
  void on(const Seen& seen) {
    if (seen.kind() == EventKind::Milestone && seen.text.starts_with("securekernel: HVCI on")) {
      in_force_ = true;
      check_all();
    }
    if (in_force_ && seen.kind() == EventKind::ProtectionChange) check_all();
  }
  void check(uint64_t gpa) {
    const mmu::Rights rights = slat_lookup(run_.machine(), Vtl::Vtl0, gpa).rights;
    const bool executable = rights.kernel_execute || (strict_ && rights.user_execute);
    if (rights.write && executable) ++violations_;
    ++checks_;
  }

  MachineRun& run_;
  bool strict_, in_force_{};
  size_t checks_{}, violations_{};

};

/// A machine with `thief` and `other` in place of the two drivers, run to its end.
struct DriverRun {
  DriverRun(const std::vector<uint8_t>& thief, const std::vector<uint8_t>& other,
            loader::MachineConfig config = with_vsm()) {
    disk.replace(thief_path, thief);
    disk.replace(unsigned_path, other);
    config.disk = disk.path();
    run = std::make_unique<MachineRun>(config);
    stop = run->finish();
  }
  [[nodiscard]] const Recorder& seen() const { return run->seen(); }

  DiskVariant disk;
  std::unique_ptr<MachineRun> run;
  machine::StopReason stop{};
};

std::vector<uint8_t> variant(std::string_view file) { return read_file(guest_image("variants/" + std::string{file})); }
std::vector<uint8_t> genuine_thief() { return read_file(guest_image("thief.sys")); }

/// The status with which NTOS reports that SKCI refused this file, as printed; empty if it was not refused.
std::string refusal(const Recorder& seen, const std::string& driver) {
  const std::string begin = "ntoskrnl: NtLoadDriver " + driver + ": ";
  const size_t at = seen.find(EventKind::Milestone, begin);
  if (at == seen.events().size()) return "";
  const std::string& text = seen.events()[at].text;
  return text.find("refused by SKCI") == std::string::npos ? "" : text.substr(begin.size(), 10);
}

/// The first bytes at a driver's entry point.
std::vector<uint8_t> entry_code(const std::vector<uint8_t>& file) {
  const auto image = loader::PeImage::parse(file);
  REQUIRE(image.ok());
  const auto code = image.value().bytes_at(image.value().optional_header().address_of_entry_point, 48, "entry");
  REQUIRE(code.ok());
  return {code.value().begin(), code.value().end()};
}

/// The boot from the build's own disk: a signed driver, and one that nobody signed.
struct Genuine {
  Genuine() : run{config()}, instructions{run}, rights{run, false} {
    stop = run.finish();
    rights.check_all();
  }
  static loader::MachineConfig config() {
    loader::MachineConfig config = with_vsm();
    config.gear = loader::GearSetting::Exact;
    return config;
  }
  MachineRun run;
  InstructionCount instructions;
  WriteXorExecute rights;
  machine::StopReason stop{};
};
const Genuine& genuine() {
  static const Genuine boot;
  return boot;
}

}  // namespace

TEST_CASE("The signed driver is validated and runs") {
  const Recorder& seen = genuine().run.seen();
  INFO(seen.milestones());
  EXPECT(genuine().stop == machine::StopReason::PowerOff);
  EXPECT(seen.has(EventKind::Milestone, "ntoskrnl: NtLoadDriver thief.sys: validated by SKCI"));
  EXPECT(genuine().instructions.in_image("thief.sys") > 100);
}

TEST_CASE("The driver that nobody signed is refused, and loaded by force it never executes one instruction") {
  const Recorder& seen = genuine().run.seen();
  INFO(seen.milestones());
  EXPECT(refusal(seen, "unsigned.sys") == "0xc0000428");
  REQUIRE(seen.has(EventKind::Milestone, "unsigned.sys loaded by force"));
  REQUIRE(seen.has(EventKind::ImageLoaded, "unsigned.sys"));
  EXPECT(genuine().instructions.in_image("unsigned.sys") == 0);
  CHECK_FALSE(seen.has(EventKind::Milestone, "unsigned.sys: running"));
  EXPECT(seen.has(EventKind::Milestone, "unsigned.sys: not one instruction ran: exception 13"));
}

TEST_CASE("Its forced entry ends in an execute intercept at the entry point") {
  const Recorder& seen = genuine().run.seen();
  const MachineRun::Image image = genuine().run.image("unsigned.sys");
  const auto file = read_file(guest_image("unsigned.sys"));
  const auto parsed = loader::PeImage::parse(file);
  REQUIRE(parsed.ok());
  const uint64_t entry = image.base + parsed.value().optional_header().address_of_entry_point;
  std::vector<Seen> inside;
  for (const Seen& intercept : seen.of(EventKind::Intercept))
    if (image.contains(intercept.event.a)) inside.push_back(intercept);
  REQUIRE(inside.size() == 1);
  EXPECT(inside[0].event.a == entry);
  EXPECT(inside[0].event.rip == entry);
  EXPECT(inside[0].event.c == 2);
}

TEST_CASE("Without VTL 1 nobody asks for signatures, and the same unsigned driver runs") {
  MachineRun run{hypervisor_only()};
  EXPECT(run.finish() == machine::StopReason::PowerOff);
  INFO(run.seen().milestones());
  EXPECT(run.seen().has(EventKind::Milestone, "unsigned.sys: running in ring 0"));
}

TEST_CASE("From the moment code integrity is in force no page of VTL 0 is writable and kernel-executable at once") {
  INFO(genuine().run.seen().milestones());
  EXPECT(genuine().rights.checks() > 100'000);
  EXPECT(genuine().run.seen().count(EventKind::ProtectionChange) > 10);
  EXPECT(genuine().rights.violations() == 0);
}

TEST_CASE("In the strict setting no page of VTL 0 is writable and executable at once, for user mode either") {
  loader::MachineConfig config = with_vsm();
  config.hvci = loader::HvciSetting::Strict;
  MachineRun run{config};
  WriteXorExecute rights{run, true};
  EXPECT(run.finish() == machine::StopReason::PowerOff);
  INFO(run.seen().milestones());
  EXPECT(run.seen().has(EventKind::Milestone, "securekernel: HVCI on"));
  EXPECT(rights.checks() > 100'000);
  EXPECT(rights.violations() == 0);
}

TEST_CASE("A flipped byte and a missing system component usage are refused, each with its own status") {
  const std::vector<uint8_t> flipped = with_flipped_code_byte(genuine_thief());
  const std::vector<uint8_t> wrong_usage = variant("thief.wrong_eku.sys");
  const DriverRun run{flipped, wrong_usage};
  INFO(run.seen().milestones());
  EXPECT(run.stop == machine::StopReason::PowerOff);
  EXPECT(refusal(run.seen(), "thief.sys") == "0xc0000428");     // STATUS_INVALID_IMAGE_HASH
  EXPECT(refusal(run.seen(), "unsigned.sys") == "0xc0000364");  // STATUS_ACCESS_DISABLED_BY_POLICY_DEFAULT
  CHECK_FALSE(run.seen().has(EventKind::Milestone, "thief: "));
  CHECK_FALSE(run.seen().has(EventKind::ImageLoaded, "thief.sys"));
}

TEST_CASE("A foreign root and a test root outside test mode are refused as untrusted") {
  const DriverRun run{variant("thief.foreign_ium.sys"), variant("thief.test_ium.sys")};
  INFO(run.seen().milestones());
  EXPECT(run.stop == machine::StopReason::PowerOff);
  EXPECT(refusal(run.seen(), "thief.sys") == "0xc000038a");  // STATUS_ISSUING_CA_UNTRUSTED
  EXPECT(refusal(run.seen(), "unsigned.sys") == "0xc000038a");
  CHECK_FALSE(run.seen().has(EventKind::Milestone, "thief: "));
}

TEST_CASE("No code of a refused driver lies in a page that VTL 0's kernel may execute") {
  const std::vector<uint8_t> foreign = variant("thief.foreign_ium.sys");
  const std::vector<uint8_t> code = entry_code(foreign);
  const DriverRun refused{foreign, variant("thief.wrong_eku.sys")};
  EXPECT(find_in_memory(refused.run->machine(), Vtl::Vtl0, code, kernel_executable).empty());
  CHECK_FALSE(find_in_memory(refused.run->machine(), Vtl::Vtl0, code, readable).empty());  // the file itself

  // The same search finds the code of the driver that is allowed, while it runs.
  MachineRun allowed{with_vsm()};
  REQUIRE(allowed.run_to_milestone("thief: the victim is"));
  CHECK_FALSE(find_in_memory(allowed.machine(), Vtl::Vtl0, entry_code(genuine_thief()), kernel_executable).empty());
}

TEST_CASE("In test mode a driver of the test root runs, one of a foreign root still does not") {
  loader::MachineConfig config = with_vsm();
  config.test_signing = true;
  config.secure_boot = false;
  const DriverRun run{variant("thief.test_ium.sys"), variant("thief.foreign_ium.sys"), config};
  INFO(run.seen().milestones());
  EXPECT(run.seen().has(EventKind::Milestone, "ntoskrnl: NtLoadDriver thief.sys: validated by SKCI"));
  EXPECT(run.seen().has(EventKind::Milestone, "thief: 0 of 9 attempts succeeded"));
  EXPECT(refusal(run.seen(), "unsigned.sys") == "0xc000038a");
}
