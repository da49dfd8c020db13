#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "sample_run.h"
#include "sim/loader/pe_image.h"
#include "sim/trace/trace_format.h"
#include "tests/support/catch.h"

using namespace trace;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Recorded {
  test::Expected expected;
  std::vector<uint8_t> bytes;
};

Recorded record(const std::string& path, uint64_t seed, size_t steps,
                trace::Detail detail = trace::Detail::Control) {
  test::SampleCode code;
  auto writer = Writer::create(path, {{"gear", "exact"}, {"seed", "7"}}, &code, {.detail = detail});
  REQUIRE(writer.ok());
  Recorded out{test::play(*writer.value(), seed, steps, detail), {}};
  const auto closed = writer.value()->close();
  INFO((closed ? std::string{} : closed.error().message));
  REQUIRE(closed.ok());
  out.bytes = loader::read_file(path).value();
  std::remove(path.c_str());
  return out;
}

Reader open(const std::vector<uint8_t>& bytes) {
  auto reader = Reader::over(test::over_bytes(bytes));
  INFO((reader ? std::string{} : reader.error().message));
  REQUIRE(reader.ok());
  return std::move(reader.value());
}

std::string refusal(const std::vector<uint8_t>& bytes) {
  const auto reader = Reader::over(test::over_bytes(bytes));
  return reader.ok() ? "(accepted)" : reader.error().message;
}

/// Offsets at which chunks begin.
std::vector<size_t> chunk_offsets(const std::vector<uint8_t>& bytes) {
  std::vector<size_t> offsets;
  for (size_t at = sizeof(FileHeader); at < bytes.size();) {
    offsets.push_back(at);
    const auto header = *loader::read_at<ChunkHeader>(bytes, at);
    at += sizeof header + (size_t{header.stored_size} + 7) / 8 * 8;
  }
  return offsets;
}

void rewrite_header(std::vector<uint8_t>& bytes, size_t at,
                    const std::function<void(ChunkHeader&)>& change) {
  ChunkHeader header = *loader::read_at<ChunkHeader>(bytes, at);
  change(header);
  header.header_checksum = checksum(bytes_of(header).first(offsetof(ChunkHeader, header_checksum)));
  std::memcpy(bytes.data() + at, &header, sizeof header);
}

}  // namespace

TEST_CASE("A trace gives back every instruction and event that was recorded, in order") {
  const trace::Detail detail = GENERATE(trace::Detail::Control, trace::Detail::Full);
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const Recorded run = record("trace_file_test.trace", seed, 150'000, detail);
    Reader reader = open(run.bytes);
    EXPECT(reader.detail() == detail);
    EXPECT(std::count(reader.meta().begin(), reader.meta().end(),
                      std::pair<std::string, std::string>{"gear", "exact"}) == 1);
    std::string error;
    EXPECT(test::matching_prefix(reader, run.expected, error) == run.expected.order.size());
    EXPECT(error.empty());
    REQUIRE(reader.totals().has_value());
    EXPECT(reader.totals()->instructions == run.expected.instructions.size());
    EXPECT(reader.totals()->events == run.expected.events.size());
    EXPECT(chunk_offsets(run.bytes).size() > 3);
  }
}

TEST_CASE("The same run gives the same bytes") {
  EXPECT(record("a.trace", 5, 5000).bytes == record("b.trace", 5, 5000).bytes);
}

TEST_CASE("A trace cut at any byte gives its whole chunks and then says where it ends") {
  const Recorded run =
      record("trace_file_test.trace", 9, 300, GENERATE(trace::Detail::Control, trace::Detail::Full));
  size_t longest = 0;
  for (size_t size = 0; size < run.bytes.size(); ++size) {
    const std::vector<uint8_t> cut(run.bytes.begin(),
                                   run.bytes.begin() + static_cast<ptrdiff_t>(size));
    auto reader = Reader::over(test::over_bytes(cut));
    if (!reader) {
      CHECK_FALSE(reader.error().message.empty());
      continue;
    }
    std::string error;
    const size_t matching = test::matching_prefix(reader.value(), run.expected, error);
    REQUIRE(matching <= run.expected.order.size());
    CHECK_THAT(error, ContainsSubstring("ends") && ContainsSubstring("offset"));
    REQUIRE(matching >= longest);
    longest = matching;
    // Asked again, it says the same.
    REQUIRE(reader.value().next().error().message == error);
  }
  EXPECT(longest == run.expected.order.size());
}

