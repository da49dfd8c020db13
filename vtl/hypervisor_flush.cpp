// Address spaces and their flushes (TLFS 4.4 and the calls by name; sections 2.10, 3.5, 3.8).
#include <utility>

#include "vtl/hypervisor.h"
#include "vtl/processor_set.h"
#include "vtl/register_rules.h"

namespace vtl {

using namespace abi::hv;
namespace flags = abi::hv::flush;

namespace {

constexpr uint64_t target_vtls = flags::target_vtl0 | flags::target_vtl1;
constexpr uint64_t known_flags = flags::all_processors | flags::all_virtual_address_spaces |
                                 flags::non_global_mappings_only | flags::extended_range_format |
                                 flags::use_target_vtl | target_vtls;
/// Beyond that dropping everything is cheaper, and allowed.
constexpr uint64_t pages_worth_naming = 32;

/// What to flush, once the input of any of the four calls is understood.
struct Flush {
  uint64_t address_space{};
  uint64_t flags{};
  uint16_t vtls{};  ///< bit n: VTL n
  std::span<const GvaRange> ranges;
  bool whole{};
};

/// A range in pages of 4 KiB; empty: so large that everything goes.
struct Pages {
  uint64_t first{}, count{};
};
std::optional<Pages> pages_of(GvaRange range, uint64_t wanted) {
  const uint64_t extended_large = uint64_t{1} << 11;
  if ((wanted & flags::extended_range_format) != 0 && (range.raw & extended_large) != 0)
    return std::nullopt;
  const uint64_t count = uint64_t{range.additional_pages()} + 1;
  if (count > pages_worth_naming) return std::nullopt;
  return Pages{range.page(), count};
}

void flush_ranges(mmu::Translator& translator, const mmu::AddressSpace& space, const Flush& what) {
  const bool keep_globals = (what.flags & flags::non_global_mappings_only) != 0;
  const bool all_spaces = (what.flags & flags::all_virtual_address_spaces) != 0;
  const uint16_t pcid = mmu::current_pcid(space);
  for (const GvaRange range : what.ranges) {
    const auto pages = pages_of(range, what.flags);
    if (all_spaces || !pages) {
      translator.invalidate_all(space, keep_globals);
      return;
    }
    for (uint64_t i = 0; i < pages->count; ++i) {
      const Gva address{(pages->first + i) * abi::page_size};
      if (keep_globals) {
        translator.invalidate_address_in_pcid(space, pcid, address);
      } else {
        translator.invalidate_address(space, address);
      }
    }
  }
}

void flush_space(mmu::Translator& translator, const mmu::AddressSpace& space, const Flush& what) {
  if (!what.whole) {
    flush_ranges(translator, space, what);
    return;
  }
  const bool keep_globals = (what.flags & flags::non_global_mappings_only) != 0;
  if ((what.flags & flags::all_virtual_address_spaces) != 0 || !keep_globals) {
    translator.invalidate_all(space, keep_globals);
  } else {
    translator.invalidate_pcid(space, mmu::current_pcid(space));
  }
}

/// The VTLs that a call means: the caller's, or those of its flags, none above the caller's.
HvStatus check_flags(const CallContext& context, uint64_t wanted, uint16_t& vtls) {
  if ((wanted & ~known_flags) != 0) return HvStatus::InvalidParameter;
  const bool extended = (wanted & flags::extended_range_format) != 0;
  if (extended && !context.partition.privileges.enable_extended_gva_ranges_flush())
    return HvStatus::AccessDenied;
  const bool use = (wanted & flags::use_target_vtl) != 0;
  if (use != ((wanted & target_vtls) != 0)) return HvStatus::InvalidParameter;
  vtls = static_cast<uint16_t>(1u << static_cast<unsigned>(context.vtl));
  if (!use) return HvStatus::Success;
  vtls = static_cast<uint16_t>((wanted & target_vtls) >> 8);
  return vtls >> static_cast<unsigned>(context.vtl) > 1 ? HvStatus::AccessDenied
                                                        : HvStatus::Success;
}

}  // namespace

/// A VTL above holds the TLB of this processor still: flushes of lower VTLs wait until it lets go or
/// returns (section 3.5).
bool Hypervisor::tlb_locked(const VpState& vp, Vtl lower) {
  for (const Vtl above : all_vtls) {
    if (above > lower && vp.vtls[above].secure_config[lower].tlb_locked()) return true;
  }
  return false;
}

CallResult Hypervisor::flush(const CallContext& context, uint64_t address_space, uint64_t wanted,
                             const ProcessorSet& processors, std::span<const GvaRange> ranges,
                             bool whole) {
  uint16_t vtls = 0;
  const HvStatus status = check_flags(context, wanted, vtls);
  if (status != HvStatus::Success) return status;
  const bool all = (wanted & flags::all_processors) != 0 || processors.all();
  if (!all && processors.empty()) return HvStatus::InvalidParameter;
  const Flush what{address_space, wanted, vtls, ranges, whole};
  const auto each = [&](auto action) {
    for (VpState* vp : context.partition.vps) {
      if (!all && !processors.has(vp->registers->index)) continue;
      for (const Vtl vtl : all_vtls) {
        if (((vtls >> static_cast<unsigned>(vtl)) & 1) != 0 && vp->enabled(vtl)) action(*vp, vtl);
      }
    }
  };
  bool locked = false;
  each([&](const VpState& vp, Vtl vtl) {
    const bool inhibited = vp.tlb_flush_inhibited && &vp != &context.vp;
    locked = locked || inhibited || tlb_locked(vp, vtl);
  });
  context.vp.waits_for_tlb_lock = locked;
  if (locked) return CallResult::later();
  each([&](const VpState& vp, Vtl vtl) {
    mmu::AddressSpace space = this->address_space(*vp.registers, vtl);
    if ((wanted & flags::all_virtual_address_spaces) == 0) space.stage1.cr3 = address_space;
    flush_space(translator_, space, what);
  });
  const bool all_spaces = (wanted & flags::all_virtual_address_spaces) != 0;
  emit(support::EventKind::TlbFlush, context.registers, context.now,
       all_spaces ? ~uint64_t{0} : address_space, wanted);
  return {HvStatus::Success, ranges.size()};
}

CallResult Hypervisor::on(Tag<CallCode::FlushVirtualAddressSpace>, const CallContext& context,
                          const abi::hv::FlushVirtualAddressSpace& input) {
  return flush(context, input.address_space, input.flags, ProcessorSet{input.processor_mask}, {},
               true);
}

CallResult Hypervisor::on(Tag<CallCode::FlushVirtualAddressList>, const CallContext& context,
                          const abi::hv::FlushVirtualAddressSpace& input,
                          std::span<const GvaRange> ranges) {
  return flush(context, input.address_space, input.flags, ProcessorSet{input.processor_mask},
               ranges, false);
}

CallResult Hypervisor::on(Tag<CallCode::FlushVirtualAddressSpaceEx>, const CallContext& context,
                          const abi::hv::FlushVirtualAddressSpaceEx& input,
                          std::span<const uint64_t> banks) {
  const ProcessorSet processors{input.processors, banks};
  if (processors.status() != HvStatus::Success) return processors.status();
  return flush(context, input.address_space, input.flags, processors, {}, true);
}

CallResult Hypervisor::on(Tag<CallCode::FlushVirtualAddressListEx>, const CallContext& context,
                          const abi::hv::FlushVirtualAddressSpaceEx& input,
                          std::span<const uint64_t> banks, std::span<const GvaRange> ranges) {
  const ProcessorSet processors{input.processors, banks};
  if (processors.status() != HvStatus::Success) return processors.status();
  return flush(context, input.address_space, input.flags, processors, ranges, false);
}

/// MOV CR3 by hypercall: the new space's translations are dropped, unless bit 63 keeps them.
CallResult Hypervisor::on(Tag<CallCode::SwitchVirtualAddressSpace>, const CallContext& context,
                          const abi::hv::SwitchVirtualAddressSpace& input) {
  constexpr uint64_t keep = uint64_t{1} << 63;
  VirtualProcessor& vp = context.registers;
  VtlContext& own = vp.context();
  const bool pcid = (own.cr4 & mmu::control::cr4_pcid) != 0;
  const uint64_t value = pcid ? input.address_space & ~keep : input.address_space;
  if (!valid_register(RegisterName::Cr3, value, {.physical = config_.physical_address_bits}))
    return HvStatus::InvalidParameter;
  const uint64_t before = std::exchange(own.cr3, value);
  if (!load_pointers(vp, context.vtl, own)) {
    own.cr3 = before;
    return HvStatus::InvalidParameter;
  }
  ++own.changes;
  const mmu::AddressSpace space = address_space(vp);
  if (!pcid || (input.address_space & keep) == 0)
    translator_.invalidate_pcid(space, mmu::current_pcid(space));
  return HvStatus::Success;
}

/// Without nested virtualisation the only second-level address space is the caller's own.
CallResult Hypervisor::on(Tag<CallCode::FlushGuestPhysicalAddressSpace>, const CallContext& context,
                          const abi::hv::FlushGuestPhysicalAddressSpace& input) {
  if (input.flags != 0) return HvStatus::InvalidParameter;
  translator_.invalidate_guest_physical(context.partition.id, context.vtl);
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::FlushGuestPhysicalAddressList>, const CallContext& context,
                          const abi::hv::FlushGuestPhysicalAddressSpace& input,
                          std::span<const GpaPageRange> ranges) {
  if (input.flags != 0) return HvStatus::InvalidParameter;
  translator_.invalidate_guest_physical(context.partition.id, context.vtl);
  return {HvStatus::Success, ranges.size()};
}

CallResult Hypervisor::on(Tag<CallCode::NotifyLongSpinWait>, const CallContext&,
                          const abi::hv::NotifyLongSpinWait&) {
  CallResult result{HvStatus::Success};
  result.yields = true;
  return result;
}

}  // namespace vtl
