#pragma once
// The composition root: owns every part of the simulated computer and runs it, one slice after the other.
#include <memory>
#include <span>
#include <string>

#include "mmu/physical_memory.h"
#include "mmu/slat.h"
#include "mmu/translator.h"
#include "sim/cpu/cpu.h"
#include "sim/loader/machine_config.h"
#include "sim/machine/devices/ata_disk.h"
#include "sim/machine/devices/disk_image.h"
#include "sim/machine/devices/io_bus.h"
#include "sim/machine/devices/launch_port.h"
#include "sim/machine/devices/observation_port.h"
#include "sim/machine/devices/platform.h"
#include "sim/machine/devices/serial.h"
#include "sim/machine/input.h"
#include "sim/machine/pc.h"
#include "sim/machine/scheduler.h"
#include "sim/machine/state.h"
#include "sim/machine/stop_reason.h"
#include "sim/support/events.h"
#include "sim/support/result.h"
#include "sim/support/state_hash.h"
#include "vtl/hypervisor.h"

namespace machine {

/// What a machine is made of, read before it exists: hostile input ends here.
struct MachineParts {
  std::vector<uint8_t> firmware;   ///< the file of the firmware image, or of the kernel for a PC board
  std::vector<uint8_t> initrd;     ///< the module beside that kernel; empty: none
  std::optional<DiskImage> disk;   ///< absent: an empty channel
};

/// One virtual processor and its engine.
struct Processor {
  vtl::VirtualProcessor registers;
  std::unique_ptr<cpu::Cpu> cpu;

  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [registers, cpu] = self;
    visit.visit(registers);
    cpu::CpuState state = cpu->state();
    visit("cpu", state);
    if constexpr (requires { Visitor::rewinds; }) cpu->rewind(state);
    else if constexpr (Visitor::reads) cpu->restore(state);
  }
};

class Machine final : private cpu::MmioBus, private cpu::AddressSpaceProvider, private DmaBus {
 public:
  /// Builds the machine of `config` and puts it into its reset state. `events` may be null and must outlive it.
  static support::Result<std::unique_ptr<Machine>> create(const loader::MachineConfig& config, MachineParts parts,
                                                          support::EventSink* events);

  /// Runs until `deadline` (exactly) or a reason to stop. Calling it again goes on.
  StopReason run(support::Instant deadline);
  /// A listener asks run() to return after the current exit. It changes nothing else.
  void request_stop() { stop_requested_ = true; }
  /// Something from outside that happens before the instruction at input.at. Errors: in the past, or a kind or target that
  /// this machine does not have. Inputs are part of a run's recipe: whoever schedules them records them.
  [[nodiscard]] support::Status schedule_input(Input input);
  [[nodiscard]] const std::vector<Input>& inputs() const { return inputs_.all(); }
  /// run() also returns (StopReason::Requested) before an instruction at one of these linear addresses, unless its instant is
  /// before `earliest`: in any processor and VTL, without a change to the run. What was due before that instruction was
  /// delivered, so the present is one inside its instant: what run() goes on from, not what a deadline there would find.
  void stop_before(std::vector<uint64_t> addresses, support::Instant earliest);
  /// The last run() ended for that.
  [[nodiscard]] bool stopped_before_address() const { return stopped_before_address_; }
  /// Lets somebody outside change the registers of a processor, between two calls of run(). It is another run from then on.
  void change_processor(size_t number, const std::function<void(vtl::VirtualProcessor&)>& change);
  /// Counts the blocks that processors enter, in every VTL: it changes nothing. It must outlive this; null ends it.
  void cover(cpu::BlockCoverage* coverage);
  /// Sees each instruction; the machine must have been created with GearSetting::Exact. Null ends it.
  void observe(vtl::InstructionObserver* observer);

  [[nodiscard]] support::Instant now() const { return now_; }
  /// Ticks that passed while all processors waited in HLT; the rest of now() are instructions of one of them.
  [[nodiscard]] uint64_t idle_ticks() const { return idle_ticks_; }
  /// Why, after StopReason::MachineFailure and most of StopReason::Hung; empty otherwise.
  [[nodiscard]] const char* detail() const { return detail_; }
  /// What a kernel that ended the run answers to the shell: (code << 1) | 1, eight bits.
  [[nodiscard]] uint8_t exit_status() const { return pc_ ? pc_->debug_exit().status() : 0; }
  /// Sees each byte that leaves the first serial port. It changes nothing.
  void listen_to_serial(std::function<void(uint8_t)> listener) { serial_.listen(std::move(listener)); }
  [[nodiscard]] const loader::MachineConfig& config() const { return config_; }
  /// The one whose slice it is.
  [[nodiscard]] const vtl::VirtualProcessor& processor() const { return current().registers; }
  [[nodiscard]] size_t processor_count() const { return processors_.size(); }
  /// By VirtualProcessor::number.
  [[nodiscard]] const vtl::VirtualProcessor& processor(size_t number) const { return processors_[number]->registers; }
  /// No processor can execute an instruction before something wakes one: see next_event().
  [[nodiscard]] bool waits() const { return runnable() == 0; }
  /// The next instant at which a timer or an input may change what a waiting or the current processor does; support::never
  /// if there is none.
  [[nodiscard]] support::Instant next_event() const;
  [[nodiscard]] const mmu::Translator& translator() const { return translator_; }
  [[nodiscard]] const vtl::Hypervisor& hypervisor() const { return hypervisor_; }

  /// How `vtl` of the current processor sees memory, with `cr3` in place of its own when given.
  [[nodiscard]] mmu::AddressSpace view(abi::hv::Vtl vtl, std::optional<uint64_t> cr3 = {}) const;

