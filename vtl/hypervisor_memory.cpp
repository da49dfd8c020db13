// Protections and flushes (TLFS 15.9, 4.4; sections 3.8, 5.1, 5.2, 8.5).
#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

CallResult Hypervisor::on(Tag<CallCode::ModifyVtlProtectionMask>, const CallContext& context,
                          const abi::hv::ModifyVtlProtectionMask& input,
                          std::span<const GpaPage> pages) {
  Partition& partition = context.partition;
  if (!partition.privileges.access_vsm() || !partition.privileges.cpu_management())
    return HvStatus::AccessDenied;
  if (input.target_partition != partition_self && input.target_partition != partition.id) {
    return HvStatus::InvalidPartitionId;
  }
  if (input.target_vtl.reserved() != 0 ||
      (input.reserved[0] | input.reserved[1] | input.reserved[2]) != 0) {
    return HvStatus::InvalidParameter;
  }
  // The VTL whose restrictions on lower ones are edited; the caller's own unless it says otherwise.
  Vtl setter = context.vtl;
  if (input.target_vtl.use_target_vtl()) {
    const uint8_t target = input.target_vtl.target_vtl();
    if (target == 0 || target > config_.maximum_vtl) return HvStatus::InvalidParameter;
    setter = static_cast<Vtl>(target);
    if (setter > context.vtl) return HvStatus::AccessDenied;
    if (!partition.enabled(setter)) return HvStatus::InvalidVtlState;
  }
  if (!partition.memory->protection_enabled(setter)) return HvStatus::AccessDenied;
  if (!valid_protection(input.map_flags, partition.mbec_enabled(Vtl::Vtl0)))
    return HvStatus::InvalidRegisterValue;

  GuestMemory& memory = *partition.memory;
  HvStatus status = HvStatus::Success;
  size_t done = 0;
  for (const GpaPage& element : pages) {
    if (element.page >= memory.page_count()) {
      status = HvStatus::InvalidParameter;
      break;
    }
    if (!memory.protect(setter, Gpa{element.page * abi::page_size},
                        static_cast<uint8_t>(input.map_flags))) {
      status = HvStatus::InsufficientMemory;
      break;
    }
    ++done;
  }
  if (done != 0) {
    memory.flush_lower(setter);
    emit(support::EventKind::ProtectionChange, context.registers, context.now,
         pages[0].page * abi::page_size, done, input.map_flags);
  }
  return {status, done};
}

CallResult Hypervisor::on(Tag<CallCode::FlushVirtualAddressSpace>, const CallContext& context,
                          const abi::hv::FlushVirtualAddressSpace& input) {
  return flush(context, input, {}, true);
}

CallResult Hypervisor::on(Tag<CallCode::FlushVirtualAddressList>, const CallContext& context,
                          const abi::hv::FlushVirtualAddressSpace& input,
                          std::span<const GvaRange> ranges) {
  return flush(context, input, ranges, false);
}

/// Flushes the caller's VTL on the processors of the mask. A VTL above may have locked the TLB of
/// one of them: then the call waits until that VTL unlocks it or returns (section 3.5).
CallResult Hypervisor::flush(const CallContext& context,
                             const abi::hv::FlushVirtualAddressSpace& input,
                             std::span<const GvaRange> ranges, bool whole) {
  namespace flags = abi::hv::flush;
  constexpr uint64_t known =
      flags::all_processors | flags::all_virtual_address_spaces | flags::non_global_mappings_only;
  const bool all_processors = (input.flags & flags::all_processors) != 0;
  if ((input.flags & ~known) != 0 || (!all_processors && input.processor_mask == 0)) {
    return HvStatus::InvalidParameter;
  }
  const auto selected = [&](uint32_t index) {
    return all_processors || (index < 64 && ((input.processor_mask >> index) & 1) != 0);
  };
  for (const VpState* vp : context.partition.vps) {
    if (!selected(vp->registers->index)) continue;
    for (const VtlState& above : vp->vtls.values) {
      if (above.secure_config[context.vtl].tlb_locked()) return CallResult::later();
    }
  }
  const bool all_spaces = (input.flags & flags::all_virtual_address_spaces) != 0;
  const bool keep_globals = (input.flags & flags::non_global_mappings_only) != 0;
  constexpr uint16_t pages_worth_naming =
      32;  // beyond that dropping everything is cheaper, and allowed
  for (const VpState* vp : context.partition.vps) {
    if (!selected(vp->registers->index)) continue;
    mmu::AddressSpace space = address_space(*vp->registers, context.vtl);
    if (!all_spaces) space.stage1.cr3 = input.address_space;
    const uint16_t pcid = mmu::current_pcid(space);
    if (whole) {
      if (all_spaces || !keep_globals) {
        translator_.invalidate_all(space, keep_globals);
      } else {
        translator_.invalidate_pcid(space, pcid);
      }
      continue;
    }
    for (const GvaRange& range : ranges) {
      if (all_spaces || range.additional_pages() >= pages_worth_naming) {
        translator_.invalidate_all(space, keep_globals);
        break;
      }
      for (uint64_t page = 0; page <= range.additional_pages(); ++page) {
        const Gva address{(range.page() + page) * abi::page_size};
        if (keep_globals) {
          translator_.invalidate_address_in_pcid(space, pcid, address);
        } else {
          translator_.invalidate_address(space, address);
        }
      }
    }
  }
  emit(support::EventKind::TlbFlush, context.registers, context.now,
       all_spaces ? ~uint64_t{0} : input.address_space, input.flags);
  return {HvStatus::Success, ranges.size()};
}

}  // namespace vtl
