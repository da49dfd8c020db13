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
    {'A', 'I', 'R', 'T', 'R', 'C', '\r', '\n'}, 2, 0, "an Airlock trace", "trace"};

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

/// A chunk of records: again and again a varint that counts the instructions that were guessed right, and a record that
/// was not, or an event. The last record is `check`. An instruction's byte is a set of flags; everything that is not
/// flagged is as expected (record_codec.h).
namespace tag {
inline constexpr uint8_t event = 0x80;
inline constexpr uint8_t check = 0x40;      ///< u64: Expectation::check(); ends the chunk
inline constexpr uint8_t context = 0x01;    ///< varint VP, u8 VTL, u8 code bits (16, 32, 64)
inline constexpr uint8_t tick = 0x02;       ///< signed varint: difference to what was expected
inline constexpr uint8_t rip = 0x04;        ///< signed varint: difference to what was expected
inline constexpr uint8_t bytes = 0x08;      ///< u8 length 0..15, then the bytes; 0: they could not be read
inline constexpr uint8_t registers = 0x10;  ///< varint mask, then a signed varint difference per set bit
inline constexpr uint8_t memory = 0x20;     ///< u8 length 0..16, then the bytes; 0: they could not be read
inline constexpr uint8_t control_mask = 0x0f, full_mask = 0x3f;
}  // namespace tag

/// Bounds what a small chunk can unpack to.
inline constexpr uint32_t maximum_records = 1u << 22;

/// META says what is known of each instruction: "detail", control or full. The guesses of a full trace depend on how
/// instructions are decoded and executed by the predictor: "predictor" is its version, and only the same one reads it.
inline constexpr const char* detail_key = "detail";
inline constexpr const char* predictor_key = "predictor";
inline constexpr unsigned predictor_version = 1;

/// Second byte of an event: which of the fields follow, as varints in this order. VP, VTL and tick
/// always come first.
namespace event_field {
inline constexpr uint8_t a = 0x01, b = 0x02, c = 0x04, rip = 0x08;
inline constexpr uint8_t frame = 0x10;  ///< 13 words of 8 bytes
inline constexpr uint8_t text = 0x20;   ///< varint length, then the bytes
inline constexpr uint8_t mask = 0x3f;
}  // namespace event_field

}  // namespace trace
