#pragma once
// Where the cycles of each secure call went: from NTOS's first instruction of it to its last, on both sides.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/timing/charge.h"
#include "sim/timing/phases.h"

namespace timing {

/// The parts of a call add up to its total. Walks are kept apart wherever they happened; waiting for caches stays with
/// the part that waited.
struct CallParts {
  Quarters entry{};        ///< the hypervisor's switches into VTL 1
  Quarters marshalling{};  ///< carrying the frame, in both VTLs (phases.def)
  Quarters work{};         ///< everything else that VTL 1 executes, exceptions and interrupts included
  Quarters hypervisor{};   ///< hypercalls and intercepts that VTL 1 causes
  Quarters normal{};       ///< NTOS serving what the call asked it for; secure calls made meanwhile count for themselves
  Quarters walks{};
  Quarters exit{};         ///< the hypervisor's switches back to VTL 0
  [[nodiscard]] Quarters total() const {
    return entry + marshalling + work + hypervisor + normal + walks + exit;
  }
  CallParts& operator+=(const CallParts& other);
};

struct SecureCall {
  std::string name;          ///< of the service, or what else entered VTL 1
  support::Instant first;    ///< of the VTL call
  Quarters start{};          ///< on the VP's clock, of the VTL call
  uint32_t vp{};
  uint32_t switches{};       ///< into VTL 1
  uint64_t instructions{};
  uint64_t walk_count{};
  bool finished{};
  CallParts parts;
};

class CallLedger final : public CostListener {
 public:
  /// `phases` must outlive the ledger.
  explicit CallLedger(Phases& phases) : phases_{phases} {}

  void on(const InstructionCost& cost) override;
  void on(const support::Event& event, const Charge& charge, Quarters start) override;

  /// In the order of their first VTL call.
  [[nodiscard]] const std::vector<SecureCall>& calls() const { return calls_; }
  /// Cycles of each VTL that belong to no call: the boot, NTOS's own life, VTL 1's initialisation.
  [[nodiscard]] const std::map<uint8_t, Quarters>& outside() const { return outside_; }
  [[nodiscard]] bool has_symbols() const { return phases_.has_symbols(); }

 private:
  static constexpr size_t nobody = ~size_t{0};
  struct Processor {
    bool start_expected{};               ///< EnableVpVtl was done, the VTL never entered
    size_t current{nobody};              ///< whose turn it is in VTL 1
    std::map<uint32_t, size_t> parked;   ///< calls that NTOS does something for, by cookie
    std::vector<size_t> serving;         ///< the same, the latest last
    size_t finished{nobody};             ///< the last call that ended; NTOS may still be unpacking it
    bool preparing{};                    ///< NTOS is inside the function that opens a call, which is not yet there
    uint64_t frame{};                    ///< RSP where that function was entered
    CallParts pending;                   ///< of the call that is prepared
    uint64_t pending_instructions{}, pending_walks{};
    Phase phase{};                       ///< of the last instruction in an image
  };

  Processor& processor(uint32_t vp) { return processors_[vp]; }
  void add_lower(Processor& vp, const InstructionCost& cost, Phase phase);
  void add_pending(Processor& vp, const InstructionCost& cost);
  void give_up_pending(Processor& vp);
  void enter(const support::Event& event, const Charge& charge, Quarters start);
  void leave(const support::Event& event, const Charge& charge);
  size_t open(const support::Event& event, Quarters start, std::string name);
  void system(const support::Event& event, const Charge& charge);

  Phases& phases_;
  std::vector<SecureCall> calls_;
  std::vector<uint64_t> frames_;  ///< of each call: Processor::frame when it was made
  std::map<uint32_t, Processor> processors_;
  std::map<uint8_t, Quarters> outside_;
};

}  // namespace timing
