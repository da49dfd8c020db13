// Whole files: what goes in comes out.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "sample_recording.h"
#include "sim/replay/replayer.h"
#include "tests/support/catch.h"

using namespace replay;
using Catch::Matchers::ContainsSubstring;

namespace {

Recording open(const std::vector<uint8_t>& bytes) {
  auto recording = Recording::over(container::over(bytes));
  INFO((recording ? std::string{} : recording.error().message));
  REQUIRE(recording.ok());
  return std::move(recording.value());
}

void write(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  std::fclose(file);
}

}  // namespace

TEST_CASE("A recording gives back its events, hashes and inputs") {
  const test::Recorded recorded = test::record(1, 100);
  const Recording recording = open(recorded.bytes);
  EXPECT(recording.damage().empty());
  EXPECT(recording.complete());
  EXPECT(recording.points() == recorded.run.points);
  EXPECT(recording.inputs() == recorded.run.inputs);
  EXPECT(recording.events() == recorded.run.events.size());
  EXPECT(test::matching_events(recording, recorded.run.events) == recorded.run.events.size());
  REQUIRE(recording.foot().has_value());
  EXPECT(recording.foot()->end_tick == recorded.run.points.back().at.ticks);
  EXPECT(recording.foot()->events == recorded.run.events.size());
  EXPECT(!recording.statistics().empty());
  EXPECT(recording.facts().program == "test");
}

TEST_CASE("The same run gives the same recording") { EXPECT(test::record(5, 40).bytes == test::record(5, 40).bytes); }

TEST_CASE("A cursor that begins late gives all events from there on") {
  const test::Recorded recorded = test::record(2, 100);
  const Recording recording = open(recorded.bytes);
  const support::Instant from = recorded.run.points[70].at;
  EventCursor cursor = recording.events_from(from);
  std::vector<trace::EventRecord> late;
  for (auto next = cursor.next(); next.ok() && next.value(); next = cursor.next())
    if (next.value()->event.at >= from) late.push_back(*next.value());
  std::vector<trace::EventRecord> expected;
  for (const trace::EventRecord& event : recorded.run.events)
    if (event.event.at >= from) expected.push_back(event);
  REQUIRE(late.size() == expected.size());
  for (size_t i = 0; i < late.size(); ++i) REQUIRE(test::equal(late[i], expected[i]));
}

TEST_CASE("The index at the end gives the same as reading everything") {
  const test::Recorded recorded = test::record(6, 100);
  write("indexed.air", recorded.bytes);
  const auto indexed = Recording::open_indexed("indexed.air", recorded.bytes.size());
  REQUIRE(indexed.ok());
  EXPECT(indexed.value().complete());
  EXPECT(indexed.value().points() == recorded.run.points);
  EXPECT(indexed.value().inputs() == recorded.run.inputs);
  EXPECT(indexed.value().events() == recorded.run.events.size());
  EXPECT(test::matching_events(indexed.value(), recorded.run.events) == recorded.run.events.size());
  // Without its last byte there is no foot, and everything is read.
  const auto scanned = Recording::open_indexed("indexed.air", recorded.bytes.size() - 1);
  REQUIRE(scanned.ok());
  EXPECT(scanned.value().points() == recorded.run.points);
  std::remove("indexed.air");
}

TEST_CASE("Bookmarks can be added to a recording that was closed") {
  const test::Recorded recorded = test::record(7, 30);
  write("marked.air", recorded.bytes);
  for (const char* text : {"here lsaiso dies", "and here is why"}) {
    const auto added = save_bookmark("marked.air", {BookmarkEdit::Kind::Add, 0, recorded.run.points[3].at, text});
    INFO((added ? std::string{} : added.error().message));
    REQUIRE(added.ok());
  }
  const auto late = save_bookmark("marked.air", {BookmarkEdit::Kind::Add, 0, recorded.run.points.back().at + 1, "too late"});
  REQUIRE_FALSE(late.ok());
  CHECK_THAT(late.error().message, ContainsSubstring("before the bookmark"));
  const uint64_t size = std::filesystem::file_size("marked.air");
  for (const bool indexed : {false, true}) {
    const auto recording = indexed ? Recording::open_indexed("marked.air", size) : Recording::open("marked.air");
    REQUIRE(recording.ok());
    INFO(recording.value().ending_text());
    EXPECT(recording.value().complete());
    REQUIRE(recording.value().bookmarks().size() == 2);
    EXPECT(recording.value().bookmarks()[0].text == "here lsaiso dies");
    EXPECT(recording.value().bookmarks()[1].at == recorded.run.points[3].at);
    EXPECT(recording.value().points() == recorded.run.points);
  }
  std::remove("marked.air");
}

TEST_CASE("An interrupted recording takes no bookmarks") {
  test::Recorded recorded = test::record(8, 30);
  recorded.bytes.resize(recorded.bytes.size() - 8);
  write("cut.air", recorded.bytes);
  const auto added = save_bookmark("cut.air", {BookmarkEdit::Kind::Add, 0, {}, "x"});
  REQUIRE_FALSE(added.ok());
  CHECK_THAT(added.error().message, ContainsSubstring("ends inside"));
  EXPECT(std::filesystem::file_size("cut.air") == recorded.bytes.size());
  std::remove("cut.air");
}

TEST_CASE("An embedded recording carries its images") {
  const test::Recorded recorded = test::record(9, 10, true);
  EXPECT(recorded.bytes.size() < 10'000);  // a disk of more than a megabyte of zeros
  const Recording recording = open(recorded.bytes);
  const auto parts = recording.images();
  INFO((parts ? std::string{} : parts.error().message));
  REQUIRE(parts.ok());
  EXPECT(mismatch(recording.facts(), parts.value()).empty());
  EXPECT(parts.value().firmware == test::sample_parts().firmware);
  CHECK_FALSE(open(test::record(9, 10).bytes).images().ok());
}

TEST_CASE("A killed recorder loses at most its last chunk") {
  const std::string path = "killed.air";
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto recorder = Recorder::create(path, {}, test::sample_parts(), {"test", 1000, false});
    if (!recorder) _exit(1);
    test::play(*recorder.value(), 11, 100);
    const char done = 1;
    if (write(pipe_ends[1], &done, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char done = 0;
  REQUIRE(read(pipe_ends[0], &done, 1) == 1);
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  close(pipe_ends[0]);
  close(pipe_ends[1]);

  const test::Recorded whole = test::record(11, 100);
  const auto recording = Recording::open(path);
  REQUIRE(recording.ok());
  EXPECT(recording.value().damage().empty());
  CHECK_FALSE(recording.value().complete());
  CHECK_THAT(recording.value().ending_text(), ContainsSubstring("without its foot: the run was interrupted"));
  // 16 points make a chunk: 96 of 101 are there, with all events before them.
  REQUIRE(recording.value().points().size() == 96);
  EXPECT(std::equal(recording.value().points().begin(), recording.value().points().end(), whole.run.points.begin()));
  const size_t events = test::matching_events(recording.value(), whole.run.events);
  EXPECT(whole.run.events[events].event.at >= recording.value().end());
  std::remove(path.c_str());
}
