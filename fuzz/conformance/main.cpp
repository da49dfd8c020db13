// conformance_soak: random cases for as long as asked, in child processes, so that a crash is a finding and not the end.
// Each batch runs twice in two processes; both must see the same states.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <catch2/catch_session.hpp>
#include <chrono>
#include <map>

#include "fuzz/conformance/targets.h"
#include "tests/support/catch.h"

namespace {

struct Options {
  uint64_t seed = 1;
  uint64_t seconds = 60;
  uint64_t batches = 0;  ///< 0: until the time is over
  uint64_t divide = 1;   ///< batches are so many times smaller
  std::string target = "all", gear = "both";
  bool one = false;
};
Options options;

/// What a child tells its parent.
struct Report {
  uint64_t cases = 0, instructions = 0, digest = 0;
  uint64_t bad_seed = 0, different = 0;
};

soak::Gears gears_of(const std::string& name) {
  if (name == "exact") return {cpu::Gear::Exact, cpu::Gear::Exact};
  if (name == "fast") return {cpu::Gear::Fast, cpu::Gear::Fast};
  return {cpu::Gear::Exact, cpu::Gear::Fast};
}

Report run_batch(const soak::TargetInfo& info, soak::Gears gears, uint64_t first, uint64_t count,
                 int progress) {
  Report report;
  const auto target = info.make(gears);
  support::StateHasher digest;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    // The parent learns from this which seed crashed.
    if (progress >= 0 && write(progress, &seed, sizeof seed) != sizeof seed) _exit(3);
    const std::string difference = target->run(seed, digest);
    ++report.cases;
    if (difference.empty()) continue;
    ++report.different;
    report.bad_seed = seed;
    fmt::print(stderr, "{} seed {}: {}\n", info.name, seed, difference);
    break;
  }
  report.instructions = target->instructions();
  report.digest = digest.finish().low;
  return report;
}

/// Runs a batch in a child; false if it died, and then `last_seed` is the one it was at.
bool in_child(const soak::TargetInfo& info, soak::Gears gears, uint64_t first, uint64_t count,
              Report& report, uint64_t& last_seed, int& status) {
  int seeds[2], results[2];
  if (pipe(seeds) != 0 || pipe(results) != 0) FAIL("no pipe");
  const pid_t child = fork();
  if (child < 0) FAIL("no process");
  if (child == 0) {
    close(seeds[0]);
    close(results[0]);
    alarm(600);
    const Report mine = run_batch(info, gears, first, count, seeds[1]);
    if (write(results[1], &mine, sizeof mine) != sizeof mine) _exit(3);
    _exit(0);
  }
  close(seeds[1]);
  close(results[1]);
  last_seed = first;
  uint64_t seed = 0;
  while (read(seeds[0], &seed, sizeof seed) == sizeof seed)
    last_seed = seed;
  const bool told = read(results[0], &report, sizeof report) == sizeof report;
  close(seeds[0]);
  close(results[0]);
  waitpid(child, &status, 0);
  return told && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

struct Tally {
  uint64_t cases = 0, instructions = 0, crashes = 0, differences = 0, unstable = 0;
  double seconds = 0;
};

void soak_target(const soak::TargetInfo& info, const std::string& gear, uint64_t batch,
                 Tally& tally) {
  const soak::Gears gears = gears_of(gear);
  const uint64_t count = std::max<uint64_t>(1, info.batch / options.divide);
  const uint64_t first = options.seed * 1'000'000'000 + batch * count;
  const double before = cpu_seconds();
  Report reports[2];
  for (Report& report : reports) {
    uint64_t last_seed = 0;
    int status = 0;
    if (in_child(info, gears, first, count, report, last_seed, status)) continue;
    ++tally.crashes;
    fmt::print(stderr, "{} --gear {} seed {}: the process ended with {} {}\n", info.name, gear,
               last_seed, WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    break;
  }
  if (reports[0].digest != reports[1].digest && reports[0].cases == reports[1].cases) {
    ++tally.unstable;
    fmt::print(stderr, "{} --gear {} from seed {}: two processes saw different states\n", info.name,
               gear, first);
  }
  tally.cases += reports[0].cases;
  tally.instructions += reports[0].instructions;
  tally.differences += reports[0].different;
  tally.seconds += cpu_seconds() - before;
}

}  // namespace

TEST_CASE("conformance soak") {
  if (options.one) {
    for (const auto& info : soak::targets()) {
      if (options.target != info.name) continue;
      const Report report = run_batch(info, gears_of(options.gear), options.seed, 1, -1);
      fmt::print("{} instructions, digest {:x}\n", report.instructions, report.digest);
      EXPECT(report.different == 0);
    }
    return;
  }
  std::map<std::pair<std::string, std::string>, Tally> tallies;
  const auto start = std::chrono::steady_clock::now();
  const auto over = [&] {
    return std::chrono::steady_clock::now() - start > std::chrono::seconds{options.seconds};
  };
  for (uint64_t batch = 0; options.batches == 0 ? !over() : batch < options.batches; ++batch) {
    for (const auto& info : soak::targets()) {
      if (options.target != "all" && options.target != info.name) continue;
      for (const char* gear : {"exact", "fast", "both"}) {
        if (options.gear != "all" && options.gear != gear) continue;
        if (options.batches == 0 && over()) break;
        soak_target(info, gear, batch, tallies[{info.name, gear}]);
      }
    }
  }
  Tally all;
  for (const auto& [key, tally] : tallies) {
    fmt::print(
        "{:16} {:6} {:8} cases {:10} instructions {:7.1f} CPU seconds; {} crashes, {} differences, "
        "{} unstable\n",
        key.first, key.second, tally.cases, tally.instructions, tally.seconds, tally.crashes,
        tally.differences, tally.unstable);
    all.crashes += tally.crashes;
    all.differences += tally.differences;
    all.unstable += tally.unstable;
    all.cases += tally.cases;
  }
  EXPECT(all.cases > 0);
  EXPECT(all.crashes == 0);
  EXPECT(all.differences == 0);
  EXPECT(all.unstable == 0);
}

int main(int argc, char** argv) {
  CLI::App app{"Runs random cases in child processes and compares engines, gears and processes."};
  app.add_option("--seed", options.seed, "of all cases; with --one: the case");
  app.add_option("--seconds", options.seconds, "how long");
  app.add_option("--batches", options.batches, "instead of a time: batches of each target");
  app.add_option("--divide", options.divide, "makes batches smaller")->check(CLI::PositiveNumber);
  app.add_option("--target", options.target, "one kind of case, or all");
  app.add_option("--gear", options.gear, "exact, fast, both (one against the other), or all");
  app.add_flag("--one", options.one, "one case, in this process");
  CLI11_PARSE(app, argc, argv);
  return Catch::Session().run();
}
