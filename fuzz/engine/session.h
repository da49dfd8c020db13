#pragma once
// Runs inputs against a target: back to the boundary, inject, run until the answer, judge.
#include <memory>
#include <span>
#include <vector>

#include "fuzz/engine/coverage.h"
#include "fuzz/engine/execution.h"
#include "fuzz/engine/oracle.h"
#include "fuzz/engine/snapshot.h"
#include "fuzz/engine/target.h"
#include "sim/cpu/block_coverage.h"

namespace fuzzing {

struct SessionOptions {
  bool coverage{true};      ///< otherwise Session::coverage() stays empty
  /// After execute() the machine stays as the input left it, for who wants to look; the next execute() puts it back.
  bool stay{};
};

/// One target and its machine. Everything that comes out of execute() is a function of the target and the input: what was
/// executed before plays no part.
class Session {
 public:
  /// Calls target.prepare(). Target and oracles must outlive this. Errors: those of prepare(), and an oracle that wants
  /// instructions or accesses from a machine whose gear is Fast, or accesses at all (not implemented).
  [[nodiscard]] static support::Result<std::unique_ptr<Session>> open(Target& target, std::vector<Oracle*> oracles = {},
                                                                      SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// One execution; valid until the next one.
  const Execution& execute(std::span<const uint8_t> input);
  /// Of the last execution.
  [[nodiscard]] cpu::BlockCoverage& coverage() { return coverage_; }
  /// The images at the boundary.
  [[nodiscard]] const ImageMap& images() const;
  /// Machine::detail() as the last execution left it.
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] machine::Machine& machine() { return *machine_; }
  [[nodiscard]] Target& target() { return target_; }

 private:
  class Router;
  class Observer;
  Session(Target& target, std::vector<Oracle*> oracles, SessionOptions options);
  support::Status prepare();
  void go_back();
  void run_input();
  [[nodiscard]] bool run_action(support::Instant deadline);
  void judge();

  Target& target_;
  std::vector<Oracle*> oracles_;
  SessionOptions options_;
  cpu::BlockCoverage coverage_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<machine::Machine> machine_;
  std::unique_ptr<Snapshot> snapshot_;
  std::vector<uint64_t> boundary_;
  support::Instant begin_;
  uint64_t idle_at_begin_{};
  bool away_{};  ///< the machine is not at the snapshot
  Execution execution_;
  std::string detail_;
};

}  // namespace fuzzing
