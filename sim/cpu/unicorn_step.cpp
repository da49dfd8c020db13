// One instruction at a time: decoded first, then executed by the engine under the trap flag, or without the engine where it
// must not see the instruction.
#include <algorithm>
#include <cstring>

#include "abi/x64/exceptions.h"
#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_core.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;

/// POPF, IRET, SYSRET: TF afterwards is what they loaded.
bool loads_trap_flag(const Instruction& in) {
  return in.is(OpcodeMap::One, 0x9d) || in.is(OpcodeMap::One, 0xcf) ||
         in.is(OpcodeMap::Two0F, 0x07);
}

constexpr uint32_t exit_single_step = 0x41;
/// VM, bit 17 of EFLAGS, in its byte.
constexpr uint8_t virtual_8086_in_byte = 1u << 1;
/// A block that reaches into the next page does so after few instructions; a loop that never does must not be stepped on.
constexpr uint32_t longest_stay_in_a_page = 64;

}  // namespace

bool UnicornCpu::stepping() const {
  if (step_budget_ != 0 || (engine_->registers->rflags & x64::rflags::tf) != 0) return true;
  if (engine_->resume || state_.after_stack_load || state_.trap_held != 0) return true;
  return page_steps_left_ != 0 && mmu::Gva{engine_->linear_rip()}.page_number() == step_page_;
}

void UnicornCpu::step_out_of_page() {
  step_page_ = mmu::Gva{engine_->linear_rip()}.page_number();
  page_steps_left_ = longest_stay_in_a_page;
}

std::optional<MemoryFault> UnicornCpu::fetch(Instruction& in) {
  Code& code = code_;
  code.count = 0;
  const uint64_t rip = engine_->linear_rip();
  const bool user = engine_->cpl() == 3;
  while (code.count < max_instruction_length) {
    const mmu::Gva at{rip + code.count};
    const mmu::Access access{at, mmu::AccessKind::Execute, user, false};
    const mmu::TranslationResult result = translator_.translate(engine_->space(), access);
    if (!result.ok) return MemoryFault{result.fault, mmu::AccessKind::Execute};
    const uint64_t left =
        std::min<uint64_t>(max_instruction_length - code.count, abi::page_size - at.page_offset());
    const std::span<uint8_t> to{code.bytes + code.count, left};
    if (!result.translation.ram || !memory_.read(result.translation.spa, to))
      std::memset(to.data(), 0xff, left);
    code.count = static_cast<uint8_t>(code.count + left);
    in = decode(code.span(), engine_->code_size());
    if (in.status != DecodeStatus::Truncated) return std::nullopt;
  }
  return std::nullopt;
}

UnicornCpu::MaybeExit UnicornCpu::step() {
  if (const uint64_t hits = instruction_breakpoints(); hits != 0) {
    publish();
    return raise_exception(debug_trap(hits), EventSource::Fault);
  }
  Instruction in;
  if (auto fault = fetch(in)) {
    next_grant_ = {};
    publish();
    if (auto exception = exception_of(fault->fault))
      return raise_exception(*exception, EventSource::Fault);
    return refused_exit(*fault);
  }
  if (meets_host_breakpoint(in)) return vtl::Exit{};
  if (coverage_ != nullptr) coverage_->arrive(vp_->number, static_cast<uint8_t>(vp_->active), engine_->linear_rip());
  if (observer_ != nullptr && config_.gear == Gear::Exact) engine_->observe_instruction();
  bool handled = false;
  if (MaybeExit exit = without_engine(in, handled); handled) return exit;
  if (in.status == DecodeStatus::Ok && reads_descriptors(in) && engine_->cpl() == 3) {
    // The engine does these with its own rights, and keeps what it was granted: neither before nor after may ring 0 share it.
    next_grant_.descriptors = true;
    engine_->request_flush();
  }
  engine_->synchronise(true);
  const StepGrant once = next_grant_;
  engine_->grant = once;
  next_grant_ = {};
  const uint64_t trap_before = engine_->registers->rflags & x64::rflags::tf;
  const bool shadow_before = (engine_->registers->hidden_flags & hidden::interrupt_shadow) != 0;
  if (engine_->breakpoints().data()) {
    publish();
    operands_ = operand_addresses(in, *vp_);
    published_ = false;
  }
  engine_->device_written = false;
  stepped_from_ = engine_->linear_rip();
  uint8_t* const popped = popped_virtual_8086(in);
  if (popped != nullptr) *popped ^= virtual_8086_in_byte;
  const Stop stop = engine_->single_step();
  if (popped != nullptr) *popped ^= virtual_8086_in_byte;
  if (once.device || once.descriptors || once.copy) engine_->request_flush();
  for (unsigned i = 0; once.copy && i < 2; ++i) {
    if (once.copied_address[i] != ~uint64_t{0})
      (void)memory_.make_data(once.copied_page[i].page_number());
  }
  return after_step(in, stop, trap_before, shadow_before);
}

