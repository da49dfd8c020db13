// Starting processors, and what VTLs may know of them (TLFS 15.5, HvCallStartVirtualProcessor,
// HvCallGetVpIndexFromApicId; sections 3.7 and 3.8).
#include <algorithm>

#include "abi/x64/paging.h"
#include "vtl/hypervisor.h"
#include "vtl/register_rules.h"

namespace vtl {

using namespace abi::hv;

namespace {

bool reserved_clear(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

bool Hypervisor::keeps_memory_on_reset() const {
  const Vtl top = highest(root_->enabled_vtls);
  return top != Vtl::Vtl0 && !root_->vtls[top].config.zero_memory_on_reset();
}

/// Whether a VTL above `vtl` keeps it from starting processors (VsmPartitionConfig.DenyLowerVtlStartup).
bool Hypervisor::denies_startup(const Partition& partition, Vtl vtl) const {
  return std::any_of(std::begin(all_vtls), std::end(all_vtls), [&](Vtl above) {
    return above > vtl && partition.enabled(above) &&
           partition.vtls[above].config.deny_lower_vtl_startup();
  });
}

/// The lowest VTL above `vtl` that wants to see starts (VsmPartitionConfig.InterceptVpStartup) and that this processor
/// has.
std::optional<Vtl> Hypervisor::startup_receiver(const VpState& vp, Vtl vtl) const {
  for (const Vtl above : all_vtls) {
    if (above > vtl && vp.enabled(above) &&
        vp.partition->vtls[above].config.intercept_vp_startup())
      return above;
  }
  return std::nullopt;
}

CallResult Hypervisor::on(Tag<CallCode::StartVirtualProcessor>, const CallContext& context,
                          const abi::hv::EnableVpVtl& input) {
  if (!context.partition.privileges.start_virtual_processor()) return HvStatus::AccessDenied;
  Partition* const partition = target_partition(context, input.target_partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  const bool own = partition == &context.partition;
  VpState* const vp = partition->find_vp(input.target_vp);
  if (vp == nullptr || vp == &context.vp) return HvStatus::InvalidVpIndex;
  if (input.target_vtl > config_.maximum_vtl || !reserved_clear(input.reserved))
    return HvStatus::InvalidParameter;
  const auto target = static_cast<Vtl>(input.target_vtl);
  if (own && (target > context.vtl || denies_startup(*partition, context.vtl)))
    return HvStatus::AccessDenied;
  if (!vp->enabled(target)) return HvStatus::InvalidVpState;
  const uint8_t bits = config_.physical_address_bits;
  const bool valid = target == Vtl::Vtl0 ? valid_start_context(input.context, bits)
                                         : valid_initial_context(input.context, bits);
  if (!valid) return HvStatus::InvalidRegisterValue;
  VirtualProcessor& registers = *vp->registers;
  if (!registers.startup_suspend) return HvStatus::InvalidVpState;
  if (own) {
    if (const auto receiver = startup_receiver(context.vp, context.vtl))
      return tell_of_start(*receiver, input.target_vp);
  }

  VtlContext wanted = initial_registers(input.context);
  if (!load_pointers(registers, target, wanted)) return HvStatus::InvalidRegisterValue;
  VtlContext& stored = registers.contexts[target];
  wanted.changes = stored.changes + 1;
  wanted.tsc_offset = stored.tsc_offset;
  wanted.interceptions = stored.interceptions;
  stored = wanted;
  // The highest VTL runs first, with what EnableVpVtl gave it; it returns to the one that was meant.
  registers.active = highest(vp->enabled_vtls);
  registers.halted = false;
  registers.startup_suspend = false;
  if (!own) registers.explicit_suspend = false;  // as its parent left it after HvCallCreateVp
  for (const Vtl vtl : all_vtls) {
    if (vp->enabled(vtl)) translator_.invalidate_all(address_space(registers, vtl), false);
  }
  return HvStatus::Success;
}

/// With PAE paging the processor holds four pointers, which a start loads as MOV CR3 would (SDM vol. 3, 4.4.1).
bool Hypervisor::load_pointers(const VirtualProcessor& vp, Vtl vtl, VtlContext& wanted) const {
  mmu::AddressSpace space = address_space(vp, vtl);
  space.stage1.cr0 = wanted.cr0;
  space.stage1.cr4 = wanted.cr4;
  space.stage1.efer = wanted.efer;
  if (mmu::paging_mode(space.stage1) != mmu::PagingMode::Pae) return true;
  std::array<uint64_t, 4> pointers{};
  const Gpa table{wanted.cr3 & abi::x64::pae_paging::table_mask};
  if (mmu::read_gpa(translator_, space, table,
                    {reinterpret_cast<uint8_t*>(pointers.data()), sizeof pointers}) !=
      sizeof pointers)
    return false;
  const uint64_t beyond = ~uint64_t{0} << config_.physical_address_bits;
  for (const uint64_t pointer : pointers) {
    const bool present = (pointer & abi::x64::pte::present) != 0;
    if (present && (pointer & (abi::x64::pae_paging::pointer_reserved | beyond)) != 0) return false;
  }
  wanted.pdpte = pointers;
  return true;
}

/// The call is not done: its caller executes it again if the VTL that is told does not do it instead.
CallResult Hypervisor::tell_of_start(Vtl receiver, uint32_t target) {
  start_to_tell_ = StartToTell{receiver, target};
  return CallResult::later();
}

CallResult Hypervisor::on(Tag<CallCode::GetVpIndexFromApicId>, const CallContext& context,
                          const abi::hv::GetVpIndexFromApicId& input,
                          std::span<const ApicIdElement> ids, std::span<VpIndexElement> indices) {
  Partition* const partition = target_partition(context, input.target_partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  if (input.target_vtl > config_.maximum_vtl || !reserved_clear(input.reserved))
    return HvStatus::InvalidParameter;
  const auto vtl = static_cast<Vtl>(input.target_vtl);
  if (partition == &context.partition && vtl > context.vtl) return HvStatus::AccessDenied;
  if (!partition->enabled(vtl)) return HvStatus::InvalidVtlState;
  size_t done = 0;
  for (; done < ids.size(); ++done) {
    const auto found =
        std::find_if(partition->vps.begin(), partition->vps.end(), [&](const VpState* vp) {
          return vp->vtls[vtl].apic.id() == ids[done].apic_id;
        });
    if (found == partition->vps.end()) return {HvStatus::InvalidParameter, done};
    indices[done].vp_index = (*found)->registers->index;
  }
  return {HvStatus::Success, done};
}

/// Whether a lower VTL could do what it wants with pages, and if not, who would be told.
CallResult Hypervisor::on(Tag<CallCode::CheckSparseGpaPageVtlAccess>, const CallContext& context,
                          const abi::hv::CheckSparseGpaPageVtlAccess& input,
                          std::span<const GpaPage> pages, std::span<VtlAccessResult> results) {
  if (input.target_partition != partition_self &&
      input.target_partition != context.partition.birth.partition_id)
    return HvStatus::InvalidPartitionId;
  if (input.target_vtl.reserved() != 0 || !reserved_clear(input.reserved) ||
      input.desired_access == 0 || (input.desired_access & ~map_gpa::all_access) != 0)
    return HvStatus::InvalidParameter;
  Vtl target = context.vtl;
  if (input.target_vtl.use_target_vtl()) {
    if (input.target_vtl.target_vtl() > static_cast<uint8_t>(context.vtl))
      return HvStatus::AccessDenied;
    target = static_cast<Vtl>(input.target_vtl.target_vtl());
  }
  const GuestMemory& memory = *context.partition.memory;
  size_t done = 0;
  for (; done < pages.size(); ++done) {
    const Gpa gpa{pages[done].page * abi::page_size};
    if (pages[done].page >= child_space_end / abi::page_size || !memory.is_ram(gpa))
      return {HvStatus::InvalidParameter, done};
    results[done] = {};
    const auto setter = memory.who_denies(target, gpa, input.desired_access);
    if (!setter) continue;
    results[done].result_code = 1;
    results[done].denied_access =
        static_cast<uint8_t>(input.desired_access & ~memory.protection(*setter, gpa));
    results[done].intercepting_vtl = static_cast<uint8_t>(*setter);
  }
  return {HvStatus::Success, done};
}

}  // namespace vtl
