// A timeline over a recording with keyframes: begun anywhere, and the same everywhere.
#include "tests/unit/debugger/boot_timeline.h"

#include <filesystem>
#include <map>

#include "sim/replay/recorder.h"
#include "sim/support/prng.h"

using namespace debugger;

namespace {

constexpr uint64_t distance = 3'000'000;  ///< instructions from keyframe to keyframe

const std::string& recorded() {
  static const std::string path = [] {
    const std::string file = "reverse_keyframes.air";
    auto recorder = replay::Recorder::create(
        file, {}, test::boot_parts(),
        {.program = "test", .point_interval = 1'000'000, .keyframe_interval = distance, .whole_every = 5});
    REQUIRE(recorder.ok());
    auto machine = machine::Machine::create({}, test::boot_parts(), recorder.value().get());
    REQUIRE(machine.ok());
    REQUIRE(recorder.value()->run(*machine.value(), boot::limit) == machine::StopReason::PowerOff);
    REQUIRE(recorder.value()->close().ok());
    return file;
  }();
  return path;
}

struct Walk {
  explicit Walk(bool keyframes, const std::string& path = recorded())
      : recording{std::move(replay::Recording::open(path).value())},
        timeline{std::move(Timeline::over(recording, test::boot_parts(), {.keyframes = keyframes}).value())} {}
  replay::Recording recording;
  std::unique_ptr<Timeline> timeline;
};

/// The recording again, sound chunk by chunk, with another state at one instant; without its end, which would not match.
void forge(const std::string& path, support::Instant at, bool last_byte) {
  container::Reader in = container::Reader::open(container::open_file(recorded()).value(), replay::file_kind).value();
  auto made = container::Writer::create(path, replay::file_kind, in.meta(), 3);
  REQUIRE(made.ok());
  container::Writer out = std::move(made.value());
  for (auto header = in.next(); header.ok() && header.value(); header = in.next()) {
    const container::ChunkHeader& chunk = *header.value();
    std::vector<uint8_t> payload = in.payload().value();
    if (chunk.kind == replay::kind_index || chunk.kind == replay::kind_foot) break;
    const bool state = chunk.kind == replay::kind_keyframe || chunk.kind == replay::kind_delta;
    if (state && chunk.first_tick == at.ticks && last_byte && chunk.record_count == 1) payload.back() ^= 1;
    if (state && chunk.first_tick == at.ticks && !last_byte) payload[200] ^= 0xff;
    REQUIRE(out.append(chunk.kind, payload, {0, chunk.record_count, chunk.first_tick, chunk.last_tick}).ok());
  }
  REQUIRE(out.close().ok());
}

}  // namespace

TEST_CASE("A seek from keyframes finds what a seek from the beginning finds, at instants drawn at random") {
  support::Prng prng{Catch::getSeed(), "keyframes"};
  Walk with{true}, without{false};
  REQUIRE(with.recording.keyframes().size() > 10);
  uint64_t instants[24];
  for (uint64_t& instant : instants) instant = prng.below(42'000'000);
  std::map<uint64_t, support::StateHash> expected;
  for (const uint64_t instant : instants) {
    REQUIRE(without.timeline->seek({instant}) == Arrival::There);
    expected[instant] = without.timeline->machine().fingerprint();
  }
  for (const uint64_t instant : instants) {
    CAPTURE(Catch::getSeed(), instant);
    REQUIRE(with.timeline->seek({instant}) == Arrival::There);
    EXPECT(with.timeline->machine().fingerprint() == expected[instant]);
    REQUIRE(with.timeline->reverse_step(1000) == Arrival::There);
    REQUIRE(with.timeline->step_forward(1000) == Arrival::There);
    REQUIRE(with.timeline->seek({instant}) == Arrival::There);
    EXPECT(with.timeline->machine().fingerprint() == expected[instant]);
  }
  EXPECT(with.timeline->complaint().empty());
}

TEST_CASE("Who wrote what is answered alike with keyframes and without") {
  Walk with{true}, without{false};
  const uint64_t late = with.recording.keyframes().back().at.ticks - 1'000;
  REQUIRE(with.timeline->seek({late}) == Arrival::There);
  REQUIRE(without.timeline->seek({late}) == Arrival::There);
  const Spa tables{with.timeline->machine().processor().context().cr3 & ~uint64_t{0xfff}};
  const Conditions memory{MemoryWatch{tables, 8}};
  const auto a = with.timeline->last(memory, {late}), b = without.timeline->last(memory, {late});
  REQUIRE(a.has_value() == b.has_value());
  REQUIRE(a.has_value());
  EXPECT(a->at == b->at);
  EXPECT(a->rip == b->rip);
  EXPECT(a->before == b->before);
  EXPECT(a->after == b->after);
}

TEST_CASE("A keyframe that is not the recorded state is passed over, and the seek still arrives") {
  const Walk honest{true};
  const support::Instant lie = honest.recording.keyframes()[4].at;
  for (const bool last_byte : {true, false}) {  // a byte of memory, or one of the fields
    CAPTURE(last_byte);
    const std::string path = "reverse_forged.air";
    forge(path, lie, last_byte);
    Walk forged{true, path};
    EXPECT(forged.recording.damage().empty());
    REQUIRE(forged.recording.keyframe_before(lie)->at == lie);
    auto machine = machine::Machine::create({}, test::boot_parts(), nullptr);
    REQUIRE(machine.ok());
    const support::Status status =
        replay::restore_keyframe(forged.recording, *forged.recording.keyframe_before(lie), *machine.value());
    REQUIRE_FALSE(status.ok());
    if (last_byte) CHECK_THAT(status.error().message, Catch::Matchers::ContainsSubstring("not the state whose hash"));
    REQUIRE(forged.timeline->seek(lie + 100) == Arrival::There);
    EXPECT(!forged.timeline->complaint().empty());
    Walk plain{false};
    REQUIRE(plain.timeline->seek(lie + 100) == Arrival::There);
    EXPECT(forged.timeline->machine().fingerprint() == plain.timeline->machine().fingerprint());
    std::filesystem::remove(path);
  }
}
