#pragma once
// A run cut into pieces, with what is known about each: most of them cannot hold the answer to a question.
#include <cstdint>
#include <vector>

#include "sim/debugger/registers.h"
#include "sim/support/instant.h"

namespace debugger {

struct Interval {
  support::Instant begin, end;  ///< what happens in [begin, end)
  uint64_t instructions{};      ///< executed in it
  std::vector<uint32_t> dirty;  ///< pages that were written, and perhaps some that were not, ascending

  // Once somebody has looked closely:
  bool code_known{}, registers_known{};
  std::vector<uint64_t> code_pages;      ///< linear pages of its instructions, ascending
  vtl::VtlArray<RegisterMask> changed;   ///< registers
  std::vector<uint64_t> without;         ///< addresses at which no instruction executed in it, ascending
};

using Intervals = std::vector<Interval>;

/// The interval that `at` lies in: the last one that begins at or before it. `intervals` begins at or before `at`.
[[nodiscard]] size_t find_interval(const Intervals& intervals, support::Instant at);

/// Adds pages to an ascending list.
void merge_pages(std::vector<uint32_t>& list, const std::vector<uint64_t>& pages);

}  // namespace debugger