TEST_CASE("No flipped byte of a trace is accepted") {
  const Recorded run =
      record("trace_file_test.trace", 11, 200, GENERATE(trace::Detail::Control, trace::Detail::Full));
  for (size_t at = 0; at < run.bytes.size(); ++at) {
    std::vector<uint8_t> flipped = run.bytes;
    flipped[at] ^= static_cast<uint8_t>(1 + at % 255);
    auto reader = Reader::over(test::over_bytes(flipped));
    if (!reader) continue;
    std::string error;
    INFO("byte " << at);
    REQUIRE(test::matching_prefix(reader.value(), run.expected, error) <=
            run.expected.order.size());
    REQUIRE_FALSE(error.empty());
  }
}

TEST_CASE("Each kind of damage has its own message with the offset") {
  const Recorded run = record("trace_file_test.trace", 13, 300);
  const std::vector<size_t> chunks = chunk_offsets(run.bytes);
  const auto message = [&](const std::function<void(std::vector<uint8_t>&)>& spoil) {
    std::vector<uint8_t> bytes = run.bytes;
    spoil(bytes);
    auto reader = Reader::over(test::over_bytes(bytes));
    if (!reader) return reader.error().message;
    std::string error;
    static_cast<void>(test::matching_prefix(reader.value(), run.expected, error));
    return error;
  };
  const size_t records = chunks[1];
  CHECK_THAT(refusal({}), ContainsSubstring("not an Airlock trace"));
  CHECK_THAT(message([](auto& b) { b.resize(20); }),
             ContainsSubstring("ends inside its header: 20 of 64 bytes"));
  CHECK_THAT(message([](auto& b) { b[9] ^= 1; }), ContainsSubstring("the file header is damaged"));
  CHECK_THAT(message([](auto& b) {
               b[8] = 9;
               const uint64_t sum = checksum(loader::Bytes{b}.first(56));
               std::memcpy(b.data() + 56, &sum, sizeof sum);
             }),
             ContainsSubstring("format version 9.0; this program reads version 2"));
  CHECK_THAT(message([&](auto& b) { b[records] ^= 1; }),
             ContainsSubstring(fmt::format("no chunk begins at offset {}", records)));
  CHECK_THAT(message([&](auto& b) { b[records + 20] ^= 1; }),
             ContainsSubstring(fmt::format("the chunk header at offset {} is damaged", records)));
  CHECK_THAT(message([&](auto& b) { b[records + 70] ^= 1; }),
             ContainsSubstring(fmt::format("the chunk at offset {} is damaged", records)));
  CHECK_THAT(
      message([&](auto& b) { rewrite_header(b, records, [](ChunkHeader& h) { h.sequence = 7; }); }),
      ContainsSubstring(fmt::format("chunk 7 is at offset {} where chunk 1 must be", records)));
  CHECK_THAT(message([&](auto& b) {
               rewrite_header(b, records, [](ChunkHeader& h) { h.raw_size = 0xffffffff; });
             }),
             ContainsSubstring("claims 4294967295 bytes"));
  CHECK_THAT(message([&](auto& b) {
               rewrite_header(b, records, [](ChunkHeader& h) { h.raw_size += 1; });
             }),
             ContainsSubstring("does not decompress to"));
  CHECK_THAT(message([&](auto& b) {
               rewrite_header(b, records, [](ChunkHeader& h) { h.record_count += 1; });
             }),
             ContainsSubstring("holds 300 records instead of 301"));
  CHECK_THAT(
      message([&](auto& b) { rewrite_header(b, records, [](ChunkHeader& h) { h.version = 9; }); }),
      ContainsSubstring("has version 9"));
  CHECK_THAT(message([&](auto& b) {
               rewrite_header(b, records, [](ChunkHeader& h) { h.kind = fourcc("NEWS"); });
             }),
             ContainsSubstring("unknown kind \"NEWS\""));
  CHECK_THAT(
      message([&](auto& b) { b.resize(chunks.back()); }),
      ContainsSubstring(fmt::format("ends at offset {} without its end mark", chunks.back())));
}

