// Calls that ask or tell the hypervisor about itself (hvdef; TLFS 3.10).
#include <cstring>

#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

/// CPUID as a virtual processor would see it.
CallResult Hypervisor::on(Tag<CallCode::GetVpCpuidValues>, const CallContext& context,
                          const abi::hv::GetVpCpuidValues& input,
                          std::span<const CpuidLeafElement> leaves,
                          std::span<CpuidValues> values) {
  Partition* const partition = target_partition(context, input.target_partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  const bool self = partition == &context.partition && input.target_vp == vp_self;
  VpState* const vp = partition->find_vp(self ? context.registers.index : input.target_vp);
  if (vp == nullptr) return HvStatus::InvalidVpIndex;
  constexpr uint32_t known_flags = 3;
  if ((input.flags & ~known_flags) != 0 || input.reserved != 0 || input.padding != 0)
    return HvStatus::InvalidParameter;
  for (size_t i = 0; i < leaves.size(); ++i) {
    const CpuidResult result = cpuid_of(*vp, Vtl::Vtl0, leaves[i].eax, leaves[i].ecx);
    values[i] = {result.eax, result.ebx, result.ecx, result.edx};
  }
  return {HvStatus::Success, leaves.size()};
}

/// The root tells; nothing here depends on it.
CallResult Hypervisor::on(Tag<CallCode::NotifyPartitionEvent>, const CallContext& context,
                          const abi::hv::NotifyPartitionEvent& input) {
  if (!context.partition.is_root()) return HvStatus::AccessDenied;
  switch (static_cast<PartitionEvent>(input.event)) {
    case PartitionEvent::DebugDeviceAvailable:
    case PartitionEvent::AllLogicalProcessorsStarted:
      return HvStatus::Success;
    default:
      return HvStatus::InvalidParameter;
  }
}

CallResult Hypervisor::on(Tag<CallCode::GetSystemProperty>, const CallContext& context,
                          const abi::hv::GetSystemProperty& input,
                          abi::hv::SystemPropertyValue& output) {
  if (!context.partition.is_root()) return HvStatus::AccessDenied;
  if (input.reserved != 0) return HvStatus::InvalidParameter;
  if (input.property_id != static_cast<uint32_t>(SystemProperty::SchedulerType))
    return HvStatus::UnknownProperty;
  output.value = static_cast<uint64_t>(SchedulerType::Classic);
  return HvStatus::Success;
}

/// TLFS 3.10: which extended calls there are. None but this one.
CallResult Hypervisor::on(Tag<CallCode::ExtQueryCapabilities>, const CallContext& context,
                          const Empty&, abi::hv::ExtendedCapabilities& output) {
  if (!context.partition.privileges.enable_extended_hypercalls()) return HvStatus::AccessDenied;
  output.capabilities = 0;
  return HvStatus::Success;
}

}  // namespace vtl
