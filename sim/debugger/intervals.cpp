#include "sim/debugger/intervals.h"

#include <algorithm>
#include <iterator>

namespace debugger {

size_t find_interval(const Intervals& intervals, support::Instant at) {
  const auto after = std::upper_bound(intervals.begin(), intervals.end(), at,
                                      [](support::Instant instant, const Interval& interval) { return instant < interval.begin; });
  return after == intervals.begin() ? 0 : static_cast<size_t>(after - intervals.begin()) - 1;
}

void merge_pages(std::vector<uint32_t>& list, const std::vector<uint64_t>& pages) {
  std::vector<uint32_t> both;
  both.reserve(list.size() + pages.size());
  std::set_union(list.begin(), list.end(), pages.begin(), pages.end(), std::back_inserter(both));
  list = std::move(both);
}

}  // namespace debugger
