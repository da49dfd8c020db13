// `airlock export` as a user meets it: exit codes and messages.
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "sim/cli/exit_codes.h"
#include "tests/support/catch.h"
#include "tests/unit/trace/sample_run.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Answer {
  int code{};
  std::string out, err;
};

std::string slurp(const char* path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

Answer airlock(const std::string& arguments) {
  if (!fs::exists("airlock")) SKIP("the program is not built");
  const int status = std::system(("./airlock " + arguments + " > export_cli.out 2> export_cli.err").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, slurp("export_cli.out"), slurp("export_cli.err")};
}

void sample_trace(trace::Detail detail) {
  test::SampleCode code;
  auto writer = trace::Writer::create("export_cli.trace", {{"seed", "1"}}, &code, {.detail = detail});
  REQUIRE(writer.ok());
  test::play(*writer.value(), 3, 2000, detail);
  REQUIRE(writer.value()->close().ok());
}

}  // namespace

TEST_CASE("Help of export shows an example of each format and the exit codes") {
  const Answer help = airlock("export --help");
  EXPECT(help.code == cli::exit_ok);
  for (const char* format : {"perfetto", "drcov", "sqlite", "tenet"})
    CHECK_THAT(help.out, ContainsSubstring(std::string{"--format "} + format + " "));
  CHECK_THAT(help.out, ContainsSubstring("4  an input file is missing"));
}

TEST_CASE("Each format is written from a full trace, and export says what it wrote") {
  sample_trace(trace::Detail::Full);
  for (const char* format : {"perfetto", "drcov", "sqlite", "tenet"}) {
    const Answer done = airlock(std::string{"export export_cli.trace -o export_cli.file --format "} + format);
    INFO(done.err);
    EXPECT(done.code == cli::exit_ok);
    CHECK_THAT(done.out, ContainsSubstring("export_cli.file: "));
    EXPECT(fs::file_size("export_cli.file") > 100);
    fs::remove("export_cli.file");
  }
}

TEST_CASE("What export cannot do has its own message and exit code") {
  sample_trace(trace::Detail::Control);
  const Answer compact = airlock("export export_cli.trace --format tenet -o export_cli.file");
  EXPECT(compact.code == cli::exit_bad_input);
  CHECK_THAT(compact.err, ContainsSubstring("export_cli.trace: a compact trace has no registers"));
  EXPECT(!fs::exists("export_cli.file"));
  EXPECT(airlock("export export_cli.trace --format tent -o x").code == cli::exit_usage);
  EXPECT(airlock("export export_cli.trace --format sqlite --vtl 1 -o x").code == cli::exit_usage);
  const Answer itself = airlock("export export_cli.trace --format drcov -o ./export_cli.trace");
  EXPECT(itself.code == cli::exit_usage);
  CHECK_THAT(itself.err, ContainsSubstring("would be written over itself"));
  EXPECT(airlock("export no-such.trace --format drcov -o x").code == cli::exit_bad_input);
  EXPECT(airlock("export export_cli.trace --format drcov -o no-such-folder/x").code == cli::exit_io);
  EXPECT(airlock("export export_cli.trace --format perfetto -o /dev/full").code == cli::exit_io);

  fs::resize_file("export_cli.trace", fs::file_size("export_cli.trace") - 1);
  const Answer cut = airlock("export export_cli.trace --format perfetto -o export_cli.file");
  EXPECT(cut.code == cli::exit_bad_input);
  CHECK_THAT(cut.err, ContainsSubstring("the file ends inside the chunk") &&
                          ContainsSubstring("what came before is in export_cli.file"));
  EXPECT(fs::file_size("export_cli.file") > 1000);
  fs::remove("export_cli.file");
  fs::remove("export_cli.trace");
}
