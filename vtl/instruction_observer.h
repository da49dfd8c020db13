#pragma once
#include "sim/support/instant.h"
#include "vtl/virtual_processor.h"

namespace vtl {

/// Sees each instruction before it executes. Observation may not influence the run.
class InstructionObserver {
 public:
  virtual ~InstructionObserver() = default;
  /// `now` is the instant before the instruction; registers of `vp` are current, RIP is the
  /// instruction's. XMM and x87 registers are current only for who asks for them.
  virtual void before_instruction(support::Instant now, const VirtualProcessor& vp) = 0;
  /// Asked once for each run of the engine: copying them is a quarter of what observing costs.
  [[nodiscard]] virtual bool needs_floating_point() const { return true; }
};

}  // namespace vtl
