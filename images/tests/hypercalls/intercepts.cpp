// What VTL 1 asks to be told of VTL 0, beside memory: control registers, MSRs, descriptor tables, CPUID, ports, exceptions;
// each message compared with what VTL 0 did, and each kind of answer (TLFS 15.13, 15.14; sections 5.3 to 5.6).
#include <string.h>

#include "hypercalls.h"

using namespace kernel;
using namespace abi::hv;

namespace {

constexpr uint32_t lstar = 0xC0000082, tsc_aux = 0xC0000103, unknown_msr = 0x12345;
constexpr uint64_t cr4_tsd = 1 << 2, cr4_de = 1 << 3;

template <class Payload>
Payload told() {
  Payload payload;
  memcpy(&payload, upper::seen.whole.payload, sizeof payload);
  return payload;
}

uint32_t count_before;
void forget() { count_before = upper::seen.count; }
uint32_t times() { return upper::seen.count - count_before; }

/// Of an instruction of VTL 0 at CPL 0 with a known length.
const char* check_header(const InterceptHeader& header, InterceptAccess access, unsigned length) {
  EXPECT_EQUAL(header.vp_index, 0);
  EXPECT_EQUAL(header.access, access);
  EXPECT_EQUAL(header.length_and_cr8 & 0xF, length);
  EXPECT_EQUAL(header.execution_state.cpl(), 0);
  EXPECT_EQUAL(header.execution_state.vtl(), 0);
  EXPECT_THAT(header.execution_state.cr0_pe() && header.execution_state.efer_lma());
  EXPECT_EQUAL(header.cs.selector, kernel_code);
  return nullptr;
}

CrInterceptControl wanted_registers;
uint64_t cr4_mask;

/// VTL 1 wants to see these accesses of registers from now on.
const char* watch(CrInterceptControl registers, uint64_t mask = ~0ull) {
  wanted_registers = registers;
  cr4_mask = mask;
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::set_register(RegisterName::CrInterceptCr4Mask, {cr4_mask, 0}), Success);
    EXPECT_STATUS(call::set_register(RegisterName::CrInterceptControl, {wanted_registers.raw, 0}), Success);
    RegisterValue value{};
    EXPECT_STATUS(call::get_register(RegisterName::CrInterceptControl, value), Success);
    EXPECT_EQUAL(value.low, wanted_registers.raw);
    return nullptr;
  });
}

const char* control_registers() {
  RegisterValue value{};
  EXPECT_STATUS(call::get_register(RegisterName::CrInterceptControl, value), InvalidParameter);  // VTL 0 has none
  const uint64_t cr4 = arch::read_cr4();
  if (const char* answer = watch(CrInterceptControl{}.with_cr4_write(true), cr4_tsd)) return answer;
  forget();
  arch::write_cr4(cr4 | cr4_de);  // no bit of the mask
  arch::write_cr4(cr4);
  EXPECT_EQUAL(times(), 0);
  static uint64_t forbidden;
  forbidden = cr4 | cr4_tsd;
  upper::reply_with(upper::refuse);
  EXPECT_EQUAL(guarded([](void*) { arch::write_cr4(forbidden); }).vector, 13);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.type, MessageType::RegisterIntercept);
  const auto message = told<RegisterIntercept>();
  if (const char* answer = check_header(message.header, InterceptAccess::Write, 3)) return answer;
  EXPECT_EQUAL(message.register_name, RegisterName::Cr4);
  EXPECT_EQUAL(message.value.low, forbidden);
  EXPECT_EQUAL(message.flags, 0);
  EXPECT_EQUAL(arch::read_cr4(), cr4);
  // VTL 1 writes it itself.
  upper::reply_with([](const Message& whole) {
    call::set_register(RegisterName::Cr4, {told<RegisterIntercept>().value.low, 0}, 0);
    upper::pass_over(whole);
  });
  arch::write_cr4(forbidden);
  EXPECT_EQUAL(times(), 2);
  EXPECT_EQUAL(arch::read_cr4(), forbidden);
  if (const char* answer = watch({})) return answer;
  arch::write_cr4(cr4);
  EXPECT_EQUAL(times(), 2);
  return nullptr;
}

