// The hypercalls by which a parent makes, feeds and ends its children (TLFS HvCallCreatePartition and following; hvhdk).
#include <algorithm>

#include "sim/support/check.h"
#include "vtl/hypercall_page.h"
#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

namespace {

/// What a child may do until its parent decides otherwise (HvPartitionPropertyPrivilegeFlags).
constexpr PrivilegeMask child_privileges = PrivilegeMask{}
                                               .with_access_partition_reference_counter(true)
                                               .with_access_synic_regs(true)
                                               .with_access_synthetic_timer_regs(true)
                                               .with_access_intr_ctrl_regs(true)
                                               .with_access_hypercall_msrs(true)
                                               .with_access_vp_index(true)
                                               .with_access_partition_reference_tsc(true)
                                               .with_access_frequency_msrs(true);

}  // namespace

HvStatus Hypervisor::find_child(const CallContext& context, uint64_t id, Partition*& child) {
  if (!context.partition.privileges.create_partitions()) return HvStatus::AccessDenied;
  child = target_partition(context, id);
  if (child == nullptr || child == &context.partition) return HvStatus::InvalidPartitionId;
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::CreatePartition>, const CallContext& context,
                          const abi::hv::CreatePartition& input, PartitionIdOnly& output) {
  constexpr uint64_t known_flags = create_partition::exo_partition | create_partition::lapic_enabled;
  if (!context.partition.privileges.create_partitions()) return HvStatus::AccessDenied;
  if (!context.partition.is_root()) return HvStatus::PartitionTooDeep;
  if ((input.flags & ~known_flags) != 0 || input.padding != 0 || input.isolation_properties != 0 ||
      (input.disabled_processor_features[0] | input.disabled_processor_features[1] |
       input.disabled_xsave_features) != 0)
    return HvStatus::InvalidParameter;
  const auto slot = std::find(partitions_.begin(), partitions_.end(), nullptr);
  if (slot == partitions_.end()) return HvStatus::NoResources;
  const auto id = static_cast<uint8_t>(slot - partitions_.begin() + 1);
  *slot = make_partition(id);
  Partition& child = **slot;
  child.birth = {next_partition_id_++, PartitionPhase::Created, input.flags, context.vtl};
  child.privileges = child_privileges;
  child.memory = make_memory(id);
  child.memory->set_local_apic((input.flags & create_partition::lapic_enabled) != 0);
  output.partition = child.birth.partition_id;
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::InitializePartition>, const CallContext& context,
                          const PartitionIdOnly& input) {
  Partition* child{};
  if (const HvStatus status = find_child(context, input.partition, child);
      status != HvStatus::Success)
    return status;
  if (child->birth.phase != PartitionPhase::Created) return HvStatus::InvalidPartitionState;
  if (!child->memory->create(Vtl::Vtl0)) return HvStatus::InsufficientMemory;
  const Spa page = child->memory->allocate_page();
  if (page.value() == 0) {
    child->memory->destroy_tables();
    return HvStatus::InsufficientMemory;
  }
  const auto code = build_hypercall_page(config_.hypercall_page, config_.vendor);
  CHECK(memory_.write(page, std::span<const uint8_t>{code}));
  child->hypercall_page = page;
  child->birth.phase = PartitionPhase::Active;
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::FinalizePartition>, const CallContext& context,
                          const PartitionIdOnly& input) {
  Partition* child{};
  if (const HvStatus status = find_child(context, input.partition, child);
      status != HvStatus::Success)
    return status;
  if (child->birth.phase == PartitionPhase::Finalized) return HvStatus::InvalidPartitionState;
  while (!child->vps.empty())
    take_processor(*child->vps.back());
  child->memory->destroy_tables();
  child->hypercall_page = {};
  child->vtls = {};
  child->enabled_vtls = 1;
  child->mbec_enabled_vtls = 0;
  child->intercepts.clear();
  child->cpuid_overrides.clear();
  drop_ports_of(*child);
  child->birth.phase = PartitionPhase::Finalized;
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::DeletePartition>, const CallContext& context,
                          const PartitionIdOnly& input) {
  Partition* child{};
  if (const HvStatus status = find_child(context, input.partition, child);
      status != HvStatus::Success)
    return status;
  if (child->birth.phase != PartitionPhase::Finalized) return HvStatus::InvalidPartitionState;
  if (!child->memory->deposited().empty()) return HvStatus::ObjectInUse;
  partitions_[child->id - 1].reset();
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::GetPartitionProperty>, const CallContext& context,
                          const abi::hv::GetPartitionProperty& input, PropertyValue& output) {
  Partition* const partition = target_partition(context, input.partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  if (input.padding != 0) return HvStatus::InvalidParameter;
  if (input.code != partition_property::privilege_flags) return HvStatus::UnknownProperty;
  output.value = partition->privileges.raw;
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::SetPartitionProperty>, const CallContext& context,
                          const abi::hv::SetPartitionProperty& input) {
  Partition* child{};
  if (const HvStatus status = find_child(context, input.partition, child);
      status != HvStatus::Success)
    return status;
  if (input.padding != 0) return HvStatus::InvalidParameter;
  if (input.code != partition_property::privilege_flags) return HvStatus::UnknownProperty;
  // Nobody can give what he has not.
  if ((input.value & ~context.partition.privileges.raw) != 0)
    return HvStatus::PropertyValueOutOfRange;
  child->privileges = PrivilegeMask{input.value};
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::GetPartitionId>, const CallContext& context, const Empty&,
                          PartitionIdOnly& output) {
  if (!context.partition.privileges.access_partition_id()) return HvStatus::AccessDenied;
  output.partition = context.partition.birth.partition_id;
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::GetNextChildPartition>, const CallContext& context,
                          const abi::hv::GetNextChildPartition& input, PartitionIdOnly& output) {
  if (!context.partition.privileges.create_partitions()) return HvStatus::AccessDenied;
  if (input.parent != partition_self && input.parent != context.partition.birth.partition_id)
    return HvStatus::InvalidPartitionId;
  output.partition = 0;
  for (const auto& partition : partitions_) {
    if (partition == nullptr || partition->is_root() || !context.partition.is_root()) continue;
    const uint64_t id = partition->birth.partition_id;
    if (id > input.previous && (output.partition == 0 || id < output.partition))
      output.partition = id;
  }
  return HvStatus::Success;
}

}  // namespace vtl
