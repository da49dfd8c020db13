// What moving in time costs, over recordings: of a boot with VSM (from guests/ below the current folder), which has events of
// every kind, and of a billion instructions of the program "events" (guest_programs.S): work, VTL calls, hypercalls and timer
// interrupts.
// Each move is timed alone. first_pass is the price of the first visit to the end: it lays the checkpoints.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>

#include "bench/guest_programs.h"
#include "sim/debugger/timeline.h"
#include "sim/replay/recorder.h"
#include "sim/support/prng.h"

namespace {

using Clock = std::chrono::steady_clock;
using support::Instant;

constexpr uint64_t billion = 1'000'000'000;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::vector<uint8_t> read_file(const char* path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// A recording on disk and a timeline over it that was explored to its end.
struct Recorded {
  std::optional<replay::Recording> recording;
  std::unique_ptr<debugger::Timeline> timeline;
  double first_pass{};
  uint64_t instructions{};
};

bool record(const std::string& path, const machine::MachineParts& parts, Instant end) {
  const loader::MachineConfig config;
  auto recorder = replay::Recorder::create(path, config, parts, {.program = "bench"});
  if (!recorder.ok()) return false;
  auto machine = machine::Machine::create(config, parts, recorder.value().get());
  if (!machine.ok()) return false;
  (void)recorder.value()->run(*machine.value(), end);
  return recorder.value()->close().ok();
}

std::unique_ptr<Recorded> make(machine::MachineParts parts, Instant end) {
  const std::string path = "bench-reverse-" + std::to_string(getpid()) + ".air";
  auto result = std::make_unique<Recorded>();
  if (record(path, parts, end)) {
    auto opened = replay::Recording::open(path);
    if (opened.ok()) result->recording.emplace(std::move(opened.value()));
  }
  (void)unlink(path.c_str());
  if (!result->recording) return nullptr;
  auto timeline = debugger::Timeline::over(*result->recording, std::move(parts));
  if (!timeline.ok()) return nullptr;
  result->timeline = std::move(timeline.value());
  const auto start = Clock::now();
  (void)result->timeline->seek(support::never);
  result->first_pass = seconds_since(start);
  result->instructions = result->timeline->instructions();
  return result;
}

/// 0: the boot, 1: the billion.
Recorded* recorded(int64_t which) {
  static std::map<int64_t, std::unique_ptr<Recorded>> all;
  if (const auto known = all.find(which); known != all.end()) return known->second.get();
  machine::MachineParts parts;
  if (which == 0) {
    parts.firmware = read_file("guests/images/firmware.efi");
    std::vector<uint8_t> disk = read_file("guests/disk.img");
    if (parts.firmware.empty() || disk.empty()) return nullptr;
    parts.disk.emplace(std::move(disk));
    return (all[which] = make(std::move(parts), {4 * billion})).get();
  }
  parts.firmware = bench::firmware_with(bench::program("events"), billion);
  return (all[which] = make(std::move(parts), {billion})).get();
}

/// Anywhere by instructions, not by ticks: those of a boot are mostly waiting.
Instant anywhere(const Recorded& run, support::Prng& prng) {
  const debugger::Intervals& intervals = run.timeline->intervals();
  const debugger::Interval& interval = intervals[prng.below(intervals.size())];
  return interval.begin + prng.below(std::max<uint64_t>(interval.instructions, 1));
}

void report(benchmark::State& state, const Recorded& run, std::vector<double> times) {
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  state.counters["median_ms"] = times[times.size() / 2] * 1e3;
  state.counters["p95_ms"] = times[times.size() * 95 / 100] * 1e3;
  state.counters["Minstructions"] = static_cast<double>(run.instructions) / 1e6;
  state.counters["first_pass_s"] = run.first_pass;
  state.counters["checkpoints"] = static_cast<double>(run.timeline->checkpoints().count());
  state.counters["checkpoint_MB"] = static_cast<double>(run.timeline->checkpoints().bytes()) / 1e6;
}

/// A jump to an instruction that chance picks.
void jump(benchmark::State& state) {
  Recorded* const run = recorded(state.range(0));
  if (run == nullptr) return state.SkipWithError("no recording");
  support::Prng prng{1, "jumps"};
  std::vector<double> times;
  for (auto _ : state) {
    const Instant target = anywhere(*run, prng);
    const auto start = Clock::now();
    (void)run->timeline->seek(target);
    times.push_back(seconds_since(start));
    state.SetIterationTime(times.back());
  }
  report(state, *run, times);
}

/// One step back, from where a jump has led: the jump is not counted.
void step_back(benchmark::State& state) {
  Recorded* const run = recorded(state.range(0));
  if (run == nullptr) return state.SkipWithError("no recording");
  support::Prng prng{2, "steps"};
  std::vector<double> times;
  for (auto _ : state) {
    (void)run->timeline->seek(anywhere(*run, prng));
    const auto start = Clock::now();
    (void)run->timeline->reverse_step();
    times.push_back(seconds_since(start));
    state.SetIterationTime(times.back());
  }
  report(state, *run, times);
}

/// From the end back to an instruction that chance picks, in one step of many: nothing but the sparse checkpoints helps.
void step_far_back(benchmark::State& state) {
  Recorded* const run = recorded(state.range(0));
  if (run == nullptr) return state.SkipWithError("no recording");
  support::Prng prng{3, "far steps"};
  std::vector<double> times;
  for (auto _ : state) {
    const uint64_t count = 1 + prng.below(run->instructions - 1);
    (void)run->timeline->seek({});
    (void)run->timeline->seek(support::never);
    const auto start = Clock::now();
    (void)run->timeline->reverse_step(run->timeline->instructions() - count);
    times.push_back(seconds_since(start));
    state.SetIterationTime(times.back());
  }
  report(state, *run, times);
}

/// From somewhere back to the event before, of a kind that chance picks: found in the recording, then arrived at.
void jump_to_event(benchmark::State& state) {
  Recorded* const run = recorded(state.range(0));
  if (run == nullptr) return state.SkipWithError("no recording");
  support::Prng prng{4, "events"};
  using enum support::EventKind;
  const std::vector<support::EventKind> kinds =
      state.range(0) == 0 ? std::vector{Hypercall, VtlCall, Intercept, ProtectionChange, ImageLoaded, Exception}
                          : std::vector{Hypercall, VtlCall, VtlReturn, Interrupt};
  std::vector<double> times;
  for (auto _ : state) {
    const support::EventKind kind = kinds[prng.below(kinds.size())];
    (void)run->timeline->seek(anywhere(*run, prng));
    const debugger::Conditions wanted{debugger::EventBreak{[kind](const support::Event& event) { return event.kind == kind; }}};
    const auto start = Clock::now();
    (void)run->timeline->reverse_continue(wanted);
    times.push_back(seconds_since(start));
    state.SetIterationTime(times.back());
  }
  report(state, *run, times);
  state.counters["events"] = static_cast<double>(run->recording->events());
}

BENCHMARK(jump)->Arg(0)->Arg(1)->ArgName("billion")->UseManualTime()->Iterations(200)->Unit(benchmark::kMillisecond);
BENCHMARK(step_back)->Arg(0)->Arg(1)->ArgName("billion")->UseManualTime()->Iterations(200)->Unit(benchmark::kMillisecond);
BENCHMARK(step_far_back)->Arg(0)->Arg(1)->ArgName("billion")->UseManualTime()->Iterations(100)->Unit(benchmark::kMillisecond);
BENCHMARK(jump_to_event)->Arg(0)->Arg(1)->ArgName("billion")->UseManualTime()->Iterations(200)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
