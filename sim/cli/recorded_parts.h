#pragma once
// The images that a recording was made with.
#include "sim/machine/machine.h"
#include "sim/replay/recording.h"

namespace cli {

/// Those in the recording, else those of the build. Whether they are the recorded ones says replay::mismatch().
[[nodiscard]] support::Result<machine::MachineParts> recorded_parts(const replay::Recording& recording);

}  // namespace cli
