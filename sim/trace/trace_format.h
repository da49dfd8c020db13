#pragma once
// The trace file, byte by byte. docs/trace-format.md explains it; the two change together.
#include <cstddef>
#include <cstdint>

#include "sim/container/format.h"
#include "sim/container/writer.h"

namespace trace {

using container::bytes_of;
using container::checksum;
using container::ChunkHeader;
using container::FileHeader;
using container::fourcc;

/// Another major version is refused; a higher minor version only adds what an older reader can
/// skip.
inline constexpr container::FileKind file_kind{
    {'A', 'I', 'R', 'T', 'R', 'C', '\r', '\n'}, 1, 0, "an Airlock trace", "trace"};

inline constexpr uint32_t kind_records = fourcc("RECS");
inline constexpr uint32_t kind_end =
    fourcc("ENDT");  ///< EndMark: the writer was closed in good order
/// Flag of a chunk: its records name images. A reader that seeks must still read it to know
/// symbols.
inline constexpr uint16_t chunk_has_images = 1;

struct EndMark {
  uint64_t instructions, events, last_tick;
};
static_assert(sizeof(EndMark) == 24);

/// Longer texts are cut.
inline constexpr size_t maximum_text = 4096;

/// First byte of a record. An instruction's byte is a set of flags; everything that is not flagged
/// is as predicted: same VP, VTL and mode, the instant one tick later, RIP behind the last
/// instruction, the bytes that this chunk last showed at that RIP, no register changed.
namespace tag {
inline constexpr uint8_t event = 0x80;
inline constexpr uint8_t context = 0x01;  ///< varint VP, u8 VTL, u8 code bits (16, 32, 64)
inline constexpr uint8_t tick = 0x02;     ///< signed varint: difference to the prediction
inline constexpr uint8_t rip = 0x04;      ///< signed varint: difference to the prediction
inline constexpr uint8_t bytes =
    0x08;  ///< u8 length 0..15, then the bytes; 0: they could not be read
inline constexpr uint8_t registers =
    0x10;  ///< varint mask, then a signed varint difference per set bit
inline constexpr uint8_t instruction_mask = 0x1f;
}  // namespace tag

/// Second byte of an event: which of the fields follow, as varints in this order. VP, VTL and tick
/// always come first.
namespace event_field {
inline constexpr uint8_t a = 0x01, b = 0x02, c = 0x04, rip = 0x08;
inline constexpr uint8_t frame = 0x10;  ///< 13 words of 8 bytes
inline constexpr uint8_t text = 0x20;   ///< varint length, then the bytes
inline constexpr uint8_t mask = 0x3f;
}  // namespace event_field

}  // namespace trace
