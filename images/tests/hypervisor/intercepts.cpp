// Memory that VTL 1 protects, and what it hears of attempts (sections 3.8, 5.1 to 5.5).
#include "tests.h"

using namespace kernel;
using namespace abi::hv;

namespace {

constexpr uint64_t page_bytes = 4096;
uint64_t target;

const char* default_protection() {
  target = allocate_page();
  at<uint8_t>(target) = 0xC3;
  return upper::run([](upper::Saved*) -> const char* {
    RegisterValue value{};
    EXPECT_STATUS(call::get_register(RegisterName::VsmPartitionConfig, value), Success);
    EXPECT_EQUAL(VsmPartitionConfig{value.low}.enable_vtl_protection(), 0);
    EXPECT_EQUAL(VsmPartitionConfig{value.low}.default_vtl_protection_mask(), 0xF);
    EXPECT_STATUS(call::protect(target / page_bytes, map_gpa::readable), AccessDenied);  // not enabled yet
    const auto wanted = VsmPartitionConfig{value.low}.with_enable_vtl_protection(true);
    EXPECT_STATUS(call::set_register(RegisterName::VsmPartitionConfig, {wanted.raw, 0}), Success);
    // Once set it stays, and so does the mask.
    call::set_register(RegisterName::VsmPartitionConfig, {wanted.with_enable_vtl_protection(false).raw, 0});
    call::set_register(RegisterName::VsmPartitionConfig, {wanted.with_default_vtl_protection_mask(3).raw, 0});
    EXPECT_STATUS(call::get_register(RegisterName::VsmPartitionConfig, value), Success);
    EXPECT_EQUAL(VsmPartitionConfig{value.low}.enable_vtl_protection(), 1);
    EXPECT_EQUAL(VsmPartitionConfig{value.low}.default_vtl_protection_mask(), 0xF);
    return nullptr;
  });
}

const char* refused_protections() {
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::protect(target / page_bytes, map_gpa::writable), InvalidRegisterValue);  // W without R
    EXPECT_STATUS(call::protect(target / page_bytes, map_gpa::user_executable), InvalidRegisterValue);
    EXPECT_STATUS(call::protect(memory_size() / page_bytes, map_gpa::readable), InvalidParameter);
    EXPECT_STATUS(call::protect(target / page_bytes, map_gpa::readable, 0), InvalidParameter);
    EXPECT_STATUS(call::protect(target / page_bytes, map_gpa::all_access), Success);
    return nullptr;
  });
}

const char* still_accessible() {
  at<uint8_t>(target + 1) = 0x42;
  EXPECT_EQUAL(at<uint8_t>(target + 1), 0x42);
  reinterpret_cast<void (*)()>(target)();
  return nullptr;
}

template <uint32_t Flags>
const char* protect_target() {
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::protect(target / page_bytes, Flags), Success);
    return nullptr;
  });
}

Caught attempt(InterceptAccess access, uint64_t address) {
  static uint64_t where;
  where = address;
  switch (access) {
    case InterceptAccess::Read: return guarded([](void*) { (void)load<uint8_t>(where); });
    case InterceptAccess::Write: return guarded([](void*) { at<uint8_t>(where) = 1; });
    case InterceptAccess::Execute: break;
  }
  return guarded([](void*) { reinterpret_cast<void (*)()>(where)(); });
}

const char* expect_intercept(InterceptAccess access, uint64_t offset) {
  const uint32_t before = upper::seen.count;
  const Caught c = attempt(access, target + offset);
  EXPECT_EQUAL(c.vector, 13);  // as VTL 1 injected it
  EXPECT_EQUAL(c.error_code, 0);
  EXPECT_EQUAL(upper::seen.count, before + 1);
  const MemoryIntercept& message = upper::seen.message;
  EXPECT_EQUAL(upper::seen.type, MessageType::GpaIntercept);
  EXPECT_EQUAL(message.header.access, access);
  EXPECT_EQUAL(message.header.vp_index, 0);
  EXPECT_EQUAL(message.header.rip, c.rip);
  EXPECT_EQUAL(message.header.execution_state.cpl(), 0);
  EXPECT_EQUAL(message.header.execution_state.vtl(), 0);
  EXPECT_EQUAL(message.gva, target + offset);
  EXPECT_EQUAL(message.gpa, target + offset);
  EXPECT_THAT(message.access_info.gva_valid());
  EXPECT_EQUAL(upper::seen.reason, VtlEntryReason::Interrupt);
  if (access != InterceptAccess::Execute) {
    EXPECT_THAT(message.instruction_byte_count > 0);
    EXPECT_EQUAL(message.instruction_bytes[0], at<uint8_t>(c.rip));
  }
  return nullptr;
}

