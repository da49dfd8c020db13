// What follows a refused fill: a fault for the guest, a change of a page's state, or one step with a grant.
#include <algorithm>

#include "abi/x64/exceptions.h"
#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_core.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;

bool in_table(const EngineSegment& table, uint64_t address) {
  return address >= table.base && address - table.base <= table.limit;
}

/// PUSH, POP, CALL, RET, ENTER, LEAVE and their kin: they use SS:RSP besides what ModRM says.
bool uses_stack(const Instruction& in) {
  const uint8_t op = in.opcode;
  if (in.map == OpcodeMap::Two0F) return op == 0xa0 || op == 0xa1 || op == 0xa8 || op == 0xa9;
  if (in.map != OpcodeMap::One) return false;
  switch (op) {
    case 0x06:
    case 0x07:
    case 0x0e:
    case 0x16:
    case 0x17:
    case 0x1e:
    case 0x1f:
    case 0x60:
    case 0x61:
    case 0x68:
    case 0x6a:
    case 0x8f:
    case 0x9a:
    case 0x9c:
    case 0x9d:
    case 0xc2:
    case 0xc3:
    case 0xc8:
    case 0xc9:
    case 0xca:
    case 0xcb:
    case 0xcf:
    case 0xe8:
      return true;
    case 0xff:
      return in.reg_field() == 2 || in.reg_field() == 3 || in.reg_field() == 6;
    default:
      return op >= 0x50 && op < 0x60;
  }
}

}  // namespace

UnicornCpu::MaybeExit UnicornCpu::after_refusal() {
  const Refusal& refusal = engine_->refusal;
  switch (refusal.kind) {
    case RefusalKind::Fault:
      return after_fault();
    case RefusalKind::Prefetch:
      step_out_of_page();
      return std::nullopt;
    case RefusalKind::NeedCode:
      // Also the page after RIP's: whether it is reached shows when it is, in steps.
      if (mmu::Gva{refusal.page_address}.page_number() ==
              mmu::Gva{engine_->linear_rip()}.page_number() ||
          stepping()) {
        pages_.prepare(refusal.page.page_number());
      } else {
        step_out_of_page();
      }
      return std::nullopt;
    case RefusalKind::NeedData:
      return write_to_code(refusal.page);
    case RefusalKind::Danger:
    case RefusalKind::Watch:
      step_budget_ = std::max(step_budget_, 1u);
      return std::nullopt;
    case RefusalKind::Device:
      return touch_device(refusal.page);
    case RefusalKind::Retry:
      return std::nullopt;
  }
  return std::nullopt;
}

/// An access without a translation. The fill hook knew the page only; the rest is known here.
UnicornCpu::MaybeExit UnicornCpu::after_fault() {
  const Refusal& refusal = engine_->refusal;
  MemoryFault fault{refusal.fault, refusal.access};
  const bool fetch = refusal.access == mmu::AccessKind::Execute;
  if (fetch) {
    if (const uint64_t hits = instruction_breakpoints(); hits != 0) {
      publish();
      return raise_exception(debug_trap(hits), EventSource::Fault);
    }
  }
  uint64_t exact = fetch ? engine_->linear_rip() : engine_->fault_address();
  if (mmu::Gva{exact}.page_base().value() != refusal.page_address) exact = refusal.page_address;
  const uint64_t offset = mmu::Gva{exact}.page_offset();
  fault.fault.address = mmu::Gva{exact};
  const bool of_stage_2 = fault.fault.kind != mmu::FaultKind::PageFault &&
                          fault.fault.kind != mmu::FaultKind::NonCanonical;
  if (of_stage_2 && !fault.fault.paging_structure)
    fault.fault.gpa = fault.fault.gpa.page_base() + offset;
  Instruction in;
  if (!fetch) in = decode(code_at_rip().span(), engine_->code_size());
  const EngineRegisters& registers = *engine_->registers;
  const bool in_tables = in_table(registers.gdt, exact) || in_table(registers.ldt, exact) ||
                         in_table(registers.tr, exact);
  if (engine_->cpl() == 3 && in.status == DecodeStatus::Ok && reads_descriptors(in) && in_tables) {
    const mmu::Access access{mmu::Gva{exact}, refusal.access, false, true};
    const mmu::TranslationResult implicit = translator_.translate(engine_->space(), access);
    if (implicit.ok) {  // the processor's own access: once more, with its rights
      StepGrant once;
      once.descriptors = true;
      return step_with(once);
    }
    fault.fault = implicit.fault;
  }
  if (refusal.access == mmu::AccessKind::Read && in.status == DecodeStatus::Ok &&
      is_read_modify_write(in)) {
    // The engine reads first; a processor asks for both rights at once.
    const mmu::Access write{mmu::Gva{exact}, mmu::AccessKind::Write, engine_->cpl() == 3, false};
    const mmu::TranslationResult refused = translator_.probe(engine_->space(), write);
    if (!refused.ok) {
      const uint64_t read = fault.fault.qualification & x64::ept_violation::data_read;
      fault = {refused.fault, mmu::AccessKind::Write};
      fault.fault.qualification |= read;
    }
  }
  publish();
  const bool stack = in.status == DecodeStatus::Ok && is_stack_access(in, exact);
  if (auto exception = exception_of(fault.fault, stack))
    return raise_exception(*exception, EventSource::Fault);
  return refused_exit(fault);
}

