#pragma once
// The recording, byte by byte. docs/recording-format.md explains it; the two change together.
#include <cstddef>
#include <cstdint>

#include "sim/container/format.h"
#include "sim/container/writer.h"

namespace replay {

using container::fourcc;

inline constexpr container::FileKind file_kind{{'A', 'I', 'R', 'R', 'E', 'C', '\r', '\n'}, 1, 1, "an Airlock recording",
                                               "recording"};

inline constexpr uint32_t kind_inputs = fourcc("INPT");    ///< what came from outside, with its instant
inline constexpr uint32_t kind_events = fourcc("EVNT");    ///< what happened, in columns
inline constexpr uint32_t kind_points = fourcc("HASH");    ///< the state's hash and the registers, now and then
inline constexpr uint32_t kind_span = fourcc("DIRT");      ///< the stretch up to a keyframe: what was written; its state follows
inline constexpr uint32_t kind_keyframe = fourcc("KEYF");  ///< a piece of the whole state at an instant
inline constexpr uint32_t kind_delta = fourcc("DELT");     ///< likewise, with only the pages of its DIRT
inline constexpr uint32_t kind_images = fourcc("IMGS");    ///< a piece of an embedded image
inline constexpr uint32_t kind_marks = fourcc("BOOK");     ///< bookmarks of people
inline constexpr uint32_t kind_mark_changes = fourcc("mark");  ///< what became of them; passed over by older readers
inline constexpr uint32_t kind_statistics = fourcc("STAT");  ///< lines "name<TAB>count<LF>"
inline constexpr uint32_t kind_index = fourcc("INDX");     ///< IndexEntry of every chunk before it
inline constexpr uint32_t kind_foot = fourcc("FOOT");      ///< Foot, plain: the recorder was closed in good order

/// Which image a piece belongs to.
enum class ImageSlot : uint8_t { Firmware = 0, Disk = 1, Initrd = 2 };
/// A payload of IMGS: the slot, the offset of the piece as 8 bytes, the piece. What no piece covers is zero.
inline constexpr size_t image_piece = 512u << 10;

/// A keyframe is machine::to_bytes() of the state, in pieces that follow each other; the record count of a piece says how
/// many are left, itself included.
inline constexpr size_t keyframe_piece = 1u << 20;

struct IndexEntry {
  uint64_t offset;
  uint32_t kind, records;
  uint64_t first_tick, last_tick;
};
static_assert(sizeof(IndexEntry) == 32);

/// How a recorded run ended.
enum class Ending : uint32_t { Deadline, Requested, PowerOff, Reset, TripleFault, Hung, MachineFailure, GuestExit, count };

struct Foot {
  uint64_t instructions, events, end_tick;
  uint64_t state_low, state_high;  ///< the fingerprint at the end
  uint32_t ending;                 ///< Ending
  uint32_t chunks;                 ///< before this one
  uint64_t index_offset;           ///< of INDX; 0: there is none
  uint8_t digest[32];              ///< container::Writer::digest() of everything before
};
static_assert(sizeof(Foot) == 88);

inline constexpr size_t maximum_text = 4096;  ///< of an event, an input, a bookmark
inline constexpr uint64_t maximum_bookmarks = 1u << 14;  ///< and changes of them, in a file
inline constexpr int compression = 3;         ///< level of zstd that a writer uses
/// Unpacked bytes of all HASH, INPT, BOOK, mark and STAT chunks of a file: a reader keeps them in memory.
inline constexpr uint64_t maximum_held = uint64_t{64} << 20;
inline constexpr uint64_t maximum_firmware = uint64_t{16} << 20;
inline constexpr uint64_t maximum_image = uint64_t{1} << 30;

}  // namespace replay
