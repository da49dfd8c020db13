// Instructions and exceptions that leave the engine.
#include <algorithm>
#include <cstring>

#include "abi/x64/exceptions.h"
#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_core.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using x64::Vector;

/// Exit codes of exceptions: 0x40 + vector.
constexpr uint32_t exit_exception = 0x40, exit_instruction = 0x60, exit_iret = 0x74, exit_vmmcall = 0x81;

/// VMCALL or VMMCALL without prefixes, as everybody writes them.
bool is_hypercall(const uint8_t* bytes) {
  return bytes[0] == 0x0f && bytes[1] == 0x01 && (bytes[2] == 0xc1 || bytes[2] == 0xd9);
}

/// Instructions that the engine's processor model does not have, and this machine does.
bool is_missing_in_engine(const Instruction& in) {
  if (in.status != DecodeStatus::Ok || in.lock) return false;
  if (in.is(OpcodeMap::One, 0xf1) || in.is(OpcodeMap::Three0F38, 0x82)) return true;
  if (is_extended_state(in) || is_big_endian_move(in)) return true;
  if (in.map != OpcodeMap::Two0F || in.mod() != 3) return false;
  if (in.opcode == 0x01)
    return in.modrm == 0xc1 || in.modrm == 0xca || in.modrm == 0xcb || in.modrm == 0xd0 ||
           in.modrm == 0xd1 || in.modrm == 0xd9;
  if (in.opcode == 0xc7) return in.reg_field() >= 6;
  return in.opcode == 0xae && in.rep && in.reg_field() < 4;
}

/// The engine looks at CR0.TS before CR0.EM and CR4.OSFXSR, and at the privilege before the number of a register.
bool is_undefined_first(const Instruction& in, uint8_t vector, const vtl::VtlContext& context) {
  if (in.status != DecodeStatus::Ok) return false;
  if (vector == static_cast<uint8_t>(Vector::GeneralProtection)) return is_undefined_control_register(in);
  if (vector != static_cast<uint8_t>(Vector::DeviceNotAvailable)) return false;
  if ((context.cr0 & x64::cr0::em) != 0 && is_mmx_or_sse(in)) return true;
  return (context.cr4 & x64::cr4::osfxsr) == 0 && is_sse(in);
}

}  // namespace

const UnicornCpu::Code& UnicornCpu::code_at_rip() {
  Code& code = code_;
  code.count = 0;
  const uint64_t rip = engine_->linear_rip();
  const bool user = engine_->cpl() == 3;
  while (code.count < max_instruction_length) {
    const mmu::Gva at{rip + code.count};
    mmu::Spa spa;
    if (const mmu::TlbEntry* entry =
            translator_.lookup(engine_->space(), at, mmu::AccessKind::Execute, user)) {
      spa = entry->spa() + at.page_offset();
    } else {
      const auto result =
          translator_.probe(engine_->space(), {at, mmu::AccessKind::Execute, user, false});
      if (!result.ok) break;
      spa = result.translation.spa;
    }
    const uint64_t left =
        std::min<uint64_t>(max_instruction_length - code.count, abi::page_size - at.page_offset());
    if (!memory_.contains(spa, left)) break;
    std::memcpy(code.bytes + code.count, memory_.data() + spa.value(), left);
    code.count = static_cast<uint8_t>(code.count + left);
  }
  return code;
}

/// `in` was decoded from code_.
void UnicornCpu::describe_instruction(vtl::Exit& exit, const Instruction& in) const {
  exit.instruction_length = in.status == DecodeStatus::Ok ? in.length : uint8_t{0};
  exit.instruction_byte_count = code_.count;
  std::memcpy(exit.instruction_bytes, code_.bytes, max_instruction_length);
}

