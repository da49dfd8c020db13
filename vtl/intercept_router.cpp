#include "vtl/intercept_router.h"

#include <cstring>
#include <iterator>

#include "abi/hv/hypercall_control.h"
#include "abi/hv/vp_registers.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "vtl/register_rules.h"

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
                    .origin = partition.birth.partition_id};
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
  const bool unmapped = exit.fault.kind == mmu::FaultKind::GpaUnmapped;
  return message_of(unmapped ? MessageType::UnmappedGpa : MessageType::GpaIntercept, partition,
                    payload);
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

Message cpuid_intercept(const VirtualProcessor& vp, const Partition& partition, const Exit& exit,
                        const CpuidResult& answer) {
  CpuidIntercept payload{};
  payload.header = intercept_header(vp, exit.instruction_length, InterceptAccess::Execute);
  payload.rax = vp.shared.gpr[Rax];
  payload.rcx = vp.shared.gpr[Rcx];
  payload.rdx = vp.shared.gpr[Rdx];
  payload.rbx = vp.shared.gpr[Rbx];
  payload.default_result_rax = answer.eax;
  payload.default_result_rcx = answer.ecx;
  payload.default_result_rdx = answer.edx;
  payload.default_result_rbx = answer.ebx;
  return message_of(MessageType::X64CpuidIntercept, partition, payload);
}

Message io_port_intercept(const VirtualProcessor& vp, const Partition& partition,
                          const Exit& exit) {
  const bool write = exit.reason == ExitReason::IoWrite;
  const VtlContext& context = vp.context();
  IoPortIntercept payload{};
  payload.header = intercept_header(vp, exit.instruction_length,
                                    write ? InterceptAccess::Write : InterceptAccess::Read);
  payload.port = exit.io.port;
  payload.access_info = IoPortAccessInfo{}
                            .with_access_size(exit.io.size)
                            .with_string_op(exit.io.string)
                            .with_rep_prefix(exit.io.rep);
  payload.instruction_byte_count = exit.instruction_byte_count;
  payload.rax = vp.shared.gpr[Rax];
  std::memcpy(payload.instruction_bytes, exit.instruction_bytes, sizeof payload.instruction_bytes);
  payload.ds = segment_register_of(context.segments[Ds]);
  payload.es = segment_register_of(context.segments[Es]);
  payload.rcx = vp.shared.gpr[Rcx];
  payload.rsi = vp.shared.gpr[Rsi];
  payload.rdi = vp.shared.gpr[Rdi];
  return message_of(MessageType::X64IoPortIntercept, partition, payload);
}

Message exception_intercept(const VirtualProcessor& vp, const Partition& partition,
                            const Exit& exit) {
  const VtlContext& context = vp.context();
  ExceptionIntercept payload{};
  payload.header = intercept_header(vp, exit.instruction_length, InterceptAccess::Execute);
  payload.vector = exit.exception.vector;
  payload.exception_info = ExceptionInfo{}.with_error_code_valid(exit.exception.has_error_code);
  payload.instruction_byte_count = exit.instruction_byte_count;
  payload.error_code = exit.exception.error_code;
  payload.parameter = exit.exception.parameter;
  std::memcpy(payload.instruction_bytes, exit.instruction_bytes, sizeof payload.instruction_bytes);
  payload.ds = segment_register_of(context.segments[Ds]);
  payload.ss = segment_register_of(context.segments[Ss]);
  std::memcpy(payload.gpr, vp.shared.gpr.data(), sizeof payload.gpr);
  payload.gpr[Rsp] = context.rsp;
  return message_of(MessageType::ExceptionIntercept, partition, payload);
}

Message register_intercept(const VirtualProcessor& vp, const Partition& partition,
                           const Exit& exit) {
  const ControlRegisterAccess& access = exit.register_access;
  RegisterIntercept payload{};
  payload.header = intercept_header(vp, exit.instruction_length,
                                    access.write ? InterceptAccess::Write : InterceptAccess::Read);
  payload.flags = access.memory_operand ? 1 : 0;
  payload.register_name = access.name;
  payload.value = {access.low, access.high};
  return message_of(MessageType::RegisterIntercept, partition, payload);
}

