// A recording as large as the debugger's screen must bear, and what the server's side of that screen costs over it.
//   airlock_ui_recording make FILE [N]   records N instructions (a billion) of the program "crowd", images included
//   airlock_ui_recording measure FILE    opens it as `airlock debug` does and prints lines of what, value and what was wanted, with tabs
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bench/guest_programs.h"
#include "sim/replay/recorder.h"
#include "sim/rpc/service.h"
#include "sim/support/prng.h"

namespace {

using rpc::Json;
using support::Instant;

constexpr uint64_t billion = 1'000'000'000;
/// Instructions between two keyframes: this guest runs at some ten million a second.
constexpr uint64_t keyframes = 2'000'000;

[[noreturn]] void fail(std::string_view why) {
  fmt::print(stderr, "airlock_ui_recording: {}\n", why);
  std::exit(1);
}

double processor_seconds() {
  timespec now{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class Work>
double milliseconds_of(const Work& work) {
  const double start = processor_seconds();
  work();
  return (processor_seconds() - start) * 1e3;
}

void print_row(std::string_view what, std::string_view value, std::string_view target = "") {
  fmt::print("{}\t{}\t{}\n", what, value, target);
  std::fflush(stdout);
}

void print_times(std::string_view what, std::vector<double> times, std::string_view target) {
  std::sort(times.begin(), times.end());
  print_row(what, fmt::format("median {:.2f} ms, p95 {:.2f} ms, most {:.2f} ms", times[times.size() / 2], times[times.size() * 95 / 100], times.back()),
            target);
}

long megabytes() {
  rusage usage{};
  (void)getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

int make(const std::string& path, uint64_t instructions) {
  machine::MachineParts parts;
  parts.firmware = bench::firmware_with(bench::program("crowd"), billion);
  const loader::MachineConfig config;
  auto recorder = replay::Recorder::create(path, config, parts, {.program = "bench", .embed = true, .keyframe_interval = keyframes});
  if (!recorder.ok()) fail(recorder.error().message);
  auto machine = machine::Machine::create(config, parts, recorder.value().get());
  if (!machine.ok()) fail(machine.error().message);
  const double time = milliseconds_of([&] { (void)recorder.value()->run(*machine.value(), {instructions}); });
  if (const auto closed = recorder.value()->close(); !closed.ok()) fail(closed.error().message);
  print_row("recording", fmt::format("{:.1f} s, {:.1f} MB", time / 1e3, static_cast<double>(std::filesystem::file_size(path)) / 1e6));
  return 0;
}

/// The server over a recording, called as a browser's messages are: the answer is written as text too.
struct Server {
  std::optional<replay::Recording> recording;
  std::unique_ptr<rpc::Service> service;
  uint64_t bytes{};  ///< of the last answer

  void open(const std::string& path) {
    auto opened = replay::Recording::open_indexed(path, std::filesystem::file_size(path));
    if (!opened.ok()) fail(opened.error().message);
    recording.emplace(std::move(opened.value()));
    auto parts = recording->images();
    if (!parts.ok()) fail(parts.error().message);
    auto timeline = debugger::Timeline::over(*recording, std::move(parts.value()));
    if (!timeline.ok()) fail(timeline.error().message);
    auto session = debugger::Session::over(std::move(timeline.value()), {});
    if (!session.ok()) fail(session.error().message);
    service = std::make_unique<rpc::Service>(std::move(session.value()), rpc::RunFacts{"bench", path, {}, {}});
  }
  Json call(std::string_view method, const Json& parameters) {
    rpc::Answer answer = service->api().call(method, parameters);
    if (!answer) fail(fmt::format("{}: {}", method, answer.error().message));
    bytes = answer.value().dump().size();
    return std::move(answer.value());
  }
  /// Until it is complete; the times of each call.
  std::vector<double> call_until_complete(std::string_view method, const Json& parameters) {
    std::vector<double> times;
    for (bool complete = false; !complete;) times.push_back(milliseconds_of([&] { complete = call(method, parameters)["complete"].get<bool>(); }));
    return times;
  }
};

void print_pieces(std::string_view what, const std::vector<double>& times, std::string_view target) {
  double sum = 0;
  for (const double time : times) sum += time;
  print_row(what, fmt::format("{:.0f} ms in {} calls, longest {:.1f} ms", sum, times.size(), *std::max_element(times.begin(), times.end())), target);
}

constexpr uint64_t buckets = 1500;  ///< of a wide screen

void measure_summaries(Server& server, uint64_t end, support::Prng& prng) {
  print_pieces("first summary of the whole run", server.call_until_complete("events.summary", {{"from", 0}, {"to", end}, {"buckets", buckets}}), "some 100 ms; 30 ms a call");
  std::vector<double> times;
  uint64_t bytes = 0;
  for (int i = 0; i < 10; ++i) {
    const uint64_t goal = prng.below(end);
    for (uint64_t length = end; length > 4 * buckets; length = length * 3 / 4) {  // as a wheel zooms
      const uint64_t from = std::min(goal - std::min(goal, length / 2), end - length);
      times.push_back(milliseconds_of([&] { server.call("events.summary", {{"from", from}, {"to", from + length}, {"buckets", buckets}}); }));
      bytes = std::max(bytes, server.bytes);
    }
  }
  print_times("zooming: a summary of 1500 buckets, as text", std::move(times), "20 ms a frame");
  print_row("its longest text", fmt::format("{} kB", bytes / 1000));
}

void measure_slices(Server& server, support::Prng& prng) {
  const uint64_t total = server.call("events.slice", {{"first", 0}, {"count", 0}})["total"];
  std::vector<double> random, scrolling;
  for (int i = 0; i < 200; ++i) {
    const uint64_t first = prng.below(total);
    random.push_back(milliseconds_of([&] { server.call("events.slice", {{"first", first}, {"count", 50}}); }));
  }
  for (uint64_t first = total / 2; scrolling.size() < 500; first += 25)
    scrolling.push_back(milliseconds_of([&] { server.call("events.slice", {{"first", first}, {"count", 50}}); }));
  print_times("50 rows of the list, anywhere", std::move(random), "20 ms a frame");
  print_times("50 rows, scrolling", std::move(scrolling), "20 ms a frame");
}

void measure_queries(Server& server, uint64_t total) {
  for (const char* query : {"kind == Hypercall and vtl == 0", "kind == VtlReturn and status != 0", "name ~ \"Get*\" or vector == 6",
                            "kind == Milestone"}) {
    const std::vector<double> times = server.call_until_complete("events.slice", {{"first", 0}, {"count", 50}, {"query", query}});
    double sum = 0;
    for (const double time : times) sum += time;
    print_pieces(fmt::format("query {}", query), times, fmt::format("{:.1f} M events/s; 5 wanted", static_cast<double>(total) / sum / 1e3));
  }
}

void measure_calls(Server& server, uint64_t end, support::Prng& prng) {
  print_pieces("first calls at the end, with those that enclose them",
               server.call_until_complete("calls", {{"from", end - 20'000}, {"to", end}, {"enclosing", true}, {"hypercalls", true}}), "30 ms a call");
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) {
    const uint64_t from = prng.below(end - 100'000);
    times.push_back(milliseconds_of([&] { server.call("calls", {{"from", from}, {"to", from + 100'000}, {"enclosing", true}, {"maximum", 2000}}); }));
  }
  print_times("calls of 100,000 instructions, anywhere", std::move(times), "20 ms a frame");
}

void measure_jumps(Server& server, uint64_t end, support::Prng& prng) {
  std::vector<double> times;
  for (int i = 0; i < 40; ++i) {
    const uint64_t at = prng.below(end);
    times.push_back(milliseconds_of([&] { server.call("focus", {{"at", at}}); }));
  }
  print_times("a jump anywhere", std::move(times), "300 ms");
}

int measure(const std::string& path) {
  support::Prng prng{1, "ui"};
  Server server;
  print_row("opening", fmt::format("{:.0f} ms", milliseconds_of([&] { server.open(path); })), "1000 ms with the first screen");
  const uint64_t end = server.service->session().timeline().end().ticks, total = server.service->session().timeline().history().size();
  print_row("the recording", fmt::format("{} instants, {} events, {:.1f} MB", end, total, static_cast<double>(std::filesystem::file_size(path)) / 1e6));
  print_row("first rows of the list", fmt::format("{:.1f} ms", milliseconds_of([&] { server.call("events.slice", {{"first", 0}, {"count", 50}}); })));
  measure_summaries(server, end, prng);
  measure_slices(server, prng);
  measure_queries(server, total);
  measure_calls(server, end, prng);
  print_row("memory by now, at most", fmt::format("{} MB", megabytes()), "some 100 MB");
  measure_jumps(server, end, prng);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (what == "make") return make(argv[2], argc > 3 ? std::strtoull(argv[3], nullptr, 10) : billion);
  if (what == "measure") return measure(argv[2]);
  fail("make FILE [INSTRUCTIONS], or measure FILE");
}
