#include <cstddef>
#include <cstring>

#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_loaded.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::VtlContext;

/// The part of a VtlContext that guest code changes only through exits: from CR0 to the last MSR.
constexpr size_t system_begin = offsetof(VtlContext, cr0);
constexpr size_t system_end = offsetof(VtlContext, tpr);
static_assert(system_begin < system_end);

bool same_system(const VtlContext& a, const VtlContext& b) {
  return std::memcmp(reinterpret_cast<const char*>(&a) + system_begin,
                     reinterpret_cast<const char*>(&b) + system_begin,
                     system_end - system_begin) == 0;
}
void copy_system(VtlContext& to, const VtlContext& from) {
  std::memcpy(reinterpret_cast<char*>(&to) + system_begin,
              reinterpret_cast<const char*>(&from) + system_begin, system_end - system_begin);
}

constexpr uint32_t flag_big = 1u << 22, flag_long = 1u << 21;

uint32_t hidden_flags(const VtlContext& context, const EngineRegisters& registers) {
  uint32_t flags = hidden::svme | hidden::guest;
  flags |= static_cast<uint32_t>(context.segments[vtl::Ss].attributes >> x64::segment::dpl_shift) &
           hidden::cpl;
  if ((context.cr0 & x64::cr0::pe) != 0) flags |= hidden::pe;
  if ((context.cr0 & x64::cr0::mp) != 0) flags |= hidden::mp;
  if ((context.cr0 & x64::cr0::em) != 0) flags |= hidden::em;
  if ((context.cr0 & x64::cr0::ts) != 0) flags |= hidden::ts;
  if ((context.cr4 & x64::cr4::osfxsr) != 0) flags |= hidden::osfxsr;
  if ((context.cr4 & x64::cr4::smap) != 0) flags |= hidden::smap;
  const bool long_mode = (context.efer & x64::efer::lma) != 0;
  if (long_mode) flags |= hidden::lma;
  const EngineSegment* segments = registers.segments;
  if (long_mode && (segments[vtl::Cs].flags & flag_long) != 0)
    return flags | hidden::code32 | hidden::stack32 | hidden::code64;
  if ((segments[vtl::Cs].flags & flag_big) != 0) flags |= hidden::code32;
  if ((segments[vtl::Ss].flags & flag_big) != 0) flags |= hidden::stack32;
  const bool flat = (flags & hidden::pe) != 0 && (context.rflags & x64::rflags::vm) == 0 &&
                    (flags & hidden::code32) != 0 &&
                    (segments[vtl::Ds].base | segments[vtl::Es].base | segments[vtl::Ss].base) == 0;
  return flat ? flags : flags | hidden::add_segments;
}

void load_system(const VtlContext& context, UnicornEngine& engine) {
  EngineRegisters& registers = *engine.registers;
  for (unsigned i = 0; i < vtl::segment_count; ++i)
    registers.segments[i] = to_engine(context.segments[i]);
  registers.ldt = to_engine(context.ldtr);
  registers.tr = to_engine(context.tr);
  registers.gdt.base = context.gdtr.base;
  registers.gdt.limit = context.gdtr.limit;
  registers.idt.base = context.idtr.base;
  registers.idt.limit = context.idtr.limit;
  registers.cr[0] = context.cr0;
  registers.cr[3] = context.cr3;
  registers.cr[4] =
      context.cr4 & ~x64::cr4::osxsave;  // XSETBV has no intercept: it must be undefined
  constexpr uint64_t svme = 1u << 12;
  engine.field<uint64_t>(engine.layout.efer) = context.efer | svme;
  engine.field<uint64_t>(engine.layout.star) = context.star;
  engine.field<uint64_t>(engine.layout.kernel_gs_base) = context.kernel_gs_base;
  registers.hidden_flags = hidden_flags(context, registers);
}

