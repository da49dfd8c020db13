#pragma once
// Numbers of 7 bits per byte, lowest first; signed ones zigzag-coded. Reading is bounded.
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/loader/byte_view.h"

namespace container {

inline void put_varint(std::vector<uint8_t>& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<uint8_t>(value));
}

/// `difference` modulo 2^64: small distances in both directions become small numbers.
inline void put_signed_varint(std::vector<uint8_t>& out, uint64_t difference) {
  put_varint(out, difference << 1 ^ (0 - (difference >> 63)));
}

/// Reads from the front of bytes that nobody vouches for. After the first failure everything fails.
class ByteReader {
 public:
  explicit ByteReader(loader::Bytes bytes) : in_{bytes} {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool at_end() const { return at_ == in_.size(); }
  [[nodiscard]] size_t left() const { return in_.size() - at_; }

  uint8_t byte() { return take(1).empty() ? uint8_t{0} : in_[at_ - 1]; }

  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t next = byte();
      if (failed_ || (shift == 63 && next > 1)) break;
      value |= static_cast<uint64_t>(next & 0x7f) << shift;
      if ((next & 0x80) == 0) return value;
    }
    failed_ = true;
    return 0;
  }

  uint64_t signed_varint() {
    const uint64_t value = varint();
    return value >> 1 ^ (0 - (value & 1));
  }

  /// The next `size` bytes; empty, and failed(), if there are not so many.
  loader::Bytes take(uint64_t size) {
    if (failed_ || size > left()) {
      failed_ = true;
      return {};
    }
    at_ += static_cast<size_t>(size);
    return in_.subspan(at_ - static_cast<size_t>(size), static_cast<size_t>(size));
  }

  template <class T>
  T value() {
    T out{};
    const loader::Bytes bytes = take(sizeof(T));
    if (!bytes.empty()) std::memcpy(&out, bytes.data(), sizeof(T));
    return out;
  }

 private:
  loader::Bytes in_;
  size_t at_{};
  bool failed_{};
};

}  // namespace container
