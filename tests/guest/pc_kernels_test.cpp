// The PC board's micro-kernels (images/tests/pc): each of their checks is a line that leaves the serial port.
#include "tests/support/catch.h"

#include "sim/loader/pe_image.h"
#include "tests/support/machine_run.h"

namespace {

struct Report {
  std::string text, fingerprint;
  machine::StopReason stop{};
  uint8_t status{};
  std::string detail;
};

struct Setting {
  std::string kernel{}, append{};
  uint32_t processors{1};
  bool hypervisor{true};
  loader::GearSetting gear{loader::GearSetting::Fast};
  loader::SchedulerPolicy policy{loader::SchedulerPolicy::RoundRobin};
};

Report boot(const Setting& setting) {
  loader::MachineConfig config;
  config.board = loader::Board::Pc;
  config.append = setting.append;
  config.processors = setting.processors;
  config.gear = setting.gear;
  config.scheduler_policy = setting.policy;
  if (!setting.hypervisor) config.hypervisor_launch_type = config.vsm_launch_type = loader::LaunchType::Off;
  machine::MachineParts parts;
  auto file = loader::read_file("guests/images/test_pc_" + setting.kernel + ".elf", 16 << 20);
  REQUIRE(file);
  parts.firmware = std::move(file.value());
  auto machine = machine::Machine::create(config, std::move(parts), nullptr);
  REQUIRE(machine);
  Report report;
  machine.value()->listen_to_serial([&](uint8_t byte) { report.text.push_back(static_cast<char>(byte)); });
  report.stop = machine.value()->run(support::Instant{test::instruction_limit});
  report.status = machine.value()->exit_status();
  report.detail = machine.value()->detail();
  report.fingerprint = machine.value()->fingerprint().to_string();
  return report;
}

size_t count(const std::string& text, const std::string& what) {
  size_t number = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++number;
  return number;
}

/// All checks hold, at least so many, and both gears agree to the last bit of state.
void check(Setting setting, size_t at_least) {
  const Report fast = boot(setting);
  INFO(setting.kernel << " '" << setting.append << "' hypervisor " << setting.hypervisor << " " << fast.detail << "\n"
                      << fast.text);
  EXPECT(fast.stop == machine::StopReason::GuestExit);
  EXPECT(fast.status == 1);
  EXPECT(count(fast.text, "FAIL") == 0);
  EXPECT(count(fast.text, "pass ") >= at_least);
  EXPECT(count(fast.text, "done: ") == 1);
  setting.gear = loader::GearSetting::Exact;
  const Report exact = boot(setting);
  EXPECT(exact.text == fast.text);
  EXPECT(exact.fingerprint == fast.fingerprint);
}

}  // namespace

TEST_CASE("A PC's kernel finds its loader information, fw_cfg, ACPI tables and CPUID, with a hypervisor and without") {
  check({.kernel = "board"}, 21);
  check({.kernel = "board", .append = "cpus=8", .processors = 8}, 21);
  check({.kernel = "board", .append = "hypervisor=0", .hypervisor = false}, 20);
}

TEST_CASE("A PC's interrupts arrive: 8254, 8259s, I/O APIC, RTC, serial port, every mode of the local APIC's timer") {
  check({.kernel = "interrupts"}, 52);
  check({.kernel = "interrupts", .hypervisor = false}, 52);
}

TEST_CASE("A PC's processors start by INIT and SIPI, lose no count under a lock, and interrupt each other") {
  check({.kernel = "processors"}, 15);
  using enum loader::SchedulerPolicy;
  for (const loader::SchedulerPolicy policy : {RoundRobin, Random, Adversarial})
    check({.kernel = "processors", .append = "cpus=4", .processors = 4, .policy = policy}, 15);
  check({.kernel = "processors", .append = "cpus=8", .processors = 8, .hypervisor = false}, 15);
}

TEST_CASE("A PC is put back to where it was, timers and all, and goes on to the same end") {
  loader::MachineConfig config;
  config.board = loader::Board::Pc;
  auto file = loader::read_file("guests/images/test_pc_interrupts.elf", 16 << 20);
  REQUIRE(file);
  machine::MachineParts parts;
  parts.firmware = std::move(file.value());
  auto made = machine::Machine::create(config, std::move(parts), nullptr);
  REQUIRE(made);
  machine::Machine& machine = *made.value();
  for (const uint64_t at : {100'000u, 5'000'000u, 12'345'678u, 40'000'000u}) {
    INFO(at);
    REQUIRE(machine.run(support::Instant{at}) == machine::StopReason::Deadline);
    const machine::State state = machine.save();
    const std::string here = machine.fingerprint().to_string();
    REQUIRE(machine.run(support::Instant{at + 7'000'000}) == machine::StopReason::Deadline);
    const std::string there = machine.fingerprint().to_string();
    REQUIRE(machine.restore(state).ok());
    EXPECT(machine.fingerprint().to_string() == here);
    REQUIRE(machine.run(support::Instant{at + 7'000'000}) == machine::StopReason::Deadline);
    EXPECT(machine.fingerprint().to_string() == there);
    REQUIRE(machine.restore(state).ok());
  }
  EXPECT(machine.run(support::Instant{test::instruction_limit}) == machine::StopReason::GuestExit);
  EXPECT(machine.exit_status() == 1);
}

TEST_CASE("A PC's state that contradicts itself is refused, and the machine stays as it was") {
  loader::MachineConfig config;
  config.board = loader::Board::Pc;
  machine::MachineParts parts;
  parts.firmware = {0xeb, 0xfe};  // raw: a jump to itself
  auto made = machine::Machine::create(config, std::move(parts), nullptr);
  REQUIRE(made);
  machine::Machine& machine = *made.value();
  REQUIRE(machine.run(support::Instant{1'000'000'000}) == machine::StopReason::Deadline);
  const machine::State state = machine.save();
  const std::string before = machine.fingerprint().to_string();
  size_t refused = 0, accepted = 0;
  for (size_t at = state.fields.size() - 600; at < state.fields.size(); ++at) {
    machine::State damaged = state;
    damaged.fields[at] ^= 0xff;
    if (!machine.restore(damaged).ok()) {
      ++refused;
      EXPECT(machine.fingerprint().to_string() == before);
      continue;
    }
    ++accepted;
    (void)machine.run(support::Instant{1'000'000'100});
    REQUIRE(machine.restore(state).ok());
  }
  EXPECT(refused > 0);
  EXPECT(accepted > 0);
}

TEST_CASE("A PC's kernel ends the run with (code << 1) | 1") {
  EXPECT(boot({.kernel = "exit"}).status == 1);
  EXPECT(boot({.kernel = "exit", .append = "exit=5"}).status == 11);
}

TEST_CASE("The kernels that bench/peers times compute what they say") {
  EXPECT(boot({.kernel = "compute"}).text == "compute 1000000 rounds: 1f43bb15f14621e8\n");
  EXPECT(boot({.kernel = "memory"}).text == "memory 1000000 rounds: 82c23e539b73f4bc\n");
  EXPECT(boot({.kernel = "call"}).text == "call 1000000 rounds: b816eabb0dad66a9\n");
}
