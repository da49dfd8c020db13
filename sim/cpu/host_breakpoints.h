#pragma once
// Addresses at which whoever runs the machine wants to look at it. They are no part of it: guests cannot see them, states
// do not hold them, and a run with them goes as it goes without.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "sim/support/instant.h"

namespace cpu {

class HostBreakpoints {
 public:
  /// Linear addresses of instructions. Those that are to execute before `earliest` do not count: support::never lets them
  /// rest, which costs nothing, while other addresses cost another look at each block.
  void set(std::vector<uint64_t> addresses, support::Instant earliest) {
    std::sort(addresses.begin(), addresses.end());
    earliest_ = earliest;
    if (addresses == addresses_) return;
    addresses_ = std::move(addresses);
    ++version_;
  }
  [[nodiscard]] bool empty() const { return addresses_.empty(); }
  /// Moves when the addresses change.
  [[nodiscard]] uint64_t version() const { return version_; }
  /// One of them may be in these bytes.
  [[nodiscard]] bool in_code(uint64_t address, uint64_t bytes) const {
    const auto first = std::lower_bound(addresses_.begin(), addresses_.end(), address);
    return first != addresses_.end() && *first - address < bytes;
  }
  /// One of them in these bytes could be met by then.
  [[nodiscard]] bool may_meet(uint64_t address, uint64_t bytes, support::Instant until) const {
    return until >= earliest_ && in_code(address, bytes);
  }
  /// Asked when the instruction at `address` is about to execute; remembers that it was met.
  bool meet(uint64_t address, support::Instant now) {
    if (now < earliest_ || !in_code(address, 1)) return false;
    met_ = true;
    return true;
  }
  /// Since the last call.
  [[nodiscard]] bool take_met() { return std::exchange(met_, false); }

 private:
  std::vector<uint64_t> addresses_;  ///< ascending
  support::Instant earliest_;
  uint64_t version_{};
  bool met_{};
};

}  // namespace cpu
