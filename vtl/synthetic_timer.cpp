#include "vtl/synthetic_timer.h"

namespace vtl {

bool SyntheticTimer::write_config(uint64_t value, Instant now) {
  abi::hv::SyntheticTimerConfig wanted{value};
  if (wanted.reserved0() != 0 || wanted.reserved1() != 0) return false;
  constexpr uint8_t first_legal_vector = 16;
  if (wanted.direct_mode() && wanted.enabled() && wanted.apic_vector() < first_legal_vector)
    return false;
  // A message needs a SINT, and SINT 0 is not for timers (TLFS 12.3.1).
  if (!wanted.direct_mode() && wanted.sint() == 0) wanted = wanted.with_enabled(false);
  config_ = wanted;
  waiting.reset();
  start(now);
  return true;
}

void SyntheticTimer::write_count(uint64_t value, Instant now) {
  count_ = value;
  if (value == 0) {
    config_ = config_.with_enabled(false);
  } else if (config_.auto_enable() && (config_.direct_mode() || config_.sint() != 0)) {
    config_ = config_.with_enabled(true);
  }
  waiting.reset();
  start(now);
}

void SyntheticTimer::start(Instant now) {
  running_ = config_.enabled() && count_ != 0;
  if (!running_) return;
  const uint64_t time = reference_time(now);
  expiry_ = !config_.periodic() ? count_ : time + count_ < time ? ~uint64_t{0} : time + count_;
}

Instant SyntheticTimer::next() const {
  if (!running_ || expiry_ > support::never.ticks / support::ticks_per_100ns) return support::never;
  return Instant{expiry_ * support::ticks_per_100ns};
}

std::optional<uint64_t> SyntheticTimer::advance(Instant now) {
  const Instant due = next();
  if (due == support::never || due > now) return std::nullopt;
  const uint64_t expired = expiry_;
  if (config_.periodic()) {
    expiry_ += ((reference_time(now) - expiry_) / count_ + 1) * count_;
  } else {
    running_ = false;
    config_ = config_.with_enabled(false);
  }
  return expired;
}

}  // namespace vtl