Message hypercall_intercept(const VirtualProcessor& vp, const Partition& partition) {
  HypercallIntercept payload{};
  payload.header = intercept_header(vp, hypercall_instruction_bytes, InterceptAccess::Execute);
  payload.rax = vp.shared.gpr[Rax];
  payload.rbx = vp.shared.gpr[Rbx];
  payload.rcx = vp.shared.gpr[Rcx];
  payload.rdx = vp.shared.gpr[Rdx];
  payload.r8 = vp.shared.gpr[R8];
  payload.rsi = vp.shared.gpr[Rsi];
  payload.rdi = vp.shared.gpr[Rdi];
  for (size_t i = 0; i < std::size(payload.xmm); ++i)
    payload.xmm[i] = {vp.shared.fp.xmm[i].low, vp.shared.fp.xmm[i].high};
  return message_of(MessageType::HypercallIntercept, partition, payload);
}

Message plain_intercept(const VirtualProcessor& vp, const Partition& partition, MessageType type,
                        uint8_t length) {
  return message_of(type, partition,
                    PlainIntercept{intercept_header(vp, length, InterceptAccess::Execute)});
}

Message startup_intercept(const VirtualProcessor& vp, const Partition& partition, uint32_t target) {
  SipiIntercept payload{};
  payload.header = intercept_header(vp, hypercall_instruction_bytes, InterceptAccess::Execute);
  payload.target_vp = target;
  return message_of(MessageType::X64SipiIntercept, partition, payload);
}

uint64_t intercept_bit_of_msr(uint32_t msr, bool write) {
  struct Row {
    uint32_t first, last;
    CrInterceptControl read, write;
  };
  constexpr CrInterceptControl none{};
  static constexpr Row rows[] = {
      {0x1B, 0x1B, none.with_apic_base_read(true), none.with_apic_base_write(true)},
      {0x8C, 0x8F, none, none.with_sgx_launch_control_write(true)},
      {0x174, 0x174, none, none.with_sysenter_cs_write(true)},
      {0x175, 0x175, none, none.with_sysenter_esp_write(true)},
      {0x176, 0x176, none, none.with_sysenter_eip_write(true)},
      {0x1A0, 0x1A0, none.with_misc_enable_read(true), none.with_misc_enable_write(true)},
      {0x6A2, 0x6A2, none, none.with_s_cet_write(true)},
      {0x6A4, 0x6A7, none, none.with_plx_ssp_write(true)},
      {0x6A8, 0x6A8, none, none.with_interrupt_ssp_table_write(true)},
      {0xDA0, 0xDA0, none, none.with_xss_write(true)},
      {0xC0000080, 0xC0000080, none.with_efer_read(true), none.with_efer_write(true)},
      {0xC0000081, 0xC0000081, none.with_star_read(true), none.with_star_write(true)},
      {0xC0000082, 0xC0000082, none.with_lstar_read(true), none.with_lstar_write(true)},
      {0xC0000083, 0xC0000083, none.with_cstar_read(true), none.with_cstar_write(true)},
      {0xC0000084, 0xC0000084, none, none.with_sfmask_write(true)},
      {0xC0000103, 0xC0000103, none, none.with_tsc_aux_write(true)},
  };
  for (const Row& row : rows) {
    if (msr >= row.first && msr <= row.last) return write ? row.write.raw : row.read.raw;
  }
  return 0;
}

uint64_t intercept_bit_of_register(uint32_t name) {
  constexpr CrInterceptControl none{};
  switch (static_cast<RegisterName>(name)) {
    case RegisterName::Cr0:
      return none.with_cr0_write(true).raw;
    case RegisterName::Cr4:
      return none.with_cr4_write(true).raw;
    case RegisterName::Xfem:
      return none.with_xcr0_write(true).raw;
    case RegisterName::Gdtr:
      return none.with_gdtr_write(true).raw;
    case RegisterName::Idtr:
      return none.with_idtr_write(true).raw;
    case RegisterName::Ldtr:
      return none.with_ldtr_write(true).raw;
    case RegisterName::Tr:
      return none.with_tr_write(true).raw;
    default:
      return 0;
  }
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
