// `airlock pe` and `airlock trace` as a user meets them: exit codes, messages, output.
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "sample_run.h"
#include "sim/cli/exit_codes.h"
#include "sim/loader/pe_image.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Answer {
  int code{};
  std::string out, err;
};

std::string slurp(const fs::path& path) {
  const auto bytes = loader::read_file(path).value();
  return {bytes.begin(), bytes.end()};
}

/// Runs the program of this build; `redirect` replaces its standard output.
Answer airlock(const std::string& arguments, const std::string& redirect = "cli_test.out") {
  if (!fs::exists("airlock")) SKIP("the program is not built");
  const int status =
      std::system(("./airlock " + arguments + " > " + redirect + " 2> cli_test.err").c_str());
  Answer answer{WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", slurp("cli_test.err")};
  if (redirect == "cli_test.out") answer.out = slurp(redirect);
  return answer;
}

/// A trace of a few hundred records.
fs::path sample_trace(trace::Detail detail = trace::Detail::Full) {
  test::SampleCode code;
  auto writer = trace::Writer::create("cli_test.trace", {{"seed", "1"}}, &code, {.detail = detail});
  REQUIRE(writer.ok());
  test::play(*writer.value(), 3, 400, detail);
  REQUIRE(writer.value()->close().ok());
  return "cli_test.trace";
}

size_t lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("Help names an example and every exit code") {
  for (const char* command : {"pe", "trace"}) {
    const Answer help = airlock(std::string{command} + " --help");
    EXPECT(help.code == cli::exit_ok);
    CHECK_THAT(help.out, ContainsSubstring("Example") &&
                             ContainsSubstring(std::string{"airlock "} + command));
    for (const char* line :
         {"0  done", "4  an input file is missing", "5  writing failed", "7  a failure of Airlock"})
      CHECK_THAT(help.out, ContainsSubstring(line));
  }
  EXPECT(airlock("pe").code == cli::exit_usage);
  EXPECT(airlock("trace x --vtl 9").code == cli::exit_usage);
}

TEST_CASE("A PE file that is missing or malformed gives its own message and exit code") {
  const Answer missing = airlock("pe no-such-file.exe");
  EXPECT(missing.code == cli::exit_bad_input);
  EXPECT(missing.err == "airlock pe: cannot read no-such-file.exe: No such file or directory\n");
  std::ofstream{"cli_test.exe"}
      << "not a PE file, but longer than sixty-four bytes, which a DOS header needs";
  const Answer malformed = airlock("pe cli_test.exe --json");
  EXPECT(malformed.code == cli::exit_bad_input);
  EXPECT(malformed.err ==
         "airlock pe: cli_test.exe: not a PE file: it begins with 0x6f6e instead of 0x5a4d "
         "(\"MZ\")\n");
  EXPECT(malformed.out.empty());
}

TEST_CASE("A signed guest image is shown with its sections, its signer and good verdicts") {
  const fs::path image = "guests/images/securekernel.exe";
  if (!fs::exists(image))
    SKIP("guests/images/securekernel.exe is not there: this build has no guests");
  const Answer text = airlock("pe " + image.string());
  EXPECT(text.code == cli::exit_ok);
  CHECK_THAT(text.out, ContainsSubstring("PE32+ x86-64") && ContainsSubstring("R-X  .text") &&
                           ContainsSubstring("digest      good") &&
                           ContainsSubstring("signature   good") &&
                           ContainsSubstring("Windows System Component Verification"));
  const Answer json = airlock("pe --json " + image.string());
  EXPECT(json.code == cli::exit_ok);
  EXPECT(lines(json.out) == 1);
  CHECK_THAT(json.out, ContainsSubstring("\"digest\":\"good\""));
  EXPECT(airlock("pe " + image.string(), "/dev/full").code == cli::exit_io);
}

TEST_CASE("A trace is shown as text, as JSON lines, filtered, as calls and in summary") {
  const std::string trace = sample_trace();
  const Answer text = airlock("trace " + trace);
  EXPECT(text.code == cli::exit_ok);
  EXPECT(text.err.empty());
  EXPECT(lines(text.out) == 400);
  CHECK_THAT(text.out, ContainsSubstring("mov rax, qword ptr [rbx + 8]  ; read 8 bytes at 0x"));
  EXPECT(text.out.find('\x1b') == std::string::npos);
  const Answer json = airlock("trace --json " + trace);
  EXPECT(lines(json.out) == 400);
  const size_t upper = lines(airlock("trace --vtl 1 " + trace).out);
  EXPECT((upper > 0 && upper + lines(airlock("trace --vtl 0 " + trace).out) == 400));
  const size_t events = lines(airlock("trace --events-only " + trace).out);
  EXPECT((events > 0 && events < 100));
  EXPECT(airlock("trace --calls " + trace).code == cli::exit_ok);
  CHECK_THAT(airlock("trace --summary " + trace).out, ContainsSubstring("seed             1"));
  EXPECT(airlock("trace " + trace, "/dev/full").code == cli::exit_io);
}

TEST_CASE("A compact trace shows instructions and events, and says where registers come from") {
  const std::string trace = sample_trace(trace::Detail::Control);
  const Answer text = airlock("trace " + trace);
  EXPECT(text.code == cli::exit_ok);
  EXPECT(lines(text.out) == 400);
  CHECK_THAT(text.out, ContainsSubstring("48 8b 43 08") &&
                           ContainsSubstring("mov rax, qword ptr [rbx + 8]\n"));
  const Answer registers = airlock("trace --registers " + trace);
  EXPECT(registers.code == cli::exit_bad_input);
  CHECK_THAT(registers.err, ContainsSubstring("a compact trace has no registers") &&
                                ContainsSubstring("--trace-full"));
}

TEST_CASE("A damaged trace shows what is whole, says where it ends, and fails") {
  const fs::path trace = sample_trace();
  fs::resize_file(trace, fs::file_size(trace) - 1);
  const Answer cut = airlock("trace " + trace.string());
  EXPECT(cut.code == cli::exit_bad_input);
  EXPECT(lines(cut.out) == 400);
  CHECK_THAT(
      cut.err,
      ContainsSubstring("airlock trace: cli_test.trace: the file ends inside the chunk at offset"));
  fs::resize_file(trace, 100);
  CHECK_THAT(
      airlock("trace " + trace.string()).err,
      ContainsSubstring(
          "airlock trace: cli_test.trace: the file ends inside a chunk header at offset 64"));
  EXPECT(airlock("trace no-such.trace").code == cli::exit_bad_input);
  const Answer folder = airlock("trace .");
  EXPECT(folder.code == cli::exit_bad_input);
  CHECK_THAT(folder.err, ContainsSubstring("not an Airlock trace"));
}