const char* descriptor_tables() {
  if (const char* answer = watch(CrInterceptControl{}.with_gdtr_write(true).with_idtr_write(true).with_tr_write(true)))
    return answer;
  forget();
  upper::reply_with(upper::pass_over);
  const arch::DescriptorTable gdt = arch::store_gdt(), idt = arch::store_idt();
  arch::DescriptorTable other = gdt;
  other.limit = 0x1234;
  arch::load_gdt(other);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.type, MessageType::RegisterIntercept);
  auto message = told<RegisterIntercept>();
  EXPECT_EQUAL(message.register_name, RegisterName::Gdtr);
  EXPECT_EQUAL(message.value.low >> 48, other.limit);
  EXPECT_EQUAL(message.value.high, gdt.base);
  EXPECT_EQUAL(arch::store_gdt().limit, gdt.limit);  // it was not loaded
  arch::load_idt(idt);
  EXPECT_EQUAL(times(), 2);
  message = told<RegisterIntercept>();
  EXPECT_EQUAL(message.register_name, RegisterName::Idtr);
  EXPECT_EQUAL(message.value.high, idt.base);
  volatile uint8_t& type = at<uint8_t>(gdt.base + tss_selector + 5);
  type = 0x89;  // not busy, or LTR were #GP
  arch::load_tr(tss_selector);
  EXPECT_EQUAL(type, 0x89);
  type = 0x8B;
  EXPECT_EQUAL(times(), 3);
  EXPECT_EQUAL(told<RegisterIntercept>().register_name, RegisterName::Tr);
  return watch({});
}

const char* model_specific_registers() {
  if (const char* answer = watch(CrInterceptControl{}.with_lstar_read(true).with_lstar_write(true).with_tsc_aux_write(true)))
    return answer;
  forget();
  upper::reply_with(upper::refuse);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(lstar, 0x0000'1122'3344'5566); }).vector, 13);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.type, MessageType::MsrIntercept);
  const auto message = told<MsrIntercept>();
  if (const char* answer = check_header(message.header, InterceptAccess::Write, 2)) return answer;
  EXPECT_EQUAL(message.msr, lstar);
  EXPECT_EQUAL(message.rax & 0xFFFFFFFF, 0x33445566);
  EXPECT_EQUAL(message.rdx & 0xFFFFFFFF, 0x1122);
  // A read is answered with RAX and RDX.
  upper::reply_with([](const Message& whole) {
    upper::give(&upper::Saved::rax, 0xBEEF);
    upper::give(&upper::Saved::rdx, 0xDEAD);
    upper::pass_over(whole);
  });
  EXPECT_EQUAL(told<MsrIntercept>().header.access, InterceptAccess::Write);
  EXPECT_EQUAL(arch::read_msr(lstar), 0xDEAD0000BEEF);
  EXPECT_EQUAL(told<MsrIntercept>().header.access, InterceptAccess::Read);
  EXPECT_EQUAL(times(), 2);
  (void)arch::read_msr(tsc_aux);  // only its writes are told
  EXPECT_EQUAL(times(), 2);
  return watch({});
}

InstallIntercept wanted_intercept;

const char* install(InterceptType type, uint32_t access, uint64_t parameter) {
  wanted_intercept = {partition_self, access, type, parameter};
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::simple(CallCode::InstallIntercept, wanted_intercept), Success);
    return nullptr;
  });
}

const char* refused_intercepts() {
  EXPECT_STATUS(call::simple(CallCode::InstallIntercept, InstallIntercept{partition_self, 4, InterceptType::X64Cpuid, 1}),
                AccessDenied);
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::simple(CallCode::InstallIntercept, InstallIntercept{42, 4, InterceptType::X64Cpuid, 1}),
                  InvalidPartitionId);
    const InstallIntercept wrong[] = {
        {partition_self, 1, InterceptType::X64Cpuid, 1},          // CPUID is executed
        {partition_self, 4, InterceptType::X64IoPort, 0x80},      // a port is not
        {partition_self, 1, InterceptType::X64IoPort, 0x10000},   // no such port
        {partition_self, 4, InterceptType::Exception, 32},        // no such exception
        {partition_self, 4, InterceptType::Exception, 2},         // NMI is none
        {partition_self, 1, static_cast<InterceptType>(7), 0},
    };
    for (const InstallIntercept& input : wrong)
      EXPECT_STATUS(call::simple(CallCode::InstallIntercept, input), InvalidParameter);
    return nullptr;
  });
}

