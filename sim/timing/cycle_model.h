#pragma once
// Cycles of a run: a pure function of the stream of instructions, events and walks that it is shown. It never acts on the
// machine, so cycles are the same live, on replay, and recomputed from a file.
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "sim/timing/caches.h"
#include "sim/timing/charge.h"
#include "sim/timing/instruction_plan.h"
#include "sim/timing/shadow_paging.h"
#include "sim/timing/tlb.h"
#include "sim/timing/walk.h"

namespace timing {

enum class Paging : uint8_t {
  Slat,    ///< as the machine has it
  Shadow,          ///< as a hypervisor without SLAT would do it, once it was launched
  ShadowGivingUp,  ///< the same, but it stops protecting tables that the guest writes again and again
};

struct ClassTotal {
  uint64_t count{};
  Quarters cost{};
};

struct TlbTotals {
  uint64_t accesses{}, first_hits{}, second_hits{}, misses{};
};

struct Totals {
  uint64_t instructions{};
  uint64_t idle_ticks{};   ///< ticks in HLT: no cycles are charged for them
  uint64_t unobserved{};   ///< instructions that the observer was not shown
  Charge charge;           ///< the sum of everything
  std::array<ClassTotal, instruction_classes> classes{};
  TlbTotals code, data;
  uint64_t walks{}, walk_steps{};
  std::array<uint64_t, Walk::max_steps + 1> walks_by_steps{};
  std::array<uint64_t, level_count> walk_levels{};   ///< who answered references of walks
  std::array<uint64_t, level_count> code_levels{}, data_levels{};
  std::map<support::EventKind, ClassTotal> events;   ///< those that cost something
  uint64_t interprocessor_interrupts{};
  [[nodiscard]] Quarters total() const { return charge.total(); }
};

class CycleModel {
 public:
  /// `costs` and `walks` must outlive the model.
  CycleModel(const CostTable& costs, WalkSource& walks, Paging paging = Paging::Slat);

  void listen(CostListener& listener) { listeners_.push_back(&listener); }

  /// The instruction that is about to execute. One that is shown again at the same instant, because the machine had to
  /// start it anew, counts once.
  void instruction(const trace::InstructionRecord& record);
  void event(const support::Event& event);

  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] const CostTable& costs() const { return costs_; }
  /// Null with SLAT.
  [[nodiscard]] const ShadowCounts* shadow() const { return shadow_ ? &shadow_->counts() : nullptr; }

 private:
  struct Core {
    Core(const CostTable& costs, std::shared_ptr<Cache> last_level)
        : caches{costs, std::move(last_level)}, tlb{costs} {}
    Caches caches;
    Tlb tlb;
    Quarters clock{};
  };
  struct Place {
    uint64_t spa{}, gpa{};
    bool ram{};
  };
  struct Last {
    support::Instant at;
    uint64_t rip{};
    uint32_t vp{};
    abi::hv::Vtl vtl{};
    bool halted{}, event_since{};
  };

  Core& core_of(uint32_t vp);
  bool is_restart(const trace::InstructionRecord& record) const;
  void account_gap(Core& core, const trace::InstructionRecord& record);
  void fetch(Core& core, const trace::InstructionRecord& record, uint8_t length, Charge& charge);
  void touch(Core& core, const trace::InstructionRecord& record, uint64_t address, const Operand& operand,
             Charge& charge);
  std::optional<Place> translate(Core& core, const trace::InstructionRecord& record, uint64_t gva,
                                 mmu::AccessKind kind, Charge& charge);
  std::optional<Place> walk(Core& core, const trace::InstructionRecord& record, uint64_t gva,
                            mmu::AccessKind kind, Charge& charge);
  void write_protected(Core& core, const Place& place, uint16_t size, Charge& charge);
  void apply_effect(Core& core, const trace::InstructionRecord& record, const InstructionPlan& plan,
                    Charge& charge);
  void apply_msr(uint64_t number, bool write, Charge& charge);
  Charge charge_of(const support::Event& event);
  Quarters hypercall_cost(const support::Event& event) const;
  void forget_translations(const support::Event& event);
  [[nodiscard]] bool shadowing() const { return shadow_ && launched_; }

  const CostTable& costs_;
  WalkSource& source_;
  std::optional<ShadowPaging> shadow_;
  std::shared_ptr<Cache> last_level_;
  std::map<uint32_t, Core> cores_;
  PlanCache plans_;
  std::vector<CostListener*> listeners_;
  std::vector<WalkCost> walks_;  ///< of the current instruction
  std::optional<Last> last_;
  bool launched_{};
  Totals totals_;
};

}  // namespace timing
