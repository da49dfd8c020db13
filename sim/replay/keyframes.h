#pragma once
// States in a recording: where a replay or a look back may begin. After a whole one, the next ones hold only what was written
// since the one before; which pages that were is in the file by itself, so that looking for a write needs no states.
#include <cstdint>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/machine/machine.h"
#include "sim/support/result.h"

namespace replay {

/// The stretch of a run that ends at a keyframe: a DIRT chunk.
struct Span {
  support::Instant begin, at;      ///< of the keyframe before, and of this one; equal: what came before is not known
  uint64_t events{};               ///< recorded before the keyframe
  uint64_t instructions{};         ///< retired before the keyframe
  std::vector<uint32_t> dirty;     ///< pages written in the stretch, and perhaps some that were not; ascending
  friend bool operator==(const Span&, const Span&) = default;
};

/// The payload of a DIRT chunk; the instants stand in its header.
[[nodiscard]] std::vector<uint8_t> encode(const Span& span);
[[nodiscard]] support::Result<Span> decode_span(loader::Bytes payload, support::Instant begin, support::Instant at);

/// A keyframe of a recording, which may be one of many thousands: its pages are read when they are asked for.
struct Keyframe {
  support::Instant begin, at;
  uint64_t events{}, instructions{};
  bool whole{};            ///< does not need the one before
  size_t span{}, pieces{}; ///< chunks of the recording's index: its DIRT, and the first piece of its state
};

/// What `machine` is now, with only `pages` of its memory, zeros or not.
[[nodiscard]] machine::State save_pages(machine::Machine& machine, const std::vector<uint64_t>& pages);
/// The state at the last of `parts`, which are a whole one and the differences that follow it. At least one.
[[nodiscard]] support::Result<machine::State> put_together(const std::vector<machine::State>& parts);

class Recording;
/// Puts `machine` to `keyframe`. Errors: the file does not have it whole, the state does not fit or contradicts itself, or
/// it is not the state whose hash the recording has at that instant; the machine is then somewhere else in time, sound.
[[nodiscard]] support::Status restore_keyframe(const Recording& recording, const Keyframe& keyframe, machine::Machine& machine);

}  // namespace replay