UnicornCpu::MaybeExit UnicornCpu::after_exit() {
  const uint32_t exit_code = engine_->exit_code;
  publish();
  const bool is_exception = exit_code >= exit_exception && exit_code < exit_instruction;
  const auto vector = static_cast<uint8_t>(exit_code - exit_exception);
  if (is_exception &&
      vector == static_cast<uint8_t>(Vector::Debug))  // TF of the guest: RIP is behind
    return raise_exception(debug_trap(x64::dr6::bs), EventSource::Trap);
  if (exit_code == exit_iret) return step_interrupt_return();
  (void)code_at_rip();
  if (code_.count >= 3 && is_hypercall(code_.bytes) &&
      (exit_code == exit_vmmcall || vector == static_cast<uint8_t>(Vector::InvalidOpcode))) {
    MaybeExit exit{std::in_place};
    exit->reason = vtl::ExitReason::Hypercall;
    exit->instruction_length = 3;
    exit->instruction_byte_count = code_.count;
    std::memcpy(exit->instruction_bytes, code_.bytes, max_instruction_length);
    return exit;
  }
  const Instruction in = decode(code_.span(), engine_->code_size());
  const bool undefined = is_exception && vector == static_cast<uint8_t>(Vector::InvalidOpcode);
  if (!is_exception || (undefined && is_missing_in_engine(in))) {
    const ProcessorMemory memory = recorded_memory();
    return apply(emulate(in, *vp_, {memory, state_.random, engine_->now}), in);
  }
  if (is_undefined_first(in, vector, vp_->context()))
    return raise_exception({static_cast<uint8_t>(Vector::InvalidOpcode), false, 0, 0},
                           EventSource::Fault);
  const bool has_code = x64::pushes_error_code(vector);
  return raise_exception({vector, has_code, has_code ? engine_->error_code() & 0xffff : 0, 0},
                         EventSource::Fault);
}

UnicornCpu::MaybeExit UnicornCpu::after_system_call() {
  publish();
  if (enter_system_call(*vp_)) {
    report(support::EventKind::SystemCall, vp_->shared.gpr[vtl::Rax], 0, 0);
    reload();
    return std::nullopt;
  }
  --engine_->now;
  vp_->context().rip -= 2;
  return raise_exception({static_cast<uint8_t>(Vector::InvalidOpcode), false, 0, 0},
                         EventSource::Fault);
}

void UnicornCpu::count_retired(uint8_t length) {
  vtl::VtlContext& context = vp_->context();
  context.rip += length;
  if (engine_->code_size() != CodeSize::Bits64) context.rip &= 0xffffffff;
  context.interrupt_shadow = false;
  context.rflags &= ~x64::rflags::rf;
  ++engine_->now;
  if (step_budget_ != 0) --step_budget_;
}

/// The registers of `vp` are current before and hold afterwards.
UnicornCpu::MaybeExit UnicornCpu::apply(const Emulation& emulation, const Instruction& in) {
  switch (emulation.kind) {
    case Emulation::Kind::Unknown:
      return raise_exception({static_cast<uint8_t>(Vector::InvalidOpcode), false, 0, 0},
                             EventSource::Fault);
    case Emulation::Kind::Exception:
      return raise_exception(emulation.exception, EventSource::Fault);
    case Emulation::Kind::Refused: {
      const mmu::Fault& fault = emulation.refused.fault;
      if (auto exception = exception_of(fault, is_stack_access(in, fault.address.value())))
        return raise_exception(*exception, EventSource::Fault);
      return refused_exit(emulation.refused);
    }
    case Emulation::Kind::Exit: {
      MaybeExit exit{emulation.exit};
      describe_instruction(*exit, in);
      return exit;
    }
    case Emulation::Kind::Trap:
    case Emulation::Kind::Interrupt: {
      // INT3 and INTO are exceptions, INT n is none (SDM vol. 3, 25.2).
      if (in.opcode != 0xcd && intercepts_exception(emulation.exception.vector))
        return intercepted_exception(emulation.exception);
      bool replaced = false;
      const bool trap = emulation.kind == Emulation::Kind::Trap;
      const EventDelivery event{emulation.exception,
                                trap ? EventSource::Trap : EventSource::SoftwareInterrupt,
                                vp_->context().rip + in.length};
      if (MaybeExit exit = deliver(event, replaced)) return exit;
      if (!replaced) ++engine_->now;
      return std::nullopt;
    }
    case Emulation::Kind::Retire:
      count_retired(in.length);
      break;
    case Emulation::Kind::Jump:
      count_retired(0);
      break;
  }
  if (coverage_ != nullptr && in.status == DecodeStatus::Ok && is_control_transfer(in))
    coverage_->leave(vp_->number, engine_->linear_rip());  // where the engine still is
  const uint64_t traps = traps_of_emulation();
  reload();
  if (traps != 0) {
    publish();
    if (MaybeExit exit = raise_exception(debug_trap(traps), EventSource::Trap)) return exit;
  }
  if (emulation.pauses && config_.yield_at_pause) return yield_exit();
  if (emulation.ends_slice) return vtl::Exit{};
  return std::nullopt;
}

