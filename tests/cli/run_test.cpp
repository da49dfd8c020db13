// `airlock run` and what comes after it, on good input.
#include "tests/support/catch.h"

#include "sim/cli/exit_codes.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using namespace test;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Has an independent reader of JSON evaluate an expression over the document `d`; true if it holds.
bool json_says(const std::string& text, const std::string& expression) {
  const TemporaryFolder folder;
  const std::string file = folder.write("document.json", text);
  const std::string program = "import json,sys\nd=json.load(open(sys.argv[1]))\nassert " + expression;
  const ProgramResult result = run_program({"python3", "-c", program, file});
  UNSCOPED_INFO(expression << "\n" << result.errors);
  return result.exit_code == 0;
}

/// The default machine, once as text and once as JSON.
const ProgramResult& text_run() {
  static const ProgramResult result = airlock({"run"});
  return result;
}
const ProgramResult& json_run() {
  static const ProgramResult result = airlock({"run", "--json"});
  return result;
}

std::string after(const std::string& text, const std::string& label) {
  const size_t at = text.find(label);
  REQUIRE(at != std::string::npos);
  const size_t begin = text.find_first_not_of(' ', at + label.size());
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

}  // namespace

TEST_CASE("The default machine boots, shows question marks, and the program exits with 0") {
  const ProgramResult& run = text_run();
  EXPECT(run.exit_code == cli::exit_ok);
  EXPECT(run.errors.empty());
  CHECK_THAT(run.output, ContainsSubstring("0: kd> dc 2779cbb0000 L20"));
  CHECK_THAT(run.output, ContainsSubstring("00000277`9cbb0000  ???????? ???????? ???????? ????????"));
  CHECK_THAT(run.output, ContainsSubstring("With VSM:"));
  CHECK_THAT(run.output, ContainsSubstring("fingerprint"));
  EXPECT(run.output.find('\x1b') == std::string::npos);  // no colour where no terminal is
}

TEST_CASE("The JSON document of a run parses and says the same as the text") {
  const ProgramResult& run = json_run();
  EXPECT(run.exit_code == cli::exit_ok);
  EXPECT(json_says(run.output, "d['world'] == 'vsm' and d['stop'] == 'power-off'"));
  EXPECT(json_says(run.output, "d['fingerprint'] == '" + after(text_run().output, "fingerprint") + "'"));
  EXPECT(json_says(run.output, "d['view']['readable_bytes'] == 0 and set(d['view']['bytes']) == {'?'}"));
  EXPECT(json_says(run.output, "d['totals']['intercepts'] == 10 and d['totals']['vtl_calls'] > 50"));
  EXPECT(json_says(run.output, "len(d['milestones']) > 30 and len(d['calls']) > 50"));
  EXPECT(json_says(run.output, "any('IopLoadDriver' in m['text'] or 'NtLoadDriver' in m['text'] for m in d['milestones'])"));
}

TEST_CASE("Without VSM the document shows the bytes of the secret") {
  const TemporaryFolder folder;
  const std::string machine = folder.write("machine.toml", "[boot]\nvsmlaunchtype = \"off\"\n");
  const ProgramResult run = airlock({"run", machine, "--json"});
  EXPECT(run.exit_code == cli::exit_ok);
  EXPECT(json_says(run.output, "d['world'] == 'hypervisor' and d['view']['process'] == 'lsass.exe'"));
  EXPECT(json_says(run.output, "bytes.fromhex(d['view']['bytes']).startswith(b'UserName=')"));
}

TEST_CASE("Quiet leaves out the milestones, --until stops at its event") {
  const ProgramResult quiet = airlock({"run", "-q", "--until", "hypervisor"});
  EXPECT(quiet.exit_code == cli::exit_ok);
  EXPECT(quiet.output.find("winload:") == std::string::npos);
  const ProgramResult loud = airlock({"run", "--until", "hypervisor"});
  CHECK_THAT(loud.output, ContainsSubstring("winload: OslVsmSetup(1)"));
  EXPECT(loud.output.find("OslVsmSetup(2)") == std::string::npos);
  EXPECT(after(quiet.output, "fingerprint") == after(loud.output, "fingerprint"));
}

TEST_CASE("A recorded run can be read back: instructions with symbols, calls by name, a total that fits") {
  const TemporaryFolder folder;
  const std::string file = folder.file("run.trace");
  const ProgramResult run = airlock({"run", "-q", "--until", "vtl-return", "--trace", file});
  REQUIRE(run.exit_code == cli::exit_ok);
  const ProgramResult summary = airlock({"trace", file, "--summary"});
  EXPECT(summary.exit_code == cli::exit_ok);
  CHECK_THAT(summary.output, ContainsSubstring("VTL 1: "));
  const ProgramResult calls = airlock({"trace", file, "--calls"});
  CHECK_THAT(calls.output, ContainsSubstring("EnablePartitionVtl") && ContainsSubstring("EnableVpVtl"));
  const ProgramResult upper = airlock({"trace", file, "--vtl", "1", "--image", "securekernel"});
  EXPECT(upper.exit_code == cli::exit_ok);
  CHECK_THAT(upper.output, ContainsSubstring("securekernel!"));
  // The same run without a recording has the same end.
  const ProgramResult plain = airlock({"run", "-q", "--until", "vtl-return"});
  EXPECT(after(plain.output, "fingerprint") == after(run.output, "fingerprint"));
}

TEST_CASE("explain shows the walk of the secret's page in each level, with the rule that decided") {
  const ProgramResult walk =
      airlock({"explain", "0x2779cbb0000", "--process", "lsaiso.exe", "--until", "milestone:thief: the victim"});
  EXPECT(walk.exit_code == cli::exit_ok);
  CHECK_THAT(walk.output, ContainsSubstring("VTL 0") && ContainsSubstring("VTL 1"));
  CHECK_THAT(walk.output, ContainsSubstring("stage 2 denies"));
}

TEST_CASE("Every subcommand has help with an example and the exit codes") {
  for (const char* command : {"run", "explain", "trace", "pe"}) {
    INFO(command);
    const ProgramResult help = airlock({command, "--help"});
    EXPECT(help.exit_code == cli::exit_ok);
    CHECK_THAT(help.output, ContainsSubstring("airlock " + std::string{command}));
    CHECK_THAT(help.output, ContainsSubstring("xample"));
  }
}
