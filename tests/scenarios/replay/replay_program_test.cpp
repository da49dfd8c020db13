// airlock run --record, airlock replay, airlock diff, as a user calls them.
#include "tests/support/catch.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/support/disk_variant.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using Catch::Matchers::ContainsSubstring;
using test::airlock;

namespace {

std::string fingerprint_in(const std::string& text) {
  const size_t at = text.find("fingerprint");
  REQUIRE(at != std::string::npos);
  return text.substr(at, text.find('\n', at) - at);
}

}  // namespace

TEST_CASE("A run recorded by the program is replayed, verified and described by it") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("boot.air");
  const auto plain = airlock({"run", "-q"});
  const auto recorded = airlock({"run", "-q", "--record", file});
  REQUIRE(recorded.exit_code == 0);
  EXPECT(fingerprint_in(recorded.output) == fingerprint_in(plain.output));

  const auto verified = airlock({"replay", file, "--verify", "-q"});
  INFO(verified.errors);
  EXPECT(verified.exit_code == 0);
  CHECK_THAT(verified.output, ContainsSubstring("Verified: ") && ContainsSubstring(fingerprint_in(plain.output)));
  const auto part = airlock({"replay", file, "--until", "5000000", "--json"});
  EXPECT(part.exit_code == 0);
  CHECK_THAT(part.output, ContainsSubstring("\"instant\":5000000") && ContainsSubstring("\"reached_end\":false"));
  const auto event = airlock({"replay", file, "--verify", "--until", "intercept", "--json"});
  EXPECT(event.exit_code == 0);
  CHECK_THAT(event.output, ContainsSubstring("\"stop\":\"requested\"") && ContainsSubstring("\"diverged\":false"));

  EXPECT(airlock({"replay", file, "--bookmark", "5000000", "look here"}).exit_code == 0);
  const auto info = airlock({"replay", file, "--info"});
  EXPECT(info.exit_code == 0);
  CHECK_THAT(info.output, ContainsSubstring("5000000 look here") && ContainsSubstring("ended by         power-off"));
  EXPECT(airlock({"replay", file, "--verify", "-q"}).exit_code == 0);
}

TEST_CASE("A recording that stops at an event replays to the same place") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("until.air");
  const auto recorded = airlock({"run", "-q", "--until", "vtl-call", "--record", file});
  REQUIRE(recorded.exit_code == 0);
  const auto verified = airlock({"replay", file, "--verify", "-q"});
  INFO(verified.output);
  EXPECT(verified.exit_code == 0);
  EXPECT(fingerprint_in(verified.output) == fingerprint_in(recorded.output));
}

TEST_CASE("An embedded recording replays where only the binary is") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("whole.air"), program = folder.file("airlock");
  REQUIRE(airlock({"run", "-q", "--record", file, "--embed"}).exit_code == 0);
  std::filesystem::copy_file(test::airlock_program, program);
  const auto replayed = test::run_program({program, "replay", file, "--verify", "-q"});
  INFO(replayed.errors);
  EXPECT(replayed.exit_code == 0);
  CHECK_THAT(replayed.output, ContainsSubstring("Verified: "));

  const std::string bare = folder.file("bare.air");
  REQUIRE(airlock({"run", "-q", "--until", "100000", "--record", bare}).exit_code == 0);
  const auto refused = test::run_program({program, "replay", bare});
  EXPECT(refused.exit_code == 3);
  CHECK_THAT(refused.errors, ContainsSubstring("carries no images"));
}

