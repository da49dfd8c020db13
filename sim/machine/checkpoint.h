#pragma once
// Instants of one run to which a machine can be put back at once.
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/machine/machine.h"
#include "sim/machine/page_store.h"

namespace machine {

/// Checkpoints of one machine in memory. Pages that were not written between two checkpoints are held once. When they
/// outgrow the budget, the ones are dropped that are missed least: near the machine's present they stay dense, with the
/// distance from it they become sparse, like powers of two. The first one is never dropped.
///
/// An instant names one state only when the machine was stopped there by its deadline: take checkpoints after run()
/// returned StopReason::Deadline, or before the first run.
class Checkpoints {
 public:
  static constexpr size_t default_budget = size_t{512} << 20;

  /// `machine` must outlive this. Budget in bytes; the first checkpoint is kept even if it is larger alone.
  explicit Checkpoints(Machine& machine, size_t budget = default_budget);
  ~Checkpoints();
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  /// Remembers the present, unless that was done before.
  void take();
  /// The latest one at or before `at`.
  [[nodiscard]] std::optional<support::Instant> latest(support::Instant at) const;
  /// Puts the machine to the checkpoint of exactly this instant, be it in the past or in the future; false if there is none.
  [[nodiscard]] bool restore(support::Instant at);
  /// When the future becomes another one: drops the checkpoints after `at`.
  void forget_after(support::Instant at);

  /// Ascending.
  [[nodiscard]] std::vector<support::Instant> instants() const;
  [[nodiscard]] size_t count() const { return checkpoints_.size(); }
  /// Memory held, at most the budget.
  [[nodiscard]] size_t bytes() const;
  [[nodiscard]] size_t budget() const { return budget_; }

 private:
  struct Checkpoint {
    support::Instant at;
    PageStore::Version memory{};
    std::vector<uint8_t> fields;
  };
  [[nodiscard]] std::vector<Checkpoint>::iterator first_after(support::Instant at);
  void drop(size_t position);
  void thin_out();
  [[nodiscard]] size_t least_missed() const;
  void set_base(PageStore::Version version);

  Machine& machine_;
  size_t budget_;
  PageStore store_;
  mmu::PhysicalMemory::DirtyConsumer consumer_;
  std::vector<Checkpoint> checkpoints_;  ///< ascending
  PageStore::Version base_{};            ///< memory differs from it only in pages that are dirty for consumer_
  size_t fields_bytes_{};                ///< of all checkpoints
  std::vector<uint64_t> dirty_, changed_, pages_;
};

}  // namespace machine