const char* no_access() {
  if (const char* answer = upper::enable_intercepts()) return answer;
  if (const char* answer = protect_target<map_gpa::none>()) return answer;
  if (const char* answer = expect_intercept(InterceptAccess::Read, 8)) return answer;
  if (const char* answer = expect_intercept(InterceptAccess::Write, 16)) return answer;
  return expect_intercept(InterceptAccess::Execute, 0);
}

const char* read_only() {
  if (const char* answer = protect_target<map_gpa::readable>()) return answer;
  EXPECT_EQUAL(at<uint8_t>(target + 1), 0x42);
  if (const char* answer = expect_intercept(InterceptAccess::Write, 1)) return answer;
  EXPECT_EQUAL(at<uint8_t>(target + 1), 0x42);
  return expect_intercept(InterceptAccess::Execute, 0);
}

const char* no_execute() {
  if (const char* answer = protect_target<map_gpa::readable | map_gpa::writable>()) return answer;
  at<uint8_t>(target + 1) = 0x43;
  EXPECT_EQUAL(at<uint8_t>(target + 1), 0x43);
  return expect_intercept(InterceptAccess::Execute, 0);
}

const char* upper_level_is_not_restricted() {
  if (const char* answer = protect_target<map_gpa::none>()) return answer;
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(at<uint8_t>(target + 1), 0x43);
    at<uint8_t>(target + 1) = 0x44;
    reinterpret_cast<void (*)()>(target)();
    return nullptr;
  });
}

const char* page_tables_are_memory() {
  // VTL 0's page table in a page that VTL 1 made read-only: the walk may read it, but cannot set A.
  static uint64_t window, table;
  const uint64_t data = allocate_page();
  window = map_somewhere(data, 3);
  const uint64_t leaf = reinterpret_cast<uint64_t>(&leaf_entry(window));
  table = leaf & ~(page_bytes - 1);
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::protect(table / page_bytes, map_gpa::readable), Success);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  const uint32_t before = upper::seen.count;
  const Caught c = guarded([](void*) { (void)load<uint8_t>(window); });
  EXPECT_EQUAL(c.vector, 13);
  EXPECT_EQUAL(upper::seen.count, before + 1);
  EXPECT_EQUAL(upper::seen.message.gpa & ~(page_bytes - 1), table);
  EXPECT_EQUAL(upper::seen.message.gva, window);
  EXPECT_EQUAL(upper::seen.message.header.access, InterceptAccess::Write);
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::protect(table / page_bytes, map_gpa::all_access), Success);
    return nullptr;
  });
}

const char* opened_again() {
  if (const char* answer = protect_target<map_gpa::all_access>()) return answer;
  const uint32_t before = upper::seen.count;
  EXPECT_EQUAL(at<uint8_t>(target + 1), 0x44);
  at<uint8_t>(target + 1) = 0x45;
  reinterpret_cast<void (*)()>(target)();
  EXPECT_EQUAL(upper::seen.count, before);
  return nullptr;
}

constexpr Test tests[] = {
    {"the default protection is everything, is enabled once and stays", default_protection},
    {"protections that no processor has are refused", refused_protections},
    {"with full access VTL 0 notices nothing", still_accessible},
    {"no access: read, write and execute are intercepted with their message", no_access},
    {"read-only memory can be read and nothing else", read_only},
    {"memory that is not executable can be read and written", no_execute},
    {"VTL 1 itself is not restricted", upper_level_is_not_restricted},
    {"a protected page table is intercepted at its own address", page_tables_are_memory},
    {"what is opened again is accessible again", opened_again},
};

}  // namespace

std::span<const Test> intercept_tests() { return tests; }
