// Who may start which processor, and with what (TLFS 15.5, HvCallStartVirtualProcessor; sections 3.7 and 3.8).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/child_world.h"

using namespace test;

namespace {

constexpr uint8_t target0 = 0x10;

/// The second processor waits to be started.
class StartWorld : public ChildWorld {
 public:
  explicit StartWorld(vtl::HypervisorConfig config = {}) : ChildWorld(config) { vps[1].startup_suspend = true; }
  HvStatus start(uint32_t vp, uint8_t vtl, const InitialVpContext& context = good_context(),
                 uint64_t partition = partition_self) {
    return slow(CallCode::StartVirtualProcessor, abi::hv::EnableVpVtl{partition, vp, vtl, {}, context});
  }
};

InitialVpContext real_mode() {
  InitialVpContext context{};
  context.rip = 0x8000;
  context.rflags = 2;
  context.cs = {0, 0xFFFF, 0, 0x9B};
  context.ds = context.es = context.ss = context.fs = context.gs = {0, 0xFFFF, 0, 0x93};
  context.tr = {0, 0xFFFF, 0, 0x8B};
  context.ldtr = {0, 0xFFFF, 0, 0x82};
  context.cr0 = 0x60000010;
  context.msr_cr_pat = 0x0007040600070406;
  return context;
}

}  // namespace

TEST_CASE("StartVirtualProcessor answers each wrong input with its status") {
  CONFORMANCE("HvCallStartVirtualProcessor", "partition other than self -> INVALID_PARTITION_ID", "cvm");
  CONFORMANCE("HvCallStartVirtualProcessor", "self or bad VP -> INVALID_VP_INDEX", "cvm");
  CONFORMANCE("HvCallStartVirtualProcessor", "VTL that the VP has not -> INVALID_VP_STATE", "cvm");
  CONFORMANCE("HvCallStartVirtualProcessor", "target VTL above the caller's -> ACCESS_DENIED", "cvm");
  CONFORMANCE("HvCallStartVirtualProcessor", "bad context register -> INVALID_REGISTER_VALUE", "TLFS6; cvm");
  CONFORMANCE("HvCallStartVirtualProcessor", "already started -> INVALID_VP_STATE", "cvm");
  CONFORMANCE("HvCallStartVirtualProcessor", "without StartVirtualProcessor -> ACCESS_DENIED", "TLFS 4.2.2");
  StartWorld world;
  EXPECT(world.start(1, 0, good_context(), 42) == HvStatus::InvalidPartitionId);
  EXPECT(world.start(0, 0) == HvStatus::InvalidVpIndex);
  EXPECT(world.start(vp_self, 0) == HvStatus::InvalidVpIndex);
  EXPECT(world.start(2, 0) == HvStatus::InvalidVpIndex);
  EXPECT(world.start(1, 3) == HvStatus::InvalidParameter);
  EXPECT(world.start(1, 1) == HvStatus::AccessDenied);
  InitialVpContext wrong = good_context();
  wrong.cr4 = 0;  // long mode without PAE
  EXPECT(world.start(1, 0, wrong) == HvStatus::InvalidRegisterValue);
  wrong = good_context();
  wrong.efer = 0x101;  // LME, paging, and no LMA
  EXPECT(world.start(1, 0, wrong) == HvStatus::InvalidRegisterValue);
  EXPECT(world.vps[1].startup_suspend);
  EXPECT(world.start(1, 0) == HvStatus::Success);
  EXPECT(!world.vps[1].suspended());
  EXPECT(world.start(1, 0) == HvStatus::InvalidVpState);

  StartWorld upper;
  REQUIRE(upper.enable_partition_vtl() == HvStatus::Success);
  REQUIRE(upper.enable_vp_vtl() == HvStatus::Success);
  REQUIRE(upper.vtl_call().vtl_changed);
  EXPECT(upper.start(1, 1) == HvStatus::InvalidVpState);  // not enabled there
  EXPECT(upper.start(1, 0) == HvStatus::Success);

  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_start_virtual_processor(false);
  StartWorld powerless{config};
  EXPECT(powerless.start(1, 0) == HvStatus::AccessDenied);
}

TEST_CASE("VTL 0 starts in whatever mode its context says") {
  CONFORMANCE("HvCallStartVirtualProcessor", "the VP runs with the context", "TLFS HvCallStartVirtualProcessor");
  StartWorld world;
  REQUIRE(world.start(1, 0, real_mode()) == HvStatus::Success);
  const vtl::VtlContext& registers = world.vps[1].contexts[Vtl::Vtl0];
  EXPECT(registers.rip == 0x8000);
  EXPECT(registers.cr0 == 0x60000010);
  EXPECT(registers.segments[vtl::Cs] == vtl::Segment{0, 0xFFFF, 0, 0x9B});
  EXPECT(world.vps[1].active == Vtl::Vtl0);
}

