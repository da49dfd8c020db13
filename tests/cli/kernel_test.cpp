// `airlock run --kernel` as a user meets it: what arrives on which stream, exit status, messages, recordings.
#include "tests/support/catch.h"

#include "sim/cli/exit_codes.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using namespace test;
using Catch::Matchers::ContainsSubstring;

namespace {

const std::string exit_kernel = "guests/images/test_pc_exit.elf";
const std::string board_kernel = "guests/images/test_pc_board.elf";
const std::string processors_kernel = "guests/images/test_pc_processors.elf";

std::string fingerprint(const std::string& text) {
  const size_t at = text.find("fingerprint ");
  REQUIRE(at != std::string::npos);
  return text.substr(at + 12, 32);
}

}  // namespace

TEST_CASE("The serial port alone is standard output, the report standard error, and the exit status the kernel's") {
  const ProgramResult zero = airlock({"run", "--kernel", exit_kernel});
  EXPECT(zero.exit_code == 1);
  EXPECT(zero.output == "command line: kernel\n");
  CHECK_THAT(zero.errors, ContainsSubstring("The kernel ended the run with exit status 1."));
  const ProgramResult five = airlock({"run", "--kernel", exit_kernel, "--append", "say \"a\\b\" exit=5", "-q"});
  EXPECT(five.exit_code == 11);
  EXPECT(five.output == "command line: kernel say \"a\\b\" exit=5\n");
  EXPECT(five.errors.empty());
}

TEST_CASE("--cpus, --memory, --initrd and --no-hypervisor are seen by the kernel") {
  const TemporaryFolder folder;
  const std::string module = folder.write("module", "module!");
  const ProgramResult run = airlock({"run", "--kernel", board_kernel, "--cpus", "3", "--memory", "64MiB", "--initrd", module,
                                     "--no-hypervisor", "--append", "cpus=3 memory=64 modules=1 hypervisor=0"});
  INFO(run.output);
  EXPECT(run.exit_code == 1);
  CHECK_THAT(run.output, ContainsSubstring("the module has its bytes") && ContainsSubstring(" 0 failed"));
  const ProgramResult other = airlock({"run", "--kernel", board_kernel, "--append", "cpus=2"});
  EXPECT(other.exit_code == 3);
  CHECK_THAT(other.output, ContainsSubstring("FAIL fw_cfg counts the processors"));
}

TEST_CASE("A machine file may name the kernel, relative to itself, and the command line overrides it") {
  const TemporaryFolder folder;
  std::string bytes = run_program({"cat", exit_kernel}).output;
  (void)folder.write("k.elf", bytes);
  const std::string machine = folder.write("m.toml", "[boot]\nkernel = \"k.elf\"\nappend = \"exit=2\"\n");
  EXPECT(airlock({"run", machine, "-q"}).exit_code == 5);
  EXPECT(airlock({"run", machine, "-q", "--append", "exit=3"}).exit_code == 7);
}

TEST_CASE("A kernel that waits for ever in HLT with interrupts off ends the run at once") {
  const TemporaryFolder folder;
  const std::string halt = folder.write("halt", "\xf4\xeb\xfd");
  const ProgramResult run = airlock({"run", "--kernel", halt});
  EXPECT(run.exit_code == cli::exit_abnormal);
  CHECK_THAT(run.errors, ContainsSubstring("HLT at 0x100001"));
}

