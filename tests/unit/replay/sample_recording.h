#pragma once
// A made-up run, recorded: no machine, but everything that a recording can hold.
#include <cstdio>
#include <string>
#include <vector>

#include "sim/loader/pe_image.h"
#include "sim/replay/recorder.h"
#include "sim/replay/recording.h"
#include "sim/support/prng.h"
#include "tests/support/catch.h"

namespace test {

struct SampleRun {
  std::vector<trace::EventRecord> events;
  std::vector<replay::Point> points;
  std::vector<replay::Input> inputs;
};

inline machine::MachineParts sample_parts() {
  std::vector<uint8_t> disk(3 * 512 + (1u << 20), 0);
  disk[5] = 7;
  disk.back() = 9;
  machine::MachineParts parts;
  parts.firmware = {'M', 'Z', 1, 2, 3};
  parts.disk = machine::DiskImage{std::move(disk)};
  return parts;
}

inline trace::EventRecord sample_event(support::Prng& random, uint64_t tick) {
  static constexpr const char* texts[] = {"", "ntoskrnl.exe", "thief.sys", "a text that is said once"};
  trace::EventRecord record;
  record.event.at = {tick};
  record.event.kind = static_cast<support::EventKind>(random.below(20));
  record.event.vp = static_cast<uint32_t>(random.below(2));
  record.event.vtl = static_cast<abi::hv::Vtl>(random.below(2));
  record.event.rip = 0xfffff80000400000 + random.below(0x100000);
  record.event.a = random.below(3) == 0 ? random.next() : random.below(5);
  record.event.b = random.below(4);
  record.event.c = random.below(9) == 0 ? random.next() : 0;
  record.has_frame = random.below(4) == 0;
  if (record.has_frame)
    for (uint64_t& word : record.frame) word = random.below(3) == 0 ? random.next() : 0;
  record.text = texts[random.below(std::size(texts))];
  return record;
}

inline replay::Point sample_point(support::Prng& random, uint64_t tick) {
  replay::Point point;
  point.at = {tick};
  point.instructions = tick / 2;
  point.state = {random.next(), random.next()};
  point.vp = static_cast<uint32_t>(random.below(8));
  point.vtl = static_cast<abi::hv::Vtl>(random.below(2));
  point.rip = random.next();
  for (uint64_t& value : point.registers) value = random.below(2) == 0 ? random.next() : 0;
  return point;
}

/// Gives a recorder a run of `steps` points with events between them.
inline SampleRun play(replay::Recorder& recorder, uint64_t seed, size_t steps, size_t events_per_step = 20) {
  support::Prng random{seed};
  SampleRun run;
  uint64_t tick = 0;
  for (size_t step = 0; step < steps; ++step) {
    run.points.push_back(sample_point(random, tick));
    recorder.point(run.points.back());
    if (step % 8 == 3) {
      run.inputs.push_back({{tick}, replay::InputKind::ConsoleBytes, 0x3f8, {'d', 'i', 'r', '\r'}});
      recorder.input(run.inputs.back());
    }
    for (size_t i = 0; i < events_per_step; ++i) {
      tick += random.below(1000);
      run.events.push_back(sample_event(random, tick));
      recorder.on(run.events.back().view());
    }
    tick += 1;
  }
  run.points.push_back(sample_point(random, tick));
  recorder.point(run.points.back());
  return run;
}

inline std::unique_ptr<replay::Recorder> make_recorder(const std::string& path, bool embed = false) {
  auto recorder = replay::Recorder::create(path, {}, sample_parts(), {"test", 1000, embed});
  INFO((recorder ? std::string{} : recorder.error().message));
  REQUIRE(recorder.ok());
  return std::move(recorder.value());
}

struct Recorded {
  SampleRun run;
  std::vector<uint8_t> bytes;
};

inline Recorded record(uint64_t seed, size_t steps, bool embed = false) {
  const std::string path = "recording_test.air";
  auto recorder = make_recorder(path, embed);
  Recorded out{play(*recorder, seed, steps), {}};
  const auto closed = recorder->close();
  INFO((closed ? std::string{} : closed.error().message));
  REQUIRE(closed.ok());
  out.bytes = loader::read_file(path).value();
  std::remove(path.c_str());
  return out;
}

inline bool equal(const trace::EventRecord& a, const trace::EventRecord& b) {
  const support::Event x = a.view(), y = b.view();
  return x.at == y.at && x.vp == y.vp && x.vtl == y.vtl && x.kind == y.kind && x.a == y.a && x.b == y.b && x.c == y.c &&
         x.rip == y.rip && a.has_frame == b.has_frame && (!a.has_frame || a.frame == b.frame) && a.text == b.text;
}

/// How many of the expected events come first out of the recording, in order and equal; `more` tells of one too many.
inline size_t matching_events(const replay::Recording& recording, const std::vector<trace::EventRecord>& expected) {
  replay::EventCursor cursor = recording.events_from({});
  size_t count = 0;
  for (auto next = cursor.next(); next.ok() && next.value(); next = cursor.next()) {
    REQUIRE(count < expected.size());
    REQUIRE(equal(*next.value(), expected[count]));
    ++count;
  }
  return count;
}

}  // namespace test
