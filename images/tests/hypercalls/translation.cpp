// What an address means to another, who may do what with a page, address spaces, and what the hypervisor says of itself
// (TLFS 5.4 and the calls by name; sections 2.9, 2.10, 3.8).
#include <string.h>

#include "abi/hv/cpuid.h"
#include "hypercalls.h"

using namespace kernel;
using namespace abi::hv;

namespace {

constexpr uint64_t present = 1, writable = 2, accessed = 0x20, dirty = 0x40;

TranslateVirtualAddress asking(uint64_t address, uint64_t flags, int vtl = -1) {
  TranslateVirtualAddress input{partition_self, vp_self, 0, flags, address / page_bytes};
  if (vtl >= 0) input.control_flags |= (0x10ull | static_cast<uint64_t>(vtl)) << 56;
  return input;
}

struct Answer {
  call::Result call;
  TranslateVirtualAddressOutput out;
  [[nodiscard]] TranslateResult result() const { return static_cast<TranslateResult>(out.result_code); }
};
Answer translate(uint64_t address, uint64_t flags, int vtl = -1) {
  const call::Result result = call::simple(CallCode::TranslateVirtualAddress, asking(address, flags, vtl));
  return {result, call::output<TranslateVirtualAddressOutput>()};
}

#define EXPECT_TRANSLATION(answer, wanted)                      \
  do {                                                          \
    const Answer answer_ = (answer);                            \
    EXPECT_STATUS(answer_.call, Success);                       \
    EXPECT_EQUAL(answer_.result(), TranslateResult::wanted);    \
  } while (false)

const char* own_addresses() {
  using namespace translate_gva;
  const uint64_t page = allocate_page(), window = map_somewhere(page, present | writable);
  const Answer found = translate(window + 0x123, validate_read | validate_write);
  EXPECT_STATUS(found.call, Success);
  EXPECT_EQUAL(found.result(), TranslateResult::Success);
  EXPECT_EQUAL(found.out.gpa_page, page / page_bytes);
  EXPECT_EQUAL(found.out.cache_type, CacheType::WriteBack);
  EXPECT_EQUAL(found.out.overlay_page, 0);
  EXPECT_TRANSLATION(translate(window + page_bytes, validate_read), PageNotPresent);
  EXPECT_TRANSLATION(translate(window, validate_read | user_access), PrivilegeViolation);
  EXPECT_TRANSLATION(translate(window, validate_read | user_access | privilege_exempt), Success);
  EXPECT_TRANSLATION(translate(map_somewhere(page, present), validate_write), PrivilegeViolation);
  EXPECT_TRANSLATION(translate(map_somewhere(page, present), validate_read), Success);
  EXPECT_TRANSLATION(translate(map_somewhere(page, present | 1ull << 51), validate_read), InvalidPageTableFlags);
  EXPECT_TRANSLATION(translate(map_somewhere(memory_size() + (8ull << 30), present), validate_read), GpaUnmapped);
  EXPECT_TRANSLATION(translate(0x8000'0000'0000'0000, validate_read), InvalidPageTableFlags);  // not canonical
  const Answer overlay = translate(call::hypercall_page(), validate_read);
  EXPECT_EQUAL(overlay.result(), TranslateResult::Success);
  EXPECT_EQUAL(overlay.out.overlay_page, 1);
  return nullptr;
}

const char* page_table_bits() {
  using namespace translate_gva;
  const uint64_t window = map_somewhere(allocate_page(), present | writable);
  EXPECT_TRANSLATION(translate(window, validate_read | validate_write), Success);
  EXPECT_EQUAL(leaf_entry(window) & (accessed | dirty), 0);
  EXPECT_TRANSLATION(translate(window, validate_read | set_page_table_bits), Success);
  EXPECT_EQUAL(leaf_entry(window) & (accessed | dirty), accessed);
  EXPECT_TRANSLATION(translate(window, validate_write | set_page_table_bits), Success);
  EXPECT_EQUAL(leaf_entry(window) & (accessed | dirty), accessed | dirty);
  return nullptr;
}

uint64_t lower_window, lower_page;

const char* from_vtl1() {
  using namespace translate_gva;
  lower_page = allocate_page();
  lower_window = map_somewhere(lower_page, present | writable);
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    RegisterValue value{};
    EXPECT_STATUS(call::get_register(RegisterName::VsmPartitionConfig, value), Success);
    const auto wanted = VsmPartitionConfig{value.low}.with_enable_vtl_protection(true);
    EXPECT_STATUS(call::set_register(RegisterName::VsmPartitionConfig, {wanted.raw, 0}), Success);
    // VTL 0's page tables, not its own.
    const Answer found = translate(lower_window, validate_read, 0);
    EXPECT_EQUAL(found.result(), TranslateResult::Success);
    EXPECT_EQUAL(found.out.gpa_page, lower_page / page_bytes);
    EXPECT_STATUS(call::protect(lower_page / page_bytes, map_gpa::readable), Success);
    EXPECT_TRANSLATION(translate(lower_window, validate_read, 0), Success);
    EXPECT_TRANSLATION(translate(lower_window, validate_write, 0), GpaNoWriteAccess);
    EXPECT_STATUS(call::protect(lower_page / page_bytes, map_gpa::none), Success);
    EXPECT_TRANSLATION(translate(lower_window, validate_read, 0), GpaNoReadAccess);
    EXPECT_STATUS(call::protect(lower_page / page_bytes, map_gpa::all_access), Success);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_STATUS(translate(lower_window, translate_gva::validate_read, 1).call, AccessDenied);
  return nullptr;
}

const char* refused_translations() {
  using namespace translate_gva;
  EXPECT_STATUS(translate(0, supervisor_access | user_access).call, InvalidParameter);
  EXPECT_STATUS(translate(0, shadow_stack).call, InvalidParameter);  // this processor has none
  EXPECT_STATUS(translate(0, 1ull << 11).call, InvalidParameter);
  EXPECT_STATUS(translate(0, 1ull << 61).call, InvalidParameter);  // reserved in HV_INPUT_VTL
  TranslateVirtualAddress input = asking(0, validate_read);
  input.target_partition = 42;
  EXPECT_STATUS(call::simple(CallCode::TranslateVirtualAddress, input), InvalidPartitionId);
  input = asking(0, validate_read);
  input.target_vp = 7;
  EXPECT_STATUS(call::simple(CallCode::TranslateVirtualAddress, input), InvalidVpIndex);
  input = asking(0, validate_read);
  input.reserved = 1;
  EXPECT_STATUS(call::simple(CallCode::TranslateVirtualAddress, input), InvalidParameter);
  return nullptr;
}

const char* what_would_have_been_raised() {
  using namespace translate_gva;
  const uint64_t window = map_somewhere(allocate_page(), present);
  static uint64_t where;
  where = window;
  EXPECT_STATUS(call::simple(CallCode::TranslateVirtualAddressEx, asking(window, validate_write)), Success);
  auto out = call::output<TranslateVirtualAddressExOutput>();
  EXPECT_EQUAL(out.result_code, TranslateResult::PrivilegeViolation);
  const Caught write = guarded([](void*) { at<uint8_t>(where) = 1; });
  const PendingExceptionEvent event{out.event.low};
  EXPECT_THAT(event.event_pending() && event.deliver_error_code());
  EXPECT_EQUAL(event.vector(), write.vector);
  EXPECT_EQUAL(event.error_code(), write.error_code);
  EXPECT_EQUAL(out.event.high, write.cr2);
  EXPECT_STATUS(call::simple(CallCode::TranslateVirtualAddressEx, asking(window, validate_read)), Success);
  out = call::output<TranslateVirtualAddressExOutput>();
  EXPECT_EQUAL(out.result_code, TranslateResult::Success);
  EXPECT_EQUAL(out.event.low, 0);
  EXPECT_EQUAL(out.gpa_page, leaf_entry(window) >> 12 & 0xFFFFFFFFF);
  return nullptr;
}

CheckSparseGpaPageVtlAccess access_of(uint8_t wanted, uint8_t vtl) {
  return {partition_self, InputVtl{}.with_target_vtl(vtl).with_use_target_vtl(true), wanted, {}};
}

const char* who_would_refuse() {
  EXPECT_STATUS(call::one(CallCode::CheckSparseGpaPageVtlAccess, access_of(map_gpa::readable, 1), GpaPage{1}), AccessDenied);
  return upper::run([](upper::Saved*) -> const char* {
    const uint64_t page = lower_page / page_bytes;
    EXPECT_STATUS(call::protect(page, map_gpa::readable), Success);
    const GpaPage pages[] = {{page}, {page + 1}};
    const auto wanted = access_of(map_gpa::readable | map_gpa::writable, 0);
    EXPECT_STATUS(call::list(CallCode::CheckSparseGpaPageVtlAccess, wanted, pages), Success);
    const auto first = call::output<VtlAccessResult>(0), second = call::output<VtlAccessResult>(1);
    EXPECT_EQUAL(first.result_code, 1);
    EXPECT_EQUAL(first.denied_access, map_gpa::writable);
    EXPECT_EQUAL(first.intercepting_vtl, 1);
    EXPECT_EQUAL(second.result_code, 0);
    EXPECT_STATUS(call::protect(page, map_gpa::all_access), Success);
    EXPECT_STATUS(call::one(CallCode::CheckSparseGpaPageVtlAccess, access_of(0, 0), pages[0]), InvalidParameter);
    const GpaPage beyond[] = {{page}, {memory_size() / page_bytes}};
    const call::Result result = call::list(CallCode::CheckSparseGpaPageVtlAccess, wanted, beyond);
    EXPECT_STATUS(result, InvalidParameter);
    EXPECT_EQUAL(result.reps, 1);
    return nullptr;
  });
}

const char* address_spaces() {
  // Another root page with the same content, but for one window.
  const uint64_t here = arch::read_cr3(), one = allocate_page(), two = allocate_page();
  at<uint64_t>(one) = 1;
  at<uint64_t>(two) = 2;
  const uint64_t window = map_somewhere(one, present | writable);
  EXPECT_EQUAL(load<uint64_t>(window), 1);
  leaf_entry(window) = two | present | writable;
  EXPECT_EQUAL(load<uint64_t>(window), 1);
  EXPECT_STATUS(call::simple(CallCode::SwitchVirtualAddressSpace, SwitchVirtualAddressSpace{1ull << 62}), InvalidParameter);
  const uint64_t root = allocate_page();
  memcpy(reinterpret_cast<void*>(root), reinterpret_cast<void*>(here & ~0xFFFull), page_bytes);
  EXPECT_STATUS(call::simple(CallCode::SwitchVirtualAddressSpace, SwitchVirtualAddressSpace{root}), Success);
  EXPECT_EQUAL(arch::read_cr3(), root);
  EXPECT_EQUAL(load<uint64_t>(window), 2);  // as after MOV CR3
  EXPECT_STATUS(call::simple(CallCode::SwitchVirtualAddressSpace, SwitchVirtualAddressSpace{here}), Success);
  EXPECT_EQUAL(arch::read_cr3(), here);
  return nullptr;
}

const char* second_level_flushes() {
  FlushGuestPhysicalAddressSpace header{arch::read_cr3(), 0};
  EXPECT_STATUS(call::simple(CallCode::FlushGuestPhysicalAddressSpace, header), Success);
  const GpaPageRange ranges[] = {{0x1000}, {0x5002}};
  const call::Result result = call::list(CallCode::FlushGuestPhysicalAddressList, header, ranges);
  EXPECT_STATUS(result, Success);
  EXPECT_EQUAL(result.reps, 2);
  header.flags = 1;
  EXPECT_STATUS(call::simple(CallCode::FlushGuestPhysicalAddressSpace, header), InvalidParameter);
  EXPECT_STATUS(call::list(CallCode::FlushGuestPhysicalAddressList, header, ranges), InvalidParameter);
  return nullptr;
}

const char* cpuid_by_call() {
  GetVpCpuidValues header{partition_self, vp_self, 0, 0, 0};
  const CpuidLeafElement leaves[] = {{1, 0, 0, 0}, {0x40000001, 0, 0, 0}, {0x80000008, 0, 0, 0}};
  EXPECT_STATUS(call::list(CallCode::GetVpCpuidValues, header, leaves), Success);
  for (unsigned i = 0; i < 3; ++i) {
    const auto said = call::output<CpuidValues>(i);
    const arch::Cpuid wanted = arch::cpuid(leaves[i].eax);
    EXPECT_EQUAL(said.eax, wanted.eax);
    EXPECT_EQUAL(said.ebx, wanted.ebx);
    EXPECT_EQUAL(said.ecx, wanted.ecx);
    EXPECT_EQUAL(said.edx, wanted.edx);
  }
  header.flags = 4;
  EXPECT_STATUS(call::list(CallCode::GetVpCpuidValues, header, leaves), InvalidParameter);
  header.flags = 0;
  header.target_vp = 9;
  EXPECT_STATUS(call::list(CallCode::GetVpCpuidValues, header, leaves), InvalidVpIndex);
  return nullptr;
}

const char* about_itself() {
  EXPECT_STATUS(call::simple(CallCode::GetPartitionId, 0ull), Success);
  EXPECT_EQUAL(call::output<uint64_t>(), 1);  // the root
  GetPartitionProperty property{partition_self, partition_property::privilege_flags, 0};
  EXPECT_STATUS(call::simple(CallCode::GetPartitionProperty, property), Success);
  const arch::Cpuid features = arch::cpuid(abi::hv::cpuid::features_leaf);
  EXPECT_EQUAL(call::output<uint64_t>(), features.eax | uint64_t{features.ebx} << 32);
  property.code = 0x123;
  EXPECT_STATUS(call::simple(CallCode::GetPartitionProperty, property), UnknownProperty);
  EXPECT_STATUS(call::simple(CallCode::ExtQueryCapabilities, 0ull), Success);
  EXPECT_EQUAL(call::output<uint64_t>(), 0);
  GetSystemProperty system{static_cast<uint32_t>(SystemProperty::SchedulerType), 0, 0};
  EXPECT_STATUS(call::simple(CallCode::GetSystemProperty, system), Success);
  EXPECT_EQUAL(call::output<uint64_t>(), SchedulerType::Classic);
  system.property_id = 0x7777;
  EXPECT_STATUS(call::simple(CallCode::GetSystemProperty, system), UnknownProperty);
  NotifyPartitionEvent event{static_cast<uint32_t>(PartitionEvent::AllLogicalProcessorsStarted), 0};
  EXPECT_STATUS(call::simple(CallCode::NotifyPartitionEvent, event), Success);
  event.event = 77;
  EXPECT_STATUS(call::simple(CallCode::NotifyPartitionEvent, event), InvalidParameter);
  EXPECT_STATUS(call::simple(CallCode::NotifyLongSpinWait, NotifyLongSpinWait{1000}), Success);
  return nullptr;
}

constexpr Test tests[] = {
    {"an address is translated by the caller's page tables, or the reason why not is said", own_addresses},
    {"accessed and dirty bits are set only if that is asked for", page_table_bits},
    {"VTL 1 translates with VTL 0's tables and VTL 0's rights, and not the other way round", from_vtl1},
    {"translations that contradict themselves, or name nobody, are refused", refused_translations},
    {"TranslateVirtualAddressEx says which page fault there would have been", what_would_have_been_raised},
    {"which pages VTL 0 could not write, and who would be told", who_would_refuse},
    {"a switch of the address space by hypercall is MOV CR3", address_spaces},
    {"flushes of guest physical addresses succeed, with flags they do not", second_level_flushes},
    {"CPUID by hypercall is what CPUID says", cpuid_by_call},
    {"the hypervisor says who the partition is, what it may do, and how it schedules", about_itself},
};

}  // namespace

std::span<const Test> translation_tests() { return tests; }
