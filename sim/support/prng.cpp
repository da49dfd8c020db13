#include "sim/support/prng.h"

#include <bit>
#include <cstring>

#include "sim/support/check.h"
#include "sim/support/multiply.h"
#include "sim/support/state_hash.h"

namespace support {
namespace {

/// Spreads 128 bits over the generator's 256. Never all zeros, the one state that xoshiro cannot
/// leave.
std::array<uint64_t, 4> expand(const StateHash& seed) {
  std::array<uint64_t, 4> state{};
  uint64_t index = 0;
  for (uint64_t& word : state) {
    const StateHash hash = StateHasher{}.add(seed).add(++index).finish();
    word = hash.low ^ hash.high;
  }
  if ((state[0] | state[1] | state[2] | state[3]) == 0) state[0] = 1;
  return state;
}

}  // namespace

Prng::Prng(uint64_t seed, std::string_view stream)
    : state_{expand(StateHasher{}.add(seed).add(stream).finish())} {}

Prng::Prng(std::span<const uint8_t, 32> seed, std::string_view stream)
    : state_{expand(StateHasher{}.add(std::span<const uint8_t>{seed}).add(stream).finish())} {}

uint64_t Prng::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Prng::below(uint64_t bound) {
  CHECK(bound > 0);
  // The high half of next() * bound is uniform once the low products that do not divide evenly are
  // rejected.
  const uint64_t uneven = (0 - bound) % bound;
  for (;;) {
    const Product product = multiply(next(), bound);
    if (product.low >= uneven) return product.high;
  }
}

uint64_t Prng::between(uint64_t first, uint64_t last) {
  CHECK(first <= last);
  const uint64_t width = last - first;
  return width == ~uint64_t{0} ? next() : first + below(width + 1);
}

void Prng::fill(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const uint64_t word = next();
    const size_t count = bytes.size() < sizeof(word) ? bytes.size() : sizeof(word);
    std::memcpy(bytes.data(), &word, count);
    bytes = bytes.subspan(count);
  }
}

}  // namespace support