/// IRETD in long mode ignores VM in what it pops (SDM vol. 2, IRET); the engine would enter virtual-8086 mode, from any CPL.
/// The byte of the stack that holds the bit if it is set: clear for the one step.
uint8_t* UnicornCpu::popped_virtual_8086(const Instruction& in) {
  if (!in.is(OpcodeMap::One, 0xcf) || in.operand_size != 4) return nullptr;
  if ((vp_->context().efer & x64::efer::lma) == 0) return nullptr;
  const EngineRegisters& registers = *engine_->registers;
  uint64_t address = registers.gpr[vtl::Rsp] + 10;
  if (in.code_size != CodeSize::Bits64) {
    if ((registers.hidden_flags & hidden::stack32) == 0) address &= 0xffff;
    address = (address + registers.segments[vtl::Ss].base) & 0xffffffff;
  }
  const mmu::Access read{mmu::Gva{address}, mmu::AccessKind::Read, engine_->cpl() == 3, false};
  const mmu::TranslationResult at = translator_.probe(engine_->space(), read);
  if (!at.ok || !at.translation.ram) return nullptr;
  uint8_t* const byte = memory_.data() + at.translation.spa.value();
  return (*byte & virtual_8086_in_byte) != 0 ? byte : nullptr;
}

/// Port access, and what the engine does wrong.
UnicornCpu::MaybeExit UnicornCpu::without_engine(const Instruction& in, bool& handled) {
  if (in.status != DecodeStatus::Ok) return std::nullopt;
  if (is_port_io(in)) {
    handled = true;
    publish();
    const ProcessorMemory memory = recorded_memory();
    return apply(port_access(in, *vp_, memory), in);
  }
  if (is_lock_refused(in) || is_missing_memory_form(in) || is_missing_group_member(in) || is_not_offered(in) ||
      (is_register_compare_exchange_32(in) && in.lock)) {
    handled = true;
    publish();
    return raise_exception({static_cast<uint8_t>(x64::Vector::InvalidOpcode), false, 0, 0},
                           EventSource::Fault);
  }
  if (is_system_entry(in) || is_far_transfer(in) || in.is(OpcodeMap::One, 0xcf)) {
    publish();
    const ProcessorMemory memory = recorded_memory();
    if (auto emulation = emulate_far_transfer(in, *vp_, memory)) {
      handled = true;
      return apply(*emulation, in);
    }
    published_ = false;  // the engine executes it
  }
  if (is_corrected(in)) {
    publish();
    const ProcessorMemory memory = recorded_memory();
    if (auto emulation = emulate_corrected(in, *vp_, memory)) {
      handled = true;
      return apply(*emulation, in);
    }
    published_ = false;
  }
  if (is_register_compare_exchange_32(in)) {
    handled = true;
    publish();
    touches_.clear();
    compare_exchange_registers_32(in, *vp_);
    return apply(cpu::retire(), in);
  }
  return std::nullopt;
}

UnicornCpu::MaybeExit UnicornCpu::after_step(const Instruction& in, Stop stop,
                                             uint64_t trap_before, bool shadow_before) {
  uint64_t& flags = engine_->registers->rflags;
  const bool trapped = stop == Stop::Exit && engine_->exit_code == exit_single_step;
  const bool executed = trapped || stop == Stop::Overrun;
  if (!executed || !loads_trap_flag(in)) flags = (flags & ~x64::rflags::tf) | trap_before;
  if (!executed && stop != Stop::Syscall) return after(stop);
  ++engine_->now;
  if (coverage_ != nullptr && in.status == DecodeStatus::Ok && is_control_transfer(in))
    coverage_->leave(vp_->number, stepped_from_);
  if (step_budget_ != 0) --step_budget_;
  if (page_steps_left_ != 0) --page_steps_left_;
  if (stop == Stop::Syscall) return after_system_call();
  if (returning_) unblock_nmi();
  if (in.status == DecodeStatus::Ok && is_bit_test(in)) engine_->make_flags_canonical();
  if (in.is(OpcodeMap::One, 0x9c) && trap_before == 0) repair_pushed_flags(in);
  if (const uint64_t traps = traps_of_step(in, trap_before, shadow_before); traps != 0) {
    publish();
    if (MaybeExit exit = raise_exception(debug_trap(traps), EventSource::Trap)) return exit;
  }
  if (config_.yield_at_locked && in.status == DecodeStatus::Ok && is_locked(in))
    return yield_exit();
  if (engine_->device_written) return vtl::Exit{};
  return std::nullopt;
}

/// IRET while NMIs are blocked: the engine executes it, alone, and afterwards they are not.
UnicornCpu::MaybeExit UnicornCpu::step_interrupt_return() {
  returning_ = true;
  engine_->intercept_interrupt_return(false);
  step_budget_ = std::max(step_budget_, 1u);
  return std::nullopt;
}

/// Also if it faults (SDM vol. 3, 6.7.1). `vp` need not be current.
void UnicornCpu::unblock_nmi() {
  returning_ = false;
  vp_->context().nmi_masked = false;
}

/// PUSHF under the trap flag pushed it.
void UnicornCpu::repair_pushed_flags(const Instruction& in) {
  const EngineRegisters& registers = *engine_->registers;
  uint64_t address = registers.gpr[vtl::Rsp];
  if (in.code_size != CodeSize::Bits64) {
    if ((registers.hidden_flags & hidden::stack32) == 0) address &= 0xffff;
    address += registers.segments[vtl::Ss].base;
    address &= 0xffffffff;
  }
  ++address;  // the byte that holds TF
  const mmu::TlbEntry* entry = translator_.lookup(engine_->space(), mmu::Gva{address},
                                                  mmu::AccessKind::Write, engine_->cpl() == 3);
  if (entry == nullptr || !entry->has(mmu::TlbEntry::Ram)) return;
  memory_.data()[entry->spa().value() + mmu::Gva{address}.page_offset()] &=
      static_cast<uint8_t>(~1u);
}

}  // namespace cpu
