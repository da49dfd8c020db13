// The local APIC's timer, in ticks of the machine (SDM vol. 3, 11.5.4).
#include "vtl/hypervisor_config.h"
#include "vtl/local_apic.h"

namespace vtl {

uint64_t LocalApic::ticks_per_count() const {
  const uint32_t code = (divide_ & 3) | ((divide_ >> 1) & 4);
  return ticks_per_apic_cycle * (code == 7 ? 1 : uint64_t{2} << code);
}

void LocalApic::arm(uint32_t initial, Instant now) {
  initial_ = initial;
  expiry_ = initial == 0 ? support::never : now + initial * ticks_per_count();
}

/// The count that is left goes on at the new rate.
void LocalApic::set_divide(uint32_t value, Instant now) {
  const uint32_t left = timer_count(now);
  divide_ = value;
  if (left != 0) expiry_ = now + left * ticks_per_count();
}

uint32_t LocalApic::timer_count(Instant now) const {
  if (expiry_ == support::never || expiry_ <= now) return 0;
  const uint64_t unit = ticks_per_count();
  const uint64_t count = (expiry_ - now + unit - 1) / unit;
  return count > 0xFFFFFFFF ? 0xFFFFFFFF : static_cast<uint32_t>(count);
}

Instant LocalApic::next_deadline(uint64_t tsc_offset) const {
  if (tsc_deadline_ == 0) return support::never;
  // A deadline that the VTL's clock has passed by less than half its range is due at once.
  const uint64_t ticks = tsc_deadline_ - tsc_offset;
  return static_cast<int64_t>(ticks) < 0 ? Instant{0} : Instant{ticks};
}

bool LocalApic::advance(Instant now, uint64_t tsc_offset) {
  const Instant due = next_timer(tsc_offset);
  if (due == support::never || due > now) return false;
  if (timer_mode() == TimerMode::TscDeadline) {
    tsc_deadline_ = 0;
  } else if (timer_mode() == TimerMode::Periodic && initial_ != 0) {
    const uint64_t period = initial_ * ticks_per_count();
    expiry_ = expiry_ + ((now - expiry_) / period + 1) * period;
  } else {
    expiry_ = support::never;
  }
  return (lvt_timer_ & (1u << 16)) == 0 && request(static_cast<uint8_t>(lvt_timer_));
}

}  // namespace vtl
