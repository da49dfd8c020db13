// Machine: the run loop. Who runs, until when, and what is done about each exit.
#include <algorithm>
#include <array>

#include "abi/x64/registers.h"
#include "sim/machine/machine.h"
#include "sim/support/check.h"

namespace machine {

using support::Instant;

void Machine::observe(vtl::InstructionObserver* observer) {
  for (const auto& processor : processors_) processor->cpu->observe(observer);
}

void Machine::cover(cpu::BlockCoverage* coverage) {
  for (const auto& processor : processors_) processor->cpu->cover(coverage);
}

uint64_t Machine::runnable() const {
  uint64_t set = 0;
  for (const auto& processor : processors_) {
    const vtl::VirtualProcessor& vp = processor->registers;
    if (!vp.halted && !vp.suspended()) set |= uint64_t{1} << vp.number;
  }
  return set;
}

/// The timers of a processor that waits for its turn can wait with it: it could not tell the difference.
Instant Machine::next_event() const {
  Instant next = std::min(inputs_.next(), pc_ ? pc_->next_event() : support::never);
  for (const auto& processor : processors_) {
    const vtl::VirtualProcessor& vp = processor->registers;
    if (vp.suspended() || (!vp.halted && vp.number != scheduler_.current())) continue;
    next = std::min(next, hypervisor_.next_event(vp));
  }
  return next;
}

void Machine::stop_before(std::vector<uint64_t> addresses, Instant earliest) {
  host_breakpoints_.set(std::move(addresses), earliest);
  for (const auto& processor : processors_)
    processor->cpu->stop_before(host_breakpoints_.empty() ? nullptr : &host_breakpoints_);
}

void Machine::change_processor(size_t number, const std::function<void(vtl::VirtualProcessor&)>& change) {
  Processor& processor = *processors_[number];
  change(processor.registers);
  processor.cpu->rewind(processor.cpu->state());  // engines read them anew
}

StopReason Machine::run(Instant deadline) {
  stop_requested_ = stopped_before_address_ = false;
  while (!stop_requested_) {
    if (now_ >= deadline) return StopReason::Deadline;
    if (pc_) pc_->advance(now_);
    apply_inputs();
    wake_halted();
    if (const auto stop = choose_processor() ? run_current(deadline) : idle(deadline)) return *stop;
    if (host_breakpoints_.take_met()) {
      stopped_before_address_ = true;
      break;
    }
  }
  return StopReason::Requested;
}

void Machine::wake_halted() {
  for (const auto& processor : processors_) {
    vtl::VirtualProcessor& vp = processor->registers;
    if (vp.halted && !vp.suspended()) (void)hypervisor_.check_interrupts(vp, now_);
  }
}

/// False: nobody can run.
bool Machine::choose_processor() {
  const vtl::VirtualProcessor& vp = processor();
  if (!vp.halted && !vp.suspended() && !scheduler_.slice_over(now_)) return true;
  const uint64_t set = runnable();
  if (set == 0) return false;
  scheduler_.choose(set, now_);
  return true;
}

std::optional<StopReason> Machine::run_current(Instant deadline) {
  Processor& processor = current();
  vtl::VirtualProcessor& vp = processor.registers;
  if (const auto vector = hypervisor_.check_interrupts(vp, now_)) processor.cpu->offer_interrupt(vp, *vector);
  else processor.cpu->withdraw_interrupt(vp);
  const Instant slice_end = std::min({deadline, next_event(), scheduler_.slice_end()});
  const Instant before = now_;
  const vtl::Exit exit = processor.cpu->run(vp, now_, std::max(slice_end, now_ + 1));
  vp.run_ticks += now_ - before;
  return dispatch(exit);
}

/// On a PC, whose timers never end: every processor waits in HLT with interrupts off, and nothing sends an NMI.
bool Machine::nobody_listens() const {
  if (!pc_ || pc_->may_send_nmi()) return false;
  return std::all_of(processors_.begin(), processors_.end(), [&](const auto& processor) {
    const vtl::VirtualProcessor& vp = processor->registers;
    const bool one_vtl = hypervisor_.partition().enabled_vtls == 1;
    return vp.suspended() || (one_vtl && (vp.context().rflags & abi::x64::rflags::if_) == 0 && !vp.context().nmi_pending);
  });
}

std::optional<StopReason> Machine::idle(Instant deadline) {
  const Instant next = next_event();
  if (next == support::never || nobody_listens()) return stop(StopReason::Hung, "");
  const Instant wake = std::max(now_, std::min(next, deadline));
  idle_ticks_ += wake - now_;
  now_ = wake;
  return std::nullopt;
}

StopReason Machine::stop(StopReason reason, const char* detail) {
  detail_ = detail;
  return reason;
}

std::optional<StopReason> Machine::dispatch(const vtl::Exit& exit) {
  switch (exit.reason) {
    case vtl::ExitReason::Deadline: return std::nullopt;
    case vtl::ExitReason::Yield: scheduler_.yielded(now_); return std::nullopt;
    case vtl::ExitReason::Hang: return stop(StopReason::Hung, exit.detail);
    case vtl::ExitReason::MachineFailure: return stop(StopReason::MachineFailure, exit.detail);
    default: break;
  }
  const auto stop = apply(hypervisor_.handle(exit, current().registers, now_), exit);
  scheduler_.opportunity(now_);
  return stop;
}

std::optional<StopReason> Machine::apply(const vtl::Outcome& outcome, const vtl::Exit& exit) {
  Processor& processor = current();
  if (outcome.yields) scheduler_.yield(now_);
  switch (outcome.kind) {
    case vtl::OutcomeKind::Retire:
    case vtl::OutcomeKind::Halt:
      processor.cpu->retire(processor.registers, now_, outcome.length);
      ++processor.registers.run_ticks;
      return std::nullopt;
    case vtl::OutcomeKind::Resume:
      now_ = now_ + outcome.ticks;
      processor.registers.run_ticks += outcome.ticks;
      return std::nullopt;
    case vtl::OutcomeKind::Inject: return inject(outcome.exception);
    case vtl::OutcomeKind::NotMine: return not_handled(exit);
    case vtl::OutcomeKind::Reset: return end_in_reset();
    case vtl::OutcomeKind::Hang: return stop(StopReason::Hung, outcome.detail);
    case vtl::OutcomeKind::MachineFailure: return stop(StopReason::MachineFailure, outcome.detail);
  }
  return std::nullopt;
}

std::optional<StopReason> Machine::inject(const vtl::PendingException& exception) {
  Processor& processor = current();
  if (processor.cpu->inject_exception(processor.registers, exception)) return std::nullopt;
  vtl::Exit exit;
  exit.reason = vtl::ExitReason::TripleFault;
  return dispatch(exit);
}

/// What concerns no hypervisor: devices, and the end of a bare machine.
std::optional<StopReason> Machine::not_handled(const vtl::Exit& exit) {
  switch (exit.reason) {
    case vtl::ExitReason::IoRead:
    case vtl::ExitReason::IoWrite: return serve_io(exit);
    case vtl::ExitReason::TripleFault:
      emit(support::EventKind::TripleFault);
      return StopReason::TripleFault;
    case vtl::ExitReason::SlatViolation:
      return stop(StopReason::MachineFailure, "an access that no VTL restricts was refused by the second stage");
    default: return stop(StopReason::MachineFailure, "an exit that no part of the machine answers");
  }
}

std::optional<StopReason> Machine::serve_io(const vtl::Exit& exit) {
  Processor& processor = current();
  const IoContext context{processor.registers, now_};
  const bool has_devices = processor.registers.partition == vtl::root_partition_id;
  if (exit.reason == vtl::ExitReason::IoRead) {
    const uint32_t value = has_devices ? io_.read(context, exit.io.port, exit.io.size) : ~uint32_t{0};
    processor.cpu->complete_io_read(processor.registers, now_, exit, value);
    return std::nullopt;
  }
  if (has_devices) io_.write(context, exit.io.port, exit.io.size, exit.io.value);
  processor.cpu->complete_io_write(processor.registers, now_, exit);
  return asked_to_stop();
}

/// Whether the access that was just made ends the run.
std::optional<StopReason> Machine::asked_to_stop() {
  if (pc_ && pc_->debug_exit().requested()) return StopReason::GuestExit;
  const PowerRequest request = pc_ ? pc_->power_request() : power_.request();
  if (request == PowerRequest::None) return std::nullopt;
  emit(support::EventKind::PowerOff);
  return request == PowerRequest::PowerOff ? StopReason::PowerOff : end_in_reset();
}

/// A reset ends the run, once it has done to memory what VTL 1 wants (VsmPartitionConfig.ZeroMemoryOnReset): whatever starts
/// next must not find secrets. Without a VTL 1 memory stays, as on a PC.
StopReason Machine::end_in_reset() {
  if (hypervisor_.partition().enabled_vtls == 1 || hypervisor_.keeps_memory_on_reset()) return StopReason::Reset;
  const uint64_t end = config_.memory_bytes / abi::page_size;
  constexpr std::array<uint8_t, abi::page_size> zeros{};
  for (const uint64_t page : memory_.pages_in_use())
    if (page < end) CHECK(memory_.write(mmu::Spa{page * abi::page_size}, std::span<const uint8_t>{zeros}));
  return StopReason::Reset;
}

void Machine::emit(support::EventKind kind) {
  if (events_ == nullptr) return;
  const vtl::VirtualProcessor& vp = processor();
  events_->on({.at = now_, .vp = vp.number, .vtl = vp.active, .kind = kind, .rip = vp.context().rip});
}

}  // namespace machine