RawFloatingPoint raw_floating_point(const UnicornEngine& engine) {
  RawFloatingPoint raw;
  raw.head = engine.field<EngineX87>(engine.layout.x87);
  raw.mxcsr = engine.field<uint32_t>(engine.layout.mxcsr);
  raw.instruction = engine.field<uint64_t>(engine.layout.x87_ip);
  raw.operand = engine.field<uint64_t>(engine.layout.x87_dp);
  raw.instruction_selector = engine.field<uint16_t>(engine.layout.x87_cs);
  raw.operand_selector = engine.field<uint16_t>(engine.layout.x87_ds);
  std::memcpy(raw.registers, &engine.field<EngineX87Register>(engine.layout.x87_registers),
              sizeof raw.registers);
  return raw;
}

/// The low 16 bytes of all vector registers, between an engine and `values`. Most of what a VTL switch copies.
void load_xmm(const std::array<vtl::Xmm, 16>& values, UnicornEngine& engine) {
  auto* to = &engine.field<uint8_t>(engine.layout.xmm);
  const size_t stride = engine.layout.xmm_stride;
  for (size_t i = 0; i < values.size(); ++i) std::memcpy(to + i * stride, &values[i], sizeof values[i]);
}
void store_xmm(const UnicornEngine& engine, std::array<vtl::Xmm, 16>& values) {
  const auto* from = &engine.field<uint8_t>(engine.layout.xmm);
  const size_t stride = engine.layout.xmm_stride;
  for (size_t i = 0; i < values.size(); ++i) std::memcpy(&values[i], from + i * stride, sizeof values[i]);
}

bool same_x87(const vtl::FloatingPoint& a, const vtl::FloatingPoint& b) {
  return a.control == b.control && a.status == b.status && a.tag == b.tag && a.mxcsr == b.mxcsr &&
         a.instruction == b.instruction && a.operand == b.operand &&
         a.instruction_selector == b.instruction_selector &&
         a.operand_selector == b.operand_selector && a.st == b.st;
}

}  // namespace

EngineSegment to_engine(const vtl::Segment& segment) {
  return {segment.selector, 0, segment.base, segment.limit, (segment.attributes & 0xf0ffu) << 8};
}

vtl::Segment from_engine(const EngineSegment& segment) {
  return {segment.base, segment.limit, static_cast<uint16_t>(segment.selector),
          static_cast<uint16_t>((segment.flags >> 8) & 0xf0ff)};
}

bool RegisterTransfer::load(const vtl::VirtualProcessor& vp, UnicornEngine& engine) {
  const VtlContext& context = vp.context();
  EngineRegisters& registers = *engine.registers;
  UnicornEngine::Loaded& loaded = *engine.loaded;
  std::memcpy(registers.gpr, vp.shared.gpr.data(), sizeof registers.gpr);
  registers.gpr[vtl::Rsp] = context.rsp;
  registers.rip = context.rip;
  engine.set_breakpoints(vp);
  engine.set_rflags(context.rflags & x64::rflags::defined);
  const bool changed = !loaded.valid || !same_system(context, loaded.context);
  if (changed) {
    load_system(context, engine);
    copy_system(loaded.context, context);
    std::memcpy(loaded.segments, registers.segments, sizeof loaded.segments);
    loaded.valid = true;
  }
  registers.hidden_flags &= ~hidden::interrupt_shadow;
  if (context.interrupt_shadow) registers.hidden_flags |= hidden::interrupt_shadow;
  engine.intercept_interrupt_return(context.nmi_masked);
  load_xmm(vp.shared.fp.xmm, engine);
  if (!same_x87(vp.shared.fp, known_)) {
    known_ = vp.shared.fp;
    ++generation_;
  }
  if (loaded.floating_point_generation != generation_) load_floating_point(vp.shared.fp, engine);
  return changed;
}

void RegisterTransfer::store(UnicornEngine& engine, vtl::VirtualProcessor& vp) {
  store_integers(engine, vp);
  store_xmm(engine, vp.shared.fp.xmm);
  store_floating_point(engine, vp.shared.fp);
}

