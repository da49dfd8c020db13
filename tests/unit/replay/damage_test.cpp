// Files that are cut short, changed, or do not fit on the disk.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "sample_recording.h"
#include "tests/support/catch.h"

using namespace replay;
using Catch::Matchers::ContainsSubstring;

namespace {

using Bytes = std::vector<uint8_t>;

std::vector<size_t> chunk_offsets(const Bytes& bytes) {
  std::vector<size_t> offsets;
  for (size_t at = sizeof(container::FileHeader); at < bytes.size();) {
    offsets.push_back(at);
    const auto header = *loader::read_at<container::ChunkHeader>(bytes, at);
    at += sizeof header + static_cast<size_t>(container::padded(header.stored_size));
  }
  return offsets;
}

uint32_t kind_at(const Bytes& bytes, size_t offset) {
  return loader::read_at<container::ChunkHeader>(bytes, offset)->kind;
}

void rewrite(Bytes& bytes, size_t at, const std::function<void(container::ChunkHeader&)>& change) {
  auto header = *loader::read_at<container::ChunkHeader>(bytes, at);
  change(header);
  header.header_checksum =
      container::checksum(container::bytes_of(header).first(offsetof(container::ChunkHeader, header_checksum)));
  std::memcpy(bytes.data() + at, &header, sizeof header);
}

/// Why the file is not a whole recording; empty if it is.
std::string complaint(const Bytes& bytes) {
  const auto recording = Recording::over(container::over(bytes));
  if (!recording) return recording.error().message;
  return recording.value().ending_text();
}

}  // namespace

TEST_CASE("A recording cut at any byte is known as cut, and what is whole before can be used") {
  const test::Recorded recorded = test::record(21, 24, true);
  const std::vector<size_t> chunks = chunk_offsets(recorded.bytes);
  size_t most_points = 0, most_events = 0;
  for (size_t size = 0; size < recorded.bytes.size(); ++size) {
    const Bytes cut(recorded.bytes.begin(), recorded.bytes.begin() + static_cast<ptrdiff_t>(size));
    const auto recording = Recording::over(container::over(cut));
    if (!recording) {
      REQUIRE(size < chunks[1]);
      REQUIRE_FALSE(recording.error().message.empty());
      continue;
    }
    INFO("size " << size);
    REQUIRE_FALSE(recording.value().complete());
    REQUIRE_FALSE(recording.value().ending_text().empty());
    const auto& points = recording.value().points();
    REQUIRE(points.size() >= most_points);
    REQUIRE(std::equal(points.begin(), points.end(), recorded.run.points.begin()));
    most_points = points.size();
    if (size % 16 == 0) most_events = test::matching_events(recording.value(), recorded.run.events);
  }
  EXPECT(most_points == recorded.run.points.size());
  EXPECT(most_events == recorded.run.events.size());
}

TEST_CASE("No flipped byte of a recording is accepted") {
  const test::Recorded recorded = test::record(22, 4, true);
  for (size_t at = 0; at < recorded.bytes.size(); ++at) {
    for (const uint8_t flip : {static_cast<uint8_t>(1 + at % 255), uint8_t{0x20}}) {
      Bytes flipped = recorded.bytes;
      flipped[at] ^= flip;
      INFO("byte " << at);
      REQUIRE_FALSE(complaint(flipped).empty());
      const auto recording = Recording::over(container::over(flipped));
      if (!recording) continue;
      const auto& points = recording.value().points();
      REQUIRE(points.size() <= recorded.run.points.size());
      REQUIRE(std::equal(points.begin(), points.end(), recorded.run.points.begin()));
    }
  }
}

