#pragma once
#include "sim/support/instant.h"
#include "vtl/virtual_processor.h"

namespace vtl {

/// Sees each instruction before it executes. Observation may not influence the run.
class InstructionObserver {
 public:
  virtual ~InstructionObserver() = default;
  /// `now` is the instant before the instruction; registers of `vp` are current, RIP is the
  /// instruction's.
  virtual void before_instruction(support::Instant now, const VirtualProcessor& vp) = 0;
};

}  // namespace vtl
