// Debug registers: what is looked at before and after an instruction.
#include "abi/x64/exceptions.h"
#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_core.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;

/// MOV SS and POP SS: no debug exception until the next instruction has executed (SDM vol. 3, 6.8.3).
bool loads_stack_segment(const Instruction& in) {
  if (in.status != DecodeStatus::Ok) return false;
  return in.is(OpcodeMap::One, 0x17) || (in.is(OpcodeMap::One, 0x8e) && in.reg_field() == vtl::Ss);
}

}  // namespace

void UnicornEngine::set_breakpoints(const vtl::VirtualProcessor& vp) {
  const bool enabled = (vp.context().dr7 & x64::dr7::enables) != 0;
  if (!enabled && !breakpoints_.execution() && !breakpoints_.data()) return;
  const Breakpoints next{vp};
  if (next == breakpoints_) return;
  breakpoints_ = next;
  flush_needed_ = true;
}

/// Those at RIP: a fault before the instruction, unless RF or a stack load just before says otherwise.
uint64_t UnicornCpu::instruction_breakpoints() const {
  const Breakpoints& breakpoints = engine_->breakpoints();
  if (!breakpoints.execution() || engine_->resume || state_.after_stack_load) return 0;
  return breakpoints.at_instruction(engine_->linear_rip());
}

/// Bits of DR6 for what the instruction that the engine just executed asks for; zero if nothing.
uint64_t UnicornCpu::traps_of_step(const Instruction& in, uint64_t trap_before, bool shadow_before) {
  const Breakpoints& breakpoints = engine_->breakpoints();
  // A string instruction with iterations to go has not ended: its own breakpoint stays off.
  const bool goes_on = in.status == DecodeStatus::Ok && is_repeated_string(in) &&
                       engine_->linear_rip() == stepped_from_;
  const bool loaded = in.is(OpcodeMap::One, 0xcf) && (engine_->registers->rflags & x64::rflags::rf) != 0;
  engine_->resume = breakpoints.execution() && (goes_on || loaded);
  uint64_t traps = state_.trap_held;
  state_.trap_held = 0;
  state_.after_stack_load = false;
  if (trap_before != 0) traps |= x64::dr6::bs;
  if (breakpoints.data()) traps |= hits_of(breakpoints, engine_->touches(), operands_);
  // Only the first of several in a row.
  const bool inhibits = loads_stack_segment(in) && !shadow_before &&
                        (engine_->registers->hidden_flags & hidden::interrupt_shadow) != 0;
  if (!inhibits) return traps;
  state_.after_stack_load = breakpoints.execution();
  state_.trap_held = traps & ~x64::dr6::bs;
  return 0;
}

/// The same for one that was emulated. `vp` is current.
uint64_t UnicornCpu::traps_of_emulation() {
  uint64_t traps = state_.trap_held | engine_->breakpoints().at_memory(touches_);
  state_.trap_held = 0;
  state_.after_stack_load = false;
  if ((vp_->context().rflags & x64::rflags::tf) != 0) traps |= x64::dr6::bs;
  return traps;
}

/// Memory for an emulated instruction.
ProcessorMemory UnicornCpu::recorded_memory() {
  ProcessorMemory memory{translator_, engine_->space()};
  touches_.clear();
  if (engine_->breakpoints().data()) memory.record(&touches_);
  return memory;
}

}  // namespace cpu
