// What a debugging session costs: steps back in a recording of a billion instructions, steps over secure calls of a boot with
// VSM (from guests/ below the current folder), a breakpoint that is never hit, and conditions of event breakpoints.
// Processor time of this thread, so that other work on the host counts little; steps are timed one by one.
//   airlock_debugger_speed                  the table
//   airlock_debugger_speed run N            runs N instructions and no more, for a counter of host instructions;
//   airlock_debugger_speed run-watched N    the same with a breakpoint that is never hit
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string_view>

#include "bench/guest_programs.h"
#include "sim/debugger/session.h"
#include "sim/replay/recorder.h"
#include "sim/support/prng.h"

namespace {

using support::Instant;

constexpr uint64_t billion = 1'000'000'000;
/// Beside the program "events", in the page of its code, and never executed.
constexpr uint64_t never_executed = bench::guest_layout::code + 0xff8;

double processor_seconds() {
  timespec now{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class Work>
double seconds_of(const Work& work) {
  const double start = processor_seconds();
  work();
  return processor_seconds() - start;
}

std::vector<uint8_t> read_file(const char* path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

[[noreturn]] void fail(std::string_view why) {
  fmt::print(stderr, "airlock_debugger_speed: {}\n", why);
  std::exit(1);
}

machine::MachineParts program_parts() {
  machine::MachineParts parts;
  parts.firmware = bench::firmware_with(bench::program("events"), billion);
  return parts;
}

machine::MachineParts boot_parts() {
  machine::MachineParts parts;
  parts.firmware = read_file("guests/images/firmware.efi");
  std::vector<uint8_t> disk = read_file("guests/disk.img");
  if (parts.firmware.empty() || disk.empty()) fail("no guests/ below the current folder");
  parts.disk.emplace(std::move(disk));
  return parts;
}

std::unique_ptr<machine::Machine> program_machine() {
  auto made = machine::Machine::create({}, program_parts(), nullptr);
  if (!made.ok()) fail(made.error().message);
  return std::move(made.value());
}

/// A recording on disk and a session over it.
struct Recorded {
  std::optional<replay::Recording> recording;
  std::unique_ptr<debugger::Session> session;
};

Recorded record(machine::MachineParts parts, Instant end) {
  const std::string path = "bench-debugger-" + std::to_string(getpid()) + ".air";
  const loader::MachineConfig config;
  auto recorder = replay::Recorder::create(path, config, parts, {.program = "bench"});
  if (!recorder.ok()) fail(recorder.error().message);
  auto machine = machine::Machine::create(config, parts, recorder.value().get());
  if (!machine.ok()) fail(machine.error().message);
  (void)recorder.value()->run(*machine.value(), end);
  if (!recorder.value()->close().ok()) fail("the recording cannot be written");
  Recorded result;
  auto opened = replay::Recording::open(path);
  (void)unlink(path.c_str());
  if (!opened.ok()) fail(opened.error().message);
  result.recording.emplace(std::move(opened.value()));
  auto timeline = debugger::Timeline::over(*result.recording, std::move(parts));
  if (!timeline.ok()) fail(timeline.error().message);
  auto session = debugger::Session::over(std::move(timeline.value()), {.symbol_folders = {"guests/images"}, .source_folders = {}});
  result.session = std::move(session.value());
  return result;
}

void print_times(std::string_view what, std::vector<double> times, std::string_view target) {
  if (times.empty()) fail("nothing was measured");
  std::sort(times.begin(), times.end());
  fmt::print("{:<44} median {:>8.3f} ms   p95 {:>8.3f} ms   {}\n", what, times[times.size() / 2] * 1e3,
             times[times.size() * 95 / 100] * 1e3, target);
}

void steps_back(debugger::Session& session) {
  support::Prng prng{1, "steps"};
  for (const auto kind : {debugger::StepKind::Into, debugger::StepKind::Over}) {
    std::vector<double> times;
    for (int i = 0; i < 200; ++i) {
      (void)session.move({.at = Instant{prng.below(session.timeline().end().ticks)}});
      times.push_back(seconds_of([&] { (void)session.step({.kind = kind, .back = true}); }));
    }
    print_times(kind == debugger::StepKind::Into ? "one instruction back, of a billion" : "over back, of a billion", std::move(times),
                "under 20 and 50 ms");
  }
}

void steps_over_secure_calls(debugger::Session& session) {
  std::vector<Instant> calls;
  (void)session.timeline().history().first({}, [&](const support::Event& event) {
    if (event.kind == support::EventKind::VtlCall && event.frame != nullptr) calls.push_back(event.at);
    return false;
  });
  for (const bool back : {false, true}) {
    std::vector<double> times;
    for (size_t i = 0; i < calls.size(); i += std::max<size_t>(calls.size() / 100, 1)) {
      (void)session.move({.at = calls[i]});
      if (back) (void)session.step({.kind = debugger::StepKind::Over});
      times.push_back(seconds_of([&] { (void)session.step({.kind = debugger::StepKind::Over, .back = back}); }));
    }
    print_times(back ? "back over a secure call of a boot" : "over a secure call of a boot", std::move(times), "under 20 ms");
  }
}

/// Alternately without and with, and the best of each.
void breakpoint_that_is_not_hit() {
  constexpr uint64_t instructions = billion / 5;
  double plain = 1e9, watched = 1e9;
  for (int i = 0; i < 5; ++i) {
    for (const bool with : {false, true}) {
      const auto machine = program_machine();
      if (with) machine->stop_before({never_executed}, {});
      const double time = seconds_of([&] { (void)machine->run({instructions}); });
      (with ? watched : plain) = std::min(with ? watched : plain, time);
    }
  }
  fmt::print("{:<44} ratio  {:>8.3f}                       at least 0.95\n", "speed with a breakpoint that is not hit", plain / watched);
}

void conditions(debugger::Session& session) {
  std::vector<trace::EventRecord> events;
  (void)session.timeline().history().first({}, [&](const support::Event& event) {
    trace::EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
    if (record.has_frame) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
    record.event.frame = nullptr;
    record.event.text = {};
    events.push_back(std::move(record));
    return false;
  });
  constexpr const char* texts[] = {
      "status != 0 and code == 0x0c",
      "name ~ \"*Protection*\" and arg(\"map_flags\") == 7 and vtl == 0",
      "kind == Hypercall and not (a & 0xffff) == 0x0c or name contains \"nothing\"",
  };
  for (const char* text : texts) {
    auto id = session.breakpoints().set({.kind = debugger::BreakpointKind::Event, .what = "hypercall", .condition = text},
                                        session.context());
    if (!id.ok()) fail(id.error().message);
    const debugger::Armed armed = session.breakpoints().arm(session.context());
    const auto& filter = std::get<debugger::EventBreak>(armed.conditions.front()).filter;
    std::vector<const trace::EventRecord*> hits;  // those whose condition is evaluated
    for (const trace::EventRecord& record : events)
      if (record.event.kind == support::EventKind::Hypercall) hits.push_back(&record);
    uint64_t evaluated = 0, held = 0;
    const double time = seconds_of([&] {
      while (evaluated < 2'000'000) {
        for (const trace::EventRecord* record : hits) held += filter(record->view()) ? 1 : 0;
        evaluated += hits.size();
      }
    });
    fmt::print("{:<44} {:>15.0f} hits/s               at least 500,000   {}\n", "conditions of an event breakpoint",
               static_cast<double>(evaluated) / time, text);
    (void)session.breakpoints().remove(id.value());
  }
}

int count(std::string_view what, uint64_t instructions) {
  const auto machine = program_machine();
  if (what == "run-watched") machine->stop_before({never_executed}, {});
  (void)machine->run({instructions});
  fmt::print("{} {}\n", machine->now().ticks, machine->fingerprint().to_string());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) return count(argv[1], std::strtoull(argv[2], nullptr, 10));
  {
    Recorded program = record(program_parts(), {billion});
    (void)program.session->move({.at = program.session->timeline().end()});  // lays the checkpoints
    steps_back(*program.session);
  }
  {
    Recorded boot = record(boot_parts(), {4 * billion});
    (void)boot.session->move({.at = boot.session->timeline().end()});
    steps_over_secure_calls(*boot.session);
    conditions(*boot.session);
  }
  breakpoint_that_is_not_hit();
  return 0;
}
