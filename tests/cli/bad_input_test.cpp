// Bad input: a message that names the file and the reason, a documented exit code, nothing half-written, never a crash.
#include "tests/support/catch.h"

#include <filesystem>

#include "sim/cli/exit_codes.h"
#include "tests/support/disk_variant.h"
#include "tests/support/program.h"

using namespace test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

/// Runs a machine file of this text.
ProgramResult run_machine(const std::string& text, const TemporaryFolder& folder) {
  return airlock({"run", folder.write("machine.toml", text)});
}

void expect_refusal(const ProgramResult& result, int exit_code, const std::string& message) {
  INFO("errors: " << result.errors << "output: " << result.output.substr(0, 2000));
  EXPECT(result.signal == 0);
  EXPECT(result.exit_code == exit_code);
  CHECK_THAT(result.errors, ContainsSubstring(message));
  CHECK_THAT(result.errors, StartsWith("airlock"));
}

std::vector<uint8_t> noise(size_t count) {
  std::vector<uint8_t> bytes(count);
  uint32_t state = 1;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

}  // namespace

TEST_CASE("A command line that makes no sense exits with 2 and says what would") {
  EXPECT(airlock({}).exit_code == cli::exit_usage);
  EXPECT(airlock({"frobnicate"}).exit_code == cli::exit_usage);
  EXPECT(airlock({"run", "--gear", "reverse"}).exit_code == cli::exit_usage);
  EXPECT(airlock({"run", "-q", "-v"}).exit_code == cli::exit_usage);
  const ProgramResult until = airlock({"run", "--until", "nonsense"});
  EXPECT((until.exit_code == cli::exit_usage || until.exit_code == cli::exit_bad_input));
  CHECK_THAT(until.errors, ContainsSubstring("nonsense") && ContainsSubstring("milestone"));
}

TEST_CASE("Machine files that are missing, malformed or impossible are refused with line and reason") {
  const TemporaryFolder folder;
  expect_refusal(airlock({"run", folder.file("absent.toml")}), cli::exit_bad_input, "No such file or directory");
  expect_refusal(run_machine("[boot\n", folder), cli::exit_bad_input, "machine.toml:1:");
  expect_refusal(run_machine("[boot]\nhypervisorlaunchtype = \"maybe\"\n", folder), cli::exit_bad_input,
                 "machine.toml:2:24: hypervisorlaunchtype is \"maybe\"; allowed: \"off\", \"auto\"");
  expect_refusal(run_machine("[machine]\nmemory = \"1MiB\"\n", folder), cli::exit_bad_input, "from 64 MiB");
  expect_refusal(run_machine("[machine]\nmemmory = \"64MiB\"\n", folder), cli::exit_bad_input, "memmory");
  expect_refusal(run_machine("[boot]\nhypervisorlaunchtype = \"off\"\nvsmlaunchtype = \"auto\"\n", folder),
                 cli::exit_bad_input, "vsmlaunchtype");
  expect_refusal(airlock({"run", folder.path()}), cli::exit_bad_input, folder.path());
}

