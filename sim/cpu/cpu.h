#pragma once
// A virtual processor's engine: load registers, run to a deadline in instructions, give back why it stopped.
#include <cstdint>
#include <string>

#include "mmu/translator.h"
#include "sim/cpu/block_coverage.h"
#include "sim/cpu/host_breakpoints.h"
#include "sim/support/instant.h"
#include "sim/support/prng.h"
#include "sim/support/state_fields.h"
#include "vtl/exit.h"
#include "vtl/instruction_observer.h"
#include "vtl/virtual_processor.h"

namespace cpu {

/// Exact counts each instruction (tracing, debugging); Fast counts blocks and single-steps the remainder.
/// Both give the same results, instruction for instruction.
enum class Gear : uint8_t { Exact, Fast };

/// Builds the translation tag and roots of a VP's active VTL. Asked again whenever a register changed that it depends on.
class AddressSpaceProvider {
 public:
  virtual ~AddressSpaceProvider() = default;
  [[nodiscard]] virtual mmu::AddressSpace address_space(const vtl::VirtualProcessor& vp) const = 0;
};

/// Device memory, reached by single steps with exact state. `now`: the instant of the instruction. `size` is 1, 2, 4 or 8 bytes.
class MmioBus {
 public:
  virtual ~MmioBus() = default;
  virtual uint64_t mmio_read(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address,
                             uint8_t size) = 0;
  virtual void mmio_write(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address,
                          uint8_t size, uint64_t value) = 0;
};

/// What a processor keeps between two calls beyond its registers. Engines keep nothing: what they know is made anew from
/// registers, memory and TLB.
struct CpuState {
  support::Prng random{0};  ///< RDRAND and RDSEED
  /// A debug trap before the next instruction: bits of DR6. That of an instruction that was completed outside, or one
  /// whose delivery was refused.
  uint64_t trap_pending{};
  /// Those of data breakpoints that MOV SS or POP SS met: reported with the traps of the next instruction.
  uint64_t trap_held{};
  bool after_stack_load{};  ///< the last instruction was one of these: no instruction breakpoint here
  STATE_FIELDS(random, trap_pending, trap_held, after_stack_load)
};

/// One virtual processor's instruction engine. Everything that the architecture defines without a hypervisor happens inside:
/// exception and interrupt delivery through the guest's IDT, SYSCALL, control and debug registers, architectural
/// MSRs, INVLPG, RDTSC (from the instant), RDRAND (from a seeded stream). What concerns hypervisor, devices or time comes
/// back as a vtl::Exit with RIP on the instruction and nothing of it executed.
class Cpu {
 public:
  virtual ~Cpu() = default;

  /// Runs `vp` in its active VTL from `now` until `deadline`, or until something must be decided outside. On return all
  /// registers of `vp` are current and `now` has advanced by the instructions retired. A deadline is never passed.
  /// Exit::Deadline may come before it: after an instruction that may let an interrupt in (a write to a device or CR8).
  /// Registers may be changed freely between two calls.
  virtual vtl::Exit run(vtl::VirtualProcessor& vp, support::Instant& now,
                        support::Instant deadline) = 0;

  /// Delivers an exception in the active VTL through the guest's IDT (error codes, IST, TSS stacks, double fault). Returns
  /// false on a triple fault.
  virtual bool inject_exception(vtl::VirtualProcessor& vp,
                                const vtl::PendingException& exception) = 0;

  /// Offers an external interrupt: the next run() delivers it at the first instruction boundary with IF set and no
  /// interrupt shadow and returns Exit::InterruptAccepted, before the handler's first instruction.
  virtual void offer_interrupt(vtl::VirtualProcessor& vp, uint8_t vector) = 0;
  virtual void withdraw_interrupt(vtl::VirtualProcessor& vp) = 0;

  /// Completes an instruction that came back as an Exit: RIP is advanced by `length` and counts as one retired instruction.
  virtual void retire(vtl::VirtualProcessor& vp, support::Instant& now, uint8_t length) = 0;

  /// Completes IN or INS (one element) with what the port gave: registers, memory, RIP, and one retired instruction. `exit`
  /// is what run() returned. A REP form stays at its instruction while elements remain.
  virtual void complete_io_read(vtl::VirtualProcessor& vp, support::Instant& now,
                                const vtl::Exit& exit, uint32_t value) = 0;
  /// Completes OUT or OUTS (one element) once the port has taken `exit.io.value`.
  virtual void complete_io_write(vtl::VirtualProcessor& vp, support::Instant& now,
                                 const vtl::Exit& exit) = 0;

  [[nodiscard]] virtual CpuState state() const = 0;
  /// Registers, memory, TLB and this were put back to another instant: nothing known about them holds any more. An
  /// interrupt that was offered must be offered again.
  virtual void restore(const CpuState& state) = 0;

  /// The same after a return to a state in which this engine was before, or when somebody changed registers: what the engine
  /// holds of translations stands as long as the epochs of TLB and memory do.
  virtual void rewind(const CpuState& state) = 0;

  /// run() returns Exit::Deadline before an instruction that `breakpoints` meets, with nothing of it executed; what was due
  /// before it (an interrupt) was delivered. Asked anew at each run(); must outlive this; null: none.
  virtual void stop_before(HostBreakpoints* breakpoints) = 0;

  /// Blocks that are entered from now on are counted there; it must outlive this. Null ends it.
  virtual void cover(BlockCoverage* coverage) = 0;

  /// Null ends it. Only in the Exact gear.
  virtual void observe(vtl::InstructionObserver* observer) = 0;
};

}  // namespace cpu
