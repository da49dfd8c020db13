#pragma once
// Moves registers between the architectural VirtualProcessor and an engine, and only what changed: a VTL switch must cost
// no more than the copy of what is shared.
#include "sim/cpu/unicorn_engine.h"
#include "vtl/virtual_processor.h"

namespace cpu {

/// x87 and MXCSR as the engine has them; compared as a whole, converted only when different.
struct RawFloatingPoint {
  EngineX87 head{};
  uint32_t mxcsr{};
  uint16_t instruction_selector{}, operand_selector{};
  uint64_t instruction{}, operand{};
  EngineX87Register registers[8]{};
};

/// What an engine's registers are known to be equal to.
struct UnicornEngine::Loaded {
  bool valid{};
  vtl::VtlContext context;
  EngineSegment segments[6]{};
  uint64_t floating_point_generation{};  ///< 0: nothing loaded yet
  RawFloatingPoint floating_point;
};

/// One per virtual processor.
class RegisterTransfer {
 public:
  /// VirtualProcessor to engine. True if registers changed that address translation depends on.
  bool load(const vtl::VirtualProcessor& vp, UnicornEngine& engine);
  /// Engine to VirtualProcessor; the arithmetic flags of the engine must be canonical.
  void store(UnicornEngine& engine, vtl::VirtualProcessor& vp);
  /// The same without XMM and x87 registers: enough for an observer that does not ask for them.
  void store_integers(UnicornEngine& engine, vtl::VirtualProcessor& vp);

 private:
  void load_floating_point(const vtl::FloatingPoint& fp, UnicornEngine& engine);
  void store_floating_point(UnicornEngine& engine, vtl::FloatingPoint& fp);

  /// x87 part of the virtual processor as both sides saw it last; moves when either side changes it.
  uint64_t generation_{1};
  vtl::FloatingPoint known_;
};

/// Hidden part of a segment register in both forms.
[[nodiscard]] EngineSegment to_engine(const vtl::Segment& segment);
[[nodiscard]] vtl::Segment from_engine(const EngineSegment& segment);

}  // namespace cpu