TEST_CASE("a start with PAE paging loads the four pointers, or refuses") {
  CONFORMANCE("HvCallStartVirtualProcessor", "PAE pointers that MOV CR3 would refuse -> INVALID_REGISTER_VALUE", "SDM 4.4.1");
  StartWorld world;
  InitialVpContext context = real_mode();
  context.cr0 = 0x80000031;
  context.cr4 = 0x20;
  context.cr3 = 0x30020;
  context.cs.attributes = 0xC09B;
  const uint64_t pointers[] = {0x31001, 0, 0x32001, 0x33001};
  for (size_t i = 0; i < 4; ++i) world.write(0x30020 + 8 * i, pointers[i]);
  world.write(0x30028, uint64_t{0x7});  // R/W and U/S are reserved
  EXPECT(world.start(1, 0, context) == HvStatus::InvalidRegisterValue);
  context.cr3 = guest_bytes + (uint64_t{1} << 32);  // no memory is there
  EXPECT(world.start(1, 0, context) == HvStatus::InvalidRegisterValue);
  EXPECT(world.vps[1].startup_suspend);
  context.cr3 = 0x30020;
  world.write(0x30028, uint64_t{0});
  REQUIRE(world.start(1, 0, context) == HvStatus::Success);
  for (size_t i = 0; i < 4; ++i) EXPECT(world.vps[1].contexts[Vtl::Vtl0].pdpte[i] == pointers[i]);
}

TEST_CASE("a processor with VTL 1 starts there, with what EnableVpVtl gave it, and returns to the context") {
  CONFORMANCE("HvCallStartVirtualProcessor", "target VTL 0 on a VP with VTL 1: VTL 1 runs first", "cvm; WI7-2");
  CONFORMANCE("HvCallEnableVpVtl", "once on one VP, the VTL itself enables it on others", "TLFS 15.5");
  StartWorld world;
  world.enter_vtl1_ready();
  InitialVpContext upper = good_context();
  upper.rip = 0xFFFFF80200000000;
  REQUIRE(world.enable_vp_vtl(1, 1, upper) == HvStatus::Success);
  EXPECT(world.enable_vp_vtl(1, 1, upper) == HvStatus::VtlAlreadyEnabled);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.enable_vp_vtl(1, 1, upper) == HvStatus::AccessDenied);  // VTL 0 decides no more
  REQUIRE(world.start(1, 0, real_mode()) == HvStatus::Success);
  EXPECT(world.vps[1].active == Vtl::Vtl1);
  EXPECT(world.vps[1].context().rip == 0xFFFFF80200000000);
  EXPECT(world.vps[1].contexts[Vtl::Vtl0].rip == 0x8000);
  world.current = &world.vps[1];
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.vps[1].active == Vtl::Vtl0);
  EXPECT(world.vps[1].context().rip == 0x8000);
}

TEST_CASE("DenyLowerVtlStartup keeps VTL 0 from starting processors; VTL 1 still can") {
  CONFORMANCE("HvCallStartVirtualProcessor", "VTL 0 with DenyLowerVtlStartup -> ACCESS_DENIED", "cvm");
  CONFORMANCE("HvRegisterVsmPartitionConfig", "DenyLowerVtlStartup holds back hypercalls of lower VTLs", "TLFS 15.2.2");
  StartWorld world;
  world.enter_vtl1_ready();
  const VsmPartitionConfig config{world.get(RegisterName::VsmPartitionConfig)};
  REQUIRE(world.set(RegisterName::VsmPartitionConfig, config.with_deny_lower_vtl_startup(true).raw) ==
          HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.start(1, 0) == HvStatus::AccessDenied);
  EXPECT(world.vps[1].startup_suspend);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.start(1, 0) == HvStatus::Success);
}

