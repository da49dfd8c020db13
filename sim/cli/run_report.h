#pragma once
// What `airlock run` says at its end, for people and for programs.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli/session.h"
#include "sim/cli/trophy.h"
#include "sim/trace/run_line.h"

namespace cli {

struct RunReport {
  machine::StopReason stop{};
  std::string stop_text;
  World world{};
  std::optional<Trophy> trophy;
  uint64_t instructions{}, idle_ticks{};
  machine::Totals totals;
  uint64_t tlb_misses{};
  double wall_seconds{};
  std::string fingerprint;
};

/// Reads everything off a session that has run.
[[nodiscard]] RunReport report_of(Session& session, machine::StopReason stop, double wall_seconds);

/// Several lines; `colour` only for terminals.
[[nodiscard]] std::string to_text(const RunReport& report, bool colour);

/// The end of a kernel's run on the PC board, in a few lines.
[[nodiscard]] std::string kernel_text(const RunReport& report);

/// One JSON document with the lines that were printed on the way. Wall time is in it and is the only value that differs
/// between two equal runs.
[[nodiscard]] std::string to_json(const RunReport& report, const std::vector<trace::RunLine>& milestones,
                                  const std::vector<trace::RunLine>& calls);

}  // namespace cli
