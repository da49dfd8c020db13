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

namespace {

/// The report of cycles, which stands last.
std::string cycles_in(const std::string& text) {
  const size_t at = text.find(" cycles for ");
  REQUIRE(at != std::string::npos);
  return text.substr(text.rfind('\n', at) + 1);
}

void write(const std::string& path, std::string_view text) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(std::fwrite(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
}

/// What a shell command prints; it must succeed.
std::string said_by(const std::string& command) {
  const auto result = test::run_program({"sh", "-c", command});
  INFO(command << "\n" << result.errors);
  REQUIRE(result.exit_code == 0);
  return result.output;
}

}  // namespace

TEST_CASE("Cycles counted on replay are those counted live") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("cycles.air");
  const auto live = airlock({"run", "-q", "--until", "6000000", "--cycles", "--record", file});
  INFO(live.errors);
  REQUIRE(live.exit_code == 0);
  const auto again = airlock({"replay", file, "-q", "--cycles"});
  INFO(again.errors);
  REQUIRE(again.exit_code == 0);
  const std::string report = cycles_in(live.output);
  CHECK_THAT(report, ContainsSubstring("walk"));
  EXPECT(cycles_in(again.output) == report);
  // Line by line around the first VTL call, too, wherever the guests of today make it.
  const auto call = airlock({"seek", file, "--at", "vtl-call", "--json"});
  const size_t number = call.output.find("\"instant\":");
  REQUIRE(number != std::string::npos);
  const uint64_t at = std::stoull(call.output.substr(number + 10));
  const auto lines = airlock({"replay", file, "-q", "--cycles", "--cycles-from", std::to_string(at - 5), "--cycles-to",
                              std::to_string(at + 5)});
  CHECK_THAT(lines.output, ContainsSubstring("vmcall"));
}

TEST_CASE("A replay and a seek begin at a keyframe, and inputs from a file are recorded") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("keyframes.air"), text = folder.file("inputs.txt");
  write(text, "# nobody reads it, and it is state\n9_000_000 serial \"hello\\r\"\n9000000 memory 0x2000 01 02\n");
  const auto recorded = airlock({"run", "-q", "--input", text, "--record", file, "--keyframes", "2"});
  INFO(recorded.errors);
  REQUIRE(recorded.exit_code == 0);
  CHECK_THAT(airlock({"replay", file, "--info"}).output, ContainsSubstring("inputs           2"));
  const auto late = airlock({"replay", file, "--verify", "-q", "--from", "20000000"});
  INFO(late.output << late.errors);
  EXPECT(late.exit_code == 0);
  CHECK_THAT(late.output, ContainsSubstring("The replay begins at instant") && ContainsSubstring("Verified: ") &&
                              ContainsSubstring(fingerprint_in(recorded.output)));
  EXPECT(fingerprint_in(recorded.output) != fingerprint_in(airlock({"run", "-q"}).output));
  CHECK_THAT(airlock({"seek", file, "--at", "20000000"}).output, ContainsSubstring("Instant 20000000"));

  write(text, "1 serial");
  const auto bad = airlock({"run", "-q", "--input", text});
  EXPECT(bad.exit_code == 4);
  CHECK_THAT(bad.errors, ContainsSubstring("inputs.txt: line 1: no bytes arrive"));
}

TEST_CASE("A recording is exported into each format, and read by the programs that these are for") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("export.air");
  REQUIRE(airlock({"run", "-q", "--until", "6000000", "--record", file, "--keyframes", "2"}).exit_code == 0);
  const auto into = [&](const std::string& format, std::vector<std::string> more = {}) {
    const std::string path = folder.file("out." + format);
    std::vector<std::string> command{"export", file, "--format", format, "-o", path};
    command.insert(command.end(), more.begin(), more.end());
    const auto done = airlock(command);
    INFO(done.errors);
    REQUIRE(done.exit_code == 0);
    EXPECT(!std::filesystem::exists(path + ".trace"));
    return path;
  };
  const std::string packets = said_by("protoc --decode_raw < " + into("perfetto"));
  CHECK_THAT(packets, ContainsSubstring("VTL 0") && ContainsSubstring("VTL 1") && ContainsSubstring("hypercalls"));
  const std::string database = into("sqlite");
  CHECK_THAT(said_by("sqlite3 " + database + " 'SELECT count(*) > 0 FROM calls; PRAGMA integrity_check;'"),
             ContainsSubstring("1\nok"));
  CHECK_THAT(said_by("sqlite3 " + database + " \"SELECT name FROM images ORDER BY id LIMIT 1\""), ContainsSubstring("winload"));
  // Blocks of code are made again by replaying; the table says how many bytes follow it.
  const std::string coverage = said_by("head -c 400 " + into("drcov"));
  CHECK_THAT(coverage, ContainsSubstring("DRCOV VERSION: 2") && ContainsSubstring("Module Table: version 2"));
  const std::string window = into("tenet", {"--from", "3000000", "--to", "3000100"});
  EXPECT(std::stoul(said_by("wc -l < " + window)) >= 95);
  CHECK_THAT(said_by("head -n 1 " + window), ContainsSubstring("rip=0x"));
}

TEST_CASE("A full disk is said so, with the reason, by every command that prints") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("full.air");
  REQUIRE(airlock({"run", "-q", "--until", "100000", "--record", file}).exit_code == 0);
  const std::vector<std::vector<std::string>> commands{{"replay", file, "-q"},
                                                       {"replay", file, "--info"},
                                                       {"seek", file, "--at", "1000"},
                                                       {"diff", file, file},
                                                       {"cycles", "--table"},
                                                       {"export", file, "--format", "perfetto", "-o", folder.file("x")}};
  for (const std::vector<std::string>& command : commands) {
    CAPTURE(command);
    const auto full = airlock(command, {.output_file = "/dev/full", .file_size_limit = {}});
    EXPECT(full.exit_code == 5);
    CHECK_THAT(full.errors, ContainsSubstring("cannot write standard output: No space left on device"));
  }
}