const char* cpuid_is_told() {
  const arch::Cpuid usual = arch::cpuid(0x40000001);
  if (const char* answer = install(InterceptType::X64Cpuid, 4, 0x40000001)) return answer;
  forget();
  upper::reply_with([](const Message& whole) {
    upper::give(&upper::Saved::rax, 0xCAFE);
    upper::pass_over(whole);
  });
  EXPECT_EQUAL(arch::cpuid(0x40000001).eax, 0xCAFE);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.type, MessageType::X64CpuidIntercept);
  const auto message = told<CpuidIntercept>();
  if (const char* answer = check_header(message.header, InterceptAccess::Execute, 2)) return answer;
  EXPECT_EQUAL(message.rax & 0xFFFFFFFF, 0x40000001);
  EXPECT_EQUAL(message.default_result_rax, usual.eax);
  EXPECT_EQUAL(message.default_result_rbx, usual.ebx);
  (void)arch::cpuid(0x40000000);
  EXPECT_EQUAL(times(), 1);
  if (const char* answer = install(InterceptType::X64Cpuid, 0, 0x40000001)) return answer;  // no access: taken back
  EXPECT_EQUAL(arch::cpuid(0x40000001).eax, usual.eax);
  EXPECT_EQUAL(times(), 1);
  return nullptr;
}

const char* ports_are_told() {
  constexpr uint16_t scratch = 0x80;
  if (const char* answer = install(InterceptType::X64IoPort, intercept_access::read | intercept_access::write, scratch))
    return answer;
  forget();
  upper::reply_with(upper::pass_over);
  arch::out16(scratch, 0xABCD);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.type, MessageType::X64IoPortIntercept);
  auto message = told<IoPortIntercept>();
  EXPECT_EQUAL(message.header.access, InterceptAccess::Write);
  EXPECT_EQUAL(message.port, scratch);
  EXPECT_EQUAL(message.access_info.access_size(), 2);
  EXPECT_THAT(!message.access_info.string_op() && !message.access_info.rep_prefix());
  EXPECT_EQUAL(message.rax & 0xFFFF, 0xABCD);
  upper::reply_with([](const Message& whole) {
    upper::give(&upper::Saved::rax, 0x5A);
    upper::pass_over(whole);
  });
  EXPECT_EQUAL(arch::in8(scratch), 0x5A);
  message = told<IoPortIntercept>();
  EXPECT_EQUAL(message.header.access, InterceptAccess::Read);
  EXPECT_EQUAL(message.access_info.access_size(), 1);
  EXPECT_EQUAL(times(), 2);
  return install(InterceptType::X64IoPort, 0, scratch);
}

const char* exceptions_are_told() {
  constexpr uint64_t breakpoint = 3, invalid_opcode = 6;
  if (const char* answer = install(InterceptType::Exception, 4, invalid_opcode)) return answer;
  forget();
  upper::reply_with(upper::pass_over);
  // What VTL 1 passes over does not happen; other exceptions do.
  upper::reply_with([](const Message&) {
    RegisterValue rip{};
    call::get_register(RegisterName::Rip, rip, 0);
    call::set_register(RegisterName::Rip, {rip.low + 2, 0}, 0);
  });
  EXPECT_THAT(!guarded([](void*) { asm volatile("ud2"); }).happened);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.type, MessageType::ExceptionIntercept);
  const auto message = told<ExceptionIntercept>();
  EXPECT_EQUAL(message.vector, invalid_opcode);
  EXPECT_THAT(!message.exception_info.error_code_valid());
  EXPECT_EQUAL(message.instruction_bytes[0], 0x0F);
  EXPECT_EQUAL(message.instruction_bytes[1], 0x0B);
  EXPECT_EQUAL(guarded([](void*) { asm volatile("int3"); }).vector, breakpoint);
  EXPECT_EQUAL(times(), 1);
  if (const char* answer = install(InterceptType::Exception, 0, invalid_opcode)) return answer;
  EXPECT_EQUAL(guarded([](void*) { asm volatile("ud2"); }).vector, invalid_opcode);
  EXPECT_EQUAL(times(), 1);
  return nullptr;
}

