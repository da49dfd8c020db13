#pragma once
// A stream made by hand: instructions at chosen places, and walks that say what they are told to.
#include <algorithm>
#include <initializer_list>
#include <map>

#include "sim/timing/cycle_model.h"
#include "tests/support/catch.h"

namespace test {

using timing::cycles;
using timing::Quarters;

/// Every address translates to itself in 4 KiB pages. Walks make `steps` references, all of different cache lines: those
/// of a page table of four levels behind a second stage of four.
class FlatWalks final : public timing::WalkSource {
 public:
  explicit FlatWalks(uint8_t count = 24) : steps{count} {}
  timing::Walk walk(const trace::InstructionRecord&, uint64_t gva, mmu::AccessKind kind) override {
    ++asked;
    timing::Walk walk;
    walk.gva = walk.spa = walk.gpa = gva;
    walk.kind = kind;
    walk.granted = granted;
    walk.writable = true;
    walk.dirty = dirty || kind == mmu::AccessKind::Write;
    walk.sets_bits = sets_bits;
    walk.ram = gva != device;
    walk.count = steps;
    for (uint8_t i = 0; i < steps; ++i) {
      // Each fifth reference is of the first stage: four of the second lead to it.
      const bool first = i % 5 == 4;
      const auto level = static_cast<uint8_t>(first ? 4 - i / 5 : 4 - i % 5);
      walk.list[i] = {!first, level, level == 1, tables + i * (4096u + 64u), first ? guest_table(level) : 0};
    }
    return walk;
  }
  static constexpr uint64_t guest_table(unsigned level) { return 0x70000 + level * 0x1000; }

  static constexpr uint64_t tables = 0x1000000;
  uint8_t steps;
  unsigned asked{};
  bool granted{true}, dirty{true}, sets_bits{};
  uint64_t device{~uint64_t{0}};
};

/// Makes records one tick apart.
class Code {
 public:
  trace::InstructionRecord next(uint64_t rip, std::initializer_list<uint8_t> bytes) {
    record_.at.ticks = tick_++;
    record_.rip = rip;
    record_.length = static_cast<uint8_t>(bytes.size());
    record_.bytes = {};
    std::copy(bytes.begin(), bytes.end(), record_.bytes.begin());
    return record_;
  }
  trace::Registers& registers() { return record_.registers; }
  void vtl(abi::hv::Vtl level) { record_.vtl = level; }
  void skip(uint64_t ticks) { tick_ += ticks; }
  [[nodiscard]] uint64_t tick() const { return tick_; }

 private:
  trace::InstructionRecord record_;
  uint64_t tick_{100};
};

/// Remembers what everything cost.
class Costs final : public timing::CostListener {
 public:
  void on(const timing::InstructionCost& cost) override {
    charges.push_back(cost.charge);
    starts.push_back(cost.start);
    walks.emplace_back(cost.walks.begin(), cost.walks.end());
  }
  void on(const support::Event&, const timing::Charge& charge, Quarters) override { events.push_back(charge); }
  std::vector<timing::Charge> charges, events;
  std::vector<Quarters> starts;
  std::vector<std::vector<timing::WalkCost>> walks;
};

}  // namespace test
