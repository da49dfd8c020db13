#pragma once
// What the soak runs: cases made from a seed alone, each executed in two worlds that must end in the same state.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "sim/cpu/cpu.h"
#include "sim/support/state_hash.h"

namespace soak {

/// The engines of the two worlds. With equal gears the second world forgets its translations before each case.
struct Gears {
  cpu::Gear first{cpu::Gear::Exact}, second{cpu::Gear::Fast};
};

/// A kind of case with worlds that serve many of them.
class Target {
 public:
  virtual ~Target() = default;
  /// Runs the case of this seed in both worlds. Empty, or what differs. Adds what happened to `digest`.
  virtual std::string run(uint64_t seed, support::StateHasher& digest) = 0;
  [[nodiscard]] uint64_t instructions() const { return instructions_; }

 protected:
  uint64_t instructions_{};
};

struct TargetInfo {
  const char* name;
  const char* what;
  unsigned batch;  ///< cases of one child process
  std::unique_ptr<Target> (*make)(Gears);
};
std::span<const TargetInfo> targets();

std::unique_ptr<Target> make_partition_target(Gears gears);
std::unique_ptr<Target> make_stale_target(Gears gears);

}  // namespace soak
