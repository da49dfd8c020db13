#pragma once
// The files on a guest's disk, to say which of them is another one. Reads FAT16 without a partition table, as the build makes
// it; of anything else, or anything malformed, it tells nothing.
#include <vector>

#include "sim/replay/facts.h"

namespace replay {

/// In the order of their paths; at most 4096 files, 8 folders deep.
[[nodiscard]] std::vector<FileFacts> files_on(loader::Bytes disk);

}  // namespace replay
