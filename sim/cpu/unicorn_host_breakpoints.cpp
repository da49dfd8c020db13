// Host breakpoints. A block that holds one never takes the quick way and runs in single steps, as the rest of a block before
// a deadline does: no other block is slower for it, no translation is dropped, and nothing that executes changes.
#include "sim/cpu/unicorn_core.h"

namespace cpu {

void UnicornEngine::use(const HostBreakpoints* breakpoints) {
  host_breakpoints_ = breakpoints;
  if (breakpoints == nullptr || host_version_ == breakpoints->version()) return;
  host_version_ = breakpoints->version();
  blocks_.forget_linear();  // which of them hold one is decided when they are met
  for (uint32_t i = 0; i < counting_.size(); ++i)
    call_always(counting_places_[i], i + 1, holds_host_breakpoint(counting_[i].address, counting_[i].size));
}

bool UnicornEngine::holds_host_breakpoint(uint64_t address, uint64_t bytes) const {
  return host_breakpoints_ != nullptr && !host_breakpoints_->empty() && host_breakpoints_->in_code(address, bytes);
}

bool UnicornEngine::may_meet_host_breakpoint(const Block& block) const {
  return host_breakpoints_ != nullptr && !host_breakpoints_->empty() &&
         host_breakpoints_->may_meet(block.address, block.size, {now + block.facts.count});
}

/// The instruction at RIP was fetched and is about to execute. A string instruction that goes on is not about to: it has begun.
bool UnicornCpu::meets_host_breakpoint(const Instruction& in) {
  if (host_breakpoints_ == nullptr || host_breakpoints_->empty()) return false;
  const uint64_t address = engine_->linear_rip();
  const HostStep& last = host_step_;
  const bool here = last.address == address;
  const bool again = here && last.instant == engine_->now;  // refused, and tried once more
  const bool follows = here && last.instant + 1 == engine_->now;
  const bool goes_on = again ? last.goes_on : follows && in.status == DecodeStatus::Ok && is_repeated_string(in);
  host_step_ = {address, engine_->now, goes_on};
  return !goes_on && host_breakpoints_->meet(address, {engine_->now});
}

}  // namespace cpu
