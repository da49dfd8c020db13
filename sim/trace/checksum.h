#pragma once
#include <cstring>

#include "sim/loader/sha256.h"

namespace trace {

/// The first 8 bytes of SHA-256, as a little-endian number.
[[nodiscard]] inline uint64_t checksum(loader::Bytes bytes) {
  const loader::Sha256 digest = loader::sha256({bytes});
  uint64_t value;
  std::memcpy(&value, digest.data(), sizeof value);
  return value;
}

/// The bytes of a wire structure.
template <class T>
[[nodiscard]] loader::Bytes bytes_of(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

}  // namespace trace
