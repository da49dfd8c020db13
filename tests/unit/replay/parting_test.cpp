// Where two recordings part, and what a replay is checked against.
#include "sample_recording.h"
#include "sim/replay/event_check.h"
#include "sim/replay/parting.h"
#include "tests/support/catch.h"

using namespace replay;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Records `events` events; from `changed` on they say something else, hashes too.
std::vector<uint8_t> record(size_t events, size_t changed, uint64_t point_interval = 1000, size_t events_per_point = 50) {
  support::Prng random{99};
  auto recorder = Recorder::create("parting_test.air", {}, test::sample_parts(), {"test", point_interval, false});
  REQUIRE(recorder.ok());
  uint64_t tick = 0;
  for (size_t i = 0; i < events; ++i) {
    if (i % events_per_point == 0) {
      Point point;
      point.at = {tick};
      point.state = {i >= changed ? 1u : 0u, i};
      recorder.value()->point(point);
    }
    trace::EventRecord event = test::sample_event(random, tick += 3);
    if (i >= changed) event.event.a ^= 1;
    recorder.value()->on(event.view());
  }
  Point last;
  last.at = {tick + 1};
  recorder.value()->point(last);
  REQUIRE(recorder.value()->close().ok());
  std::vector<uint8_t> bytes = loader::read_file("parting_test.air").value();
  std::remove("parting_test.air");
  return bytes;
}

Recording open(const std::vector<uint8_t>& bytes) { return std::move(Recording::over(container::over(bytes)).value()); }

constexpr size_t never_changed = ~size_t{0};

}  // namespace

TEST_CASE("The first event that differs is found, wherever chunks end") {
  constexpr size_t events = 60'000;
  const std::vector<uint8_t> bytes = record(events, never_changed);
  const Recording left = open(bytes);
  for (const size_t changed : {size_t{0}, size_t{1}, size_t{777}, size_t{32'100}, events - 1}) {
    for (const size_t per_point : {size_t{50}, size_t{10'000}}) {
      INFO("changed at " << changed << ", a hash every " << per_point);
      const std::vector<uint8_t> other = record(events, changed, 1000, per_point);
      const Recording right = open(other);
      const auto parting = find_parting(left, right, [] { return true; });
      REQUIRE(parting.has_value());
      EXPECT(parting->parted);
      EXPECT(parting->equal_events == changed);
      REQUIRE((parting->left && parting->right));
      EXPECT(parting->left->event.at.ticks == 3 * (changed + 1));
      EXPECT(parting->right->event.a == (parting->left->event.a ^ 1));
      if (parting->equal_hash) EXPECT(parting->equal_hash->ticks <= 3 * changed);
      if (per_point == 50 && changed > 50) EXPECT(parting->equal_hash->ticks == 3 * ((changed - 1) / 50 * 50));
      EXPECT(!parting->same());
    }
  }
}

TEST_CASE("Equal recordings are the same, with other chunks too, and a shorter one parts at its end") {
  const std::vector<uint8_t> bytes = record(20'000, never_changed), other_bytes = record(20'000, never_changed, 1000, 777);
  const Recording left = open(bytes), same = open(bytes), others = open(other_bytes);
  EXPECT(find_parting(left, same, [] { return true; })->same());
  const auto chunks = find_parting(left, others, [] { return true; });
  EXPECT(!chunks->parted);
  EXPECT(chunks->equal_events == 20'000);
  const std::vector<uint8_t> short_bytes = record(15'000, never_changed);
  const auto shorter = find_parting(left, open(short_bytes), [] { return true; });
  EXPECT(shorter->parted);
  EXPECT(shorter->equal_events == 15'000);
  EXPECT((shorter->left && !shorter->right));
  size_t asked = 0;
  EXPECT(!find_parting(left, others, [&] { return ++asked < 3; }).has_value());
  EXPECT(asked == 3);
}

TEST_CASE("What is cut off is said, and is no difference that is invented") {
  const std::vector<uint8_t> bytes = record(20'000, never_changed);
  const std::vector<uint8_t> cut{bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(bytes.size() / 2)};
  const auto parting = find_parting(open(bytes), open(cut), [] { return true; });
  REQUIRE(parting.has_value());
  CHECK_THAT(parting->unread, ContainsSubstring("ends inside"));
  EXPECT(!parting->same());
}

TEST_CASE("A repetition is compared event by event up to the first that is another") {
  const test::Recorded recorded = test::record(41, 20);
  const Recording recording = open(recorded.bytes);
  EventCheck check{recording, 0};
  EXPECT(!check.text().has_value());
  for (size_t i = 0; i < 100; ++i) check.on(recorded.run.events[i].view());
  CHECK_THAT(check.text().value(), ContainsSubstring("100 events") && ContainsSubstring("are as recorded"));
  trace::EventRecord other = recorded.run.events[100];
  other.event.rip ^= 8;
  check.on(other.view());
  CHECK_THAT(check.text().value(), ContainsSubstring("then it is not the same: event 100 is"));
  check.on(recorded.run.events[101].view());
  EXPECT(check.equal() == 100);
  EventCheck late{recording, 50};
  late.on(recorded.run.events[50].view());
  EXPECT(late.equal() == 1);
}