TEST_CASE("What is wrong with a kernel or an option is said in a sentence") {
  const TemporaryFolder folder;
  const std::string empty = folder.write("empty", "");
  const std::string elf = folder.write("elf", "\x7f" "ELF but nothing else");
  const std::string good = exit_kernel;
  const std::tuple<std::vector<std::string>, int, const char*> cases[] = {
      {{"--kernel", folder.file("missing")}, cli::exit_bad_input, "missing"},
      {{"--kernel", empty}, cli::exit_bad_input, "the file is empty"},
      {{"--kernel", elf}, cli::exit_bad_input, "without a Multiboot header"},
      {{"--kernel", good, "--memory", "1GB"}, cli::exit_bad_input, "64 MiB to 3072 MiB"},
      {{"--kernel", good, "--append", "a\nb"}, cli::exit_bad_input, "printable ASCII"},
      {{"--kernel", good, "--initrd", folder.file("missing")}, cli::exit_bad_input, "missing"},
      {{"--append", "x"}, cli::exit_bad_input, "none is named (--kernel)"},
      {{"--kernel", good, "--cpus", "9"}, cli::exit_usage, "--cpus"},
      {{folder.write("m.toml", "[machine]\nboard = \"pc\"\n")}, cli::exit_bad_input, "none is named (--kernel)"},
      {{folder.write("n.toml", "[machine]\nboard = \"native\"\n[boot]\nkernel = \"k\"\n")}, cli::exit_bad_input,
       "board is \"native\", but [boot] names a kernel"}};
  for (const auto& [arguments, code, says] : cases) {
    std::vector<std::string> command{"run"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const ProgramResult run = airlock(command);
    INFO(says << "\n" << run.errors);
    EXPECT(run.exit_code == code);
    CHECK_THAT(run.errors, ContainsSubstring(says));
  }
}

TEST_CASE("A recorded kernel run replays to the same fingerprint, with its images in the file") {
  const TemporaryFolder folder;
  const std::string file = folder.file("run.airrec"), module = folder.write("module", "module!");
  const ProgramResult run = airlock({"run", "--kernel", processors_kernel, "--cpus", "4", "--initrd", module, "--append",
                                     "cpus=4 \"quoted\\\"", "--record", file, "--embed"});
  INFO(run.errors);
  REQUIRE(run.exit_code == 1);
  const ProgramResult replay = airlock({"replay", file, "--verify"});
  INFO(replay.output << replay.errors);
  EXPECT(replay.exit_code == cli::exit_ok);
  CHECK_THAT(replay.output + replay.errors, ContainsSubstring(fingerprint(run.errors)));
  const ProgramResult exact = airlock({"replay", file, "--verify", "--gear", "exact"});
  EXPECT(exact.exit_code == cli::exit_ok);
}

TEST_CASE("A recording without its images replays with the kernel that is named, and with no other") {
  const TemporaryFolder folder;
  const std::string file = folder.file("run.airrec");
  REQUIRE(airlock({"run", "-q", "--kernel", exit_kernel, "--append", "exit=4", "--record", file}).exit_code == 9);
  const ProgramResult without = airlock({"replay", file, "--verify"});
  CHECK_THAT(without.errors, ContainsSubstring("name it with --kernel"));
  EXPECT(airlock({"replay", file, "--verify", "--kernel", exit_kernel}).exit_code == cli::exit_ok);
  const ProgramResult other = airlock({"replay", file, "--verify", "--kernel", board_kernel});
  EXPECT(other.exit_code != cli::exit_ok);
  CHECK_THAT(other.errors, ContainsSubstring("the kernel is not the one that was recorded"));
}

TEST_CASE("A recorded kernel run can be walked through, and memory says who wrote it") {
  const TemporaryFolder folder;
  const std::string file = folder.file("run.airrec");
  REQUIRE(airlock({"run", "-q", "--kernel", board_kernel, "--record", file, "--embed", "--keyframes", "1"}).exit_code == 1);
  const ProgramResult begin = airlock({"seek", file, "--at", "0"});
  EXPECT(begin.exit_code == cli::exit_ok);
  CHECK_THAT(begin.output, ContainsSubstring("rax 000000002badb002") && ContainsSubstring("cr0 0000000000000011"));
  const ProgramResult back = airlock({"seek", file, "--at", "2000", "--step", "-1500"});
  EXPECT(back.exit_code == cli::exit_ok);
  CHECK_THAT(back.output, ContainsSubstring("Instant 500,"));
  const ProgramResult writer = airlock({"seek", file, "--who-wrote", "gpa:1000+8"});
  INFO(writer.output << writer.errors);
  EXPECT(writer.exit_code == cli::exit_ok);
  CHECK_THAT(writer.output, ContainsSubstring("1234"));
}
