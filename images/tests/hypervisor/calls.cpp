// Hypercalls while VTL 0 is alone: statuses as TLFS and the conformance checks of kvm-unit-tests have them (section 13).
#include <string.h>

#include "tests.h"

namespace call {

using namespace abi::hv;

uint8_t* input_page() {
  static const auto page = reinterpret_cast<uint8_t*>(kernel::allocate_page());
  return page;
}
uint8_t* output_page() {
  static const auto page = reinterpret_cast<uint8_t*>(kernel::allocate_page());
  return page;
}

Result issue(uint64_t control, uint64_t input, uint64_t output) {
  const abi::hv::HypercallResult result{raw_hypercall(control, input, output)};
  return {result.status(), result.reps_completed()};
}

static abi::hv::GetVpRegisters header_for(int vtl, uint32_t vp) {
  abi::hv::GetVpRegisters header{abi::hv::partition_self, vp, {}, {}};
  if (vtl >= 0) header.target_vtl = header.target_vtl.with_target_vtl(static_cast<uint8_t>(vtl)).with_use_target_vtl(true);
  return header;
}

Result get_register(RegisterName name, RegisterValue& value, int vtl, uint32_t vp) {
  const abi::hv::GetVpRegisters header = header_for(vtl, vp);
  memcpy(input_page(), &header, sizeof header);
  memcpy(input_page() + sizeof header, &name, sizeof name);
  const Result result = issue(abi::hv::control_for(CallCode::GetVpRegisters, 1).raw,
                              reinterpret_cast<uint64_t>(input_page()), reinterpret_cast<uint64_t>(output_page()));
  memcpy(&value, output_page(), sizeof value);
  return result;
}

Result set_register(RegisterName name, RegisterValue value, int vtl, uint32_t vp) {
  const abi::hv::GetVpRegisters header = header_for(vtl, vp);
  const abi::hv::RegisterAssignment assignment{static_cast<uint32_t>(name), {}, value};
  memcpy(input_page(), &header, sizeof header);
  memcpy(input_page() + sizeof header, &assignment, sizeof assignment);
  return issue(abi::hv::control_for(CallCode::SetVpRegisters, 1).raw, reinterpret_cast<uint64_t>(input_page()));
}

Result protect(uint64_t page, uint32_t flags, int vtl) {
  abi::hv::ModifyVtlProtectionMask header{abi::hv::partition_self, flags, {}, {}};
  if (vtl >= 0) header.target_vtl = header.target_vtl.with_target_vtl(static_cast<uint8_t>(vtl)).with_use_target_vtl(true);
  memcpy(input_page(), &header, sizeof header);
  memcpy(input_page() + sizeof header, &page, sizeof page);
  return issue(abi::hv::control_for(CallCode::ModifyVtlProtectionMask, 1).raw, reinterpret_cast<uint64_t>(input_page()));
}

static SegmentRegister segment(uint16_t selector, uint16_t attributes) { return {0, 0xFFFFFFFF, selector, attributes}; }

InitialVpContext context_here(uint64_t rip, uint64_t rsp) {
  InitialVpContext context{};
  context.rip = rip;
  context.rsp = rsp;
  context.rflags = 2;
  context.cs = segment(kernel::kernel_code, 0xA09B);
  context.ds = context.es = context.ss = segment(kernel::kernel_data, 0xC093);
  context.fs = context.gs = segment(0, 0xC093);
  context.tr = {0, 0x67, kernel::tss_selector, 0x8B};
  context.ldtr = {0, 0, 0, 0x82};
  const arch::DescriptorTable gdt = arch::store_gdt(), idt = arch::store_idt();
  context.gdtr = {{}, gdt.limit, gdt.base};
  context.idtr = {{}, idt.limit, idt.base};
  context.efer = arch::read_msr(0xC0000080);
  context.cr0 = arch::read_cr0();
  context.cr3 = arch::read_cr3();
  context.cr4 = arch::read_cr4();
  context.msr_cr_pat = 0x0007040600070406;
  return context;
}

uint64_t hypercall_page() { return arch::read_msr(abi::hv::msr::Hypercall) & ~0xFFFull; }

}  // namespace call

using namespace kernel;
using namespace abi::hv;

