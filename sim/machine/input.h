#pragma once
// What reaches a machine from outside while it runs. A run without any is a function of its configuration alone.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/support/instant.h"
#include "sim/support/state.h"

namespace machine {

/// Numbers of the recording's file; never renumbered.
enum class InputKind : uint8_t {
  ConsoleBytes = 1,  ///< target: the I/O port of the serial line; bytes: what arrives
  Interrupt = 2,     ///< target: VP; bytes: VTL, vector
  MemoryPoke = 3,    ///< target: SPA; bytes: what a debugger writes there
  RegisterPoke = 4,  ///< target: VP; bytes: VTL, HV_REGISTER_NAME (4 bytes), value (8 or 16 bytes)
};

/// Applied before the instruction that executes at `at`.
struct Input {
  support::Instant at;
  InputKind kind{};
  uint64_t target{};
  std::vector<uint8_t> bytes;
  friend bool operator==(const Input&, const Input&) = default;
};

/// Inputs by time, those of one instant in the order of add(). What they are is the recipe of a run, not its state; how many
/// were applied is state, so that a machine that is put back takes the same ones again.
class InputQueue {
 public:
  /// False, and nothing added, if a later input was applied already.
  [[nodiscard]] bool add(Input input) {
    const auto place = std::upper_bound(
        inputs_.begin(), inputs_.end(), input.at,
        [](support::Instant at, const Input& other) { return at < other.at; });
    if (static_cast<uint64_t>(place - inputs_.begin()) < applied_) return false;
    inputs_.insert(place, std::move(input));
    return true;
  }
  /// When the next one is due; `never` if none is left.
  [[nodiscard]] support::Instant next() const {
    return applied_ < inputs_.size() ? inputs_[static_cast<size_t>(applied_)].at : support::never;
  }
  /// The next one that is due at `now`, counted as applied; null if none is. Valid until add().
  [[nodiscard]] const Input* take(support::Instant now) {
    return next() <= now && next() != support::never ? &inputs_[static_cast<size_t>(applied_++)] : nullptr;
  }
  /// All of them, those that were applied too.
  [[nodiscard]] const std::vector<Input>& all() const { return inputs_; }

  STATE_FIELDS((inputs_), applied_)

 private:
  std::vector<Input> inputs_;
  uint64_t applied_{};
};

}  // namespace machine
