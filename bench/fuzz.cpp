// What an execution of the snapshot fuzzer costs: executions a second of secure calls, and going back (fuzz/engine). Needs
// the guest images, in guests/ below the current folder. Besides the benchmarks:
//   --once SERVICE TIMES [plain]   one service and nothing else, for callgrind
//   --corpus FOLDER                instructions, dirty pages and microseconds of each input, and the speed over all of them
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/engine/session.h"
#include "fuzz/targets/secure_call.h"

namespace {

using fuzzing::SecureCallTarget;
using fuzzing::Session;

struct Service {
  const char* name;
  uint16_t code;
  uint8_t times;
};
constexpr Service services[] = {{"QueryStrongCodeGuarantees", 231, 1}, {"Periodic", 209, 1}, {"ExchangeEntropy", 27, 1},
                                {"CreateSecureAllocation", 16, 1}, {"CreateSecureAllocation_6_times", 16, 6}};

std::vector<uint8_t> input_of(uint16_t code) {
  abi::sk::SkCall call{};
  call.operation = static_cast<uint8_t>(abi::sk::Operation::SecureService);
  call.code = code;
  call.parameter[0] = 0x3000;
  return SecureCallTarget::input_of(call);
}

/// The same call several times in one execution.
std::vector<uint8_t> repeated(const std::vector<uint8_t>& input, uint8_t times) {
  std::vector<uint8_t> result{static_cast<uint8_t>(times - 1)};
  for (uint8_t i = 0; i < times; ++i) result.insert(result.end(), input.begin() + 1, input.end());
  return result;
}

/// With or without coverage; null without images.
Session* session(bool coverage) {
  static SecureCallTarget targets[2] = {SecureCallTarget{"guests"}, SecureCallTarget{"guests"}};
  static std::unique_ptr<Session> sessions[2];
  std::unique_ptr<Session>& wanted = sessions[coverage ? 1 : 0];
  if (wanted == nullptr) {
    auto opened = Session::open(targets[coverage ? 1 : 0], {}, {.coverage = coverage});
    if (!opened.ok()) return nullptr;
    wanted = std::move(opened.value());
  }
  return wanted.get();
}

void execute(benchmark::State& state, const Service& service, bool coverage) {
  Session* const at = session(coverage);
  if (at == nullptr) return state.SkipWithError("no guest images");
  const std::vector<uint8_t> input = repeated(input_of(service.code), service.times);
  fuzzing::Execution last;
  for (auto _ : state) last = at->execute(input);
  state.counters["instructions"] = static_cast<double>(last.instructions);
  state.counters["dirty"] = last.dirty_pages;
  state.counters["exec/s"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

/// Back with so many dirty pages, of the guest's own; nothing runs in between.
void restore(benchmark::State& state) {
  static SecureCallTarget target{"guests"};
  static support::EventSink* const nobody = [] {
    class Nobody final : public support::EventSink {
      void on(const support::Event&) override {}
    };
    return new Nobody;
  }();
  auto machine = target.prepare(*nobody);
  if (!machine.ok()) return state.SkipWithError("no guest images");
  fuzzing::Snapshot snapshot{*machine.value()};
  const std::vector<uint64_t> used = machine.value()->memory().pages_in_use();
  const auto count = static_cast<size_t>(state.range(0));
  uint64_t value = 0;
  for (auto _ : state) {
    ++value;
    for (size_t i = 0; i < count; ++i)
      machine.value()->memory().write(mmu::Spa{used[used.size() / 4 + 3 * i] * abi::page_size + 8 * (value % 512)}, value);
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(snapshot.restore());
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
}

int once(uint16_t code, int times, bool coverage) {
  Session* const at = session(coverage);
  if (at == nullptr) return 1;
  const std::vector<uint8_t> input = input_of(code);
  for (int i = 0; i < times; ++i) (void)at->execute(input);
  return 0;
}

double seconds_of(Session& at, std::span<const uint8_t> input, int times) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) (void)at.execute(input);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int corpus(const char* folder) {
  Session* const at = session(true);
  if (at == nullptr) return 1;
  constexpr int times = 200;
  double seconds = 0;
  uint64_t inputs = 0, instructions = 0, dirty = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    std::ifstream file{entry.path(), std::ios::binary};
    const std::vector<uint8_t> input{std::istreambuf_iterator<char>{file}, {}};
    const fuzzing::Execution execution = at->execute(input);
    const double taken = seconds_of(*at, input, times);
    fmt::print("{:>9} instructions {:>4} pages {:>3} calls {:>9.2f} us  {}\n", execution.instructions, execution.dirty_pages,
               execution.actions, taken / times * 1e6, entry.path().filename().string());
    seconds += taken;
    ++inputs;
    instructions += execution.instructions;
    dirty += execution.dirty_pages;
  }
  if (inputs == 0) return 1;
  fmt::print("{} inputs, {} instructions and {} pages on average, {:.0f} executions/s\n", inputs, instructions / inputs,
             dirty / inputs, static_cast<double>(inputs) * times / seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::strcmp(argv[1], "--once") == 0)
    return once(static_cast<uint16_t>(std::atoi(argv[2])), std::atoi(argv[3]), argc == 4);
  if (argc == 3 && std::strcmp(argv[1], "--corpus") == 0) return corpus(argv[2]);
  for (const bool coverage : {true, false}) {
    for (const Service& service : services) {
      benchmark::RegisterBenchmark(fmt::format("{}/{}", service.name, coverage ? "covered" : "plain").c_str(),
                                   [&service, coverage](benchmark::State& state) { execute(state, service, coverage); });
    }
  }
  benchmark::RegisterBenchmark("restore/pages", &restore)->Arg(0)->Arg(20)->Arg(100)->UseManualTime();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