namespace {

const char* control_words() {
  const auto input = reinterpret_cast<uint64_t>(call::input_page());
  EXPECT_STATUS(call::issue(0x7777, input), InvalidHypercallCode);
  EXPECT_STATUS(call::issue(control_for(CallCode::DisablePartitionVtl).raw, input), InvalidHypercallCode);  // known, not here
  const uint64_t flush = control_for(CallCode::FlushVirtualAddressSpace).raw;
  EXPECT_STATUS(call::issue(flush | 1ull << 27, input), InvalidHypercallInput);
  EXPECT_STATUS(call::issue(flush | 1ull << 31, input), InvalidHypercallInput);
  EXPECT_STATUS(call::issue(flush | 1ull << 60, input), InvalidHypercallInput);
  EXPECT_STATUS(call::issue(flush | 1ull << 32, input), InvalidHypercallInput);  // repetitions of a simple call
  const uint64_t get = control_for(CallCode::GetVpRegisters, 0).raw;
  EXPECT_STATUS(call::issue(get, input), InvalidHypercallInput);                 // none of a rep call
  return nullptr;
}

const char* parameter_pages() {
  const auto input = reinterpret_cast<uint64_t>(call::input_page());
  const uint64_t flush = control_for(CallCode::FlushVirtualAddressSpace).raw;
  EXPECT_STATUS(call::issue(flush, input + 4), InvalidAlignment);
  EXPECT_STATUS(call::issue(flush, input + 4096 - 8), InvalidAlignment);  // across a page boundary
  EXPECT_STATUS(call::issue(flush, memory_size()), InvalidAlignment);
  EXPECT_STATUS(call::issue(flush, call::hypercall_page()), InvalidParameter);  // an overlay page
  return nullptr;
}

const char* flushes() {
  FlushVirtualAddressSpace header{arch::read_cr3(), flush::all_processors, 0};
  EXPECT_STATUS(call::simple(CallCode::FlushVirtualAddressSpace, header), Success);
  header.flags = 1ull << 40;
  EXPECT_STATUS(call::simple(CallCode::FlushVirtualAddressSpace, header), InvalidParameter);
  header.flags = 0;  // and no processor in the mask
  EXPECT_STATUS(call::simple(CallCode::FlushVirtualAddressSpace, header), InvalidParameter);
  // The flush makes a changed entry visible, as INVLPG does.
  const uint64_t one = allocate_page(), two = allocate_page();
  at<uint64_t>(one) = 1;
  at<uint64_t>(two) = 2;
  const uint64_t window = map_somewhere(one, 3);
  EXPECT_EQUAL(at<uint64_t>(window), 1);
  leaf_entry(window) = two | 3;
  header.processor_mask = 1;
  EXPECT_STATUS(call::simple(CallCode::FlushVirtualAddressSpace, header), Success);
  EXPECT_EQUAL(at<uint64_t>(window), 2);
  return nullptr;
}

const char* initial_status() {
  RegisterValue value{};
  EXPECT_STATUS(call::get_register(RegisterName::VsmPartitionStatus, value), Success);
  const VsmPartitionStatus partition{value.low};
  EXPECT_EQUAL(partition.enabled_vtl_set(), 1);
  EXPECT_EQUAL(partition.maximum_vtl(), 1);
  EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, value), Success);
  EXPECT_EQUAL(VsmVpStatus{value.low}.active_vtl(), 0);
  EXPECT_EQUAL(VsmVpStatus{value.low}.enabled_vtl_set(), 1);
  EXPECT_STATUS(call::get_register(RegisterName::VsmCapabilities, value), Success);
  EXPECT_EQUAL(partition.mbec_enabled_vtl_set() & ~VsmCapabilities{value.low}.mbec_vtl_mask(), 0);
  return nullptr;
}

const char* register_calls() {
  RegisterValue value{};
  EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, value, -1, 1), InvalidVpIndex);
  EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, value, -1, vp_any), InvalidVpIndex);
  EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, value, 1), AccessDenied);  // a VTL above the caller
  EXPECT_STATUS(call::get_register(static_cast<RegisterName>(0x12345678), value), UnknownRegisterName);
  EXPECT_STATUS(call::get_register(RegisterName::Rip, value), AccessDenied);  // one's own processor registers
  EXPECT_STATUS(call::set_register(RegisterName::VsmPartitionStatus, {1, 0}), AccessDenied);
  EXPECT_STATUS(call::set_register(RegisterName::PendingEvent0, {1, 0}), InvalidParameter);
  GetVpRegisters header{42, vp_self, {}, {}};
  memcpy(call::input_page(), &header, sizeof header);
  EXPECT_STATUS(call::issue(control_for(CallCode::GetVpRegisters, 1).raw, reinterpret_cast<uint64_t>(call::input_page()),
                            reinterpret_cast<uint64_t>(call::output_page())),
                InvalidPartitionId);
  return nullptr;
}

const char* several_registers_stop_at_the_bad_one() {
  const GetVpRegisters header{partition_self, vp_self, {}, {}};
  const uint32_t names[3] = {static_cast<uint32_t>(RegisterName::VsmVpStatus),
                             static_cast<uint32_t>(RegisterName::VsmPartitionStatus), 0x12345678};
  memcpy(call::input_page(), &header, sizeof header);
  memcpy(call::input_page() + sizeof header, names, sizeof names);
  memset(call::output_page(), 0xEE, 48);
  const call::Result result = call::issue(control_for(CallCode::GetVpRegisters, 3).raw,
                                          reinterpret_cast<uint64_t>(call::input_page()),
                                          reinterpret_cast<uint64_t>(call::output_page()));
  EXPECT_STATUS(result, UnknownRegisterName);
  EXPECT_EQUAL(result.reps, 2);
  EXPECT_EQUAL(call::output_page()[0] | call::output_page()[2] << 16, 1 << 16);  // active 0, set 1
  EXPECT_EQUAL(call::output_page()[32], 0xEE);
  return nullptr;
}