UnicornCpu::MaybeExit UnicornCpu::raise_exception(const vtl::PendingException& exception,
                                                  EventSource source) {
  step_budget_ = 0;
  page_steps_left_ = 0;
  if (source == EventSource::Fault) {
    state_.trap_held = 0;
    state_.after_stack_load = false;
  }
  if (intercepts_exception(exception.vector)) {
    return intercepted_exception(exception);
  }
  if (returning_) unblock_nmi();
  bool replaced = false;
  return deliver({exception, source, vp_->context().rip}, replaced);
}

bool UnicornCpu::intercepts_exception(uint8_t vector) const {
  return (vp_->context().interceptions.exceptions >> vector & 1) != 0;
}

/// `vp` is current.
vtl::Exit UnicornCpu::intercepted_exception(const vtl::PendingException& exception) {
  vtl::Exit exit;
  exit.reason = vtl::ExitReason::Exception;
  exit.exception = exception;
  describe_instruction(exit, decode(code_at_rip().span(), engine_->code_size()));
  return exit;
}

/// Through the IDT; `vp` is current before, engine and `vp` afterwards.
UnicornCpu::MaybeExit UnicornCpu::deliver(const EventDelivery& event, bool& replaced) {
  const ProcessorMemory memory{translator_, engine_->space()};
  const uint64_t rip = vp_->context().rip;
  const DeliveryResult result = deliver_event(*vp_, memory, event, rip);
  replaced = result.replaced;
  const bool undone = result.status == DeliveryStatus::Intercepted ||
                      result.status == DeliveryStatus::ExceptionIntercepted;
  if (undone && event.source == EventSource::Trap) state_.trap_pending = event.exception.parameter;
  if (result.status == DeliveryStatus::ExceptionIntercepted)
    return intercepted_exception(result.delivered);
  if (undone) return refused_exit(result.refused);
  if (result.status == DeliveryStatus::TripleFault) {
    vtl::Exit exit;
    exit.reason = vtl::ExitReason::TripleFault;
    return exit;
  }
  if (coverage_ != nullptr) coverage_->deliver(vp_->number, result.delivered.vector);
  const bool external = event.source == EventSource::External && !replaced;
  report(external ? support::EventKind::Interrupt : support::EventKind::Exception,
         result.delivered.vector, result.delivered.error_code,
         result.delivered.vector == static_cast<uint8_t>(Vector::PageFault) ? vp_->shared.cr2 : 0);
  reload();
  return std::nullopt;
}

vtl::Exit UnicornCpu::refused_exit(const MemoryFault& fault) {
  if (fault.fault.kind == mmu::FaultKind::SlatMisconfigured)
    return failure("a second-stage entry is malformed");
  vtl::Exit exit;
  exit.reason = vtl::ExitReason::SlatViolation;
  exit.fault = fault.fault;
  exit.access = fault.access;
  if (fault.access != mmu::AccessKind::Execute)
    describe_instruction(exit, decode(code_at_rip().span(), engine_->code_size()));
  return exit;
}

}  // namespace cpu
