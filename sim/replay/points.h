#pragma once
// Points: the state's hash at an instant, with enough of the processor to say what differs.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/machine/machine.h"
#include "sim/support/result.h"
#include "sim/trace/record.h"

namespace replay {

struct Point {
  support::Instant at;
  uint64_t instructions{};  ///< retired so far: at without idle ticks
  support::StateHash state;
  uint32_t vp{};
  abi::hv::Vtl vtl{};
  uint64_t rip{};
  trace::Registers registers{};
  friend bool operator==(const Point&, const Point&) = default;
};

/// Where `machine` is now.
[[nodiscard]] Point point_of(machine::Machine& machine);

/// "VP 0, VTL 1, RIP 0x...".
[[nodiscard]] std::string place(const Point& point);
/// The names and values of what differs, "rax 0x1 instead of 0x2, ..."; when only the hash does, it says that.
[[nodiscard]] std::string differences(const Point& found, const Point& expected);

/// The payload of a HASH chunk.
[[nodiscard]] std::vector<uint8_t> encode(const std::vector<Point>& points);
[[nodiscard]] support::Result<std::vector<Point>> decode_points(loader::Bytes payload, uint32_t count);

}  // namespace replay
