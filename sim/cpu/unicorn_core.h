#pragma once
// UnicornCpu: the loop around the engines. Files: unicorn_run (loop, interrupts), unicorn_step (single steps),
// unicorn_refusals (refused fills), unicorn_exits (instructions and exceptions that come out).
#include <array>
#include <memory>
#include <optional>

#include "sim/cpu/code_pages.h"
#include "sim/cpu/exceptions.h"
#include "sim/cpu/system_instructions.h"
#include "sim/cpu/unicorn_cpu.h"
#include "sim/cpu/unicorn_engine.h"
#include "sim/cpu/unicorn_loaded.h"

namespace cpu {

class UnicornCpu final : public Cpu {
 public:
  UnicornCpu(const CpuConfig& config, mmu::PhysicalMemory& memory, mmu::Translator& translator,
             MmioBus& bus, const AddressSpaceProvider& spaces, support::EventSink* events);

  vtl::Exit run(vtl::VirtualProcessor& vp, support::Instant& now,
                support::Instant deadline) override;
  bool inject_exception(vtl::VirtualProcessor& vp, const vtl::PendingException& exception) override;
  void offer_interrupt(vtl::VirtualProcessor& vp, uint8_t vector) override;
  void withdraw_interrupt(vtl::VirtualProcessor& vp) override;
  void retire(vtl::VirtualProcessor& vp, support::Instant& now, uint8_t length) override;
  void complete_io_read(vtl::VirtualProcessor& vp, support::Instant& now, const vtl::Exit& exit,
                        uint32_t value) override;
  void complete_io_write(vtl::VirtualProcessor& vp, support::Instant& now,
                         const vtl::Exit& exit) override;
  [[nodiscard]] CpuState state() const override { return state_; }
  void restore(const CpuState& state) override;
  void rewind(const CpuState& state) override;
  void observe(vtl::InstructionObserver* observer) override { observer_ = observer; }
  void stop_before(HostBreakpoints* breakpoints) override { host_breakpoints_ = breakpoints; }
  void cover(BlockCoverage* coverage) override;

 private:
  using MaybeExit = std::optional<vtl::Exit>;

  // Run.
  [[nodiscard]] UnicornEngine* engine_of(vtl::Vtl vtl);
  MaybeExit begin();
  MaybeExit turn();
  MaybeExit after(Stop stop);
  void publish();  ///< engine -> vp
  void reload();   ///< vp -> engine
  [[nodiscard]] bool can_take_interrupt() const;
  vtl::Exit accept_interrupt();
  [[nodiscard]] bool nmi_waits() const;
  MaybeExit take_nmi();

  // Single steps.
  [[nodiscard]] bool stepping() const;
  void step_out_of_page();
  MaybeExit step();
  MaybeExit after_step(const Instruction& in, Stop stop, uint64_t trap_before, bool shadow_before);
  MaybeExit without_engine(const Instruction& in, bool& handled);
  void repair_pushed_flags(const Instruction& in);
  [[nodiscard]] uint8_t* popped_virtual_8086(const Instruction& in);
  MaybeExit step_interrupt_return();
  void unblock_nmi();

  // Host breakpoints.
  [[nodiscard]] bool meets_host_breakpoint(const Instruction& in);

  // Debug registers.
  [[nodiscard]] uint64_t instruction_breakpoints() const;
  [[nodiscard]] uint64_t traps_of_step(const Instruction& in, uint64_t trap_before, bool shadow_before);
  [[nodiscard]] uint64_t traps_of_emulation();
  [[nodiscard]] ProcessorMemory recorded_memory();

  // Refused fills.
  MaybeExit after_refusal();
  MaybeExit after_fault();
  MaybeExit touch_device(mmu::Spa page);
  MaybeExit step_with(const StepGrant& once);
  MaybeExit write_to_code(mmu::Spa page);
  std::optional<MemoryFault> prepare_operands(const Instruction& in);
  [[nodiscard]] bool is_stack_access(const Instruction& in, uint64_t address) const;

  // Instructions and exceptions.
  MaybeExit after_exit();
  MaybeExit after_system_call();
  MaybeExit apply(const Emulation& emulation, const Instruction& in);
  MaybeExit raise_exception(const vtl::PendingException& exception, EventSource source);
  MaybeExit deliver(const EventDelivery& event, bool& replaced);
  [[nodiscard]] bool intercepts_exception(uint8_t vector) const;
  [[nodiscard]] vtl::Exit intercepted_exception(const vtl::PendingException& exception);
  [[nodiscard]] vtl::Exit refused_exit(const MemoryFault& fault);
  [[nodiscard]] static vtl::Exit yield_exit();
  [[nodiscard]] static vtl::Exit ending(vtl::ExitReason reason, const char* detail);
  [[nodiscard]] vtl::Exit failure(const char* detail) const;
  void describe_instruction(vtl::Exit& exit, const Instruction& in) const;
  void count_retired(uint8_t length);
  void report(support::EventKind kind, uint64_t a, uint64_t b, uint64_t c);

  /// Bytes at RIP as far as the TLB, or a probe, knows them: what was just executed or attempted.
  struct Code {
    uint8_t bytes[max_instruction_length]{};
    uint8_t count{};
    [[nodiscard]] std::span<const uint8_t> span() const { return {bytes, count}; }
  };
  const Code& code_at_rip();
  /// The same by a genuine fetch: A bits, TLB. The fault is the instruction's.
  [[nodiscard]] std::optional<MemoryFault> fetch(Instruction& in);

  CpuConfig config_;
  mmu::PhysicalMemory& memory_;
  mmu::Translator& translator_;
  MmioBus& bus_;
  const AddressSpaceProvider& spaces_;
  support::EventSink* events_;
  vtl::InstructionObserver* observer_{};
  HostBreakpoints* host_breakpoints_{};
  BlockCoverage* coverage_{};
  CpuState state_;
  CodePages pages_;
  RegisterTransfer transfer_;
  vtl::VtlArray<std::unique_ptr<UnicornEngine>> engines_;
  const char* engine_failure_{""};

  std::vector<MemoryTouch> touches_;    ///< by an emulated instruction
  std::array<uint64_t, 4> operands_{};  ///< of the instruction that is stepped
  uint64_t stepped_from_{};             ///< its linear address
  struct HostStep {
    uint64_t address{}, instant{~uint64_t{1}};
    bool goes_on{};  ///< a later iteration of a string instruction
  } host_step_;                         ///< the last single step with host breakpoints

  std::optional<uint8_t> offered_;  ///< no state: the machine offers anew before each run

  // While run() is active.
  UnicornEngine* engine_{};
  vtl::VirtualProcessor* vp_{};
  bool published_{};            ///< vp is current, and what it says holds
  uint32_t step_budget_{};      ///< instructions to single-step
  bool returning_{};            ///< the next step is an IRET that unblocks NMIs
  uint64_t step_page_{};        ///< or until RIP leaves this page,
  uint32_t page_steps_left_{};  ///< but not longer than this
  StepGrant next_grant_;
  uint64_t turn_instant_{};  ///< of the last turn
  uint32_t idle_turns_{};    ///< turns since time last moved
  Code code_;                ///< of the last code_at_rip() or fetch()
};

}  // namespace cpu
