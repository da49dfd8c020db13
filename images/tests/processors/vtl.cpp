// VTL 1 on every processor: the first enters it by its own call, and from there enables the others (section 3.7).
#include "processors.h"

using namespace kernel;
using namespace abi::hv;
using namespace processors;

extern "C" {
extern uint64_t level_entries;
void level_start();
void enter_level(uint64_t stub);
}

namespace {

EnableVpVtl enable_header(uint32_t index) {
  EnableVpVtl header{};
  header.target_partition = partition_self;
  header.target_vp = index;
  header.target_vtl = 1;
  header.context = upper::initial_context();
  if (index != 0) {
    header.context.rip = reinterpret_cast<uint64_t>(level_start);
    header.context.rsp = allocate_page() + 4096;
  }
  return header;
}

const char* first_processor() {
  EnablePartitionVtl partition{};
  partition.target_partition = partition_self;
  partition.target_vtl = 1;
  EXPECT_STATUS(call::simple(CallCode::EnablePartitionVtl, partition), Success);
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, enable_header(1)), AccessDenied);  // another's
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, enable_header(0)), Success);
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, enable_header(0)), AccessDenied);  // VTL 1 exists now
  EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, enable_header(1)), AccessDenied);
  return nullptr;
}

const char* from_above() {
  static EnableVpVtl header;
  for (unsigned index = 1; index < count; ++index) {
    header = enable_header(index);
    const char* answer = upper::run([](upper::Saved*) -> const char* {
      EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, header), Success);
      EXPECT_STATUS(call::simple(CallCode::EnableVpVtl, header), VtlAlreadyEnabled);
      return nullptr;
    });
    if (answer != nullptr) return answer;
  }
  RegisterValue status{};
  for (unsigned index = 0; index < count; ++index) {
    EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, status, -1, index), Success);
    EXPECT_EQUAL(VsmVpStatus{status.low}.enabled_vtl_set(), 3);
    EXPECT_EQUAL(VsmVpStatus{status.low}.active_vtl(), 0);
  }
  return nullptr;
}

uint64_t stub;

const char* all_enter() {
  RegisterValue offsets{};
  EXPECT_STATUS(call::get_register(RegisterName::VsmCodePageOffsets, offsets), Success);
  stub = call::hypercall_page() + VsmCodePageOffsets{offsets.low}.vtl_call_offset();
  constexpr uint64_t calls = 500;
  for (unsigned index = 1; index < count; ++index) {
    tell(index, [](unsigned) {
      for (uint64_t i = 0; i < calls; ++i) enter_level(stub);
    });
  }
  for (unsigned index = 1; index < count; ++index) wait_for(index);
  EXPECT_EQUAL(level_entries, calls * (count - 1));
  return nullptr;
}

constexpr Test tests[] = {
    {"VTL 0 enables VTL 1 on its own processor, once, and on no other", first_processor},
    {"VTL 1 enables itself on the other processors", from_above},
    {"three processors enter VTL 1 at the same time and come back", all_enter},
};

}  // namespace

std::span<const Test> level_tests() { return tests; }
