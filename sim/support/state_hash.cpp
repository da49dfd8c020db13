#include "sim/support/state_hash.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

#include "sim/support/multiply.h"

namespace support {
namespace {

// Digits of pi: odd, unsuspicious constants.
constexpr uint64_t pi[] = {0xa4093822299f31d1, 0x082efa98ec4e6c89, 0x452821e638d01377,
                           0xbe5466cf34e90c6d, 0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917,
                           0x9216d5d98979fb1b, 0xd1310ba698dfb5ad};

/// A bijection in which every input bit reaches every output bit.
uint64_t avalanche(uint64_t value) {
  value = (value ^ (value >> 32)) * pi[4];
  value = (value ^ (value >> 29)) * pi[5];
  return value ^ (value >> 32);
}

uint64_t load(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace

std::string StateHash::to_string() const {
  return fmt::format("{:016x}{:016x}", high, low);
}

StateHasher& StateHasher::add(uint64_t value) {
  // Both steps can be undone, so no two histories merge before finish() does.
  a_ = (a_ ^ value) * pi[0];
  a_ ^= a_ >> 29;
  b_ = (std::rotl(b_, 23) ^ a_) * pi[1];
  ++words_;
  return *this;
}

StateHasher& StateHasher::add(std::span<const uint8_t> bytes) {
  add(uint64_t{bytes.size()});
  while (bytes.size() >= 8) {
    add(load(bytes.data()));
    bytes = bytes.subspan(8);
  }
  if (!bytes.empty()) {
    uint64_t tail = 0;
    std::memcpy(&tail, bytes.data(), bytes.size());
    add(tail);
  }
  return *this;
}

StateHasher& StateHasher::add(std::string_view text) {
  return add(std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

StateHash StateHasher::finish() const {
  const uint64_t low = avalanche(a_ ^ std::rotl(b_, 32) ^ words_ * pi[2]);
  return {low, avalanche(b_ + multiply_fold(low ^ pi[3], a_ ^ pi[6]))};
}

StateHash hash_page(uint64_t page_number, const uint8_t* page) {
  // Four independent chains keep the multiplier busy: a chain alone would wait for each product.
  std::array<uint64_t, 4> lane{pi[4], pi[5], pi[6], pi[7]};
  uint64_t any = 0;
  for (size_t offset = 0; offset < 4096; offset += 64) {
    for (size_t i = 0; i < lane.size(); ++i) {
      const uint64_t first = load(page + offset + 16 * i);
      const uint64_t second = load(page + offset + 16 * i + 8);
      any |= first | second;
      lane[i] = multiply_fold(first ^ pi[i], second ^ lane[i]) + first;
    }
  }
  if (any == 0) return {};
  const uint64_t key = avalanche(page_number + pi[0]);
  const uint64_t low = multiply_fold(lane[0] ^ key, lane[1] ^ pi[1]);
  const uint64_t high = multiply_fold(lane[2] ^ std::rotl(key, 32), lane[3] ^ pi[3]);
  return {avalanche(low + std::rotl(high, 17) + key),
          avalanche(high ^ std::rotl(low, 41) ^ (key * pi[6]))};
}

}  // namespace support
