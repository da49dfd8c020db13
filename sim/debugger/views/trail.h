#pragma once
// The instructions around a focus: what its processor executed last, and what it executes next.
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "sim/debugger/session.h"

namespace debugger::views {

/// An instruction at an instant. One that faulted stands before its handler's first, at the same instant.
struct TrailStep {
  support::Instant at;  ///< before it
  uint32_t vp{};
  abi::hv::Vtl vtl{};
  uint64_t address{};
  friend bool operator==(const TrailStep&, const TrailStep&) = default;
};

struct Trail {
  std::vector<TrailStep> past, future;  ///< in the order of time
};

/// Finds trails by executing once more what is around the focus, in the second machine of a timeline. What it looked at is
/// kept: who steps back and forth does not pay again.
class Trails {
 public:
  /// `session` must outlive this.
  explicit Trails(Session& session) : session_{session} {}

  /// At most `before` instructions of the focus' processor before the focus, and `after` from it on: fewer at the beginning
  /// of the run, where its future is not known yet, and where the processor did not run for millions of instructions of
  /// others. The session looks at the focus (Session::look()); its machine stands anywhere afterwards.
  [[nodiscard]] Trail around(const Focus& focus, size_t before, size_t after);

  /// Instructions that were executed for it so far: what it has cost.
  [[nodiscard]] uint64_t looked_at() const { return looked_at_; }

 private:
  struct Collector;
  /// A stretch of the run that was executed quickly, and whether the processor ran in it.
  struct Piece {
    support::Instant from, to;
    bool ran{};
  };

  /// Steps of one processor before or after the stretch that is known.
  struct Far {
    support::Instant border;  ///< of the stretch
    size_t wanted{};
    std::vector<TrailStep> steps;
  };
  using FarByProcessor = std::map<uint32_t, Far>;

  void forget_unless_same(support::Instant at);
  [[nodiscard]] std::vector<TrailStep> known_before(const Focus& focus, size_t wanted) const;
  [[nodiscard]] std::vector<TrailStep> known_after(const Focus& focus, size_t wanted) const;
  void extend_back();
  void extend_on();
  [[nodiscard]] support::Instant some_instructions_after(support::Instant from, uint64_t count, support::Instant limit);
  [[nodiscard]] std::vector<Piece> pieces(uint32_t vp, support::Instant from, support::Instant to);
  [[nodiscard]] std::vector<TrailStep> steps_in(uint32_t vp, const Piece& piece);
  [[nodiscard]] const std::vector<TrailStep>& far_past(uint32_t vp, size_t wanted);
  [[nodiscard]] const std::vector<TrailStep>& far_future(uint32_t vp, size_t wanted);

  Session& session_;
  std::shared_ptr<const char> run_;  ///< what the following is about
  support::Instant from_, to_;       ///< all of this stretch is known
  std::vector<TrailStep> steps_;     ///< in it, of all processors
  FarByProcessor past_, future_;
  uint64_t looked_at_{};
};

}  // namespace debugger::views
