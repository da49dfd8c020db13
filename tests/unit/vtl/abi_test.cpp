#include <set>

#include "abi/hv/cpuid.h"
#include "abi/hv/vsm_registers.h"
#include "tests/unit/vtl/world.h"
#include "vtl/call_fields.h"

using namespace test;

TEST_CASE("control words are the numbers that the reference works out") {
  EXPECT(control_for(CallCode::VtlCall).raw == 0x11);
  EXPECT(control_for(CallCode::GetVpRegisters, 3, true).raw == 0x0000000300010050);
  EXPECT(control_for(CallCode::ModifyVtlProtectionMask, 506).raw == 0x000001FA0000000C);
}

TEST_CASE("each narrow bit field keeps its neighbours when it is changed") {
  const InputVtl vtl = InputVtl{0xE0}.with_target_vtl(1).with_use_target_vtl(true);
  EXPECT(vtl.raw == 0xF1);
  EXPECT(vtl.with_use_target_vtl(false).raw == 0xE1);
  const ExecutionState state = ExecutionState{0xFFFF}.with_vtl(0);
  EXPECT(state.raw == 0xF87F);
  EXPECT(state.with_vtl(15).raw == 0xFFFF);
}

TEST_CASE("VSM register layouts have the bits of the reference") {
  EXPECT(VsmCapabilities{}.with_mbec_vtl_mask(3).with_dr6_shared(true).raw == 0x7);
  EXPECT(VsmPartitionStatus{}.with_enabled_vtl_set(1).with_maximum_vtl(1).raw == 0x10001);
  EXPECT(VsmVpStatus{}.with_enabled_vtl_set(3).with_active_vtl(1).raw == 0x30001);
  EXPECT(VsmPartitionConfig{}
             .with_enable_vtl_protection(true)
             .with_default_vtl_protection_mask(0xF)
             .raw == 0x1F);
  EXPECT(VsmVina{}.with_vector(0x2F).with_enabled(true).with_auto_eoi(true).raw == 0x52F);
  EXPECT(PendingExceptionEvent{}
             .with_event_pending(true)
             .with_deliver_error_code(true)
             .with_vector(13)
             .raw == 0xD0101);
}

TEST_CASE("message and assist page fields lie where the reference puts them") {
  EXPECT(offsetof(Message, payload) == 0x10);
  EXPECT(offsetof(MemoryIntercept, cache_type) == 0x28);
  EXPECT(offsetof(MemoryIntercept, tpr) == 0x2E);
  EXPECT(offsetof(MemoryIntercept, gva) == 0x30);
  EXPECT(offsetof(MemoryIntercept, gpa) == 0x38);
  EXPECT(offsetof(MemoryIntercept, instruction_bytes) == 0x40);
  EXPECT(offsetof(MsrIntercept, rax) == 0x38);
  EXPECT(offsetof(VpAssistPage, vtl_control) + offsetof(VpVtlControl, vtl_return_x64_rcx) == 24);
  EXPECT(offsetof(EnableVpVtl, context) == 16);
  EXPECT(offsetof(InitialVpContext, cs) == 24);
  EXPECT(offsetof(InitialVpContext, tr) == 120);
  EXPECT(offsetof(InitialVpContext, idtr) == 152);
  EXPECT(offsetof(InitialVpContext, efer) == 184);
  EXPECT(offsetof(InitialVpContext, msr_cr_pat) == 216);
}

TEST_CASE("names of calls, registers, statuses and MSRs are unique and can be found by number") {
  std::set<std::string> names;
  for (const CallInfo& call : calls) {
    EXPECT(names.insert(call.name).second);
    EXPECT(find_call(static_cast<uint16_t>(call.code)) == &call);
  }
  EXPECT(find_call(0xFFFF) == nullptr);
  names.clear();
  for (const RegisterInfo& row : vp_registers) {
    EXPECT(names.insert(row.name).second);
    EXPECT(find_register(static_cast<uint32_t>(row.number)) == &row);
  }
  EXPECT(find_register(0xDEADBEEF) == nullptr);
  EXPECT(std::string{find_status(0x51)->name} == "InvalidVtlState");
  EXPECT(find_status(1) == nullptr);
  EXPECT(to_ntstatus(HvStatus::InsufficientContiguousMemory) == 0xC0350075);
  EXPECT(to_ntstatus(HvStatus::Success) == 0);
  EXPECT(find_synthetic_msr(0x40000073)->scope == MsrScope::Private);
}

TEST_CASE("the table of call fields has the sizes of the table of calls, and looks into structures") {
  const auto bytes = [](std::span<const abi::Field> fields) {
    return fields.empty() ? 0 : fields.back().offset + fields.back().size;
  };
  for (size_t i = 0; i < call_count; ++i) {
    INFO(calls[i].name);
    const vtl::CallFields& fields = vtl::call_fields[i];
    EXPECT(vtl::find_call_fields(static_cast<uint16_t>(calls[i].code)) == &fields);
    EXPECT(bytes(fields.header) == calls[i].header);
    EXPECT(bytes(fields.element) == calls[i].element);
    EXPECT(bytes(fields.output) == calls[i].output);
    for (const auto part : {fields.header, fields.element, fields.output}) {
      for (const abi::Field& field : part) {
        const auto inner = vtl::parts_of(field);
        if (!inner.empty()) EXPECT(bytes(inner) == field.size);
      }
    }
  }
  EXPECT(vtl::find_call_fields(0xFFFF) == nullptr);
  const auto start = vtl::find_call_fields(static_cast<uint16_t>(CallCode::StartVirtualProcessor));
  REQUIRE(start != nullptr);
  const auto context = vtl::parts_of(start->header.back());
  REQUIRE(context.size() == 18);
  EXPECT(std::string_view{context.front().name} == "rip");
  EXPECT(vtl::parts_of(start->header.front()).empty());
}

TEST_CASE("the root's privileges are what VSM needs") {
  const PrivilegeMask mask = vtl::root_privileges;
  EXPECT(mask.access_vsm());
  EXPECT(mask.access_vp_registers());
  EXPECT(mask.access_synic_regs());
  EXPECT(((mask.raw >> 32) & 0x30000) == 0x30000);  // EBX bits 16 and 17 of leaf 0x40000003
}
