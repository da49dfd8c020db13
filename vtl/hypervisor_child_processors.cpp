// The virtual processors of children (TLFS HvCallCreateVp, HvCallDeleteVp).
#include <algorithm>
#include <vector>

#include "vtl/hypervisor.h"
#include "vtl/processor_reset.h"

namespace vtl {

using namespace abi::hv;

namespace {

/// HV_VP_INDEX of a child: a processor mask has 64 bits.
constexpr uint32_t child_vp_limit = 64;

}  // namespace

CallResult Hypervisor::on(Tag<CallCode::CreateVp>, const CallContext& context,
                          const abi::hv::CreateVp& input) {
  Partition* child{};
  const HvStatus status = find_child(context, input.partition, child);
  if (status != HvStatus::Success) return status;
  if (child->birth.phase != PartitionPhase::Active) return HvStatus::InvalidPartitionState;
  if ((input.reserved[0] | input.reserved[1] | input.reserved[2] | input.subnode_type) != 0 ||
      input.subnode_id != 0 || input.flags != 0)
    return HvStatus::InvalidParameter;
  if (input.vp >= child_vp_limit || child->find_vp(input.vp) != nullptr)
    return HvStatus::InvalidVpIndex;
  const auto spare =
      std::find_if(processors_.begin(), processors_.end(), [](const Processor& processor) {
        return processor.spare && processor.state == nullptr;
      });
  if (spare == processors_.end()) return HvStatus::NoResources;
  give_processor(*spare, *child, input.vp);
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::DeleteVp>, const CallContext& context,
                          const abi::hv::DeleteVp& input) {
  Partition* child{};
  const HvStatus status = find_child(context, input.partition, child);
  if (status != HvStatus::Success) return status;
  if (input.reserved != 0) return HvStatus::InvalidParameter;
  VpState* const vp = child->find_vp(input.vp);
  if (vp == nullptr) return HvStatus::InvalidVpIndex;
  take_processor(*vp);
  return HvStatus::Success;
}

/// The VP is as after power-up, in VTL 0, and does not run until the parent says so.
void Hypervisor::give_processor(Processor& processor, Partition& partition, uint32_t index) {
  VirtualProcessor& registers = *processor.registers;
  processor.partition = partition.id;
  processor.index = index;
  processor.state = std::make_unique<VpState>();
  VpState& state = *processor.state;
  state.registers = &registers;
  state.partition = &partition;
  for (VtlState& vtl : state.vtls.values)
    vtl.apic = LocalApic{static_cast<uint8_t>(index), index == 0};
  registers.partition = partition.id;
  registers.index = index;
  registers.active = Vtl::Vtl0;
  registers.shared = {};
  registers.run_ticks = 0;
  for (const Vtl vtl : all_vtls) {
    const uint64_t changes = registers.contexts[vtl].changes;
    registers.contexts[vtl] = {};
    registers.contexts[vtl].changes = changes + 1;
  }
  registers.halted = registers.intercept_suspend = false;
  registers.explicit_suspend = true;
  registers.startup_suspend = index != 0;
  const auto before =
      std::find_if(partition.vps.begin(), partition.vps.end(),
                   [&](const VpState* other) { return other->registers->index > index; });
  partition.vps.insert(before, &state);
  const CpuidContext context{.vendor = config_.vendor,
                             .physical_address_bits = config_.physical_address_bits,
                             .apic_id = static_cast<uint8_t>(index),
                             .processors = 1,
                             .apic_enabled = true};
  reset_registers(registers, Vtl::Vtl0, cpuid(1, 0, true, context).eax);
  update_interceptions(state);
  // An earlier VP with this index may have left translations under the same tag.
  translator_.invalidate_all(address_space(registers, Vtl::Vtl0), false);
}

void Hypervisor::take_processor(VpState& vp) {
  Partition& partition = *vp.partition;
  VirtualProcessor& registers = *vp.registers;
  for (const Vtl vtl : all_vtls) {
    if (vp.enabled(vtl)) translator_.invalidate_all(address_space(registers, vtl), false);
  }
  std::erase(partition.vps, &vp);
  Processor& processor = processors_[registers.number];
  processor.partition = 0;
  processor.index = 0;
  registers.partition = 0;
  registers.index = 0;
  registers.active = Vtl::Vtl0;
  registers.halted = registers.explicit_suspend = registers.intercept_suspend = false;
  registers.startup_suspend = true;
  for (const Vtl vtl : all_vtls)
    ++registers.contexts[vtl].changes;
  processor.state.reset();
}

}  // namespace vtl