const char* too_much_for_registers() {
  // Five names and their values do not fit into RDX, R8 and XMM0 to XMM5.
  const uint64_t control = control_for(CallCode::GetVpRegisters, 5, true).raw;
  EXPECT_STATUS(call::issue(control, partition_self, vp_self), InvalidHypercallInput);
  return nullptr;
}

const char* no_vtl_to_call() {
  for (const uint64_t code : {0x11ull, 0x12ull, 0x10011ull}) {
    static uint64_t control;
    control = code;
    EXPECT_EQUAL(guarded([](void*) { asm volatile("vmcall" ::"a"(0), "c"(control) : "memory"); }).vector, 6);
  }
  const ModifyVtlProtectionMask header{partition_self, map_gpa::readable, {}, {}};
  memcpy(call::input_page(), &header, sizeof header);
  EXPECT_STATUS(call::protect(16, map_gpa::readable), AccessDenied);
  return nullptr;
}

const char* enable_partition() {
  EnablePartitionVtl input{42, 1, {}, {}};
  EXPECT_STATUS(call::simple(CallCode::EnablePartitionVtl, input), InvalidPartitionId);
  input = {partition_self, 0, {}, {}};
  EXPECT_STATUS(call::simple(CallCode::EnablePartitionVtl, input), InvalidParameter);
  input = {partition_self, 2, {}, {}};
  EXPECT_STATUS(call::simple(CallCode::EnablePartitionVtl, input), InvalidParameter);
  input = {partition_self, 1, EnablePartitionVtlFlags{0x80}, {}};
  EXPECT_STATUS(call::simple(CallCode::EnablePartitionVtl, input), InvalidParameter);
  EnableVpVtl early{partition_self, vp_self, 1, {}, {}};
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, early), InvalidVtlState);  // the partition first

  input = {partition_self, 1, EnablePartitionVtlFlags{}.with_enable_mbec(true), {}};
  EXPECT_STATUS(call::simple(CallCode::EnablePartitionVtl, input), Success);
  EXPECT_STATUS(call::simple(CallCode::EnablePartitionVtl, input), InvalidVtlState);
  RegisterValue value{};
  EXPECT_STATUS(call::get_register(RegisterName::VsmPartitionStatus, value), Success);
  EXPECT_EQUAL(VsmPartitionStatus{value.low}.enabled_vtl_set(), 3);
  EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, value), Success);
  EXPECT_EQUAL(VsmVpStatus{value.low}.enabled_vtl_set(), 1);  // on no processor yet
  return no_vtl_to_call();
}

const char* enable_processor() {
  EnableVpVtl input{42, vp_self, 1, {}, upper::initial_context()};
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, input), InvalidPartitionId);
  input.target_partition = partition_self;
  input.target_vp = vp_any;
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, input), InvalidVpIndex);
  input.target_vp = 0;
  input.target_vtl = 0;
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, input), InvalidParameter);
  input.target_vtl = 1;
  input.context.cr0 = 0x11;  // no paging
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, input), InvalidRegisterValue);
  input.context = upper::initial_context();
  input.context.cs.attributes &= static_cast<uint16_t>(~(1u << 13));  // not 64-bit code
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, input), InvalidRegisterValue);
  input.context = upper::initial_context();
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, input), Success);
  RegisterValue value{};
  EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, value), Success);
  EXPECT_EQUAL(VsmVpStatus{value.low}.enabled_vtl_set(), 3);
  EXPECT_EQUAL(VsmVpStatus{value.low}.active_vtl(), 0);
  const call::Result again = call::simple(CallCode::EnableVpVtl, input);
  EXPECT_THAT(again.status == static_cast<uint16_t>(HvStatus::AccessDenied) ||
              again.status == static_cast<uint16_t>(HvStatus::VtlAlreadyEnabled));
  return nullptr;
}

constexpr Test tests[] = {
    {"malformed control words are refused by name", control_words},
    {"parameter pages are checked: alignment, boundary, RAM, overlay", parameter_pages},
    {"flushes check their flags and flush", flushes},
    {"at first only VTL 0 is enabled", initial_status},
    {"register calls refuse wrong processors, levels and names", register_calls},
    {"a register call does what comes before the bad name", several_registers_stop_at_the_bad_one},
    {"a fast call with too many elements is refused", too_much_for_registers},
    {"without VTL 1 VTL calls and returns are undefined, protections denied", no_vtl_to_call},
    {"EnablePartitionVtl answers as specified, and once with success", enable_partition},
    {"EnableVpVtl answers as specified, and once with success", enable_processor},
};

}  // namespace

std::span<const Test> call_tests() { return tests; }
