#include "sim/timing/caches.h"

namespace timing {

std::string_view name_of(Level level) {
  static constexpr std::string_view names[level_count] = {"L1", "L2", "LLC", "memory", "device"};
  const auto index = static_cast<size_t>(level);
  return index < level_count ? names[index] : "unknown";
}

uint32_t latency_of(const CostTable& costs, Level level) {
  switch (level) {
    case Level::L1: return costs.l1_latency;
    case Level::L2: return costs.l2_latency;
    case Level::Llc: return costs.llc_latency;
    case Level::Memory: return costs.memory_latency;
    case Level::Device: return costs.device_access;
  }
  return 0;
}

namespace {
constexpr uint64_t no_line = ~uint64_t{0} - 1;  // nothing follows it
}

Caches::Caches(const CostTable& costs, std::shared_ptr<Cache> last_level)
    : code_{costs.l1_code_bytes, costs.l1_code_ways, costs.line_bytes},
      data_{costs.l1_data_bytes, costs.l1_data_ways, costs.line_bytes},
      second_{costs.l2_bytes, costs.l2_ways, costs.line_bytes},
      last_{std::move(last_level)},
      line_bytes_{costs.line_bytes},
      streams_(costs.prefetch_streams, no_line) {}

}  // namespace timing
