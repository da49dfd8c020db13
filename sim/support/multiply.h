#pragma once
// 64 x 64 -> 128 bit multiplication: the mixing step of generator and hash, and the change of units of time.
#include <cstdint>

namespace support {

struct Product {
  uint64_t low, high;
};

[[nodiscard]] inline Product multiply(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide wide = static_cast<Wide>(a) * b;
  return {static_cast<uint64_t>(wide), static_cast<uint64_t>(wide >> 64)};
}

/// Both halves of the product folded together: every bit of the result depends on all of a and b.
[[nodiscard]] inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
  const Product product = multiply(a, b);
  return product.low ^ product.high;
}

/// value * to / from, rounded down; ~0 when it does not fit. `from` is not 0.
[[nodiscard]] constexpr uint64_t scale(uint64_t value, uint64_t to, uint64_t from) {
  __extension__ using Wide = unsigned __int128;
  const Wide result = static_cast<Wide>(value) * to / from;
  return result >> 64 != 0 ? ~uint64_t{0} : static_cast<uint64_t>(result);
}

/// The same, rounded up.
[[nodiscard]] constexpr uint64_t scale_up(uint64_t value, uint64_t to, uint64_t from) {
  __extension__ using Wide = unsigned __int128;
  const Wide result = (static_cast<Wide>(value) * to + (from - 1)) / from;
  return result >> 64 != 0 ? ~uint64_t{0} : static_cast<uint64_t>(result);
}

}  // namespace support