TEST_CASE("InterceptVpStartup shows a start to VTL 1 instead of doing it") {
  CONFORMANCE("HvRegisterVsmPartitionConfig", "InterceptVpStartup: the start is a message, and not done", "TLFS 15.2.2");
  CONFORMANCE("HvMessageTypeX64SipiIntercept", "message whole", "hvgdk (type: our choice)");
  StartWorld world;
  world.enter_vtl1_ready();
  const VsmPartitionConfig config{world.get(RegisterName::VsmPartitionConfig)};
  REQUIRE(world.set(RegisterName::VsmPartitionConfig, config.with_intercept_vp_startup(true).raw) ==
          HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
  distinct_state(world.vps[0]);
  world.vps[0].context().cr3 = 0x1000;
  world.write(input_page, abi::hv::EnableVpVtl{partition_self, 1, 0, {}, real_mode()});
  const Outcome outcome =
      world.vmcall(control_for(CallCode::StartVirtualProcessor).raw, input_page, output_page);
  EXPECT(outcome.vtl_changed);
  EXPECT(world.vps[0].active == Vtl::Vtl1);
  EXPECT(world.vps[1].startup_suspend);
  EXPECT(world.vps[0].contexts[Vtl::Vtl0].rip == 0xFFFFF80000401234);
  std::vector<uint8_t> slot(256);
  REQUIRE(world.memory.read(world.spa(message_page1, Vtl::Vtl1), std::span<uint8_t>{slot}));
  MessageBytes expected = intercept_bytes(0x80010009, 0x30, 1, 0, 3, 2);
  EXPECT(slot == expected.add(uint32_t{1}).add(uint32_t{0}).slot());
  EXPECT(world.start(1, 0) == HvStatus::Success);  // VTL 1 does it itself
}

TEST_CASE("a parent starts its child's processors and enables VTLs there without the children's rules") {
  CONFORMANCE("HvCallStartVirtualProcessor", "a parent starts a child's VP", "TLFS 15.4");
  CONFORMANCE("HvCallEnablePartitionVtl", "a host enables for its child; restrictions are waived", "TLFS 15.4");
  CONFORMANCE("HvCallEnableVpVtl", "a host enables on any VP of its child", "TLFS 15.4");
  StartWorld world;
  const uint64_t id = world.child();
  REQUIRE(world.create_vp(id, 1) == HvStatus::Success);
  REQUIRE(world.enable_partition_vtl(id) == HvStatus::Success);
  EXPECT(world.enable_partition_vtl(id) == HvStatus::InvalidVtlState);
  REQUIRE(world.enable_vp_vtl(1, 1, good_context(), id) == HvStatus::Success);
  EXPECT(world.start(1, 0, real_mode(), id) == HvStatus::Success);
  EXPECT(!world.spares[1].suspended());
  EXPECT(world.spares[1].active == Vtl::Vtl1);
  uint64_t value = 0;
  EXPECT(world.get_child(id, 1, RegisterName::Rip, value, target0) == HvStatus::Success);
  EXPECT(value == 0x8000);
  EXPECT(world.get_child(id, 1, RegisterName::Rip, value, 0x11) == HvStatus::Success);
  EXPECT(value == good_context().rip);
}

TEST_CASE("GetVpIndexFromApicId finds processors by the APIC of a VTL") {
  CONFORMANCE("HvCallGetVpIndexFromApicId", "the index of each id", "TLFS HvCallGetVpIndexFromApicId");
  CONFORMANCE("HvCallGetVpIndexFromApicId", "unknown id -> INVALID_PARAMETER", "our choice");
  CONFORMANCE("HvCallGetVpIndexFromApicId", "target VTL above the caller's -> ACCESS_DENIED", "cvm");
  CONFORMANCE("HvCallGetVpIndexFromApicId", "bad partition -> INVALID_PARTITION_ID", "TLFS");
  StartWorld world;
  const ApicIdElement ids[] = {{1}, {0}, {7}};
  const auto call = [&](uint64_t partition, uint8_t vtl, size_t count) {
    return world.slow(CallCode::GetVpIndexFromApicId, abi::hv::GetVpIndexFromApicId{partition, vtl, {}},
                      std::span<const ApicIdElement>{ids, count});
  };
  REQUIRE(call(partition_self, 0, 2) == HvStatus::Success);
  EXPECT(world.read<uint32_t>(output_page) == 1);
  EXPECT(world.read<uint32_t>(output_page + 4) == 0);
  EXPECT(call(partition_self, 0, 3) == HvStatus::InvalidParameter);
  EXPECT(world.result().reps_completed() == 2);
  EXPECT(call(partition_self, 1, 1) == HvStatus::AccessDenied);
  EXPECT(call(partition_self, 3, 1) == HvStatus::InvalidParameter);
  EXPECT(call(42, 0, 1) == HvStatus::InvalidPartitionId);
}

TEST_CASE("memory outlives a reset only if the highest VTL says so") {
  CONFORMANCE("HvRegisterVsmPartitionConfig", "ZeroMemoryOnReset is on at first, and can be cleared", "TLFS 15.2.2");
  StartWorld world;
  EXPECT(!world.hypervisor.keeps_memory_on_reset());
  world.enable_vtl1();
  EXPECT(!world.hypervisor.keeps_memory_on_reset());
  REQUIRE(world.vtl_call().vtl_changed);
  const VsmPartitionConfig config{world.get(RegisterName::VsmPartitionConfig)};
  EXPECT(config.zero_memory_on_reset());
  REQUIRE(world.set(RegisterName::VsmPartitionConfig, config.with_zero_memory_on_reset(false).raw) ==
          HvStatus::Success);
  EXPECT(world.hypervisor.keeps_memory_on_reset());
}
