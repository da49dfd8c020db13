#include "sim/machine/scheduler.h"

#include <bit>

#include "sim/support/check.h"

namespace machine {

using loader::SchedulerPolicy;
using support::Instant;

Scheduler::Scheduler(const loader::MachineConfig& config, uint32_t processors)
    : policy_{config.scheduler_policy},
      quantum_{config.quantum},
      processors_{processors},
      stream_{config.scheduler_seed, "scheduler"},
      slice_end_{processors > 1 ? Instant{} : support::never} {
  CHECK(processors >= 1 && processors <= 64 && quantum_ > 0);
}

void Scheduler::choose(uint64_t runnable, Instant now) {
  CHECK(runnable != 0);
  if (processors_ == 1) return;
  current_ = policy_ == SchedulerPolicy::RoundRobin ? next_in_order(runnable) : drawn(runnable);
  slice_end_ = now + slice_length();
}

/// The first of `runnable` after the current processor, which comes last.
uint32_t Scheduler::next_in_order(uint64_t runnable) const {
  const uint64_t above = current_ + 1 < 64 ? runnable & (~uint64_t{0} << (current_ + 1)) : 0;
  return static_cast<uint32_t>(std::countr_zero(above != 0 ? above : runnable));
}

uint32_t Scheduler::drawn(uint64_t runnable) {
  for (uint64_t skip = stream_.below(static_cast<uint64_t>(std::popcount(runnable))); skip > 0; --skip)
    runnable &= runnable - 1;
  return static_cast<uint32_t>(std::countr_zero(runnable));
}

uint64_t Scheduler::slice_length() {
  switch (policy_) {
    case SchedulerPolicy::RoundRobin: return quantum_;
    case SchedulerPolicy::Random: return stream_.between(1, 2 * uint64_t{quantum_} - 1);
    case SchedulerPolicy::Adversarial: {
      // Every order of magnitude is as likely: races hide in slices of a few instructions as well as in long ones.
      const uint64_t magnitude = uint64_t{1} << stream_.below(static_cast<uint64_t>(std::bit_width(quantum_)));
      return stream_.between(magnitude, 2 * magnitude - 1);
    }
  }
  return quantum_;
}

void Scheduler::opportunity(Instant now) {
  if (policy_ == SchedulerPolicy::Adversarial && processors_ > 1 && stream_.one_in(2)) slice_end_ = now;
}

}  // namespace machine
