#include "tests/unit/cpu/soak.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace cpu_test;

TEST_CASE("random instruction streams give the same state in both gears, in every mode") {
  constexpr unsigned pairs = 4, streams = 300;
  for (unsigned pair = 0; pair < pairs; ++pair) {
    Soak soak;
    for (unsigned stream = 0; stream < streams; ++stream) {
      const uint64_t seed = pair * 1000 + stream;
      const auto mode = static_cast<SoakMode>(seed % static_cast<unsigned>(SoakMode::count));
      const std::string difference = soak.run(mode, seed);
      if (!difference.empty()) FAIL(difference);
    }
    EXPECT(soak.instructions > streams);
  }
}

/// The long form, about an hour: batches in child processes, so that a crash of the host is counted and does not end the test.
TEST_CASE("four million random instruction streams crash nothing", "[.long]") {
  constexpr unsigned streams = 2000;
  unsigned batches = 0, crashes = 0, differences = 0;
  for (uint64_t batch = 0; batch < 2000; ++batch) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      alarm(3000);
      Soak soak;
      for (unsigned stream = 0; stream < streams; ++stream) {
        const uint64_t seed = 1'000'000 + batch * streams + stream;
        const std::string difference =
            soak.run(static_cast<SoakMode>(seed % static_cast<unsigned>(SoakMode::count)), seed);
        if (difference.empty()) continue;
        std::fprintf(stderr, "%s\n", difference.c_str());
        _exit(1);
      }
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ++batches;
    if (WIFSIGNALED(status)) {
      ++crashes;
      std::fprintf(stderr, "batch %llu: signal %d\n", static_cast<unsigned long long>(batch),
                   WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
      ++differences;
    }
    if (batches % 50 == 0)
      std::fprintf(stderr, "%u batches, %u crashes, %u differences\n", batches, crashes,
                   differences);
  }
  EXPECT(crashes == 0);
  EXPECT(differences == 0);
}
