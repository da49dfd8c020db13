#pragma once
#include <compare>
#include <cstdint>

namespace support {

/// Time: instructions retired by all VPs of the machine in schedule order (a REP iteration counts one), plus idle
/// ticks, which jump to the next event when every VP halts. The only clock of the simulated world.
struct Instant {
  uint64_t ticks{};
  friend constexpr bool operator==(Instant, Instant) = default;
  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant a, uint64_t more) { return {a.ticks + more}; }
  friend constexpr uint64_t operator-(Instant a, Instant b) { return a.ticks - b.ticks; }
};

/// The nominal frequency: one tick is one cycle of a 2 GHz TSC, so 100 ns of reference time are 200 ticks.
inline constexpr uint64_t ticks_per_second = 2'000'000'000;
inline constexpr uint64_t ticks_per_100ns = 200;
inline constexpr Instant never{~uint64_t{0}};

}  // namespace support
