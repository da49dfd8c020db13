#pragma once
// Reports every use of a TLB entry that memory no longer bears out: the page it leads to, or the rights it grants.
#include <cstdint>
#include <string>
#include <vector>

#include "mmu/translator.h"
#include "sim/cpu/cpu.h"
#include "vtl/instruction_observer.h"

namespace oracle {

/// An entry that was used though a walk says otherwise.
struct StaleUse {
  uint64_t instant{}, rip{}, address{};
  abi::hv::Vtl vtl{};
  bool second_stage{};  ///< the SLAT changed without an invalidation: a fault of the hypervisor
  std::string what;
};

/// Before each instruction it looks at what the TLB holds for RIP, for the stack, and for the operand in memory, and walks
/// anew. A stale entry of stage 1 is the guest's: software may use it until it invalidates (SDM vol. 3, 4.10.4.4), and it is
/// counted. One of stage 2 is never allowed, because the hypervisor's own changes must invalidate.
class StaleTranslations final : public vtl::InstructionObserver {
 public:
  StaleTranslations(const mmu::Translator& translator, const cpu::AddressSpaceProvider& spaces)
      : translator_{translator}, spaces_{spaces} {}

  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override;

  [[nodiscard]] uint64_t hits() const { return hits_; }
  /// The first hundred.
  [[nodiscard]] const std::vector<StaleUse>& uses() const { return uses_; }
  [[nodiscard]] uint64_t of_stage_1() const { return of_stage_1_; }
  [[nodiscard]] uint64_t of_stage_2() const { return of_stage_2_; }

 private:
  void check(support::Instant now, const vtl::VirtualProcessor& vp, const mmu::AddressSpace& space,
             uint64_t address);
  void report(support::Instant now, const vtl::VirtualProcessor& vp, uint64_t address,
              bool second_stage, std::string what);

  const mmu::Translator& translator_;
  const cpu::AddressSpaceProvider& spaces_;
  uint64_t hits_{}, of_stage_1_{}, of_stage_2_{};
  std::vector<StaleUse> uses_;
};

}  // namespace oracle
