#pragma once
// What the files that a run leaves behind (traces, recordings) have in common: a header, then chunks that can be checked
// one by one. docs/trace-format.md and docs/recording-format.md explain it; the three change together.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sim/loader/byte_view.h"
#include "sim/loader/sha256.h"

namespace container {

/// All numbers are little-endian. Checksums are the first 8 bytes of SHA-256.
struct FileHeader {
  char magic[8];
  uint16_t major, minor;
  uint32_t header_size;       ///< of this header; the first chunk follows
  uint8_t configuration[32];  ///< SHA-256 of the META payload
  uint64_t reserved;          ///< 0
  uint64_t checksum;          ///< of the 56 bytes before
};
static_assert(sizeof(FileHeader) == 64);

constexpr uint32_t fourcc(const char (&name)[5]) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(name[i]);
  return value;
}
inline constexpr uint32_t chunk_sync = fourcc("CHNK");
inline constexpr uint32_t kind_meta = fourcc("META");  ///< lines "key<TAB>value<LF>"; the first chunk, once
/// A reader skips an unknown kind whose first letter is lower-case, and refuses any other.
constexpr bool may_be_skipped(uint32_t kind) { return (kind & 0x20) != 0; }

struct ChunkHeader {
  uint32_t sync, kind;
  uint16_t version, flags;
  uint32_t sequence;               ///< 0, 1, 2, ... without gaps
  uint64_t first_tick, last_tick;  ///< of the records within
  uint32_t raw_size, stored_size;  ///< bytes before and after compression; one zstd frame
  uint32_t record_count, reserved;
  uint64_t payload_checksum;       ///< of the stored bytes
  uint64_t header_checksum;        ///< of the 56 bytes before
};
static_assert(sizeof(ChunkHeader) == 64 && offsetof(ChunkHeader, header_checksum) == 56);
inline constexpr uint16_t chunk_version = 1;
/// The payload is stored as it is: stored_size equals raw_size, so that the last chunk of a file can be found from its end.
inline constexpr uint16_t chunk_plain = 0x8000;

/// Bounds on what a file may ask of a reader's memory.
inline constexpr uint32_t maximum_raw_size = 1u << 20;
inline constexpr uint32_t maximum_stored_size = maximum_raw_size + (1u << 16);

/// Payloads are padded with zeros to whole words.
constexpr uint64_t padded(uint64_t size) { return (size + 7) / 8 * 8; }

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

}  // namespace container
