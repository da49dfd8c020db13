#pragma once
// The trace file, byte by byte. docs/trace-format.md explains it; the two change together.
#include <cstddef>
#include <cstdint>

namespace trace {

inline constexpr char file_magic[8] = {'A', 'I', 'R', 'T', 'R', 'C', '\r', '\n'};
/// Another major version is refused; a higher minor version only adds what an older reader can skip.
inline constexpr uint16_t major_version = 1;
inline constexpr uint16_t minor_version = 0;

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
inline constexpr uint32_t kind_meta = fourcc("META");  ///< lines "key<TAB>value<LF>"
inline constexpr uint32_t kind_records = fourcc("RECS");
inline constexpr uint32_t kind_end = fourcc("ENDT");   ///< EndMark: the writer was closed in good order
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
/// The records name images: a reader that seeks must still read this chunk to know symbols.
inline constexpr uint16_t chunk_has_images = 1;

struct EndMark {
  uint64_t instructions, events, last_tick;
};
static_assert(sizeof(EndMark) == 24);

/// Bounds on what a file may ask of a reader's memory.
inline constexpr uint32_t maximum_raw_size = 1u << 20;
inline constexpr uint32_t maximum_stored_size = maximum_raw_size + (1u << 16);
inline constexpr size_t maximum_text = 4096;

/// First byte of a record. An instruction's byte is a set of flags; everything that is not flagged is as predicted:
/// same VP, VTL and mode, the instant one tick later, RIP behind the last instruction, the bytes that this chunk last
/// showed at that RIP, no register changed.
namespace tag {
inline constexpr uint8_t event = 0x80;
inline constexpr uint8_t context = 0x01;    ///< varint VP, u8 VTL, u8 code bits (16, 32, 64)
inline constexpr uint8_t tick = 0x02;       ///< signed varint: difference to the prediction
inline constexpr uint8_t rip = 0x04;        ///< signed varint: difference to the prediction
inline constexpr uint8_t bytes = 0x08;      ///< u8 length 0..15, then the bytes; 0: they could not be read
inline constexpr uint8_t registers = 0x10;  ///< varint mask, then a signed varint difference per set bit
inline constexpr uint8_t instruction_mask = 0x1f;
}  // namespace tag

/// Second byte of an event: which of the fields follow, as varints in this order. VP, VTL and tick always come first.
namespace event_field {
inline constexpr uint8_t a = 0x01, b = 0x02, c = 0x04, rip = 0x08;
inline constexpr uint8_t frame = 0x10;  ///< 13 words of 8 bytes
inline constexpr uint8_t text = 0x20;   ///< varint length, then the bytes
inline constexpr uint8_t mask = 0x3f;
}  // namespace event_field

}  // namespace trace
