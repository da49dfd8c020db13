// Recording and replaying whole boots.
#include "tests/support/catch.h"

#include <cstdio>

#include "sim/machine/event_fanout.h"
#include "sim/replay/bisect.h"
#include "sim/replay/compare.h"
#include "sim/replay/recheck.h"
#include "sim/replay/recorder.h"
#include "sim/replay/replayer.h"
#include "tests/support/machine_run.h"

using namespace replay;
using Catch::Matchers::ContainsSubstring;
using machine::StopReason;

namespace {

machine::MachineParts parts_with(const std::string& disk) {
  machine::MachineParts parts;
  parts.firmware = test::read_file(test::guest_firmware);
  auto image = machine::DiskImage::open(disk);
  REQUIRE(image.ok());
  parts.disk = std::move(image.value());
  return parts;
}

SubjectFactory subjects(loader::MachineConfig config, std::string disk = test::guest_disk) {
  return [=](support::EventSink* events) -> support::Result<std::unique_ptr<Subject>> {
    return std::make_unique<Subject>(TRY(machine::Machine::create(config, parts_with(disk), events)));
  };
}

struct Recorded {
  std::string path;
  std::string fingerprint;
  uint64_t instructions{};
  StopReason stop{};
};

Recorded record(const std::string& path, const loader::MachineConfig& config, RecorderOptions options,
                support::Instant deadline = {test::instruction_limit}) {
  options.program = "test";
  machine::MachineParts parts = parts_with(test::guest_disk);
  auto recorder = Recorder::create(path, config, parts, options);
  REQUIRE(recorder.ok());
  auto machine = machine::Machine::create(config, std::move(parts), recorder.value().get());
  REQUIRE(machine.ok());
  Recorded out{path, "", 0, recorder.value()->run(*machine.value(), deadline)};
  out.fingerprint = machine.value()->fingerprint().to_string();
  out.instructions = machine.value()->now().ticks - machine.value()->idle_ticks();
  const auto closed = recorder.value()->close();
  REQUIRE(closed.ok());
  return out;
}

/// One boot, recorded once for all tests of this file, with keyframes.
const Recorded& boot() {
  static const Recorded recorded = record("scenario_replay_boot.air", test::with_vsm(), {.program = {}, .keyframe_interval = 3u << 20, .whole_every = 8});
  return recorded;
}

Recording open(const std::string& path) {
  auto recording = Recording::open(path);
  INFO((recording ? std::string{} : recording.error().message));
  REQUIRE(recording.ok());
  INFO(recording.value().ending_text());
  REQUIRE(recording.value().complete());
  return std::move(recording.value());
}

/// Replays with verification; nothing if all was equal.
std::optional<Divergence> verify(const Recording& recording, const SubjectFactory& factory) {
  Replayer replayer{recording, true};
  auto subject = factory(&replayer);
  REQUIRE(subject.ok());
  replayer.run(*subject.value(), support::never);
  if (!replayer.divergence()) {
    EXPECT(replayer.reached_end());
    EXPECT(replayer.points_compared() == recording.points().size());
    EXPECT(replayer.events_compared() == recording.events());
  }
  return replayer.divergence();
}

/// Flips one bit of memory when the clock shows `at`.
class FlippingSubject final : public Subject {
 public:
  FlippingSubject(std::unique_ptr<machine::Machine> made, support::Instant at, mmu::Spa where)
      : Subject{std::move(made)}, at_{at}, where_{where} {}

  StopReason run(support::Instant deadline) override {
    if (machine().now() < at_ && at_ <= deadline) {
      const StopReason reason = Subject::run(at_);
      if (reason != StopReason::Deadline) return reason;
      mmu::PhysicalMemory& memory = machine().memory();
      memory.write<uint8_t>(where_, memory.read<uint8_t>(where_) ^ 0x10);
    }
    return Subject::run(deadline);
  }

 private:
  support::Instant at_;
  mmu::Spa where_;
};

}  // namespace