TEST_CASE("A chunk of an unknown kind that says it may be skipped is skipped") {
  Recorded run = record("trace_file_test.trace", 15, 50);
  const size_t records = chunk_offsets(run.bytes)[1];
  rewrite_header(run.bytes, records, [](ChunkHeader& h) { h.kind = fourcc("news"); });
  Reader reader = open(run.bytes);
  const auto next = reader.next();
  REQUIRE(next.ok());
  CHECK_FALSE(next.value().has_value());
}

TEST_CASE("Skipping passes over early chunks but not over images") {
  test::SampleCode code;
  auto writer = Writer::create("skip.trace", {}, &code);
  REQUIRE(writer.ok());
  writer.value()->on(
      {.at = {5}, .kind = support::EventKind::ImageLoaded, .a = 0x1000, .text = "first.exe"});
  test::play(*writer.value(), 17, 150'000);
  const auto closed = writer.value()->close();
  REQUIRE(closed.ok());
  const std::vector<uint8_t> bytes = loader::read_file("skip.trace").value();
  std::remove("skip.trace");
  const auto count = [&](uint64_t from) {
    Reader reader = open(bytes);
    reader.skip_to(from);
    size_t images = 0, records = 0;
    for (auto next = reader.next(); next.ok() && next.value(); next = reader.next()) {
      ++records;
      const auto* event = std::get_if<EventRecord>(&*next.value());
      images += event != nullptr && event->text == "first.exe" ? 1 : 0;
    }
    EXPECT(images == 1);
    REQUIRE(reader.totals().has_value());
    return records;
  };
  EXPECT(count(~uint64_t{0}) < count(0));
}

TEST_CASE("When the disk is full the trace keeps its whole chunks and the writer says so") {
  struct rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 1'500'000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  test::SampleCode code;
  auto writer = Writer::create("full.trace", {}, &code);
  test::Expected expected;
  support::Status status = support::Unit{};
  if (writer) {
    expected = test::play(*writer.value(), 19, 400'000);
    status = writer.value()->close();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);

  REQUIRE(writer.ok());
  REQUIRE_FALSE(status.ok());
  CHECK_THAT(
      status.error().message,
      ContainsSubstring("cannot write full.trace: File too large (the file is whole up to byte"));
  const std::vector<uint8_t> bytes = loader::read_file("full.trace").value();
  std::remove("full.trace");
  EXPECT(bytes.size() <= 1'500'000);
  Reader reader = open(bytes);
  std::string error;
  const size_t matching = test::matching_prefix(reader, expected, error);
  EXPECT((matching > 1000 && matching < expected.order.size()));
  CHECK_THAT(error, ContainsSubstring("without its end mark"));
}

TEST_CASE("A trace that cannot even begin leaves no file behind, and devices are left alone") {
  struct rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit none = before;
  none.rlim_cur = 10;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  const auto writer = Writer::create("none.trace", {}, nullptr);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  REQUIRE_FALSE(writer.ok());
  CHECK_THAT(writer.error().message, ContainsSubstring("the file was removed"));
  CHECK_FALSE(std::filesystem::exists("none.trace"));

  const auto full = Writer::create("/dev/full", {}, nullptr);
  REQUIRE_FALSE(full.ok());
  CHECK_THAT(full.error().message,
             ContainsSubstring("cannot write /dev/full: No space left on device"));
  EXPECT(std::filesystem::exists("/dev/full"));
  const auto nowhere = Writer::create("no-such-folder/x.trace", {}, nullptr);
  REQUIRE_FALSE(nowhere.ok());
  CHECK_THAT(nowhere.error().message,
             ContainsSubstring("cannot create no-such-folder/x.trace: No such file"));
}

TEST_CASE("A trace without its end mark is what a killed run leaves, and all of it can be read") {
  test::SampleCode code;
  test::Expected expected;
  {
    auto writer = Writer::create("killed.trace", {}, &code);
    REQUIRE(writer.ok());
    expected = test::play(*writer.value(), 23, 1000);
  }
  const std::vector<uint8_t> bytes = loader::read_file("killed.trace").value();
  std::remove("killed.trace");
  Reader reader = open(bytes);
  std::string error;
  EXPECT(test::matching_prefix(reader, expected, error) == expected.order.size());
  CHECK_THAT(error, ContainsSubstring("the run was interrupted"));
}