TEST_CASE("When the disk fills up the run goes on, the exit code is 5, and the file replays as far as it goes") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("full.air");
  const auto plain = airlock({"run", "-q"});
  const auto limited = airlock({"run", "-q", "--record", file}, {.output_file = {}, .file_size_limit = 20'000});
  EXPECT(limited.exit_code == 5);
  CHECK_THAT(limited.errors, ContainsSubstring("cannot write") && ContainsSubstring("whole up to byte"));
  EXPECT(fingerprint_in(limited.output) == fingerprint_in(plain.output));
  const auto verified = airlock({"replay", file, "--verify", "-q"});
  EXPECT(verified.exit_code == 4);
  CHECK_THAT(verified.errors, ContainsSubstring("the run was interrupted"));
  CHECK_THAT(verified.output, ContainsSubstring("Verified: "));

  // So small that not one hash is in it.
  EXPECT(airlock({"run", "-q", "--record", file}, {.output_file = {}, .file_size_limit = 4000}).exit_code == 5);
  const auto nothing = airlock({"replay", file, "--verify", "-q"});
  EXPECT(nothing.exit_code == 4);
  CHECK_THAT(nothing.errors, ContainsSubstring("the run was interrupted"));
}

TEST_CASE("Foreign, damaged and mismatching files are refused with the reason and the exit code") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("part.air");
  REQUIRE(airlock({"run", "-q", "--until", "40000000", "--hash-interval", "0.25", "--record", file}).exit_code == 0);

  const auto foreign = airlock({"replay", folder.write("foreign.air", std::string_view{"this is no recording"})});
  EXPECT(foreign.exit_code == 4);
  CHECK_THAT(foreign.errors, ContainsSubstring("not an Airlock recording"));
  const auto missing = airlock({"replay", folder.file("missing.air")});
  EXPECT(missing.exit_code == 4);

  std::vector<uint8_t> bytes = test::read_file(file);
  bytes[bytes.size() * 3 / 4] ^= 4;
  const auto damaged = airlock({"replay", folder.write("damaged.air", bytes), "--verify", "-q"});
  EXPECT(damaged.exit_code == 4);
  CHECK_THAT(damaged.errors, ContainsSubstring("damaged"));
  CHECK_THAT(damaged.output, ContainsSubstring("Verified: "));  // what stands before the damage is not lost

  const std::string other = folder.write("other.img", std::vector<uint8_t>(512, 1));
  const auto mismatch = airlock({"replay", file, "--disk", other});
  EXPECT(mismatch.exit_code == 3);
  CHECK_THAT(mismatch.errors, ContainsSubstring("the disk is not the one that was recorded"));

  test::DiskVariant variant;
  const std::string thief = std::string{test::driver_folder} + "thief.sys";
  variant.replace(thief, test::with_flipped_code_byte(variant.read(thief)));
  const auto named = airlock({"replay", file, "--disk", variant.path()});
  EXPECT(named.exit_code == 3);
  CHECK_THAT(named.errors, ContainsSubstring("other files: ") && ContainsSubstring("thief.sys") && !ContainsSubstring("winload"));
}

TEST_CASE("With other images the replay names the first instruction that differs") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("whole.air");
  REQUIRE(airlock({"run", "-q", "--until", "20000000", "--embed", "--record", file}).exit_code == 0);
  std::vector<uint8_t> disk = test::read_file("guests/disk.img");
  disk[510] ^= 1;  // the first sector, which the firmware reads
  const auto diverged = airlock({"replay", file, "--verify", "-q", "--any-images", "--disk", folder.write("other.img", disk)});
  INFO(diverged.output);
  INFO(diverged.errors);
  EXPECT(diverged.exit_code == 1);
  CHECK_THAT(diverged.output, ContainsSubstring("the first instruction that differs is at instant") &&
                                  ContainsSubstring("VP 0, VTL 0, RIP 0x") && ContainsSubstring("memory"));
}

TEST_CASE("diff says that two runs are the same, or where they part") {
  const test::TemporaryFolder folder;
  const std::string a = folder.file("a.air"), b = folder.file("b.air"), c = folder.file("c.air");
  REQUIRE(airlock({"run", "-q", "--record", a}).exit_code == 0);
  REQUIRE(airlock({"run", "-q", "--gear", "exact", "--record", b}).exit_code == 0);
  const std::string machine = folder.write("no-vsm.toml", std::string_view{"[boot]\nvsmlaunchtype = \"off\"\n"});
  REQUIRE(airlock({"run", machine, "-q", "--record", c}).exit_code == 0);
  const auto same = airlock({"diff", a, b});
  INFO(same.output);
  EXPECT(same.exit_code == 0);
  CHECK_THAT(same.output, ContainsSubstring("The runs are the same."));
  const auto different = airlock({"diff", a, c});
  EXPECT(different.exit_code == 1);
  CHECK_THAT(different.output, ContainsSubstring("first event that differs") && ContainsSubstring("vsmlaunchtype"));
  EXPECT(airlock({"diff", a, folder.file("none.air")}).exit_code == 4);
}