bool UnicornCpu::is_stack_access(const Instruction& in, uint64_t address) const {
  const uint64_t rsp = engine_->registers->gpr[vtl::Rsp];
  if (uses_stack(in) && address - (rsp - 64) < 128) return true;
  const bool frame = in.is(OpcodeMap::One, 0xc8) || in.is(OpcodeMap::One, 0xc9);  // ENTER, LEAVE
  if (frame && address - (engine_->registers->gpr[vtl::Rbp] - 256) < 320) return true;
  if (!in.has_modrm || in.mod() == 3 || in.segment != no_segment) return false;
  const unsigned base = (in.has_sib ? in.sib & 7u : in.modrm & 7u) | (in.rex & 1u) << 3;
  if (in.has_sib) return base == vtl::Rsp || (base == vtl::Rbp && in.mod() != 0);
  return base == vtl::Rbp && in.mod() != 0;
}

/// Memory operands of an instruction besides the device's: translated and made writable before the device is touched.
std::optional<MemoryFault> UnicornCpu::prepare_operands(const Instruction& in) {
  const ProcessorMemory memory{translator_, engine_->space()};
  const Privilege privilege = explicit_privilege(engine_->cpl());
  const vtl::SharedRegisters& shared = vp_->shared;
  const auto masked = [&](uint64_t value) {
    return in.address_size == 8   ? value
           : in.address_size == 4 ? value & 0xffffffff
                                  : value & 0xffff;
  };
  const uint8_t size = (in.opcode & 1) == 0 ? uint8_t{1} : in.operand_size;
  const uint8_t source = in.segment == no_segment ? uint8_t{vtl::Ds} : in.segment;
  const auto writable = [&](uint64_t address, uint64_t bytes) -> std::optional<MemoryFault> {
    if (auto fault = memory.check(address, bytes, mmu::AccessKind::Write, privilege)) return fault;
    const mmu::TlbEntry* entry = translator_.lookup(
        engine_->space(), mmu::Gva{address}, mmu::AccessKind::Write, privilege == Privilege::User);
    if (entry != nullptr && entry->has(mmu::TlbEntry::Ram))
      (void)memory_.make_data(entry->spa().page_number());
    return std::nullopt;
  };
  if (in.map != OpcodeMap::One) return std::nullopt;
  if (in.opcode == 0xa4 || in.opcode == 0xa5) {
    const uint64_t from = in_segment(*vp_, source, masked(shared.gpr[vtl::Rsi]), in.code_size);
    if (auto fault = memory.check(from, size, mmu::AccessKind::Read, privilege)) return fault;
    return writable(in_segment(*vp_, vtl::Es, masked(shared.gpr[vtl::Rdi]), in.code_size), size);
  }
  if (in.opcode == 0xff && (in.reg_field() == 2 || in.reg_field() == 6)) {
    const uint64_t bytes =
        in.code_size == CodeSize::Bits64 && in.operand_size == 4 ? 8 : in.operand_size;
    uint64_t stack = vp_->context().rsp - bytes;
    if (in.code_size != CodeSize::Bits64 && (engine_->registers->hidden_flags & hidden::stack32) == 0)
      stack &= 0xffff;
    return writable(in_segment(*vp_, vtl::Ss, stack, in.code_size), bytes);
  }
  return std::nullopt;
}

UnicornCpu::MaybeExit UnicornCpu::touch_device(mmu::Spa page) {
  publish();
  if (engine_->refusal.access == mmu::AccessKind::Execute || page.value() >= private_base)
    return raise_exception({static_cast<uint8_t>(x64::Vector::InvalidOpcode), false, 0, 0},
                           EventSource::Fault);
  const Instruction in = decode(code_at_rip().span(), engine_->code_size());
  if (in.status == DecodeStatus::Ok) {
    if (auto fault = prepare_operands(in)) {
      if (auto exception = exception_of(fault->fault))
        return raise_exception(*exception, EventSource::Fault);
      return refused_exit(*fault);
    }
  }
  StepGrant once;
  once.device = true;
  return step_with(once);
}

/// The next turn executes the instruction at RIP alone, with this grant.
UnicornCpu::MaybeExit UnicornCpu::step_with(const StepGrant& once) {
  next_grant_ = once;
  step_budget_ = std::max(step_budget_, 1u);
  engine_->request_flush();
  return std::nullopt;
}

/// A write to a page that holds code. If it holds the writing instruction too, that runs from a copy: no page is ever both
/// writable and executable.
UnicornCpu::MaybeExit UnicornCpu::write_to_code(mmu::Spa page) {
  const uint64_t rip = engine_->linear_rip();
  const Instruction in = decode(code_at_rip().span(), engine_->code_size());
  const bool user = engine_->cpl() == 3;
  const uint64_t length = std::max<uint64_t>(in.length, 1);
  uint64_t addresses[2] = {mmu::Gva{rip}.page_base().value(),
                           mmu::Gva{rip + length - 1}.page_base().value()};
  mmu::Spa pages[2];
  bool own = false;
  const unsigned count = addresses[0] == addresses[1] ? 1 : 2;
  for (unsigned i = 0; i < count; ++i) {
    const mmu::TlbEntry* entry = translator_.lookup(engine_->space(), mmu::Gva{addresses[i]},
                                                    mmu::AccessKind::Execute, user);
    if (entry == nullptr || !entry->has(mmu::TlbEntry::Ram)) {
      addresses[i] = ~uint64_t{0};
      continue;
    }
    pages[i] = entry->spa();
    own = own || pages[i] == page;
  }
  if (!own) {
    (void)memory_.make_data(page.page_number());
    return std::nullopt;
  }
  engine_->grant = {};
  for (unsigned i = 0; i < count; ++i) {
    if (addresses[i] != ~uint64_t{0}) engine_->copy_code(i, addresses[i], pages[i]);
  }
  return step_with(engine_->grant);
}

}  // namespace cpu
