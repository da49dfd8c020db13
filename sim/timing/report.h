#pragma once
// Where the cycles of a run went, as text and JSON. Integers only: shares are in tenths of a percent.
#include <string>
#include <vector>

#include "sim/timing/call_ledger.h"
#include "sim/timing/cycle_model.h"

namespace timing {

/// All calls of one name.
struct CallSummary {
  std::string name;
  uint64_t count{}, switches{}, instructions{}, walks{}, unfinished{};
  CallParts parts;
  Quarters fastest{}, slowest{};
};
/// The most expensive name first; equal ones by name.
[[nodiscard]] std::vector<CallSummary> summarise(const std::vector<SecureCall>& calls);

struct ReportOptions {
  bool each_call{};  ///< also every single call, in order
};

[[nodiscard]] std::string report_text(const CycleModel& model, const CallLedger& ledger, ReportOptions options);
/// One JSON document.
[[nodiscard]] std::string report_json(const CycleModel& model, const CallLedger& ledger, ReportOptions options);

/// A part of all costs.
struct CostShare {
  std::string text;  ///< what for
  Quarters cost{};
  uint64_t cycles{};  ///< whole ones
};
/// The parts that cost something, the dearest first.
[[nodiscard]] std::vector<CostShare> cost_shares(const Totals& totals);

/// "12.3 %" of `whole`; "0.0 %" if there is nothing.
[[nodiscard]] std::string share_text(uint64_t part, uint64_t whole);

}  // namespace timing