TEST_CASE("Firmware that is missing, no PE file, for another processor or cut short is refused by name") {
  const TemporaryFolder folder;
  const std::string file = folder.file("firmware.efi");
  const std::string machine = "[boot]\nfirmware = \"" + file + "\"\n";
  expect_refusal(run_machine(machine, folder), cli::exit_bad_input, file);
  (void)folder.write("firmware.efi", noise(100'000));
  expect_refusal(run_machine(machine, folder), cli::exit_bad_input, "not a PE file");
  CHECK_THAT(run_machine(machine, folder).errors, ContainsSubstring(file));

  std::vector<uint8_t> good = read_file(guest_firmware);
  std::vector<uint8_t> other = good;
  const uint32_t header = static_cast<uint32_t>(other.at(0x3c) | other.at(0x3d) << 8);
  other.at(header + 4) = 0x64;  // ARM64
  other.at(header + 5) = 0xaa;
  (void)folder.write("firmware.efi", other);
  expect_refusal(run_machine(machine, folder), cli::exit_bad_input, "0xaa64");
  good.resize(good.size() / 2);
  (void)folder.write("firmware.efi", good);
  expect_refusal(run_machine(machine, folder), cli::exit_bad_input, file);
}

TEST_CASE("A disk that is missing or no whole number of sectors is refused") {
  const TemporaryFolder folder;
  const std::string machine = "[boot]\ndisk = \"disk.img\"\n";
  expect_refusal(run_machine(machine, folder), cli::exit_bad_input, "disk.img");
  (void)folder.write("disk.img", noise(1000));
  expect_refusal(run_machine(machine, folder), cli::exit_bad_input, "512-byte sectors");
}

TEST_CASE("A disk without a file system ends in the firmware, which says so") {
  const TemporaryFolder folder;
  (void)folder.write("disk.img", noise(1 << 20));
  const ProgramResult run = run_machine("[boot]\ndisk = \"disk.img\"\n", folder);
  expect_refusal(run, cli::exit_abnormal, "disk 0: no FAT16 or FAT32 volume");
}

TEST_CASE("A machine that reaches its instruction limit is abnormal") {
  const TemporaryFolder folder;
  const ProgramResult run = run_machine("[limits]\ninstructions = 1_000_000\n", folder);
  EXPECT(run.exit_code == cli::exit_abnormal);
  CHECK_THAT(run.output, ContainsSubstring("The limit of 1,000,000 instructions ended the run."));
}

TEST_CASE("A trace that is cut short shows what is whole, names the place, and exits with 4") {
  const TemporaryFolder folder;
  const std::string file = folder.file("run.trace");
  REQUIRE(airlock({"run", "-q", "--until", "hypervisor", "--trace", file, "--events-only"}).exit_code == cli::exit_ok);
  const ProgramResult whole = airlock({"trace", file});
  REQUIRE(whole.exit_code == cli::exit_ok);
  const auto size = std::filesystem::file_size(file);
  for (const auto cut : {size - 1, size / 2, decltype(size){70}, decltype(size){1}, decltype(size){0}}) {
    INFO(cut << " of " << size << " bytes");
    std::filesystem::resize_file(file, cut);
    const ProgramResult part = airlock({"trace", file});
    expect_refusal(part, cli::exit_bad_input, file);
    EXPECT(whole.output.starts_with(part.output));
  }
}

TEST_CASE("Standard output that is full exits with 5 and says so") {
  ProgramOptions full;
  full.output_file = "/dev/full";
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"run", "-q", "--until", "hypervisor"}, {"run", "--until", "hypervisor"},
        {"run", "--json", "--until", "hypervisor"}, {"explain", "0x100000", "--until", "100"},
        {"pe", guest_firmware}}) {
    INFO(command[0] << " " << command[1]);
    expect_refusal(airlock(command, full), cli::exit_io, "standard output");
  }
}

TEST_CASE("A trace file that cannot be written in full exits with 5, and what is there is whole") {
  const TemporaryFolder folder;
  const std::string file = folder.file("run.trace");
  expect_refusal(airlock({"run", "-q", "--until", "hypervisor", "--trace", "/dev/full"}), cli::exit_io, "/dev/full");
  expect_refusal(airlock({"run", "-q", "--trace", folder.file("no/such/folder")}), cli::exit_io, "no/such/folder");

  ProgramOptions small;
  small.file_size_limit = 20'000;
  expect_refusal(airlock({"run", "-q", "--until", "hypervisor", "--trace", file}, small), cli::exit_io, file);
  if (std::filesystem::exists(file)) {
    const ProgramResult part = airlock({"trace", file, "--summary"});
    EXPECT(part.exit_code == cli::exit_bad_input);  // it was never closed
    CHECK_THAT(part.errors, ContainsSubstring(file));
    CHECK_THAT(part.output, ContainsSubstring("instructions"));
  }
}