  // --- State, between two calls of run(). It fits every machine of the same configuration, whatever its gear.
  /// Hash of the whole state: equal for equal configurations, in every gear, build and host.
  [[nodiscard]] support::StateHash fingerprint();
  [[nodiscard]] State save();
  /// Puts the machine into `state`, which nobody needs to vouch for: a state that does not fit or contradicts itself is
  /// refused with the reason, and the machine stays as it was. AddressSpaces handed out before do not hold any more.
  [[nodiscard]] support::Status restore(const State& state);
  /// Paths and values of all fields but memory.
  [[nodiscard]] std::vector<support::NamedState> names() const;
  /// The fields that differ, then the pages of memory, each by its first byte that differs. The machine itself only lends
  /// its types and stays as it is.
  [[nodiscard]] support::Result<std::vector<support::StateDifference>> diff(const State& a, const State& b);
  /// All that decides what a run does, but the gear: which machines a state fits.
  [[nodiscard]] support::StateHash configuration();

  /// For checkpoints in the same process: the fields as bytes, and back from bytes of write_fields() once memory is what
  /// it was then. Nothing is checked but the format.
  void write_fields(std::vector<uint8_t>& bytes) const;
  [[nodiscard]] support::Status read_fields(std::span<const uint8_t> bytes);
  [[nodiscard]] mmu::PhysicalMemory& memory() { return memory_; }

  /// For who returns to one instant again and again: all but memory, as fields without the TLB, which remembers itself.
  [[nodiscard]] std::vector<uint8_t> remember();
  /// `fields` is what the last remember() of this machine gave, and memory is what it was then. Engines keep what they
  /// translated, and their TLBs too if ours did not change.
  void put_back(std::span<const uint8_t> fields);

  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [config_, events_, memory_, translator_, hypervisor_, processors_, scheduler_, inputs_, now_, idle_ticks_,
           stop_requested_, host_breakpoints_, stopped_before_address_, detail_, configuration_, disk_, io_, serial_,
           console_, ata_, power_, cmos_, pic_, launch_port_, observation_port_, pc_] = self;
    // Memory is saved, hashed and compared by pages, not here.
    visit.host(config_, events_, memory_, stop_requested_, host_breakpoints_, stopped_before_address_, detail_,
               configuration_, disk_, io_, observation_port_);
    visit("now", now_)("idle_ticks", idle_ticks_)("scheduler", scheduler_)("inputs", inputs_);
    visit.each("vp", processors_, [&](auto& processor) { visit.visit(*processor); });
    visit("hypervisor", hypervisor_);
    visit("serial", serial_)("console", console_)("ata", ata_)("power", power_)("cmos", cmos_)("pic", pic_);
    visit("launch_port", launch_port_)("translator", translator_);
    if (pc_) visit("pc", *pc_);  // the configuration decides whether there is one
  }

 private:
  Machine(const loader::MachineConfig& config, std::optional<DiskImage> disk, support::EventSink* events);
  void connect_devices();
  support::Status fits(const State& state);
  support::Status apply_state(const State& state);
  [[nodiscard]] support::Status check_state() const;

  [[nodiscard]] Processor& current() { return *processors_[scheduler_.current()]; }
  [[nodiscard]] const Processor& current() const { return *processors_[scheduler_.current()]; }
  /// The processors that could execute an instruction now, by number.
  [[nodiscard]] uint64_t runnable() const;
  void wake_halted();
  bool choose_processor();
  void apply_inputs();

  StopReason stop(StopReason reason, const char* detail);
  std::optional<StopReason> dispatch(const vtl::Exit& exit);
  std::optional<StopReason> apply(const vtl::Outcome& outcome, const vtl::Exit& exit);
  std::optional<StopReason> inject(const vtl::PendingException& exception);
  std::optional<StopReason> not_handled(const vtl::Exit& exit);
  StopReason end_in_reset();
  std::optional<StopReason> serve_io(const vtl::Exit& exit);
  std::optional<StopReason> run_current(support::Instant deadline);
  std::optional<StopReason> idle(support::Instant deadline);
  [[nodiscard]] std::optional<StopReason> asked_to_stop();
  [[nodiscard]] bool nobody_listens() const;
  support::Status begin(const MachineParts& parts);
  support::Status begin_kernel(const MachineParts& parts);
  bool launch_hypervisor(vtl::VirtualProcessor& vp);
  void emit(support::EventKind kind);

  mmu::AddressSpace address_space(const vtl::VirtualProcessor& vp) const override;
  uint64_t mmio_read(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address, uint8_t size) override;
  void mmio_write(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address, uint8_t size,
                  uint64_t value) override;
  [[nodiscard]] mmu::AddressSpace device_view() const;
  bool dma_read(mmu::Gpa from, std::span<uint8_t> to) override;
  bool dma_write(mmu::Gpa to, std::span<const uint8_t> from) override;

  loader::MachineConfig config_;
  support::EventSink* events_;
  mmu::PhysicalMemory memory_;
  mmu::Translator translator_;
  vtl::Hypervisor hypervisor_;
  std::vector<std::unique_ptr<Processor>> processors_;  ///< by number
  Scheduler scheduler_;
  InputQueue inputs_;
  support::Instant now_;
  uint64_t idle_ticks_{};
  bool stop_requested_{};
  cpu::HostBreakpoints host_breakpoints_;
  bool stopped_before_address_{};
  const char* detail_{""};
  std::optional<support::StateHash> configuration_;  ///< once it was asked for

  std::optional<DiskImage> disk_;
  IoBus io_;
  SerialPort serial_;
  DebugConsole console_;
  AtaDisk ata_;
  PowerControl power_;
  CmosClock cmos_;
  MaskedPic pic_;
  LaunchPort launch_port_;
  ObservationPort observation_port_;
  std::unique_ptr<Pc> pc_;  ///< null on the native board
};

}  // namespace machine
