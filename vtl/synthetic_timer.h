#pragma once
// One synthetic timer (TLFS 12.3): each VTL of each virtual processor has four. Its unit is 100 ns of the partition's
// reference time.
#include <cstdint>
#include <optional>

#include "abi/hv/synic.h"
#include "sim/support/instant.h"
#include "sim/support/state_fields.h"

namespace vtl {

using support::Instant;

/// Reference time: 100 ns units since the machine started.
[[nodiscard]] constexpr uint64_t reference_time(Instant now) {
  return now.ticks / support::ticks_per_100ns;
}

class SyntheticTimer {
 public:
  [[nodiscard]] uint64_t config() const { return config_.raw; }
  [[nodiscard]] uint64_t count() const { return count_; }
  /// False: a reserved bit, or a vector below 16 in direct mode (#GP).
  [[nodiscard]] bool write_config(uint64_t value, Instant now);
  /// The period of a periodic timer, the reference time at which a one-shot timer expires; 0 stops
  /// it.
  void write_count(uint64_t value, Instant now);

  /// When it expires next; support::never if it is not running.
  [[nodiscard]] Instant next() const;
  /// What expired at `now`: the reference time at which it was to. A periodic timer goes on at its
  /// next period that is still to come; a one-shot timer stops.
  [[nodiscard]] std::optional<uint64_t> advance(Instant now);

  [[nodiscard]] bool direct() const { return config_.direct_mode(); }
  [[nodiscard]] uint8_t vector() const { return config_.apic_vector(); }
  [[nodiscard]] uint8_t sint() const { return config_.sint(); }

  /// The message of an expiration that waits for its slot: the reference time. At most one does.
  std::optional<uint64_t> waiting;

  STATE_FIELDS(waiting, config_, count_, expiry_, running_)
  [[nodiscard]] const char* state_error() const {
    return running_ && count_ == 0 ? "a timer runs with a period of nothing" : "";
  }

 private:
  void start(Instant now);

  abi::hv::SyntheticTimerConfig config_;
  uint64_t count_{};
  uint64_t expiry_{};  ///< reference time, while running_
  bool running_{};
};

}  // namespace vtl
