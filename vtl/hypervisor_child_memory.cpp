// What children have of the root's memory: pages for their tables, and pages that they see (TLFS HvCallDepositMemory,
// HvCallMapGpaPages; hvhdk_mini).
#include "sim/support/check.h"
#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

/// A page leaves the root only if the calling VTL may write it and nobody else uses it.
HvStatus Hypervisor::may_deposit(const CallContext& context, Gpa gpa) const {
  if (gpa.page_number() >= root_->memory->page_count() || !root_->memory->can_give(gpa))
    return HvStatus::InvalidParameter;
  if (root_->memory->who_denies(context.vtl, gpa, map_gpa::readable | map_gpa::writable))
    return HvStatus::AccessDenied;
  for (const auto& partition : partitions_) {
    if (partition != nullptr && partition->memory->maps_root_page(gpa.page_number()))
      return HvStatus::OperationDenied;
  }
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::DepositMemory>, const CallContext& context,
                          const PartitionIdOnly& input, std::span<const GpaPage> pages) {
  Partition* child{};
  HvStatus status = find_child(context, input.partition, child);
  if (status != HvStatus::Success) return status;
  if (child->birth.phase == PartitionPhase::Finalized) return HvStatus::InvalidPartitionState;
  size_t done = 0;
  for (; done < pages.size(); ++done) {
    if (pages[done].page >= root_->memory->page_count())
      return {HvStatus::InvalidParameter, done};
    const Gpa gpa{pages[done].page * abi::page_size};
    status = may_deposit(context, gpa);
    if (status == HvStatus::Success && !root_->memory->give(gpa))
      status = HvStatus::InsufficientRootMemory;
    if (status != HvStatus::Success) return {status, done};
    child->memory->deposit(Spa{gpa.value()});
  }
  return {HvStatus::Success, done};
}

CallResult Hypervisor::on(Tag<CallCode::WithdrawMemory>, const CallContext& context,
                          const abi::hv::WithdrawMemory& input, std::span<const Empty> wanted,
                          std::span<GpaPage> pages) {
  Partition* child{};
  const HvStatus status = find_child(context, input.partition, child);
  if (status != HvStatus::Success) return status;
  size_t done = 0;
  for (; done < wanted.size(); ++done) {
    Spa page;
    if (!child->memory->withdraw(page)) return {HvStatus::NoResources, done};
    CHECK(root_->memory->take_back(Gpa{page.value()}));
    pages[done].page = page.page_number();
  }
  return {HvStatus::Success, done};
}

/// A child gets no more of a page than the VTL has that gives it.
HvStatus Hypervisor::may_map(const CallContext& context, Gpa gpa, uint32_t rights) const {
  if (gpa.page_number() >= root_->memory->page_count() || !root_->memory->is_ram(gpa))
    return HvStatus::InvalidParameter;
  return root_->memory->who_denies(context.vtl, gpa, rights) ? HvStatus::AccessDenied
                                                            : HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::MapGpaPages>, const CallContext& context,
                          const abi::hv::MapGpaPages& input, std::span<const GpaPage> pages) {
  Partition* child{};
  HvStatus status = find_child(context, input.partition, child);
  if (status != HvStatus::Success) return status;
  if (child->birth.phase != PartitionPhase::Active) return HvStatus::InvalidPartitionState;
  constexpr uint64_t limit = child_space_end / abi::page_size;
  if (input.padding != 0 || !valid_protection(input.map_flags, true) ||
      input.target_gpa_base >= limit || pages.size() > limit - input.target_gpa_base)
    return HvStatus::InvalidParameter;
  size_t done = 0;
  for (; done < pages.size(); ++done) {
    if (pages[done].page >= root_->memory->page_count()) return {HvStatus::InvalidParameter, done};
    const Gpa source{pages[done].page * abi::page_size};
    const Gpa target{(input.target_gpa_base + done) * abi::page_size};
    status = may_map(context, source, input.map_flags);
    if (status == HvStatus::Success &&
        !child->memory->map_page(target, source, static_cast<uint8_t>(input.map_flags),
                                 context.vtl))
      status = HvStatus::InsufficientMemory;
    if (status != HvStatus::Success) return {status, done};
  }
  return {HvStatus::Success, done};
}

CallResult Hypervisor::on(Tag<CallCode::UnmapGpaPages>, const CallContext& context,
                          const abi::hv::UnmapGpaPages& input, std::span<const Empty> pages) {
  Partition* child{};
  const HvStatus status = find_child(context, input.partition, child);
  if (status != HvStatus::Success) return status;
  if (child->birth.phase != PartitionPhase::Active) return HvStatus::InvalidPartitionState;
  constexpr uint64_t limit = child_space_end / abi::page_size;
  if (input.padding != 0 || input.flags != 0 || input.target_gpa_base >= limit ||
      pages.size() > limit - input.target_gpa_base)
    return HvStatus::InvalidParameter;
  for (size_t done = 0; done < pages.size(); ++done) {
    const Gpa gpa{(input.target_gpa_base + done) * abi::page_size};
    if (!child->memory->is_ram(gpa)) continue;
    if (!child->memory->unmap_page(gpa)) return {HvStatus::OperationDenied, done};
  }
  return {HvStatus::Success, pages.size()};
}

bool Hypervisor::root_restricted(std::optional<uint64_t> page) {
  bool done = true;
  for (const auto& partition : partitions_) {
    if (partition != nullptr && !partition->is_root())
      done = partition->memory->root_changed(page) && done;
  }
  return done;
}

}  // namespace vtl