const char* msrs_by_number_are_told() {
  if (const char* answer = install(InterceptType::X64Msr, intercept_access::read, 0)) return answer;
  forget();
  upper::reply_with([](const Message& whole) {
    upper::give(&upper::Saved::rax, 0x77);
    upper::give(&upper::Saved::rdx, 0);
    upper::pass_over(whole);
  });
  EXPECT_EQUAL(arch::read_msr(unknown_msr), 0x77);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(told<MsrIntercept>().msr, unknown_msr);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(unknown_msr, 1); }).vector, 13);  // only reads
  EXPECT_EQUAL(times(), 1);
  (void)arch::read_msr(msr::VpIndex);  // this one exists
  EXPECT_EQUAL(times(), 1);
  if (const char* answer = install(InterceptType::X64Msr, 0, 0)) return answer;
  EXPECT_EQUAL(guarded([](void*) { (void)arch::read_msr(unknown_msr); }).vector, 13);
  if (const char* answer = install(InterceptType::X64MsrIndex, intercept_access::read, msr::VpIndex)) return answer;
  EXPECT_EQUAL(arch::read_msr(msr::VpIndex), 0x77);
  EXPECT_EQUAL(times(), 2);
  EXPECT_EQUAL(told<MsrIntercept>().msr, msr::VpIndex);
  return install(InterceptType::X64MsrIndex, 0, msr::VpIndex);
}

const char* hypercalls_are_told() {
  if (const char* answer = install(InterceptType::Hypercall, 4, 0)) return answer;
  forget();
  upper::reply_with([](const Message& whole) {
    upper::give(&upper::Saved::rax, 0x1234);
    upper::pass_over(whole);
  });
  const uint64_t control = control_for(CallCode::NotifyLongSpinWait).raw;
  EXPECT_EQUAL(call::issue(control, 0x1111, 0x2222).status, 0x1234);  // its parameters were not even looked at
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.type, MessageType::HypercallIntercept);
  const auto message = told<HypercallIntercept>();
  EXPECT_EQUAL(message.rcx, control);
  EXPECT_EQUAL(message.rdx, 0x1111);
  EXPECT_EQUAL(message.r8, 0x2222);
  if (const char* answer = install(InterceptType::Hypercall, 0, 0)) return answer;
  EXPECT_STATUS(call::simple(CallCode::NotifyLongSpinWait, NotifyLongSpinWait{1}), Success);
  return nullptr;
}

const char* set_intercept_page(bool on) {
  static bool wanted;
  wanted = on;
  return upper::run([](upper::Saved*) -> const char* {
    RegisterValue value{};
    EXPECT_STATUS(call::get_register(RegisterName::VsmPartitionConfig, value), Success);
    const auto config = VsmPartitionConfig{value.low}.with_intercept_page(wanted);
    EXPECT_STATUS(call::set_register(RegisterName::VsmPartitionConfig, {config.raw, 0}), Success);
    return nullptr;
  });
}

const char* told_without_interrupt() {
  if (const char* answer = set_intercept_page(true)) return answer;
  if (const char* answer = install(InterceptType::X64Cpuid, 4, 0x40000001)) return answer;
  forget();
  upper::reply_with([](const Message& whole) {
    upper::give(&upper::Saved::rbx, 0xF00D);
    upper::pass_over(whole);
  });
  EXPECT_EQUAL(arch::cpuid(0x40000001).ebx, 0xF00D);
  EXPECT_EQUAL(times(), 1);
  EXPECT_EQUAL(upper::seen.reason, VtlEntryReason::Intercept);
  EXPECT_EQUAL(upper::seen.type, MessageType::X64CpuidIntercept);
  if (const char* answer = install(InterceptType::X64Cpuid, 0, 0x40000001)) return answer;
  upper::reply_with(upper::refuse);
  return set_intercept_page(false);
}

constexpr Test tests[] = {
    {"a write of CR4 that changes a bit of the mask is told, and refused or done by VTL 1", control_registers},
    {"loads of GDTR, IDTR and TR are told with what would have been loaded", descriptor_tables},
    {"accesses of MSRs are told by kind, and a read is answered by VTL 1", model_specific_registers},
    {"intercepts that nobody could install are refused", refused_intercepts},
    {"CPUID is told with its usual answer, and VTL 1 gives another", cpuid_is_told},
    {"accesses of a port are told with size and value, and answered", ports_are_told},
    {"an exception is told before it is delivered, and need not happen", exceptions_are_told},
    {"MSRs that do not exist, or one by its number, are told", msrs_by_number_are_told},
    {"a hypercall is told with its registers before anything is done", hypercalls_are_told},
    {"with an intercept page VTL 1 is entered without an interrupt", told_without_interrupt},
};

}  // namespace

std::span<const Test> interception_tests() { return tests; }
