// What reaches a machine from outside: scheduled, recorded, replayed, walked back over.
#include <cstdio>

#include "sim/debugger/timeline.h"
#include "sim/machine/checkpoint.h"
#include "sim/replay/compare.h"
#include "sim/replay/recorder.h"
#include "sim/replay/replayer.h"
#include "tests/unit/replay/echo_guest.h"

using namespace replay;
using Catch::Matchers::ContainsSubstring;
using loader::GearSetting;
using machine::StopReason;

namespace {

Input typed(uint64_t at, std::string_view text) {
  return {{at}, InputKind::ConsoleBytes, 0x3f8, {text.begin(), text.end()}};
}

const std::vector<Input> session{typed(1'000, "hello"), typed(70'000, " you\n"), typed(200'000, "bye\n!")};

void give(machine::Machine& machine, const std::vector<Input>& inputs) {
  for (const Input& input : inputs) REQUIRE(machine.schedule_input(input).ok());
}

Recording record(const std::string& path, const std::vector<Input>& inputs, uint64_t keyframes = 0) {
  auto recorder = Recorder::create(path, test::small_machine(), test::echo_parts(),
                                   {.program = "test", .point_interval = 10'000, .keyframe_interval = keyframes});
  REQUIRE(recorder.ok());
  const auto machine = test::echo_machine(recorder.value().get());
  for (const Input& input : inputs) recorder.value()->input(input);
  give(*machine, inputs);
  REQUIRE(recorder.value()->run(*machine, {10'000'000}) == StopReason::PowerOff);
  REQUIRE(recorder.value()->close().ok());
  auto recording = Recording::open(path);
  REQUIRE(recording.ok());
  REQUIRE(recording.value().complete());
  return std::move(recording.value());
}

}  // namespace

TEST_CASE("What is typed is echoed by the guest, at the same instants in both gears") {
  std::string first;
  for (const GearSetting gear : {GearSetting::Fast, GearSetting::Exact}) {
    test::Lines heard;
    const auto machine = test::echo_machine(&heard, gear);
    give(*machine, session);
    REQUIRE(machine->run({10'000'000}) == StopReason::PowerOff);
    EXPECT(heard.lines == std::vector<std::string>{"hello you", "bye"});
    const std::string end = machine->fingerprint().to_string();
    if (first.empty()) first = end;
    EXPECT(end == first);
  }
}

TEST_CASE("How often a run is stopped does not change when inputs arrive") {
  test::Lines heard;
  const auto whole = test::echo_machine(nullptr);
  give(*whole, session);
  REQUIRE(whole->run({10'000'000}) == StopReason::PowerOff);
  const auto pieces = test::echo_machine(&heard);
  give(*pieces, session);
  StopReason reason = StopReason::Deadline;
  for (uint64_t at = 500; reason == StopReason::Deadline; at += 500) reason = pieces->run({at});
  EXPECT(reason == StopReason::PowerOff);
  EXPECT(heard.lines == std::vector<std::string>{"hello you", "bye"});
  EXPECT(pieces->fingerprint() == whole->fingerprint());
}

TEST_CASE("A machine that has stopped at an instant has not taken its inputs yet") {
  const auto with = test::echo_machine(nullptr), without = test::echo_machine(nullptr);
  give(*with, {typed(1'000, "x")});
  for (machine::Machine* machine : {with.get(), without.get()}) REQUIRE(machine->run({1'000}) == StopReason::Deadline);
  EXPECT(with->fingerprint() == without->fingerprint());
  (void)with->run({1'001});
  (void)without->run({1'001});
  EXPECT(with->fingerprint() != without->fingerprint());
}

TEST_CASE("A machine that is put back takes the same inputs again") {
  test::Lines heard;
  const auto machine = test::echo_machine(&heard);
  give(*machine, session);
  REQUIRE(machine->run({50'000}) == StopReason::Deadline);
  machine::Checkpoints checkpoints{*machine};
  checkpoints.take();
  const machine::State state = machine->save();
  REQUIRE(machine->run({10'000'000}) == StopReason::PowerOff);
  const support::StateHash end = machine->fingerprint();
  REQUIRE(checkpoints.restore({50'000}));
  REQUIRE(machine->run({10'000'000}) == StopReason::PowerOff);
  EXPECT(machine->fingerprint() == end);
  REQUIRE(machine->restore(state).ok());
  REQUIRE(machine->run({10'000'000}) == StopReason::PowerOff);
  EXPECT(machine->fingerprint() == end);
  EXPECT(heard.lines == std::vector<std::string>{"hello you", "bye", "hello you", "bye", "hello you", "bye"});
}

TEST_CASE("A poke is in memory before the instruction of its instant") {
  const auto machine = test::echo_machine(nullptr);
  give(*machine, {{{300}, InputKind::MemoryPoke, 0x7000, {1, 2, 3}}});
  REQUIRE(machine->run({300}) == StopReason::Deadline);
  EXPECT(machine->memory().read<uint32_t>(mmu::Spa{0x7000}) == 0);
  REQUIRE(machine->run({301}) == StopReason::Deadline);
  EXPECT(machine->memory().read<uint32_t>(mmu::Spa{0x7000}) == 0x030201);
}

TEST_CASE("Inputs that cannot be are refused with the reason") {
  const auto machine = test::echo_machine(nullptr);
  const auto why = [&](const Input& input) {
    const support::Status status = machine->schedule_input(input);
    return status ? std::string{} : status.error().message;
  };
  CHECK_THAT(why({{5}, InputKind::ConsoleBytes, 0x2f8, {1}}), ContainsSubstring("no serial line"));
  CHECK_THAT(why({{5}, InputKind::ConsoleBytes, 0x3f8, {}}), ContainsSubstring("without bytes"));
  CHECK_THAT(why({{5}, InputKind::MemoryPoke, loader::minimum_memory - 1, {1, 2}}), ContainsSubstring("outside"));
  CHECK_THAT(why({{5}, InputKind::MemoryPoke, ~uint64_t{0}, {1, 2}}), ContainsSubstring("outside"));
  CHECK_THAT(why({{5}, InputKind::Interrupt, 0, {0, 0x30}}), ContainsSubstring("not implemented"));
  CHECK_THAT(why({{5}, static_cast<InputKind>(77), 0, {0}}), ContainsSubstring("not implemented"));
  REQUIRE(machine->run({100}) == StopReason::Deadline);
  CHECK_THAT(why(typed(99, "late")), ContainsSubstring("past"));
  EXPECT(why(typed(100, "in time")).empty());
}

TEST_CASE("A recorded session replays and verifies, also from a keyframe between two inputs") {
  const std::string path = "input_session.air";
  const Recording recording = record(path, session, 20'000);
  EXPECT(recording.inputs() == session);
  REQUIRE(recording.keyframes().size() > 4);
  for (const uint64_t from : {0u, 100'000u}) {
    Replayer replayer{recording, true};
    test::Lines heard;
    machine::EventFanout both;
    both.add(replayer);
    both.add(heard);
    const auto machine = test::echo_machine(&both);
    REQUIRE(Replayer::schedule(recording, *machine).ok());
    Subject subject{*machine};
    REQUIRE(replayer.begin_near(subject, {from}).ok());
    EXPECT(replayer.run(subject, support::never) == StopReason::PowerOff);
    INFO((replayer.divergence() ? replayer.divergence()->what : std::string{}));
    EXPECT(!replayer.divergence());
    EXPECT(heard.lines.back() == "bye");
    EXPECT(heard.lines.size() == (from == 0 ? 2 : 1));
  }
  // Without the inputs nothing is typed, and that is found.
  Replayer replayer{recording, true};
  const auto silent = test::echo_machine(&replayer);
  Subject subject{*silent};
  replayer.run(subject, support::never);
  EXPECT(replayer.divergence().has_value());
  std::remove(path.c_str());
}

TEST_CASE("A timeline walks back over what was typed, and questions look at the same run") {
  const std::string path = "input_timeline.air";
  const Recording recording = record(path, session);
  auto made = debugger::Timeline::over(recording, test::echo_parts(), {.interval = 20'000});
  INFO((made ? std::string{} : made.error().message));
  REQUIRE(made.ok());
  debugger::Timeline& timeline = *made.value();
  const auto machine = test::echo_machine(nullptr);
  give(*machine, session);
  std::vector<std::pair<uint64_t, support::StateHash>> plain;
  for (const uint64_t at : {900u, 1'100u, 71'000u, 150'000u, 200'020u}) {
    REQUIRE(machine->run({at}) == StopReason::Deadline);
    plain.emplace_back(at, machine->fingerprint());
  }
  for (auto each = plain.rbegin(); each != plain.rend(); ++each) {
    REQUIRE(timeline.seek({each->first}) == debugger::Arrival::There);
    EXPECT(timeline.machine().fingerprint() == each->second);
  }
  // The byte that the guest reads last is the '!' that ends it: found one by one, in the second machine.
  (void)timeline.seek(support::never);
  debugger::AddressBreak sending;
  sending.rip = test::tiny_code + 16;
  const debugger::Conditions rax{sending};
  const auto sent = timeline.last(rax, timeline.now());
  REQUIRE(sent.has_value());
  (void)timeline.seek(sent->at);
  EXPECT((timeline.machine().processor().shared.gpr[0] & 0xff) == '!');
  std::remove(path.c_str());
}

TEST_CASE("Two recordings with other inputs differ in their first other input") {
  std::vector<Input> other = session;
  other[1] = typed(70'000, " ME\n");
  const Recording left = record("input_left.air", session), right = record("input_right.air", other);
  const auto compared = compare(left, right, nullptr);
  REQUIRE(compared.ok());
  EXPECT(!compared.value().equal());
  CHECK_THAT(compared.value().input, ContainsSubstring("input 2: left has bytes at port 0x3f8 at instant 70000: 20 79") &&
                                         ContainsSubstring("right has bytes at port 0x3f8 at instant 70000: 20 4d"));
  REQUIRE(compared.value().first_event.has_value());
  EXPECT(compared.value().first_event->ticks > 70'000);
  const auto same = compare(left, left, nullptr);
  REQUIRE(same.ok());
  EXPECT(same.value().equal());
  std::remove("input_left.air");
  std::remove("input_right.air");
}

TEST_CASE("Inputs as people write them") {
  const auto inputs = parse_inputs(
      "# a comment\n\n  24_000_000 serial \"dir\\r\\x41\\\"\" 0a\n5 memory 0x1_000 01 ff\r\n24000000 serial 21");
  INFO((inputs ? std::string{} : inputs.error().message));
  REQUIRE(inputs.ok());
  REQUIRE(inputs.value().size() == 3);
  EXPECT(inputs.value()[0] == Input{{5}, InputKind::MemoryPoke, 0x1000, {1, 0xff}});
  EXPECT(inputs.value()[1] == Input{{24'000'000}, InputKind::ConsoleBytes, 0x3f8, {'d', 'i', 'r', '\r', 'A', '"', '\n'}});
  EXPECT(inputs.value()[2] == Input{{24'000'000}, InputKind::ConsoleBytes, 0x3f8, {'!'}});

  const auto why = [](std::string_view text) {
    const auto parsed = parse_inputs(text);
    return parsed ? std::string{} : parsed.error().message;
  };
  CHECK_THAT(why("1 serial 00\nx serial 00"), ContainsSubstring("line 2") && ContainsSubstring("no instant"));
  CHECK_THAT(why("1 parallel 00"), ContainsSubstring("serial"));
  CHECK_THAT(why("1 serial"), ContainsSubstring("no bytes"));
  CHECK_THAT(why("1 serial \"open"), ContainsSubstring("closing quote"));
  CHECK_THAT(why("1 serial \"open\\"), ContainsSubstring("closing quote"));
  CHECK_THAT(why("1 serial \"\\q\""), ContainsSubstring("means nothing"));
  CHECK_THAT(why("1 serial \"\\x4\""), ContainsSubstring("means nothing"));
  CHECK_THAT(why("1 serial 123"), ContainsSubstring("neither"));
  CHECK_THAT(why("1 memory here 00"), ContainsSubstring("no address"));
  CHECK_THAT(why("1 serial \"" + std::string(5000, 'x') + "\""), ContainsSubstring("4096"));
}
