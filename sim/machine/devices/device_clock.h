#pragma once
// Time for devices: each says when something happens next, and the clock lets it happen in the order of time.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/support/instant.h"
#include "sim/support/multiply.h"

namespace machine {

/// A device that acts by itself. What it does may depend on the instant only, never on how often it is asked.
class TimedDevice {
 public:
  virtual ~TimedDevice() = default;
  /// When it acts next; support::never if it does not.
  [[nodiscard]] virtual support::Instant next_event() const = 0;
  /// Does what is due at `now`; next_event() is later afterwards.
  virtual void advance(support::Instant now) = 0;
};

/// The timed devices of a board. It keeps nothing: the devices know their times.
class DeviceClock {
 public:
  /// `device` must outlive the clock. Of several devices at one instant the one that was added first acts first.
  void add(TimedDevice& device) { devices_.push_back(&device); }

  [[nodiscard]] support::Instant next_event() const {
    support::Instant next = support::never;
    for (const TimedDevice* device : devices_) next = std::min(next, device->next_event());
    return next;
  }
  /// Everything up to and including `now`, each at its own instant.
  void advance(support::Instant now) {
    while (TimedDevice* device = due(now)) device->advance(device->next_event());
  }

 private:
  [[nodiscard]] TimedDevice* due(support::Instant now) const {
    TimedDevice* first = nullptr;
    support::Instant at = support::never;
    for (TimedDevice* device : devices_) {
      const support::Instant event = device->next_event();
      if (event >= at) continue;
      at = event;
      first = device;
    }
    return at <= now && at != support::never ? first : nullptr;
  }

  std::vector<TimedDevice*> devices_;
};

/// Whole cycles of a clock of `hertz` that end within `ticks` of the machine.
[[nodiscard]] constexpr uint64_t cycles_in(uint64_t ticks, uint64_t hertz) {
  return support::scale(ticks, hertz, support::ticks_per_second);
}

/// The first tick by which `cycles` of a clock of `hertz` have ended.
[[nodiscard]] constexpr uint64_t ticks_until(uint64_t cycles, uint64_t hertz) {
  return support::scale_up(cycles, support::ticks_per_second, hertz);
}

}  // namespace machine
