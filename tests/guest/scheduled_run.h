#pragma once
// Runs of micro-kernels that several processors share, for comparing one schedule, gear or stop with another.
#include <string>

#include "tests/support/machine_run.h"

namespace test {

/// What must be equal when two runs are.
struct Report {
  machine::StopReason stop{};
  std::string lines, fingerprint, detail;
  uint64_t end{};
};

/// Runs the machine of `config` to its end.
inline Report boot(const loader::MachineConfig& config) {
  MachineRun run{config};
  Report report;
  report.stop = run.finish();
  report.lines = run.seen().milestones();
  report.fingerprint = run.machine().fingerprint().to_string();
  report.detail = run.machine().detail();
  report.end = run.machine().now().ticks;
  return report;
}

inline constexpr loader::SchedulerPolicy policies[] = {
    loader::SchedulerPolicy::RoundRobin, loader::SchedulerPolicy::Random,
    loader::SchedulerPolicy::Adversarial};

}  // namespace test
