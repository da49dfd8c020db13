#pragma once
// A divergence looked at once more: does it come again, and which fields of the state are not as they were?
#include <optional>
#include <string>
#include <vector>

#include "sim/replay/replayer.h"

namespace replay {

struct Recheck {
  std::optional<Divergence> again;  ///< absent: this host does not compute the same thing twice
  support::Instant keyframe;        ///< of the recording, the first one behind the divergence
  std::vector<std::string> fields;  ///< what differs from it there; empty if the recording has none
};

/// `factory` makes the machine that diverged.
[[nodiscard]] support::Result<Recheck> recheck(const Recording& recording, const Divergence& divergence,
                                               const SubjectFactory& factory);

[[nodiscard]] std::string to_text(const Recheck& result);

}  // namespace replay
