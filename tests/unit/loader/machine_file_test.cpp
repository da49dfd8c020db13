#include "sim/loader/machine_file.h"

#include <cstdio>
#include <fstream>

#include "tests/support/catch.h"

using namespace loader;
using Catch::Matchers::ContainsSubstring;

namespace {

MachineConfig good(std::string_view text) {
  auto config = parse_machine_text(text, "dir/machine.toml");
  INFO((config ? std::string{} : config.error().message));
  REQUIRE(config.ok());
  return config.value();
}

std::string refused(std::string_view text) {
  const auto config = parse_machine_text(text, "m.toml");
  return config.ok() ? "(accepted)" : config.error().message;
}

}  // namespace

TEST_CASE("An empty machine file gives the default machine") {
  EXPECT(good("") == MachineConfig{});
}

TEST_CASE("Every key of a machine file reaches its field") {
  const MachineConfig config = good(R"(
    [machine]
    memory = "1GiB"
    seed = 77
    gear = "exact"
    [boot]
    disk = "disks/a.img"
    firmware = "/firmware.efi"
    hypervisorlaunchtype = "auto"
    vsmlaunchtype = "auto"
    secure_boot = false
    test_signing = true
    hvci = "strict"
    [limits]
    instructions = 1_000_000
  )");
  EXPECT(config.memory_bytes == uint64_t{1} << 30);
  EXPECT(config.seed == 77);
  EXPECT(config.gear == GearSetting::Exact);
  EXPECT(config.disk == "dir/disks/a.img");
  EXPECT(config.firmware == "/firmware.efi");
  CHECK_FALSE(config.secure_boot);
  EXPECT(config.test_signing);
  EXPECT(config.hvci == HvciSetting::Strict);
  EXPECT(config.instruction_limit == 1'000'000);
}

TEST_CASE("Switching the hypervisor off takes VSM and HVCI with it") {
  const MachineConfig config = good("[boot]\nhypervisorlaunchtype = \"off\"");
  EXPECT(config.vsm_launch_type == LaunchType::Off);
  EXPECT(config.hvci == HvciSetting::Off);
  EXPECT(good("[boot]\nvsmlaunchtype = \"off\"").hypervisor_launch_type == LaunchType::Auto);
}

TEST_CASE("Each wrong machine file is refused with line, column and what is allowed") {
  struct Row {
    const char* text;
    const char* place;
    const char* message;
  };
  const Row rows[] = {
      {"[machine]\nmemroy = \"1GiB\"",
       "m.toml:2:1:", "unknown key \"memroy\"; allowed: memory, seed, gear"},
      {"[cpu]\nx = 1",
       "m.toml:1:", "unknown section or key \"cpu\"; allowed: [machine], [scheduler], [hypervisor], [boot], [limits]"},
      {"machine = 5",
       "m.toml:1:11:", "[machine] is an integer; allowed: a table with memory, seed, gear"},
      {"[machine]\nmemory = 128",
       "m.toml:2:10:", "memory is an integer; allowed: a size such as \"128MiB\""},
      {"[machine]\nmemory = \"63MiB\"", "m.toml:2:10:", "memory is \"63MiB\"; allowed: a size"},
      {"[machine]\nmemory = \"4GiB\"", "m.toml:2:10:", "from 64 MiB to 3072 MiB in steps of 2 MiB"},
      {"[machine]\nmemory = \"129MiB\"", "m.toml:2:10:", "memory is \"129MiB\""},
      {"[machine]\nmemory = \"99999999999999999999GiB\"", "m.toml:2:10:", "memory is"},
      {"[machine]\nmemory = \"18446744073709551615GiB\"", "m.toml:2:10:", "memory is"},
      {"[machine]\nmemory = \"128 MiB\"", "m.toml:2:10:", "memory is \"128 MiB\""},
      {"[machine]\nseed = -1", "m.toml:2:8:", "seed is -1; allowed: an integer from 0 to 2^63-1"},
      {"[machine]\nseed = 1.5", "m.toml:2:8:", "seed is a floating-point number"},
      {"[machine]\ngear = \"turbo\"",
       "m.toml:2:8:", "gear is \"turbo\"; allowed: \"fast\", \"exact\""},
      {"[boot]\ndisk = \"\"", "m.toml:2:8:", "disk is empty"},
      {"[boot]\ndisk = \"a\\u0000b\"", "m.toml:2:8:", "disk holds a NUL character"},
      {"[boot]\nvsmlaunchtype = true",
       "m.toml:2:17:", "vsmlaunchtype is a boolean; allowed: \"off\", \"auto\""},
      {"[boot]\nsecure_boot = 1",
       "m.toml:2:15:", "secure_boot is an integer; allowed: true or false"},
      {"[boot]\nhypervisorlaunchtype = \"off\"\nvsmlaunchtype = \"auto\"",
       "m.toml:3:17:", "no VTL exists without the hypervisor"},
      {"[boot]\nvsmlaunchtype = \"off\"\nhvci = \"on\"", "m.toml:3:8:", "VTL 1 enforces it"},
      {"[limits]\ninstructions = \"many\"",
       "m.toml:2:16:", "instructions is a string; allowed: a count"},
      {"[machine\n", "m.toml:1:9:", ""},
      {"[machine]\nseed = 1\nseed = 2", "m.toml:3:", ""},
      {"# a\n[=]\n[machine]\n", "m.toml:2:1:", "this line is not TOML"},
  };
  for (const Row& row : rows) {
    const std::string message = refused(row.text);
    CHECK_THAT(message, Catch::Matchers::StartsWith(row.place));
    CHECK_THAT(message, ContainsSubstring(row.message));
  }
}

TEST_CASE("A machine file that cannot be read is refused with the system's reason") {
  const auto missing = read_machine_file("no-such-folder/m.toml");
  REQUIRE_FALSE(missing.ok());
  CHECK_THAT(missing.error().message,
             ContainsSubstring("cannot read no-such-folder/m.toml: No such file"));
  const auto folder = read_machine_file(".");
  REQUIRE_FALSE(folder.ok());
  CHECK_THAT(folder.error().message, ContainsSubstring("Is a directory"));

  const std::string path = "machine_file_test.toml";
  std::ofstream{path} << std::string((1u << 20) + 1, '#');
  const auto large = read_machine_file(path);
  std::remove(path.c_str());
  REQUIRE_FALSE(large.ok());
  CHECK_THAT(large.error().message, ContainsSubstring("at most 1048576 are read"));
}
