#pragma once
// Ctrl-C as the ordinary way to end a server: what is being written to a recording is finished first.
#include <atomic>
#include <thread>

#include "sim/rpc/call_queue.h"

namespace cli {

/// From construction on, SIGINT and SIGTERM wait: threads that are started later inherit that. From begin() on, the first one
/// stops the queue and interrupts a motion; a second one ends the program at once. Afterwards both do what they always do.
class EndBySignal {
 public:
  EndBySignal();
  ~EndBySignal();
  EndBySignal(const EndBySignal&) = delete;
  EndBySignal& operator=(const EndBySignal&) = delete;

  /// `queue` must outlive this.
  void begin(rpc::CallQueue& queue);

 private:
  std::atomic<bool> over_{};
  std::thread thread_;
};

}  // namespace cli
