#pragma once
// What is fuzzed: where the machine stands, and what an input does there.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/machine/machine.h"
#include "sim/support/result.h"

namespace fuzzing {

/// The next thing that happens to the machine.
enum class Turn : uint8_t {
  Runs,  ///< it runs until it comes back to the boundary
  Done,  ///< the input is used up
};

/// A boundary between the worlds. The session restores the machine, lets the target carry out one action after the other, and
/// runs the machine in between.
class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// One sentence: which boundary, from which side.
  [[nodiscard]] virtual std::string_view description() const = 0;

  /// A machine that stands at the boundary: booted, and stopped where inputs begin. Called once.
  [[nodiscard]] virtual support::Result<std::unique_ptr<machine::Machine>> prepare(support::EventSink& events) = 0;

  /// An input begins; the machine is as prepare() left it.
  virtual void begin(machine::Machine& machine, std::span<const uint8_t> input) = 0;
  /// Carries out the next action of the input: changes registers and memory as the world outside the boundary could.
  [[nodiscard]] virtual Turn next(machine::Machine& machine) = 0;
  /// True when the machine, which just stopped, stands at the boundary again: it has answered.
  [[nodiscard]] virtual bool answered(const machine::Machine& machine) const = 0;
  /// Linear addresses before which the machine is stopped: the boundary, seen from inside.
  [[nodiscard]] virtual std::vector<uint64_t> boundary() const = 0;

  /// Instructions of one execution, of all its actions together.
  [[nodiscard]] virtual uint64_t budget() const { return 2'000'000; }
  /// An input in words, a line an action, with decoded arguments.
  [[nodiscard]] virtual std::vector<std::string> describe(std::span<const uint8_t> input) const = 0;
  /// Inputs to begin with, made from the tables.
  [[nodiscard]] virtual std::vector<std::vector<uint8_t>> seeds() const = 0;
  /// Words that inputs are made of: numbers of calls, handles, flags.
  [[nodiscard]] virtual std::vector<std::vector<uint8_t>> dictionary() const { return {}; }
  /// A new input of at most `maximum` bytes in place of `input`, which may be empty; deterministic in `seed`.
  [[nodiscard]] virtual std::vector<uint8_t> mutate(std::span<const uint8_t> input, size_t maximum, uint64_t seed) const = 0;
};

}  // namespace fuzzing
