#pragma once
// Which level of the cache hierarchy answers a reference.
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "sim/timing/cost_table.h"
#include "sim/timing/set_associative.h"

namespace timing {

enum class Level : uint8_t { L1, L2, Llc, Memory, Device };
inline constexpr size_t level_count = 5;
[[nodiscard]] std::string_view name_of(Level level);
/// Cycles of one reference that is answered there.
[[nodiscard]] uint32_t latency_of(const CostTable& costs, Level level);

/// Lines by physical address, without their data.
class Cache {
 public:
  Cache(uint32_t bytes, uint32_t ways, uint32_t line_bytes)
      : line_bytes_{line_bytes}, lines_{bytes / line_bytes, ways} {}
  /// Whether the line is there; it is afterwards.
  bool touch(uint64_t address) {
    const uint64_t line = address / line_bytes_;
    if (lines_.find(line, [&](uint64_t held) { return held == line; }) != nullptr) return true;
    lines_.insert(line, line);
    return false;
  }

 private:
  uint32_t line_bytes_;
  SetAssociative<uint64_t> lines_;
};

/// The caches of one core; the last level is shared between cores. A line is filled into every level that missed; no
/// level throws out lines of another. Ascending misses within a page are followed by a prefetcher.
class Caches {
 public:
  Caches(const CostTable& costs, std::shared_ptr<Cache> last_level);

  [[nodiscard]] Level fetch(uint64_t spa) { return prefetched(touch(code_, spa), spa); }
  /// Loads and stores.
  [[nodiscard]] Level data(uint64_t spa) { return prefetched(touch(data_, spa), spa); }
  /// Entries of page tables: through the first level as data, but nothing follows them.
  [[nodiscard]] Level walk(uint64_t spa) { return touch(data_, spa); }

 private:
  /// A line that follows one which was missed, in the same page, is on its way already.
  Level prefetched(Level level, uint64_t spa) {
    if (level == Level::L1 || level == Level::L2) return level;
    const uint64_t line = spa / line_bytes_;
    const bool first_of_page = spa % 4096 < line_bytes_;
    if (!first_of_page) {
      for (uint64_t& head : streams_) {
        if (head + 1 != line) continue;
        head = line;
        return Level::L2;
      }
    }
    if (!streams_.empty()) streams_[next_stream_++ % streams_.size()] = line;
    return level;
  }
  Level touch(Cache& first, uint64_t spa) {
    if (first.touch(spa)) return Level::L1;
    if (second_.touch(spa)) return Level::L2;
    return last_->touch(spa) ? Level::Llc : Level::Memory;
  }
  Cache code_, data_, second_;
  std::shared_ptr<Cache> last_;
  uint32_t line_bytes_;
  std::vector<uint64_t> streams_;  ///< the last line of each; the oldest makes room for a new one
  size_t next_stream_{};
};

}  // namespace timing
