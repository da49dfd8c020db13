#pragma once
// The trace of a run with its cycles: each instruction with the cycle at which it starts and what it costs, each walk
// with its references, and what the hypervisor takes.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sim/loader/image_catalog.h"
#include "sim/trace/image_names.h"
#include "sim/timing/charge.h"
#include "sim/trace/disassembler.h"

namespace timing {

struct CycleTraceOptions {
  std::optional<uint8_t> vtl{};  ///< only this level
  uint64_t from{};               ///< first and last instant, both included
  uint64_t to{~uint64_t{0}};
  bool loads_images{true};       ///< false: somebody else keeps the catalogue up to date
  bool events_only{};
  std::string image{};           ///< only instructions inside this image, by file or module name
  bool json{};
  bool colour{};
};

/// One line per instruction, reference and event. `images` learns from ImageLoaded events.
class CycleTrace final : public CostListener {
 public:
  using LineSink = std::function<void(std::string_view line)>;
  CycleTrace(CycleTraceOptions options, const CostTable& costs, loader::ImageCatalog& images, LineSink sink);

  void on(const InstructionCost& cost) override;
  void on(const support::Event& event, const Charge& charge, Quarters start) override;

 private:
  [[nodiscard]] bool wanted(support::Instant at, abi::hv::Vtl vtl, uint64_t rip, uint64_t cr3) const;
  [[nodiscard]] std::string prefix(Quarters start, support::Instant at, uint32_t vp, abi::hv::Vtl vtl) const;
  void instruction_text(const InstructionCost& cost, const trace::Instruction& decoded);
  void instruction_json(const InstructionCost& cost, const trace::Instruction& decoded);
  void walk_text(const WalkCost& cost);

  CycleTraceOptions options_;
  const CostTable& costs_;
  loader::ImageCatalog& images_;
  trace::ImageNames names_;
  LineSink sink_;
  trace::Disassembler disassembler_;
  std::string function_;
};

/// "1,234.25": cycles with their quarters, if there are any.
[[nodiscard]] std::string cycles_text(Quarters quarters);
/// "12.25": a JSON number.
[[nodiscard]] std::string cycles_number(Quarters quarters);

}  // namespace timing
