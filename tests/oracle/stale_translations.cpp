#include "tests/oracle/stale_translations.h"

#include <fmt/format.h>

#include "abi/x64/registers.h"
#include "sim/cpu/instruction.h"
#include "sim/cpu/system_instructions.h"

namespace oracle {

using mmu::AccessKind;
using mmu::FaultKind;
using mmu::Gva;

void StaleTranslations::report(support::Instant now, const vtl::VirtualProcessor& vp,
                               uint64_t address, bool second_stage, std::string what) {
  ++(second_stage ? of_stage_2_ : of_stage_1_);
  if (uses_.size() < 100)
    uses_.push_back(
        {now.ticks, vp.context().rip, address, vp.active, second_stage, std::move(what)});
}

void StaleTranslations::check(support::Instant now, const vtl::VirtualProcessor& vp,
                              const mmu::AddressSpace& space, uint64_t address) {
  const mmu::TlbEntry* const entry = translator_.tlb().find(space, Gva{address});
  if (entry == nullptr) return;
  ++hits_;
  const bool user = vp.cpl() == 3;
  const uint8_t granted = mmu::granted(space, *entry, user);
  for (const AccessKind kind : {AccessKind::Read, AccessKind::Write, AccessKind::Execute}) {
    if ((granted & mmu::grant::of(kind)) == 0) continue;
    const mmu::TranslationResult walk =
        translator_.walk_only(space, {Gva{address}, kind, user, false}, nullptr);
    if (!walk.ok) {
      // The same page, refused by its SLAT entry. If a table is refused, the guest has changed the path to it.
      const bool second =
          !walk.fault.paging_structure && walk.fault.gpa.page_base() == entry->gpa() &&
          walk.fault.kind != FaultKind::PageFault && walk.fault.kind != FaultKind::NonCanonical;
      return report(
          now, vp, address, second,
          fmt::format("grants {} of GPA {:x} that a walk refuses: fault {} of GPA {:x}, {:x}{}",
                      static_cast<int>(kind), entry->gpa().value(),
                      static_cast<int>(walk.fault.kind), walk.fault.gpa.value(),
                      walk.fault.qualification, walk.fault.paging_structure ? ", a table" : ""));
    }
    if (walk.translation.spa.page_base() == entry->spa()) continue;
    const bool second = walk.translation.gpa.page_base() == entry->gpa();
    return report(now, vp, address, second,
                  fmt::format("leads to {:x}, a walk to {:x}", entry->spa().value(),
                              walk.translation.spa.page_base().value()));
  }
}

namespace {

/// Has a ModRM operand that is an address only: LEA, INVLPG, NOP, PREFETCHh.
bool only_names_memory(const cpu::Instruction& in) {
  using cpu::OpcodeMap;
  return in.is(OpcodeMap::One, 0x8d) || in.is(OpcodeMap::Two0F, 0x1f) ||
         in.is(OpcodeMap::Two0F, 0x18) || in.is(OpcodeMap::Two0F, 0x0d) ||
         (in.is(OpcodeMap::Two0F, 0x01) && in.reg_field() == 7);
}

}  // namespace

void StaleTranslations::before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) {
  const vtl::VtlContext& c = vp.context();
  const mmu::AddressSpace space = spaces_.address_space(vp);
  const bool code_64 = (c.segments[vtl::Cs].attributes & abi::x64::segment::long_mode) != 0;
  const bool code_32 = (c.segments[vtl::Cs].attributes & abi::x64::segment::default_big) != 0;
  const uint64_t rip = c.rip + (code_64 ? 0 : c.segments[vtl::Cs].base);
  check(now, vp, space, rip);
  check(now, vp, space, c.rsp + (code_64 ? 0 : c.segments[vtl::Ss].base));

  std::array<uint8_t, cpu::max_instruction_length> bytes;
  const uint64_t count = mmu::read_gva(translator_, space, Gva{rip}, bytes, vp.cpl() == 3);
  const cpu::CodeSize size = code_64   ? cpu::CodeSize::Bits64
                             : code_32 ? cpu::CodeSize::Bits32
                                       : cpu::CodeSize::Bits16;
  const cpu::Instruction in = cpu::decode({bytes.data(), static_cast<size_t>(count)}, size);
  if (in.status != cpu::DecodeStatus::Ok || !in.has_modrm || in.mod() == 3 || only_names_memory(in))
    return;
  check(now, vp, space, cpu::linear_address(in, vp));
}

}  // namespace oracle