void RegisterTransfer::store_integers(UnicornEngine& engine, vtl::VirtualProcessor& vp) {
  VtlContext& context = vp.context();
  const EngineRegisters& registers = *engine.registers;
  UnicornEngine::Loaded& loaded = *engine.loaded;
  std::memcpy(vp.shared.gpr.data(), registers.gpr, sizeof registers.gpr);
  vp.shared.gpr[vtl::Rsp] = 0;  // not a shared register
  context.rsp = registers.gpr[vtl::Rsp];
  context.rip = registers.rip;
  context.rflags = engine.rflags();
  context.interrupt_shadow = (registers.hidden_flags & hidden::interrupt_shadow) != 0;
  if (std::memcmp(loaded.segments, registers.segments, sizeof loaded.segments) != 0) {
    std::memcpy(loaded.segments, registers.segments, sizeof loaded.segments);
    for (unsigned i = 0; i < vtl::segment_count; ++i) {
      context.segments[i] = from_engine(registers.segments[i]);
      loaded.context.segments[i] = context.segments[i];
    }
  }
  context.kernel_gs_base = engine.field<uint64_t>(engine.layout.kernel_gs_base);
  loaded.context.kernel_gs_base = context.kernel_gs_base;
}

void RegisterTransfer::load_floating_point(const vtl::FloatingPoint& fp, UnicornEngine& engine) {
  auto& head = engine.field<EngineX87>(engine.layout.x87);
  auto* registers = &engine.field<EngineX87Register>(engine.layout.x87_registers);
  const uint32_t top = (fp.status >> 11) & 7;
  head.top = top;
  head.status = fp.status & static_cast<uint16_t>(~0x3800);
  for (unsigned i = 0; i < 8; ++i) {
    head.empty[i] = ((fp.tag >> i) & 1) != 0 ? 0 : 1;
    auto& to = registers[(top + i) & 7];
    to = {fp.st[i].low, static_cast<uint16_t>(fp.st[i].high), {}};
  }
  engine.field<uint64_t>(engine.layout.x87_ip) = fp.instruction;
  engine.field<uint64_t>(engine.layout.x87_dp) = fp.operand;
  engine.field<uint16_t>(engine.layout.x87_cs) = fp.instruction_selector;
  engine.field<uint16_t>(engine.layout.x87_ds) = fp.operand_selector;
  // Rounding and masks are derived from these two.
  const uint16_t control = fp.control;
  const uint32_t mxcsr = fp.mxcsr;
  uc_reg_write(engine.engine, UC_X86_REG_FPCW, &control);
  uc_reg_write(engine.engine, UC_X86_REG_MXCSR, &mxcsr);
  engine.loaded->floating_point = raw_floating_point(engine);
  engine.loaded->floating_point_generation = generation_;
}

void RegisterTransfer::store_floating_point(UnicornEngine& engine, vtl::FloatingPoint& fp) {
  const RawFloatingPoint raw = raw_floating_point(engine);
  if (std::memcmp(&raw, &engine.loaded->floating_point, sizeof raw) == 0) return;
  engine.loaded->floating_point = raw;
  fp.control = raw.head.control;
  fp.status = static_cast<uint16_t>((raw.head.status & ~0x3800u) | (raw.head.top & 7) << 11);
  fp.mxcsr = raw.mxcsr;
  fp.instruction = raw.instruction;
  fp.operand = raw.operand;
  fp.instruction_selector = raw.instruction_selector;
  fp.operand_selector = raw.operand_selector;
  fp.tag = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if (raw.head.empty[i] == 0) fp.tag = static_cast<uint8_t>(fp.tag | 1u << i);
    const EngineX87Register& from = raw.registers[(raw.head.top + i) & 7];
    fp.st[i] = {from.mantissa, from.exponent};
  }
  known_ = fp;
  engine.loaded->floating_point_generation = ++generation_;
}

}  // namespace cpu
