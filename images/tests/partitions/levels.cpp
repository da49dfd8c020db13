// VTL 2: enabled by VTL 1, called by it, closed to it.
#include "partitions.h"

using namespace kernel;
using namespace abi::hv;

extern "C" {
extern uint64_t top_entries;
void top_start();
void call_next(uint64_t stub);
}

namespace {

const char* enabled_from_vtl1() {
  EnablePartitionVtl first{};
  first.target_partition = partition_self;
  first.target_vtl = 1;
  EXPECT_STATUS(call::simple(call::CallCode::EnablePartitionVtl, first), Success);
  first.target_vtl = 2;
  EXPECT_STATUS(call::simple(call::CallCode::EnablePartitionVtl, first), AccessDenied);  // VTL 1 is nearer
  EnableVpVtl vp{};
  vp.target_partition = partition_self;
  vp.target_vp = vp_self;
  vp.target_vtl = 1;
  vp.context = upper::initial_context();
  EXPECT_STATUS(call::simple(call::CallCode::EnableVpVtl, vp), Success);
  return upper::run([](upper::Saved*) -> const char* {
    EnablePartitionVtl second{};
    second.target_partition = partition_self;
    second.target_vtl = 2;
    EXPECT_STATUS(call::simple(call::CallCode::EnablePartitionVtl, second), Success);
    EnableVpVtl top{};
    top.target_partition = partition_self;
    top.target_vp = vp_self;
    top.target_vtl = 2;
    top.context = upper::initial_context();
    top.context.rip = reinterpret_cast<uint64_t>(top_start);
    top.context.rsp = allocate_page() + 4096;
    EXPECT_STATUS(call::simple(call::CallCode::EnableVpVtl, top), Success);
    RegisterValue status{};
    EXPECT_STATUS(call::get_register(call::RegisterName::VsmVpStatus, status), Success);
    EXPECT_EQUAL(VsmVpStatus{status.low}.enabled_vtl_set(), 7);
    EXPECT_EQUAL(VsmVpStatus{status.low}.active_vtl(), 1);
    return nullptr;
  });
}

const char* called_by_vtl1() {
  const uint64_t before = top_entries;
  if (const char* answer = upper::run([](upper::Saved*) -> const char* {
        arch::write_msr(msr::GuestOsId, 0x0001'0400'0A00'2800);
        const uint64_t page = allocate_page();
        arch::write_msr(msr::Hypercall, page | 1);
        RegisterValue offsets{};
        EXPECT_STATUS(call::get_register(call::RegisterName::VsmCodePageOffsets, offsets), Success);
        for (int i = 0; i < 3; ++i) call_next(page + VsmCodePageOffsets{offsets.low}.vtl_call_offset());
        return nullptr;
      }))
    return answer;
  EXPECT_EQUAL(top_entries, before + 3);
  EXPECT_EQUAL(guarded([](void*) { raw_hypercall(0x12, 0, 0); }).vector, 6);  // VTL 0 returns nowhere
  return nullptr;
}

const kernel::Test tests[] = {
    {"VTL 1 enables VTL 2; VTL 0 may not", enabled_from_vtl1},
    {"VTL 1 calls VTL 2, which returns to it", called_by_vtl1},
};

}  // namespace

std::span<const kernel::Test> three_level_tests() { return tests; }
