#include "vtl/intercept_router.h"

#include <cstring>

#include "abi/hv/hypercall_control.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"

namespace vtl {
namespace {

using namespace abi::hv;

ExecutionState execution_state(const VirtualProcessor& vp) {
  const VtlContext& context = vp.context();
  return ExecutionState{}
      .with_cpl(vp.cpl())
      .with_cr0_pe((context.cr0 & abi::x64::cr0::pe) != 0)
      .with_cr0_am((context.cr0 & abi::x64::cr0::am) != 0)
      .with_efer_lma((context.efer & abi::x64::efer::lma) != 0)
      .with_debug_active((context.dr7 & abi::x64::dr7::enables) != 0)
      .with_interruption_pending(context.exception_pending)
      .with_vtl(static_cast<uint8_t>(vp.active))
      .with_interrupt_shadow(context.interrupt_shadow);
}

InterceptHeader intercept_header(const VirtualProcessor& vp, uint8_t length,
                                 InterceptAccess access) {
  const VtlContext& context = vp.context();
  const Segment& cs = context.segments[Cs];
  return {.vp_index = vp.index,
          .length_and_cr8 = static_cast<uint8_t>((length & 0xF) | (context.tpr & 0xF0)),
          .access = access,
          .execution_state = execution_state(vp),
          .cs = {cs.base, cs.limit, cs.selector, cs.attributes},
          .rip = context.rip,
          .rflags = context.rflags};
}

template <class Payload>
Message message_of(MessageType type, const Partition& partition, const Payload& payload) {
  Message message{};
  message.header = {.type = type,
                    .payload_size = sizeof(Payload),
                    .flags = 0,
                    .reserved = 0,
                    .origin = partition.id};
  std::memcpy(message.payload, &payload, sizeof(Payload));
  return message;
}

}  // namespace

RefusedAccess refused_access(const Exit& exit) {
  namespace violation = abi::x64::ept_violation;
  const uint64_t qualification = exit.fault.qualification;
  if ((qualification & violation::data_write) != 0)
    return {map_gpa::writable, InterceptAccess::Write};
  if ((qualification & violation::fetch) != 0) {
    return {map_gpa::kernel_executable | map_gpa::user_executable, InterceptAccess::Execute};
  }
  return {map_gpa::readable, InterceptAccess::Read};
}

Message memory_intercept(const VirtualProcessor& vp, const Partition& partition, const Exit& exit) {
  MemoryIntercept payload{};
  payload.header = intercept_header(vp, exit.instruction_length, refused_access(exit).access);
  payload.cache_type = CacheType::WriteBack;
  payload.instruction_byte_count = exit.instruction_byte_count;
  // A paging structure has a GPA of its own, which is not what the linear address translates to.
  payload.access_info =
      MemoryAccessInfo{}.with_gva_valid(true).with_gva_gpa_valid(!exit.fault.paging_structure);
  payload.tpr = vp.context().tpr;
  payload.gva = exit.fault.address.value();
  payload.gpa = exit.fault.gpa.value();
  std::memcpy(payload.instruction_bytes, exit.instruction_bytes, sizeof payload.instruction_bytes);
  return message_of(MessageType::GpaIntercept, partition, payload);
}

Message hypercall_memory_intercept(const VirtualProcessor& vp, const Partition& partition, Gpa gpa,
                                   InterceptAccess access) {
  MemoryIntercept payload{};
  payload.header = intercept_header(vp, hypercall_instruction_bytes, access);
  payload.cache_type = CacheType::WriteBack;
  payload.tpr = vp.context().tpr;
  payload.gpa = gpa.value();
  return message_of(MessageType::GpaIntercept, partition, payload);
}

Message msr_intercept(const VirtualProcessor& vp, const Partition& partition, const Exit& exit,
                      InterceptAccess access) {
  MsrIntercept payload{};
  payload.header = intercept_header(vp, exit.instruction_length, access);
  payload.msr = exit.msr;
  payload.rdx = vp.shared.gpr[Rdx];
  payload.rax = vp.shared.gpr[Rax];
  return message_of(MessageType::MsrIntercept, partition, payload);
}

std::optional<Vtl> InterceptRouter::owner(const Partition& partition, Vtl accessor,
                                          const Exit& exit) const {
  return partition.memory->who_denies(accessor, exit.fault.gpa, refused_access(exit).rights);
}

Delivery InterceptRouter::deliver(VtlState& receiver, const Message& message) {
  const Sint sint{receiver.synic.sint[sint_intercept]};
  const bool page = (receiver.synic.simp & 1) != 0 && receiver.synic.message_page.value() != 0;
  if (!page || !Scontrol{receiver.synic.scontrol}.enable() || sint.masked() ||
      !receiver.apic.enabled()) {
    return Delivery::CannotReceive;
  }
  const Spa slot = receiver.synic.message_page + sint_intercept * uint64_t{message_slot_bytes};
  constexpr uint64_t flags_at = offsetof(MessageHeader, flags);
  if (memory_.read<uint32_t>(slot) != 0) {
    memory_.write<uint8_t>(slot + flags_at,
                           memory_.read<uint8_t>(slot + flags_at) | message_pending);
    return Delivery::SlotBusy;
  }
  memory_.write(slot, message);
  receiver.apic.request(sint.vector(), sint.auto_eoi());
  return Delivery::Posted;
}

}  // namespace vtl