TEST_CASE("Recording does not change the run, and takes at most 30 kB for a million instructions") {
  test::MachineRun plain{test::with_vsm()};
  EXPECT(plain.finish() == StopReason::PowerOff);
  EXPECT(plain.machine().fingerprint().to_string() == boot().fingerprint);
  EXPECT(plain.machine().now().ticks - plain.machine().idle_ticks() == boot().instructions);

  const Recorded small = record("scenario_replay_small.air", test::with_vsm(), {});
  EXPECT(small.fingerprint == boot().fingerprint);
  const size_t size = test::read_file(small.path).size();
  std::remove(small.path.c_str());
  EXPECT(size <= 30'000 * (small.instructions >> 20));
}

TEST_CASE("A recorded boot replays with every hash and event equal, in both gears") {
  const Recording recording = open(boot().path);
  EXPECT(recording.points().size() > boot().instructions >> 20);
  for (const auto gear : {loader::GearSetting::Fast, loader::GearSetting::Exact}) {
    loader::MachineConfig config = recording.facts().config;
    config.gear = gear;
    const auto divergence = verify(recording, subjects(config));
    INFO((divergence ? divergence->what : std::string{}));
    EXPECT(!divergence.has_value());
  }
}

TEST_CASE("Replaying without verification reaches the same end") {
  const Recording recording = open(boot().path);
  Replayer replayer{recording, false};
  auto subject = subjects(recording.facts().config)(&replayer);
  REQUIRE(subject.ok());
  EXPECT(replayer.run(*subject.value(), support::never) == StopReason::PowerOff);
  EXPECT(subject.value()->machine().fingerprint().to_string() == boot().fingerprint);
}

TEST_CASE("A run that stopped at an event is replayed to the same state") {
  RecorderOptions options;
  options.program = "test";
  machine::MachineParts parts = parts_with(test::guest_disk);
  auto recorder = Recorder::create("scenario_replay_until.air", test::with_vsm(), parts, options);
  REQUIRE(recorder.ok());
  // An exception takes no time: the instant alone does not say where the run stopped.
  struct Stop final : support::EventSink {
    machine::Machine* machine{};
    void on(const support::Event& event) override {
      if (event.kind == support::EventKind::Exception) machine->request_stop();
    }
  } stop;
  machine::EventFanout events;
  events.add(*recorder.value());
  events.add(stop);
  auto machine = machine::Machine::create(test::with_vsm(), std::move(parts), &events);
  REQUIRE(machine.ok());
  stop.machine = machine.value().get();
  EXPECT(recorder.value()->run(*machine.value(), support::never) == StopReason::Requested);
  REQUIRE(recorder.value()->close().ok());
  const auto divergence = verify(open("scenario_replay_until.air"), subjects(test::with_vsm()));
  INFO((divergence ? divergence->what : std::string{}));
  EXPECT(!divergence.has_value());
  std::remove("scenario_replay_until.air");
}

TEST_CASE("One flipped bit of memory is found, and the instruction after which it is there") {
  const Recording recording = open(boot().path);
  const loader::MachineConfig config = recording.facts().config;
  const mmu::Spa where{config.memory_bytes - 5};
  for (const uint64_t at : {uint64_t{1'234'567}, uint64_t{9'999'999}}) {
    const SubjectFactory suspect = [&](support::EventSink* events) -> support::Result<std::unique_ptr<Subject>> {
      auto machine = TRY(machine::Machine::create(config, parts_with(test::guest_disk), events));
      return std::unique_ptr<Subject>{new FlippingSubject{std::move(machine), {at}, where}};
    };
    const auto divergence = verify(recording, suspect);
    REQUIRE(divergence.has_value());
    EXPECT((divergence->after.ticks < at && divergence->at.ticks >= at));
    const auto found = first_difference(suspect, subjects(config), divergence->after, divergence->at);
    REQUIRE(found.ok());
    REQUIRE(found.value().has_value());
    EXPECT(found.value()->before.at.ticks == at - 1);
    REQUIRE(found.value()->what.size() == 1);
    CHECK_THAT(found.value()->what[0], ContainsSubstring("memory") && ContainsSubstring("0x10"));
    CHECK_THAT(to_text(*found.value()), ContainsSubstring("VP 0, VTL ") && ContainsSubstring("RIP 0x"));
  }
}

TEST_CASE("Where the other program can only be recorded again, closer hashes name the instruction") {
  const support::Instant at{5'000'123};
  const SubjectFactory wrong = [&](support::EventSink* events) -> support::Result<std::unique_ptr<Subject>> {
    auto machine = TRY(machine::Machine::create(test::with_vsm(), parts_with(test::guest_disk), events));
    return std::unique_ptr<Subject>{new FlippingSubject{std::move(machine), at, mmu::Spa{0x4010}}};
  };
  const auto first = verify(open(boot().path), wrong);
  REQUIRE(first.has_value());
  CloseWindow window{first->after, first->at + 1, 0};
  for (const uint64_t interval : {300u, 1u}) {
    window.interval = interval;
    const Recorded close = record("scenario_replay_close.air", test::with_vsm(), {.program = {}, .window = window}, {8'000'000});
    const auto found = verify(open(close.path), wrong);
    REQUIRE(found.has_value());
    EXPECT(found->at >= at);
    EXPECT(found->at < at + interval);
    window = {found->after, found->at + 1, 0};
    std::remove(close.path.c_str());
  }
  EXPECT(window.to == at + 1);
}

TEST_CASE("Another disk under the same name is found where it is first read") {
  test::DiskVariant variant;
  std::vector<uint8_t> kernel = variant.read(std::string{test::system_folder} + "ntoskrnl.exe");
  kernel.back() ^= 1;
  variant.replace(std::string{test::system_folder} + "ntoskrnl.exe", kernel);
  const Recording recording = open(boot().path);
  const loader::MachineConfig config = recording.facts().config;
  const auto divergence = verify(recording, subjects(config, variant.path()));
  REQUIRE(divergence.has_value());
  const auto found = first_difference(subjects(config, variant.path()), subjects(config), divergence->after, divergence->at + 1);
  REQUIRE(found.ok());
  REQUIRE(found.value().has_value());
  const FirstDifference& first = *found.value();
  INFO(to_text(first));
  EXPECT(first.suspect.rip == first.reference.rip);
  REQUIRE(!first.what.empty());
  CHECK_THAT(first.what[0], ContainsSubstring("memory"));
}

TEST_CASE("Two machines that do not differ have no first difference") {
  const auto found = first_difference(subjects(test::with_vsm()), subjects(test::with_vsm()), {}, {2'000'000});
  REQUIRE(found.ok());
  EXPECT(!found.value().has_value());
}

TEST_CASE("From a keyframe the run goes on to the same end") {
  const Recording recording = open(boot().path);
  const std::vector<Keyframe>& keyframes = recording.keyframes();
  REQUIRE(keyframes.size() >= 12);
  EXPECT(keyframes.front().at.ticks == 0);
  EXPECT(keyframes.front().whole);
  EXPECT(keyframes[8].whole);
  for (const size_t which : {1u, 7u, 8u, 11u}) {
    CAPTURE(which);
    EXPECT(keyframes[which].whole == (which == 8));
    const auto state = recording.keyframe(keyframes[which].at);
    INFO((state ? std::string{} : state.error().message));
    REQUIRE(state.ok());
    auto subject = subjects(recording.facts().config)(nullptr);
    REQUIRE(subject.ok());
    const auto restored = subject.value()->machine().restore(state.value());
    INFO((restored ? std::string{} : restored.error().message));
    REQUIRE(restored.ok());
    EXPECT(subject.value()->machine().now() == keyframes[which].at);
    EXPECT(subject.value()->run(support::never) == StopReason::PowerOff);
    EXPECT(subject.value()->machine().fingerprint().to_string() == boot().fingerprint);
    CHECK_FALSE(recording.keyframe(keyframes[which].at + 1).ok());
  }
}

TEST_CASE("A replay that begins at a keyframe verifies the rest, and only the rest") {
  const Recording recording = open(boot().path);
  const support::Instant from{boot().instructions / 2};
  Replayer replayer{recording, true};
  auto made = subjects(recording.facts().config)(&replayer);
  REQUIRE(made.ok());
  const std::unique_ptr<Subject> subject = std::move(made.value());
  const auto begun = replayer.begin_near(*subject, from);
  INFO((begun ? std::string{} : begun.error().message));
  REQUIRE(begun.ok());
  EXPECT(begun.value() <= from);
  EXPECT(begun.value() > support::Instant{from.ticks - (4u << 20)});
  replayer.run(*subject, support::never);
  INFO((replayer.divergence() ? replayer.divergence()->what : std::string{}));
  EXPECT(!replayer.divergence());
  EXPECT(replayer.reached_end());
  EXPECT(replayer.events_compared() < recording.events());
  EXPECT(subject->machine().fingerprint().to_string() == boot().fingerprint);
  struct : support::EventSink {
    void on(const support::Event&) override { ++count; }
    uint64_t count{};
  } before;
  REQUIRE(replayer.tell_before(before).ok());
  EXPECT(before.count + replayer.events_compared() == recording.events());
}

TEST_CASE("The pages that are said to be written between keyframes are all that differ between them") {
  const Recording recording = open(boot().path);
  size_t written = 0;
  for (size_t i = 1; i < recording.keyframes().size(); ++i) {
    const Keyframe& keyframe = recording.keyframes()[i];
    REQUIRE(keyframe.begin == recording.keyframes()[i - 1].at);
    const auto span = recording.span_of(keyframe);
    REQUIRE(span.ok());
    const auto a = recording.keyframe(keyframe.begin), b = recording.keyframe(keyframe.at);
    REQUIRE((a.ok() && b.ok()));
    for (const support::StateDifference& difference : machine::diff_memory(a.value(), b.value())) {
      const uint64_t address = std::stoull(difference.path.substr(difference.path.find('[') + 1), nullptr, 16);
      CAPTURE(keyframe.at.ticks, difference.path);
      REQUIRE(std::binary_search(span.value().dirty.begin(), span.value().dirty.end(), address / 4096));
      ++written;
    }
  }
  EXPECT(written > 100);
}

TEST_CASE("Two recordings of one configuration are the same; without VSM they part, and the events say how") {
  const Recording with = open(boot().path);
  const Recorded again = record("scenario_replay_again.air", test::with_vsm(), {});
  const auto same = compare(with, open(again.path), nullptr);
  REQUIRE(same.ok());
  EXPECT(same.value().equal());
  EXPECT(same.value().equal_events == with.events());
  std::remove(again.path.c_str());

  const Recorded other = record("scenario_replay_other.air", test::hypervisor_only(), {});
  const Recording without = open(other.path);
  size_t calls = 0;
  const auto different = compare(with, without, [&](const DifferenceLine& line) {
    calls += line.side == DifferenceLine::Side::Left && line.event.event.kind == support::EventKind::VtlCall ? 1 : 0;
    return true;
  });
  REQUIRE(different.ok());
  const Comparison& result = different.value();
  EXPECT(!result.equal());
  EXPECT(!result.facts.empty());
  EXPECT(result.first_event.has_value());
  EXPECT(result.first_state.has_value());
  EXPECT(calls > 50);
  EXPECT(result.common > 5);  // the same firmware, and the same texts of NTOS
  std::remove(other.path.c_str());
}

TEST_CASE("A divergence that comes again is the program's; a keyframe names the fields that differ") {
  // Recorded by a machine that flips a bit, replayed by one that does not.
  const loader::MachineConfig config = test::with_vsm();
  machine::MachineParts parts = parts_with(test::guest_disk);
  auto recorder = Recorder::create("scenario_replay_flipped.air", config, parts,
                                   {.program = "test", .keyframe_interval = 1u << 20});
  REQUIRE(recorder.ok());
  auto made = machine::Machine::create(config, std::move(parts), recorder.value().get());
  REQUIRE(made.ok());
  machine::Machine& machine = *made.value();
  recorder.value()->run(machine, {1'500'000});
  const mmu::Spa where{config.memory_bytes - 5};
  machine.memory().write<uint8_t>(where, 0x10);
  recorder.value()->run(machine, {4'000'000});
  REQUIRE(recorder.value()->close().ok());

  const Recording recording = open("scenario_replay_flipped.air");
  const auto divergence = verify(recording, subjects(config));
  REQUIRE(divergence.has_value());
  const auto result = recheck(recording, *divergence, subjects(config));
  INFO((result ? std::string{} : result.error().message));
  REQUIRE(result.ok());
  REQUIRE(result.value().again.has_value());
  EXPECT(result.value().again->at == divergence->at);
  REQUIRE(result.value().fields.size() == 1);
  CHECK_THAT(to_text(result.value()), ContainsSubstring("memory") && ContainsSubstring("it diverges at instant"));

  // Once: a machine that goes wrong the first time only.
  const auto healthy = recheck(open(boot().path), {{}, {1000}, "once"}, subjects(config));
  REQUIRE(healthy.ok());
  EXPECT(!healthy.value().again.has_value());
  std::remove("scenario_replay_flipped.air");
}
