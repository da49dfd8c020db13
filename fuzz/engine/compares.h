#pragma once
// What the guest compares: values that an input would have had to hold. Slow (gear Exact), so asked for now and then.
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz/engine/oracle.h"
#include "sim/cpu/instruction.h"

namespace fuzzing {

/// Operands of one comparison that were not equal: of CMP, SUB, CMPXCHG, SCAS and CMPS.
struct Comparison {
  uint8_t size{};  ///< 1, 2, 4 or 8 bytes
  uint64_t a{}, b{};
  friend auto operator<=>(const Comparison&, const Comparison&) = default;
};

/// Listens like an oracle, and finds nothing wrong.
class CompareRecorder final : public Oracle {
 public:
  /// Comparisons beyond are not kept: an execution has a bounded number of them that matter.
  static constexpr size_t most = 4096;

  [[nodiscard]] std::string_view name() const override { return "compares"; }
  [[nodiscard]] std::string_view description() const override { return "records what the guest compares"; }
  [[nodiscard]] OracleNeeds needs() const override { return {.events = false, .instructions = true}; }
  void learn(machine::Machine& machine) override { machine_ = &machine; }
  void begin() override { found_.clear(); }
  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override;
  [[nodiscard]] const std::vector<Violation>& violations() const override { return none_; }

  /// Of the last execution, each once, ascending.
  [[nodiscard]] std::vector<Comparison> comparisons() const;

 private:
  [[nodiscard]] uint64_t memory(const vtl::VirtualProcessor& vp, uint64_t address, uint8_t size) const;
  machine::Machine* machine_{};
  std::vector<Comparison> found_;
  std::vector<Violation> none_;
};

/// `input` with one side of a comparison, where its bytes hold it, replaced by the other; unchanged if they hold none.
/// Deterministic in `seed`.
[[nodiscard]] std::vector<uint8_t> substitute(std::span<const uint8_t> input, std::span<const Comparison> comparisons,
                                              uint64_t seed);

}  // namespace fuzzing
