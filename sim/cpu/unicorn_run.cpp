#include <algorithm>

#include "abi/x64/exceptions.h"
#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_core.h"

namespace cpu {

namespace x64 = abi::x64;

UnicornCpu::UnicornCpu(const CpuConfig& config, mmu::PhysicalMemory& memory,
                       mmu::Translator& translator, MmioBus& bus,
                       const AddressSpaceProvider& spaces, support::EventSink* events)
    : config_{config},
      memory_{memory},
      translator_{translator},
      bus_{bus},
      spaces_{spaces},
      events_{events},
      state_{.random =
                 support::Prng{config.seed + config.vp_index * 0x9e3779b97f4a7c15, "cpu.rdrand"}},
      pages_{memory} {}

UnicornEngine* UnicornCpu::engine_of(vtl::Vtl vtl) {
  auto& engine = engines_[vtl];
  if (engine == nullptr)
    engine = UnicornEngine::open(config_, memory_, translator_, pages_, engine_failure_);
  return engine.get();
}

void UnicornCpu::publish() {
  if (published_) return;
  transfer_.store(*engine_, *vp_);
  published_ = true;
}

void UnicornCpu::reload() {
  if (transfer_.load(*vp_, *engine_)) engine_->set_space(spaces_.address_space(*vp_));
  published_ = false;
}

vtl::Exit UnicornCpu::run(vtl::VirtualProcessor& vp, support::Instant& now,
                          support::Instant deadline) {
  engine_ = engine_of(vp.active);
  if (engine_ == nullptr) return failure(engine_failure_);
  vp_ = &vp;
  engine_->processor = &vp;
  engine_->bus = &bus_;
  engine_->now = now.ticks;
  engine_->deadline = deadline.ticks;
  engine_->interrupt_offered = offered_.has_value();
  engine_->observer = observer_;
  engine_->use(host_breakpoints_);
  engine_->cover(coverage_);
  engine_->publish_context = this;
  engine_->publish = [](void* self) {
    auto& cpu = *static_cast<UnicornCpu*>(self);
    cpu.transfer_.store(*cpu.engine_, *cpu.vp_);
  };
  if (observer_ != nullptr && !observer_->needs_floating_point()) {
    engine_->publish = [](void* self) {
      auto& cpu = *static_cast<UnicornCpu*>(self);
      cpu.transfer_.store_integers(*cpu.engine_, *cpu.vp_);
    };
  }
  step_budget_ = 0;
  page_steps_left_ = 0;
  returning_ = false;
  idle_turns_ = 0;
  next_grant_ = {};
  MaybeExit exit = begin();
  while (!exit)
    exit = turn();
  publish();
  now.ticks = engine_->now;
  return *exit;
}

/// Loads the engine; delivers what was left pending.
UnicornCpu::MaybeExit UnicornCpu::begin() {
  (void)transfer_.load(*vp_, *engine_);
  engine_->set_space(spaces_.address_space(*vp_));
  published_ = false;
  vtl::VtlContext& context = vp_->context();
  if (context.exception_pending) {
    context.exception_pending = false;
    state_.trap_pending = 0;
    const vtl::PendingException pending = context.pending;
    publish();
    state_.trap_held = 0;
    // It comes from outside: whoever intercepts exceptions knows of it.
    bool replaced = false;
    MaybeExit exit = deliver({pending, EventSource::Fault, context.rip}, replaced);
    const bool undone = exit && (exit->reason == vtl::ExitReason::SlatViolation ||
                                 exit->reason == vtl::ExitReason::Exception);
    if (undone) context.exception_pending = true;
    return exit;
  }
  if (state_.trap_pending != 0) {
    const vtl::PendingException trap = debug_trap(state_.trap_pending);
    state_.trap_pending = 0;
    publish();
    return raise_exception(trap, EventSource::Trap);
  }
  return std::nullopt;
}

bool UnicornCpu::can_take_interrupt() const {
  return offered_ && (engine_->registers->rflags & x64::rflags::if_) != 0 &&
         (engine_->registers->hidden_flags & hidden::interrupt_shadow) == 0;
}

/// Faults of handlers, one after the other, without an instruction in between: hardware would hang.
constexpr uint32_t hopeless = 1u << 17;

UnicornCpu::MaybeExit UnicornCpu::turn() {
  idle_turns_ = engine_->now == turn_instant_ ? idle_turns_ + 1 : 0;
  turn_instant_ = engine_->now;
  if (idle_turns_ > hopeless)
    return ending(vtl::ExitReason::Hang, "its exceptions recur without an instruction being executed");
  if (engine_->now >= engine_->deadline) return vtl::Exit{};
  if (nmi_waits()) {
    if ((engine_->registers->hidden_flags & hidden::interrupt_shadow) == 0) return take_nmi();
    step_budget_ = std::max(step_budget_, 1u);
  }
  if (can_take_interrupt()) return accept_interrupt();
  published_ = false;
  if (stepping()) return step();
  engine_->synchronise();
  return after(engine_->run());
}

UnicornCpu::MaybeExit UnicornCpu::after(Stop stop) {
  switch (stop) {
    case Stop::Step:
      step_budget_ = engine_->step_count;
      return std::nullopt;
    case Stop::Deadline:
    case Stop::Window:
      return std::nullopt;
    case Stop::Exit:
      return after_exit();
    case Stop::Syscall:
      return after_system_call();
    case Stop::Refused:
      return after_refusal();
    default:
      return failure("the instruction engine stopped without a reason that this program knows");
  }
}

bool UnicornCpu::nmi_waits() const {
  const vtl::VtlContext& context = vp_->context();
  return context.nmi_pending && !context.nmi_masked && !returning_;
}

/// Vector 2 (SDM vol. 3, 6.7): blocks further ones until the next IRET.
UnicornCpu::MaybeExit UnicornCpu::take_nmi() {
  publish();
  vtl::VtlContext& context = vp_->context();
  bool replaced = false;
  context.nmi_pending = false;
  context.nmi_masked = true;
  const EventDelivery event{
      {static_cast<uint8_t>(x64::Vector::NonMaskable), false, 0, 0}, EventSource::External, context.rip};
  MaybeExit exit = deliver(event, replaced);
  if (exit && exit->reason != vtl::ExitReason::TripleFault) {  // nothing happened: once more
    context.nmi_pending = true;
    context.nmi_masked = false;
  }
  return exit;
}

vtl::Exit UnicornCpu::accept_interrupt() {
  const uint8_t vector = *offered_;
  publish();
  bool replaced = false;
  const EventDelivery event{{vector, false, 0, 0}, EventSource::External, vp_->context().rip};
  if (MaybeExit exit = deliver(event, replaced)) return *exit;
  offered_.reset();
  vtl::Exit exit;
  exit.reason = vtl::ExitReason::InterruptAccepted;
  exit.vector = vector;
  return exit;
}

void UnicornCpu::offer_interrupt(vtl::VirtualProcessor&, uint8_t vector) {
  offered_ = vector;
}
void UnicornCpu::cover(BlockCoverage* coverage) {
  coverage_ = coverage;
  for (auto& engine : engines_.values) {
    if (engine != nullptr) engine->cover(coverage);
  }
}
void UnicornCpu::withdraw_interrupt(vtl::VirtualProcessor&) {
  offered_.reset();
}

void UnicornCpu::rewind(const CpuState& state) {
  state_ = state;
  offered_.reset();
  next_grant_ = {};
  host_step_ = {};
  for (auto& engine : engines_.values) {
    if (engine != nullptr) engine->forget_observed();
  }
}

void UnicornCpu::restore(const CpuState& state) {
  rewind(state);
  for (auto& engine : engines_.values) {
    if (engine != nullptr) engine->request_flush();
  }
}

bool UnicornCpu::inject_exception(vtl::VirtualProcessor& vp,
                                  const vtl::PendingException& exception) {
  const mmu::AddressSpace space = spaces_.address_space(vp);
  const ProcessorMemory memory{translator_, space};
  vtl::VtlContext& context = vp.context();
  vtl::PendingException next = exception;
  if (context.exception_pending) {
    // Stage 2 refused its delivery, and this is the answer: a fault during delivery. Without that rule a guest whose IDT is
    // nowhere would be answered for ever while no time passes.
    constexpr auto double_fault = static_cast<uint8_t>(x64::Vector::DoubleFault);
    context.exception_pending = false;
    if (context.pending.vector == double_fault) return false;
    if (makes_double_fault(context.pending.vector, exception.vector)) next = {double_fault, true, 0, 0};
  }
  const DeliveryResult result =
      deliver_event(vp, memory, {next, EventSource::Fault, context.rip}, context.rip);
  if (coverage_ != nullptr && result.status == DeliveryStatus::Delivered)
    coverage_->deliver(vp.number, result.delivered.vector);
  if (result.status == DeliveryStatus::Intercepted ||
      result.status == DeliveryStatus::ExceptionIntercepted) {  // run() will meet the same and report it
    context.exception_pending = true;
    context.pending = next;
  }
  return result.status != DeliveryStatus::TripleFault;
}

void UnicornCpu::retire(vtl::VirtualProcessor& vp, support::Instant& now, uint8_t length) {
  vtl::VtlContext& context = vp.context();
  context.rip += length;
  if ((context.segments[vtl::Cs].attributes & x64::segment::long_mode) == 0)
    context.rip &= 0xffffffff;
  context.interrupt_shadow = false;
  context.rflags &= ~x64::rflags::rf;
  if ((context.rflags & x64::rflags::tf) != 0) state_.trap_pending |= x64::dr6::bs;
  state_.trap_pending |= state_.trap_held;
  state_.trap_held = 0;
  state_.after_stack_load = false;
  now.ticks += 1;
}

void UnicornCpu::complete_io_read(vtl::VirtualProcessor& vp, support::Instant& now,
                                  const vtl::Exit& exit, uint32_t value) {
  const mmu::AddressSpace space = spaces_.address_space(vp);
  ProcessorMemory memory{translator_, space};
  const bool code_64 = (vp.context().segments[vtl::Cs].attributes & x64::segment::long_mode) != 0;
  const bool code_32 = (vp.context().segments[vtl::Cs].attributes & x64::segment::default_big) != 0;
  const CodeSize size = code_64 ? CodeSize::Bits64 : code_32 ? CodeSize::Bits32 : CodeSize::Bits16;
  const Instruction in = decode({exit.instruction_bytes, exit.instruction_byte_count}, size);
  const uint64_t operand = operand_addresses(in, vp)[1];
  bool repeats = false;
  // The memory side was translated before the exit; if it is gone since, the instruction faults when it is tried again.
  const Breakpoints breakpoints{vp};
  std::vector<MemoryTouch> touches;
  memory.record(&touches);
  if (finish_port_access(in, exit, value, vp, memory, repeats)) return;
  if (exit.io.string && exit.reason == vtl::ExitReason::IoWrite)
    touches.push_back({operand, exit.io.size, false});
  state_.trap_pending |=
      breakpoints.at_memory(touches) | breakpoints.at_port(exit.io.port, exit.io.size);
  retire(vp, now, repeats ? uint8_t{0} : exit.instruction_length);
  if (repeats && breakpoints.execution()) vp.context().rflags |= x64::rflags::rf;  // it has not ended
}

void UnicornCpu::complete_io_write(vtl::VirtualProcessor& vp, support::Instant& now,
                                   const vtl::Exit& exit) {
  complete_io_read(vp, now, exit, 0);
}

void UnicornCpu::report(support::EventKind kind, uint64_t a, uint64_t b, uint64_t c) {
  if (events_ == nullptr) return;
  events_->on({.at = {engine_->now},
               .vp = vp_->number,
               .vtl = vp_->active,
               .kind = kind,
               .a = a,
               .b = b,
               .c = c,
               .rip = vp_->context().rip});
}

vtl::Exit UnicornCpu::yield_exit() {
  vtl::Exit exit;
  exit.reason = vtl::ExitReason::Yield;
  return exit;
}

vtl::Exit UnicornCpu::ending(vtl::ExitReason reason, const char* detail) {
  vtl::Exit exit;
  exit.reason = reason;
  exit.detail = detail;
  return exit;
}

vtl::Exit UnicornCpu::failure(const char* detail) const {
  return ending(vtl::ExitReason::MachineFailure, detail);
}

support::Result<std::unique_ptr<Cpu>> make_unicorn_cpu(const CpuConfig& config,
                                                       mmu::PhysicalMemory& memory,
                                                       mmu::Translator& translator, MmioBus& bus,
                                                       const AddressSpaceProvider& spaces,
                                                       support::EventSink* events) {
  const auto& layout = engine_layout();
  if (!layout.ok()) return layout.error();
  return std::unique_ptr<Cpu>{new UnicornCpu{config, memory, translator, bus, spaces, events}};
}

}  // namespace cpu
