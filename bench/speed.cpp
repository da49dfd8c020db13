// Whole programs on a whole machine, and on the bare library: what bench/run makes docs/performance.md from.
#include <benchmark/benchmark.h>

#include <ctime>
#include <string>
#include <string_view>

#include "bench/guest_programs.h"
#include "bench/stock_unicorn.h"
#include "sim/machine/machine.h"

namespace bench {
namespace {

/// CPU seconds of this thread: a shared host takes the processor away in between.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::unique_ptr<machine::Machine> machine_with(const GuestProgram& program, uint64_t rounds, loader::GearSetting gear) {
  loader::MachineConfig config;
  config.memory_bytes = loader::minimum_memory;
  config.gear = gear;
  if (std::string_view{program.name} == "four_processors") config.processors = 4;
  machine::MachineParts parts;
  parts.firmware = firmware_with(program, rounds);
  auto machine = machine::Machine::create(config, std::move(parts), nullptr);
  if (!machine) return nullptr;
  return std::move(machine.value());
}

/// --short: a hundredth of each measurement, to see that all of them work.
uint64_t shortening = 1;

constexpr support::Instant no_deadline{~uint64_t{0} >> 1};

/// How many instructions the program has, counted by a machine in short runs.
uint64_t count_instructions(const GuestProgram& program, uint64_t wanted_rounds) {
  uint64_t ticks[2] = {};
  constexpr uint64_t rounds = 1000;
  for (uint64_t i = 0; i < 2; ++i) {
    auto machine = machine_with(program, rounds * (i + 1), loader::GearSetting::Fast);
    if (!machine) return 0;
    machine->run(no_deadline);
    ticks[i] = machine->now().ticks;
  }
  return ticks[0] - (ticks[1] - ticks[0]) + (ticks[1] - ticks[0]) * wanted_rounds / rounds;
}

void report(benchmark::State& state, uint64_t rounds, uint64_t instructions) {
  state.counters["rounds"] = static_cast<double>(rounds);
  state.counters["instructions"] = static_cast<double>(instructions);
}

/// A fresh machine per iteration; only Machine::run is timed.
void on_airlock(benchmark::State& state, const GuestProgram& program, loader::GearSetting gear) {
  const uint64_t rounds = program.rounds / shortening / (gear == loader::GearSetting::Exact ? 10 : 1);
  uint64_t instructions = 0;
  for (auto _ : state) {
    auto machine = machine_with(program, rounds, gear);
    if (!machine) return state.SkipWithError("the machine cannot be made");
    // Makes the engine, as uc_open() does outside the time of the other side; or all of them, one slice each.
    const support::Instant begun{machine->processor_count() == 1 ? 1u : 1'000'000u};
    machine->run(begun);
    const double start = cpu_seconds();
    const machine::StopReason stop = machine->run(no_deadline);
    state.SetIterationTime(cpu_seconds() - start);
    if (stop != machine::StopReason::Hung || machine->processor().shared.gpr[vtl::Rsi] != 0) {
      return state.SkipWithError(stop == machine::StopReason::MachineFailure ? machine->detail() : "the program did not end in HLT");
    }
    instructions = machine->now() - begun;
    if (machine->now().ticks < rounds * program.instructions_per_round) {
      return state.SkipWithError("instructions were not counted");
    }
  }
  report(state, rounds, instructions);
}

void on_stock(benchmark::State& state, const GuestProgram& program, bool block_hook) {
  const uint64_t rounds = program.rounds / shortening;
  const uint64_t instructions = count_instructions(program, rounds);
  for (auto _ : state) {
    auto machine = machine_with(program, rounds, loader::GearSetting::Fast);
    if (!machine) return state.SkipWithError("the machine cannot be made");
    StockUnicorn stock{*machine, block_hook};
    const double start = cpu_seconds();
    const bool good = stock.run();
    state.SetIterationTime(cpu_seconds() - start);
    if (!good || stock.rsi() != 0) return state.SkipWithError("the program did not end in HLT");
  }
  report(state, rounds, instructions);
}

void add(const char* name, bool with_exact) {
  const GuestProgram& what = program(name);
  const std::string base = what.name;
  const bool hypervisor = base == "vtl_round_trip" || base.ends_with("hypercall") || base == "four_processors";  // the bare library has none
  const auto settings = [](benchmark::internal::Benchmark* b) { b->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond); };
  if (!hypervisor) {
    settings(benchmark::RegisterBenchmark((base + "/stock").c_str(), [&what](benchmark::State& s) { on_stock(s, what, false); }));
  }
  settings(benchmark::RegisterBenchmark((base + "/fast").c_str(), [&what](benchmark::State& s) {
    on_airlock(s, what, loader::GearSetting::Fast);
  }));
  if (!with_exact) return;
  if (!hypervisor) {
    settings(benchmark::RegisterBenchmark((base + "/hooked").c_str(), [&what](benchmark::State& s) { on_stock(s, what, true); }));
  }
  settings(benchmark::RegisterBenchmark((base + "/exact").c_str(), [&what](benchmark::State& s) {
    on_airlock(s, what, loader::GearSetting::Exact);
  }));
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "--short") {
    bench::shortening = 100;
    --argc;
    argv[1] = argv[0];
    ++argv;
  }
  for (const char* name : {"compute", "memory", "call"}) bench::add(name, true);
  for (const char* name : {"tlb_resident", "tlb_conflict", "tlb_flushed"}) bench::add(name, false);
  for (const char* name : {"vtl_round_trip", "hypercall", "flush_hypercall", "four_processors"}) bench::add(name, true);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