TEST_CASE("Each kind of damage has its own message with the offset") {
  const test::Recorded recorded = test::record(23, 40);
  const std::vector<size_t> chunks = chunk_offsets(recorded.bytes);
  const auto message = [&](const std::function<void(Bytes&)>& spoil) {
    Bytes bytes = recorded.bytes;
    spoil(bytes);
    return complaint(bytes);
  };
  const size_t second = chunks[1];
  const size_t events = *std::find_if(chunks.begin(), chunks.end(), [&](size_t at) {
    return kind_at(recorded.bytes, at) == kind_events;
  });
  EXPECT(message([](Bytes&) {}).empty());
  CHECK_THAT(message([](Bytes& b) { b = {'M', 'Z', 0, 0, 0, 0, 0, 0, 0, 0}; }),
             ContainsSubstring("not an Airlock recording: the file does not begin with its signature"));
  CHECK_THAT(message([](Bytes& b) { b.resize(20); }), ContainsSubstring("ends inside its header"));
  CHECK_THAT(message([](Bytes& b) {
               b[8] = 2;
               const uint64_t sum = container::checksum(loader::Bytes{b}.first(56));
               std::memcpy(b.data() + 56, &sum, sizeof sum);
             }),
             ContainsSubstring("the recording has format version 2.1; this program reads version 1"));
  CHECK_THAT(message([&](Bytes& b) { b[second] ^= 1; }), ContainsSubstring(fmt::format("no chunk begins at offset {}", second)));
  CHECK_THAT(message([&](Bytes& b) { b[second + 70] ^= 1; }),
             ContainsSubstring(fmt::format("the chunk at offset {} is damaged", second)));
  CHECK_THAT(message([&](Bytes& b) { rewrite(b, second, [](auto& h) { h.kind = fourcc("NEWS"); }); }),
             ContainsSubstring("unknown kind \"NEWS\""));
  CHECK_THAT(message([&](Bytes& b) { rewrite(b, second, [](auto& h) { h.version = 3; }); }), ContainsSubstring("version 3"));
  CHECK_THAT(message([&](Bytes& b) { rewrite(b, events, [](auto& h) { ++h.record_count; }); }),
             ContainsSubstring(fmt::format("the chunk at offset {}: the chunk claims", events)));
  CHECK_THAT(message([&](Bytes& b) { b.resize(chunks.back()); }),
             ContainsSubstring(fmt::format("ends at offset {} without its foot", chunks.back())));
  // An optional chunk may be passed over; only the evidence in the foot notices that it was another one.
  CHECK_THAT(message([&](Bytes& b) { rewrite(b, chunks[chunks.size() - 3], [](auto& h) { h.kind = fourcc("news"); }); }),
             ContainsSubstring("its digest differs"));
  // A recording of which a whole chunk is exchanged is noticed as well.
  const test::Recorded other = test::record(24, 40);
  CHECK_THAT(message([&](Bytes& b) { std::memcpy(b.data(), other.bytes.data(), 64); }), !ContainsSubstring("(accepted)"));
}

TEST_CASE("When the disk is full the recording ends with its last whole chunk and the recorder says so") {
  struct rlimit before {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 60'000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  auto recorder = Recorder::create("full.air", {}, test::sample_parts(), {"test", 1000, false});
  test::SampleRun run;
  support::Status status = support::Unit{};
  if (recorder) {
    run = test::play(*recorder.value(), 25, 2000);
    status = recorder.value()->close();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  REQUIRE(recorder.ok());
  REQUIRE_FALSE(status.ok());
  CHECK_THAT(status.error().message, ContainsSubstring("cannot write full.air: File too large (the file is whole up to byte"));
  const auto recording = Recording::open("full.air");
  std::remove("full.air");
  REQUIRE(recording.ok());
  EXPECT(recording.value().damage().empty());
  CHECK_THAT(recording.value().ending_text(), ContainsSubstring("the run was interrupted"));
  const auto& points = recording.value().points();
  EXPECT((points.size() > 16 && points.size() < run.points.size()));
  EXPECT(std::equal(points.begin(), points.end(), run.points.begin()));
}

TEST_CASE("A recording that cannot be created is an error and leaves nothing behind") {
  const auto nowhere = Recorder::create("no-such-folder/x.air", {}, test::sample_parts(), {"test", 1000, false});
  REQUIRE_FALSE(nowhere.ok());
  CHECK_THAT(nowhere.error().message, ContainsSubstring("cannot create no-such-folder/x.air"));
  const auto full = Recorder::create("/dev/full", {}, test::sample_parts(), {"test", 1000, false});
  REQUIRE_FALSE(full.ok());
  EXPECT(std::filesystem::exists("/dev/full"));
}
