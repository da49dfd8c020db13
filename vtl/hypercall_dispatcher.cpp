#include "vtl/hypercall_dispatcher.h"

#include <algorithm>
#include <cstring>

#include "abi/x64/registers.h"
#include "sim/support/check.h"

namespace vtl {

using namespace abi::hv;

namespace {

bool is_wide(const VirtualProcessor& vp) {
  return (vp.context().efer & abi::x64::efer::lma) != 0;
}

uint64_t joined(uint64_t high, uint64_t low) {
  return high << 32 | (low & 0xFFFFFFFF);
}

/// The three words of a call where the caller's mode has them (section 2.3).
uint64_t input_register(const VirtualProcessor& vp) {
  const auto& gpr = vp.shared.gpr;
  return is_wide(vp) ? gpr[Rdx] : joined(gpr[Rbx], gpr[Rcx]);
}
uint64_t output_register(const VirtualProcessor& vp) {
  const auto& gpr = vp.shared.gpr;
  return is_wide(vp) ? gpr[R8] : joined(gpr[Rdi], gpr[Rsi]);
}
void set_edx_eax(VirtualProcessor& vp, uint64_t value) {
  vp.shared.gpr[Rax] = value & 0xFFFFFFFF;
  vp.shared.gpr[Rdx] = value >> 32;
}

DispatchResult completed(VirtualProcessor& vp, HvStatus status, uint16_t reps = 0) {
  const uint64_t result =
      HypercallResult{}.with_status(static_cast<uint16_t>(status)).with_reps_completed(reps).raw;
  if (is_wide(vp)) {
    vp.shared.gpr[Rax] = result;
  } else {
    set_edx_eax(vp, result);
  }
  return {.kind = DispatchResult::Kind::Completed};
}

/// The call goes on when the instruction executes again.
DispatchResult unfinished(VirtualProcessor& vp, HypercallControl control) {
  if (is_wide(vp)) {
    vp.shared.gpr[Rcx] = control.raw;
  } else {
    set_edx_eax(vp, control.raw);
  }
  return {.kind = DispatchResult::Kind::Unfinished};
}

/// The caller's view of guest physical memory.
mmu::AddressSpace physical_space(const CallContext& context) {
  mmu::AddressSpace space;
  space.partition = context.partition.id;
  space.vtl = context.vtl;
  space.slat = context.partition.memory->slat(context.vtl);
  return space;
}

constexpr uint32_t align16(uint32_t value) {
  return (value + 15) & ~15u;
}

}  // namespace

bool HypercallDispatcher::may_call(const VirtualProcessor& vp) {
  const VtlContext& registers = vp.context();
  if (vp.cpl() != 0 || (registers.cr0 & abi::x64::cr0::pe) == 0 ||
      (registers.rflags & abi::x64::rflags::vm) != 0) {
    return false;
  }
  return !is_wide(vp) ||
         (registers.segments[Cs].attributes & abi::x64::segment::long_mode) != 0;
}

HypercallControl HypercallDispatcher::control(const VirtualProcessor& vp) {
  const auto& gpr = vp.shared.gpr;
  return {is_wide(vp) ? gpr[Rcx] : joined(gpr[Rdx], gpr[Rax])};
}

uint64_t HypercallDispatcher::switch_control(const VirtualProcessor& vp) {
  const auto& gpr = vp.shared.gpr;
  return is_wide(vp) ? gpr[Rax] : gpr[Rcx] & 0xFFFFFFFF;
}

DispatchResult HypercallDispatcher::dispatch(Hypervisor& hypervisor, const CallContext& context,
                                             const CallRow* row) {
  VirtualProcessor& vp = context.registers;
  const HypercallControl word = control(vp);
  captured_ = 0;
  Layout layout;
  const HvStatus status = check(word, row, context.vtl, layout);
  if (status != HvStatus::Success) return completed(vp, status);
  return run(hypervisor, context, *row, layout, word);
}

/// The checks that are the same for every call, in the order of TLFS 3.7; fills in where the
/// parameters are.
HvStatus HypercallDispatcher::check(const HypercallControl& word, const CallRow* row, Vtl vtl,
                                    Layout& layout) const {
  if (row == nullptr || row->call == nullptr) return HvStatus::InvalidHypercallCode;
  const CallInfo& info = *row->info;
  if (word.reserved0() != 0 || word.reserved1() != 0 || word.reserved2() != 0 ||
      word.nested() ||
      (word.variable_header_qwords() != 0 && !has_variable_header(info.shape))) {
    return HvStatus::InvalidHypercallInput;
  }
  const bool rep = is_rep(info.shape);
  if (rep ? word.rep_start() >= word.rep_count()
          : (word.rep_count() | word.rep_start()) != 0) {
    return HvStatus::
        InvalidHypercallInput;  // a rep call of no element included (reference section 11)
  }
  if (vtl < info.minimum_vtl) return HvStatus::AccessDenied;

  layout.header = info.header + 8u * word.variable_header_qwords();
  layout.element = info.element;
  layout.output_element = info.output;
  layout.count = rep ? word.rep_count() : uint16_t{1};
  layout.start = word.rep_start();
  layout.fast = word.fast();
  layout.input = layout.header + (rep ? layout.count * layout.element : 0u);
  layout.output = layout.count * layout.output_element;
  if (layout.fast) {
    layout.output_at = std::max(align16(layout.input), fast_bytes);
    const uint32_t bytes = layout.output != 0 ? layout.output_at + layout.output : layout.input;
    if (bytes > xmm_fast_bytes) return HvStatus::InvalidHypercallInput;
  }
  return HvStatus::Success;
}

/// Section 2.3: aligned, inside one page, in the GPA space and not an overlay page; then stage 2 of
/// the caller's VTL.
HypercallDispatcher::Page HypercallDispatcher::check_page(const CallContext& context, uint64_t gpa,
                                                          uint32_t bytes, bool write) const {
  Page page{.gpa = Gpa{gpa}};
  if (bytes == 0) return page;
  const GuestMemory& memory = *context.partition.memory;
  if (gpa % 8 != 0 || page.gpa.page_offset() + bytes > abi::page_size || !memory.is_ram(page.gpa)) {
    page.status = HvStatus::InvalidAlignment;
  } else if (memory.is_overlay(context.vtl, page.gpa)) {
    page.status = HvStatus::InvalidParameter;
  } else {
    const mmu::Rights rights = memory.slat(context.vtl)->lookup(page.gpa).rights;
    page.denied = write ? !rights.write : !rights.read;
  }
  return page;
}

DispatchResult HypercallDispatcher::run(Hypervisor& hypervisor, const CallContext& context,
                                        const CallRow& row, const Layout& layout,
                                        HypercallControl word) {
  VirtualProcessor& vp = context.registers;
  Page input, output;
  if (!layout.fast) {
    input = check_page(context, input_register(vp), layout.input, false);
    output = check_page(context, output_register(vp), layout.output, true);
    for (const Page& page : {input, output}) {
      if (page.status != HvStatus::Success) return completed(vp, page.status, layout.start);
    }
    if (input.denied) return {.kind = DispatchResult::Kind::InputDenied, .gpa = input.gpa};
    if (output.denied) return {.kind = DispatchResult::Kind::OutputDenied, .gpa = output.gpa};
  }
  const bool rep = is_rep(row.info->shape);
  const auto chunk =
      rep ? std::min<uint16_t>(static_cast<uint16_t>(layout.count - layout.start), reps_per_entry_)
          : uint16_t{0};
  copy_in(context, layout, chunk, input.gpa);
  const uint32_t fixed = row.info->header;
  const CallBlock block{
      input_.data(),
      {reinterpret_cast<const uint64_t*>(input_.data() + fixed), (layout.header - fixed) / 8},
      input_.data() + layout.header,
      output_.data(),
      chunk};
  const CallResult result = row.call(hypervisor, context, block);
  if (result.wait) return {.kind = DispatchResult::Kind::Unfinished, .yields = true};

  CHECK(result.completed <= chunk);
  const bool success = result.status == HvStatus::Success;
  if (success && rep) CHECK(result.completed == chunk);
  copy_out(context, layout, rep ? result.completed : static_cast<uint16_t>(success ? 1 : 0),
           output.gpa);
  const auto done = static_cast<uint16_t>(layout.start + result.completed);
  if (rep && success && done < layout.count) {
    return unfinished(vp, word.with_rep_start(done));
  }
  DispatchResult end = completed(vp, result.status, rep ? done : uint16_t{0});
  end.yields = result.yields;
  return end;
}

/// Each byte of the input is read once; from here on the guest can change its memory as it likes.
void HypercallDispatcher::copy_in(const CallContext& context, const Layout& layout, uint16_t chunk,
                                  Gpa page) {
  const uint32_t first = layout.header + layout.start * layout.element;
  const uint32_t bytes = chunk * layout.element;
  captured_ = layout.header + bytes;
  if (layout.fast) {
    load_registers(context.registers);
    std::memcpy(input_.data(), registers_.data(), layout.header);
    std::memcpy(input_.data() + layout.header, registers_.data() + first, bytes);
    return;
  }
  const mmu::AddressSpace space = physical_space(context);
  CHECK(mmu::read_gpa(translator_, space, page, {input_.data(), layout.header}) == layout.header);
  CHECK(mmu::read_gpa(translator_, space, page + first, {input_.data() + layout.header, bytes}) ==
        bytes);
}

void HypercallDispatcher::copy_out(const CallContext& context, const Layout& layout,
                                   uint16_t completed, Gpa page) {
  const uint32_t bytes = completed * layout.output_element;
  if (bytes == 0) return;
  const uint32_t first = layout.start * layout.output_element;
  if (layout.fast) {
    std::memcpy(registers_.data() + layout.output_at + first, output_.data(), bytes);
    store_registers(context.registers, layout.output_at + first, bytes);
    return;
  }
  const mmu::AddressSpace space = physical_space(context);
  CHECK(mmu::write_gpa(translator_, space, page + first, {output_.data(), bytes}) == bytes);
}

/// The register block of a fast call: RDX, R8 (EBX:ECX, EDI:ESI of a 32-bit caller), XMM0..XMM5
/// (TLFS 3.7.2).
void HypercallDispatcher::load_registers(const VirtualProcessor& vp) {
  const uint64_t first[2] = {input_register(vp), output_register(vp)};
  std::memcpy(registers_.data(), first, sizeof first);
  for (size_t i = 0; i < 6; ++i) {
    std::memcpy(registers_.data() + 16 + 16 * i, &vp.shared.fp.xmm[i], 16);
  }
}

/// Writes back the XMM registers that [first, first + bytes) touches: output never lies in front of
/// them.
void HypercallDispatcher::store_registers(VirtualProcessor& vp, uint32_t first, uint32_t bytes) {
  for (uint32_t i = 0; i < 6; ++i) {
    const uint32_t at = 16 + 16 * i;
    if (at + 16 > first && at < first + bytes)
      std::memcpy(&vp.shared.fp.xmm[i], registers_.data() + at, 16);
  }
}

}  // namespace vtl
