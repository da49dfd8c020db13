#pragma once
// What an instruction or an event cost, and why.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/support/events.h"
#include "sim/timing/caches.h"
#include "sim/timing/walk.h"

namespace timing {

struct Charge {
  Quarters base{};    ///< the class of the instruction
  Quarters fetch{};   ///< waiting for code
  Quarters data{};    ///< waiting for loads and stores
  Quarters tlb{};     ///< hits of the second TLB level
  Quarters walk{};    ///< walks of page tables, A and D bits included
  Quarters system{};  ///< the hypervisor, and the delivery of exceptions and interrupts
  [[nodiscard]] Quarters total() const { return base + fetch + data + tlb + walk + system; }
  Charge& operator+=(const Charge& other) {
    base += other.base;
    fetch += other.fetch;
    data += other.data;
    tlb += other.tlb;
    walk += other.walk;
    system += other.system;
    return *this;
  }
};

/// One walk and who answered each of its references.
struct WalkCost {
  Walk walk;
  std::array<Level, Walk::max_steps> levels{};
  uint32_t assist{};  ///< cycles for setting A and D bits
  Quarters total{};
};

struct InstructionCost {
  const trace::InstructionRecord& record;
  InstructionClass kind{};
  Charge charge;
  Quarters start{};  ///< on the clock of its VP
  std::span<const WalkCost> walks{};
};

/// Hears what everything cost. It is called in the order of the stream.
class CostListener {
 public:
  virtual ~CostListener() = default;
  virtual void on(const InstructionCost& cost) = 0;
  virtual void on(const support::Event& event, const Charge& charge, Quarters start) = 0;
};

}  // namespace timing
