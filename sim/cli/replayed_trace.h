#pragma once
// A recording's instructions, for what is made of instructions.
#include <cstdint>
#include <string>

#include "sim/replay/recording.h"
#include "sim/trace/record.h"

namespace cli {

/// Replays `recording` up to `to` and writes a trace of it to `path`, from the last keyframe at or before `from` on.
[[nodiscard]] support::Status write_replayed_trace(const replay::Recording& recording, const std::string& path,
                                                   trace::Detail detail, support::Instant from, support::Instant to);

}  // namespace cli
