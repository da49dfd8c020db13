#pragma once
// Looks at a piece of the run, instruction by instruction.
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "sim/debugger/condition.h"
#include "sim/trace/disassembler.h"
#include "vtl/instruction_observer.h"

namespace debugger {

/// What a close look has taught about a piece of the run, so that it need not be looked at again in vain.
struct Findings {
  std::vector<uint64_t> code_pages;          ///< linear pages of all instructions, ascending
  vtl::VtlArray<RegisterMask> changed;       ///< registers, if any was watched
  bool registers_known{};
};

class Watcher final : public vtl::InstructionObserver {
 public:
  enum class Which : uint8_t { First, Last };

  /// Takes hits in [from, before); First takes breakpoints only after `from`.
  Watcher(machine::Machine& exact, trace::Disassembler& disassembler, std::span<const Condition> conditions, Which which,
          Instant from, Instant before);

  void before_instruction(Instant now, const vtl::VirtualProcessor& vp) override;
  /// The machine has stopped: what did the last instruction do, and what would be next?
  void finish();

  [[nodiscard]] const std::optional<Hit>& hit() const { return hit_; }
  [[nodiscard]] Findings findings() &&;

 private:
  struct Doer {
    Instant at;
    uint32_t vp{};
    Vtl vtl{};
    uint8_t cpl{};
    uint64_t rip{}, cr3{};
  };
  /// An instruction as it was decoded where it was met last.
  struct Known {
    uint64_t rip{~uint64_t{0}};
    std::array<uint8_t, trace::longest_instruction> bytes{};
    uint8_t code_bits{};
    bool matters{};  ///< it touches memory as somebody wants to know
  };

  [[nodiscard]] static Doer doer_of(Instant now, const vtl::VirtualProcessor& vp);
  void look_back(Instant now, const vtl::VirtualProcessor& vp);
  void look_ahead(Instant now, const vtl::VirtualProcessor& vp);
  void note_registers(const vtl::VirtualProcessor& vp);
  [[nodiscard]] bool changed(size_t index) const;
  void decode(Instant now, const vtl::VirtualProcessor& vp);
  void note_access(Instant now, const vtl::VirtualProcessor& vp, const mmu::AddressSpace& space,
                   const trace::MemoryAccess& access);
  void take(size_t index, const Doer& doer, Instant now, std::vector<uint8_t> before, std::vector<uint8_t> after);

  machine::Machine& machine_;
  trace::Disassembler& disassembler_;
  std::span<const Condition> conditions_;
  Which which_;
  Instant from_, before_;
  Doer doer_;                      ///< the instruction seen last
  std::vector<Doer> doers_;        ///< the one seen last of each processor, by number
  /// Each processor before its last instruction, when registers are watched.
  std::vector<vtl::VirtualProcessor> then_;
  std::vector<std::vector<uint8_t>> values_;
  std::vector<bool> written_;      ///< by the instruction seen last, as it says
  std::vector<Known> known_;
  bool memory_watched_{}, accesses_watched_{}, registers_watched_{};
  std::optional<Hit> hit_;
  Findings findings_;
  uint64_t code_page_{~uint64_t{0}};
};

}  // namespace debugger
