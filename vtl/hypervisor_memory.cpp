// Protections (TLFS 15.9; sections 3.8, 5.1, 5.2, 8.5).
#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

CallResult Hypervisor::on(Tag<CallCode::ModifyVtlProtectionMask>, const CallContext& context,
                          const abi::hv::ModifyVtlProtectionMask& input,
                          std::span<const GpaPage> pages) {
  Partition& partition = context.partition;
  if (!partition.privileges.access_vsm() || !partition.privileges.cpu_management())
    return HvStatus::AccessDenied;
  if (input.target_partition != partition_self &&
      input.target_partition != partition.birth.partition_id) {
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
    if (element.page >= child_space_end / abi::page_size ||
        !memory.is_ram(Gpa{element.page * abi::page_size})) {
      status = HvStatus::InvalidParameter;
      break;
    }
    if (!memory.protect(setter, Gpa{element.page * abi::page_size},
                        static_cast<uint8_t>(input.map_flags))) {
      status = HvStatus::InsufficientMemory;
      break;
    }
    if (partition.is_root() && !root_restricted(element.page)) {
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

}  // namespace vtl
