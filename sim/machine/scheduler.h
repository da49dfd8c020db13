#pragma once
// Which virtual processor runs, and up to which instant: a function of the machine alone.
#include <cstdint>

#include "sim/loader/machine_config.h"
#include "sim/support/instant.h"
#include "sim/support/prng.h"
#include "sim/support/state_fields.h"

namespace machine {

/// Sets of processors are bit masks by VirtualProcessor::number.
class Scheduler {
 public:
  /// A machine of one processor has one slice, without an end.
  Scheduler(const loader::MachineConfig& config, uint32_t processors);

  [[nodiscard]] uint32_t current() const { return current_; }
  /// The current processor must not run beyond.
  [[nodiscard]] support::Instant slice_end() const { return slice_end_; }
  [[nodiscard]] bool slice_over(support::Instant now) const { return now >= slice_end_; }
  /// Begins a slice of one of `runnable`, which is not empty. Stopping a machine between two instructions and running it
  /// on must not lead here: only slices that are over do, and processors that cannot go on.
  void choose(uint64_t runnable, support::Instant now);
  /// The current processor waits for others, in HLT or for a lock: its slice is over.
  void yield(support::Instant now) {
    if (processors_ > 1) slice_end_ = now;
  }
  /// ExitReason::Yield: PAUSE ends a slice; after a locked instruction an unkind scheduler decides. Which of the two it was
  /// does not matter to it.
  void yielded(support::Instant now) {
    if (policy_ == loader::SchedulerPolicy::Adversarial) opportunity(now);
    else yield(now);
  }
  /// Something happened after which an unkind scheduler might change: a VTL switch, a hypercall, a locked instruction.
  void opportunity(support::Instant now);

  STATE_FIELDS((policy_), (quantum_), (processors_), stream_, current_, slice_end_)
  [[nodiscard]] const char* state_error() const {
    return current_ < processors_ ? "" : "the processor that runs does not exist";
  }

 private:
  [[nodiscard]] uint32_t next_in_order(uint64_t runnable) const;
  [[nodiscard]] uint32_t drawn(uint64_t runnable);
  [[nodiscard]] uint64_t slice_length();

  loader::SchedulerPolicy policy_;
  uint32_t quantum_;
  uint32_t processors_;
  support::Prng stream_;
  uint32_t current_{};
  support::Instant slice_end_;
};

}  // namespace machine
