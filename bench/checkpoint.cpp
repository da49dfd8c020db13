// What going back in time costs: checkpoints of a machine that booted with VSM (sim/machine/checkpoint.h). Needs the guest
// images, in guests/ below the current folder.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "sim/machine/checkpoint.h"

namespace {

using support::Instant;

std::vector<uint8_t> read_file(const char* path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// A machine in the middle of its boot, with hypervisor and secure kernel at work; null without images.
machine::Machine* booted() {
  static const std::unique_ptr<machine::Machine> machine = []() -> std::unique_ptr<machine::Machine> {
    std::vector<uint8_t> firmware = read_file("guests/images/firmware.efi"), disk = read_file("guests/disk.img");
    if (firmware.empty() || disk.empty()) return nullptr;
    const auto make = [&] {
      machine::MachineParts parts;
      parts.firmware = firmware;
      parts.disk = machine::DiskImage{disk};
      return machine::Machine::create({}, std::move(parts), nullptr);
    };
    auto whole = make();
    auto half = make();
    if (!whole.ok() || !half.ok()) return nullptr;
    (void)whole.value()->run({4'000'000'000});
    // Half of the instructions, the waiting at the end left out.
    (void)half.value()->run({(whole.value()->now().ticks - whole.value()->idle_ticks()) / 2});
    return std::move(half.value());
  }();
  return machine.get();
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Data pages all over RAM with something in each: none is one page of zeros that stays in the cache.
std::vector<uint64_t> fill_pages(machine::Machine& machine, uint64_t count) {
  const uint64_t first = (machine.config().memory_bytes / 2) / abi::page_size;
  std::vector<uint64_t> pages;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t page = first + i * 7;
    for (uint64_t at = 0; at < abi::page_size; at += 8) machine.memory().write(mmu::Spa{page * abi::page_size + at}, page + at);
    pages.push_back(page);
  }
  return pages;
}

/// The restore alone, after `range` pages were written.
void restore_dirty_pages(benchmark::State& state) {
  machine::Machine* const machine = booted();
  if (machine == nullptr) return state.SkipWithError("guests/ is missing");
  const std::vector<uint64_t> pages = fill_pages(*machine, static_cast<uint64_t>(state.range(0)));
  machine::Checkpoints checkpoints{*machine};
  checkpoints.take();
  const Instant at = machine->now();
  std::vector<double> times;
  for (auto _ : state) {
    for (const uint64_t page : pages) machine->memory().write(mmu::Spa{page * abi::page_size + 8}, ~page);
    const auto start = std::chrono::steady_clock::now();
    if (!checkpoints.restore(at)) return state.SkipWithError("the checkpoint is gone");
    times.push_back(seconds_since(start));
    state.SetIterationTime(times.back());
  }
  std::sort(times.begin(), times.end());
  state.counters["median_us"] = times[times.size() / 2] * 1e6;
  state.counters["p95_us"] = times[times.size() * 95 / 100] * 1e6;
}
BENCHMARK(restore_dirty_pages)->Arg(0)->Arg(1)->Arg(100)->Arg(1000)->UseManualTime()->Unit(benchmark::kMicrosecond);

/// Back to a checkpoint after 10,000 instructions, and those instructions again: a reverse step near the present.
void restore_and_run(benchmark::State& state) {
  machine::Machine* const machine = booted();
  if (machine == nullptr) return state.SkipWithError("guests/ is missing");
  machine::Checkpoints checkpoints{*machine};
  checkpoints.take();
  const Instant at = machine->now();
  for (auto _ : state) {
    (void)machine->run(at + static_cast<uint64_t>(state.range(0)));
    if (!checkpoints.restore(at)) return state.SkipWithError("the checkpoint is gone");
  }
}
BENCHMARK(restore_and_run)->Arg(10'000)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

/// Taking one each 10,000 instructions: the time of take() alone, and what one more holds.
void take_checkpoint(benchmark::State& state) {
  machine::Machine* const machine = booted();
  if (machine == nullptr) return state.SkipWithError("guests/ is missing");
  machine::Checkpoints checkpoints{*machine};
  checkpoints.take();
  const Instant first = machine->now();
  const size_t before = checkpoints.bytes();
  for (auto _ : state) {
    if (machine->now() - first > 4'000'000 && !checkpoints.restore(first)) return state.SkipWithError("gone");
    checkpoints.forget_after(machine->now());
    (void)machine->run(machine->now() + 10'000);
    const auto start = std::chrono::steady_clock::now();
    checkpoints.take();
    state.SetIterationTime(seconds_since(start));
  }
  state.counters["bytes_each"] = static_cast<double>(checkpoints.bytes() - before) / static_cast<double>(checkpoints.count() - 1);
  (void)checkpoints.restore(first);
}
BENCHMARK(take_checkpoint)->UseManualTime()->Unit(benchmark::kMicrosecond);

/// The whole state, as a keyframe of a recording has it.
void save_whole(benchmark::State& state) {
  machine::Machine* const machine = booted();
  if (machine == nullptr) return state.SkipWithError("guests/ is missing");
  size_t bytes = 0;
  for (auto _ : state) {
    const machine::State saved = machine->save();
    bytes = saved.fields.size() + saved.contents.size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(save_whole)->Unit(benchmark::kMillisecond);

void hash_fields(benchmark::State& state) {
  machine::Machine* const machine = booted();
  if (machine == nullptr) return state.SkipWithError("guests/ is missing");
  std::vector<uint8_t> fields;
  machine->write_fields(fields);
  for (auto _ : state) benchmark::DoNotOptimize(machine->fingerprint());
  state.counters["fields_bytes"] = static_cast<double>(fields.size());
}
BENCHMARK(hash_fields)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
