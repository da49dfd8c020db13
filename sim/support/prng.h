#pragma once
// Seeded randomness: the only kind there is. One stream per consumer, so that a new consumer
// disturbs no other.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "sim/support/state_fields.h"

namespace support {

/// xoshiro256** (Blackman and Vigna). Not for cryptography; equal on every host and build.
class Prng {
 public:
  /// A stream of its own for each (seed, name).
  explicit Prng(uint64_t seed, std::string_view stream = {});
  /// The same for the machine's 32-byte seed.
  explicit Prng(std::span<const uint8_t, 32> seed, std::string_view stream = {});

  /// 64 uniform bits.
  uint64_t next();
  /// Uniform in [0, bound); bound > 0. Unbiased.
  uint64_t below(uint64_t bound);
  /// Uniform in [first, last], both inclusive; first <= last.
  uint64_t between(uint64_t first, uint64_t last);
  /// True once in `odds` draws on average; odds > 0.
  bool one_in(uint64_t odds) { return below(odds) == 0; }
  void fill(std::span<uint8_t> bytes);

  STATE_FIELDS(state_)

 private:
  /// All zeros is the one state that the generator cannot leave.
  [[nodiscard]] const char* state_error() const {
    return (state_[0] | state_[1] | state_[2] | state_[3]) != 0 ? "" : "all zeros";
  }

  std::array<uint64_t, 4> state_{};
};

}  // namespace support
