#pragma once
// Feeds cycle models from a machine that runs, live or on replay.
#include <functional>
#include <vector>

#include "mmu/translator.h"
#include "sim/timing/cycle_model.h"
#include "vtl/instruction_observer.h"

namespace timing {

/// How a VP translates addresses at the moment.
using SpaceOf = std::function<mmu::AddressSpace(const vtl::VirtualProcessor&)>;

/// Register it as the machine's observer, and as a listener of its events. Nothing that it does reaches the machine: the
/// bytes of code and the walks are probes.
class LiveObserver final : public vtl::InstructionObserver, public support::EventSink, private WalkSource {
 public:
  LiveObserver(const mmu::Translator& translator, SpaceOf space_of, const CostTable& costs);

  /// A second model of the same stream, such as one with shadow paging.
  CycleModel& add(Paging paging);
  [[nodiscard]] CycleModel& model() { return *models_.front(); }

  /// Each walk of model() also goes here, as an event of kind Walk right after its instruction; null ends it. A trace that
  /// records the instructions and these events can be timed again without the machine.
  void record_walks(support::EventSink* sink) { walk_sink_ = sink; }

  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override;
  [[nodiscard]] bool needs_floating_point() const override { return false; }
  void on(const support::Event& event) override;

 private:
  Walk walk(const trace::InstructionRecord& record, uint64_t gva, mmu::AccessKind kind) override;
  void read_code(trace::InstructionRecord& record, const mmu::AddressSpace& space);

  struct Code {
    uint64_t rip{~uint64_t{0}};
    uint8_t length{}, code_bits{};
    std::array<uint8_t, trace::longest_instruction> bytes{};
  };

  const mmu::Translator& translator_;
  SpaceOf space_of_;
  const CostTable& costs_;
  std::vector<std::unique_ptr<CycleModel>> models_;
  support::EventSink* walk_sink_{};
  std::vector<Code> code_;
  // During before_instruction():
  const vtl::VirtualProcessor* vp_{};
  mmu::AddressSpace space_;
  const CycleModel* asking_{};
};

/// Feeds a model from the records of a trace, in order. Records of kind Walk answer the questions of the instruction
/// before them, so one instruction is kept back until the next record that is not a walk.
class TraceFeeder final : private WalkSource {
 public:
  explicit TraceFeeder(const CostTable& costs) : model_{costs, *this} {}
  [[nodiscard]] CycleModel& model() { return model_; }

  void on(const trace::Record& record);
  void finish();
  /// Walks that the trace does not have. If there are any, it was recorded without --cycles, or with other numbers in
  /// the cost table, and the cycles are not those of the run.
  [[nodiscard]] uint64_t missing_walks() const { return missing_; }
  /// Why the cycles are not those of the run, as a sentence without its end; empty if they are.
  [[nodiscard]] std::string doubt() const;

 private:
  Walk walk(const trace::InstructionRecord& record, uint64_t gva, mmu::AccessKind kind) override;

  CycleModel model_;
  std::optional<trace::InstructionRecord> held_;
  std::vector<Walk> answers_;
  size_t next_answer_{};
  uint64_t missing_{}, without_registers_{};
};

}  // namespace timing
