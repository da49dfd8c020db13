#pragma once
// --record and what belongs to it.
#include <cstdint>
#include <memory>
#include <string>

#include "sim/cli/session.h"
#include "sim/replay/recorder.h"

namespace CLI {
class App;
}

namespace cli {

struct RecordOptions {
  std::string file;  ///< empty: nothing is recorded
  bool embed{};
  double interval{1};      ///< millions (2^20) of instructions between two hashes
  std::string window;      ///< FROM-TO: instants between which hashes are close together
  uint64_t keyframes{};    ///< millions of instructions between two keyframes; 0: none
};

void add_record_options(CLI::App& command, RecordOptions& options);

/// The recorder that `options` ask for, listening to `session`, which has not started; null if they ask for none.
support::Result<std::unique_ptr<replay::Recorder>> start_recording(Session& session, const RecordOptions& options);

}  // namespace cli
