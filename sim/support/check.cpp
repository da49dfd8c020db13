#include "sim/support/check.h"

#include <cstdio>
#include <cstdlib>

namespace support {
namespace {

FailureReporter reporter = nullptr;

}  // namespace

void set_failure_reporter(FailureReporter next) {
  reporter = next;
}

void check_failed(const char* condition, const char* file, int line, const char* detail) {
  std::fprintf(stderr, "airlock: internal error: %s:%d: %s does not hold%s%s\n", file, line,
               condition, *detail != '\0' ? ": " : "", detail);
  // Taken out first: a reporter that fails a CHECK itself must not be called again.
  const FailureReporter report = reporter;
  reporter = nullptr;
  if (report != nullptr) report();
  std::fflush(nullptr);
  std::abort();
}

}  // namespace support
