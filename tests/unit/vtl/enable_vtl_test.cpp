#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

vtl::HypervisorConfig with(auto change) {
  vtl::HypervisorConfig config;
  change(config);
  return config;
}

}  // namespace

TEST_CASE("a fresh partition has VTL 0 only, and says so on every processor") {
  CONFORMANCE("HvRegisterVsmPartitionStatus",
              "a fresh partition: VTL 0 enabled, MaximumVtl, MBEC within the capabilities",
              "KUT; cvm");
  CONFORMANCE("HvRegisterVsmVpStatus", "a fresh VP: active VTL 0, enabled set 1", "KUT; cvm");
  World world;
  for (VirtualProcessor& vp : world.vps) {
    world.current = &vp;
    const VsmPartitionStatus partition{world.get(RegisterName::VsmPartitionStatus)};
    const VsmCapabilities capabilities{world.get(RegisterName::VsmCapabilities)};
    const VsmVpStatus status{world.get(RegisterName::VsmVpStatus)};
    EXPECT(partition.enabled_vtl_set() == 1);
    EXPECT(partition.maximum_vtl() == 1);
    EXPECT((partition.mbec_enabled_vtl_set() & ~capabilities.mbec_vtl_mask()) == 0);
    EXPECT(status.enabled_vtl_set() == 1);
    EXPECT(status.active_vtl() == 0);
  }
}

TEST_CASE("EnablePartitionVtl answers each wrong input with its status") {
  CONFORMANCE("HvCallEnablePartitionVtl",
              "partition other than self (42) -> INVALID_PARTITION_ID",
              "cvm; KUT");
  CONFORMANCE("HvCallEnablePartitionVtl", "VTL 0 -> INVALID_PARAMETER", "TLFS 15.4; KUT");
  CONFORMANCE("HvCallEnablePartitionVtl", "VTL above MaximumVtl -> INVALID_PARAMETER", "KUT");
  CONFORMANCE("HvCallEnablePartitionVtl",
              "unsupported or reserved flags -> INVALID_PARAMETER",
              "cvm");
  struct Row {
    const char* what;
    uint64_t partition;
    uint8_t vtl, flags;
    HvStatus status;
  };
  const Row rows[] = {
      {"self", partition_self, 1, 0, HvStatus::Success},
      {"self by number, with MBEC", 1, 1, 1, HvStatus::Success},
      {"bad partition 42", 42, 1, 0, HvStatus::InvalidPartitionId},
      {"bad partition wins over VTL 0", 42, 0, 0, HvStatus::InvalidPartitionId},
      {"VTL 0", partition_self, 0, 0, HvStatus::InvalidParameter},
      {"maximum + 1", partition_self, 2, 0, HvStatus::InvalidParameter},
      {"VTL 15", partition_self, 15, 0, HvStatus::InvalidParameter},
      {"VTL 255", partition_self, 255, 0, HvStatus::InvalidParameter},
      {"supervisor shadow stack", partition_self, 1, 2, HvStatus::InvalidParameter},
      {"hardware HVPT", partition_self, 1, 4, HvStatus::InvalidParameter},
      {"reserved flag", partition_self, 1, 0x80, HvStatus::InvalidParameter},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    World world;
    EXPECT(world.enable_partition_vtl(row.partition, row.vtl, row.flags) == row.status);
    EXPECT(world.hypervisor.partition().enabled_vtls == (row.status == HvStatus::Success ? 3 : 1));
  }
  World world;
  EXPECT(world.slow(CallCode::EnablePartitionVtl,
                    EnablePartitionVtl{partition_self, 1, {}, {0, 0, 1, 0, 0, 0}}) ==
         HvStatus::InvalidParameter);
}

TEST_CASE("EnablePartitionVtl needs capability, privilege, and to be the first") {
  CONFORMANCE("HvCallEnablePartitionVtl",
              "MBEC without the capability -> INVALID_PARAMETER",
              "KUT");
  CONFORMANCE("HvCallEnablePartitionVtl", "already enabled -> INVALID_VTL_STATE", "cvm");
  CONFORMANCE("HvCallEnablePartitionVtl", "without CpuManagement -> ACCESS_DENIED", "TLFS6 15.4");
  CONFORMANCE("HvCallEnableVpVtl", "without CpuManagement -> ACCESS_DENIED", "TLFS6 15.5");
  World no_mbec{with([](auto& config) { config.mbec_vtl_mask = 0; })};
  EXPECT(no_mbec.enable_partition_vtl(partition_self, 1, 1) == HvStatus::InvalidParameter);
  EXPECT(no_mbec.enable_partition_vtl(partition_self, 1, 0) == HvStatus::Success);
  EXPECT(no_mbec.enable_partition_vtl(partition_self, 1, 0) == HvStatus::InvalidVtlState);

  World no_vsm{with([](auto& config) { config.maximum_vtl = 0; })};
  EXPECT(no_vsm.enable_partition_vtl() == HvStatus::InvalidParameter);
  EXPECT(VsmPartitionStatus{no_vsm.get(RegisterName::VsmPartitionStatus)}.maximum_vtl() == 0);

  World no_privilege{
      with([](auto& config) { config.privileges = config.privileges.with_cpu_management(false); })};
  EXPECT(no_privilege.enable_partition_vtl() == HvStatus::AccessDenied);
  EXPECT(no_privilege.enable_vp_vtl() == HvStatus::AccessDenied);
}

TEST_CASE("EnableVpVtl answers each wrong input with its status") {
  CONFORMANCE("HvCallEnableVpVtl", "bad partition -> INVALID_PARTITION_ID", "cvm; KUT");
  CONFORMANCE("HvCallEnableVpVtl", "VP -1 or beyond -> INVALID_VP_INDEX", "cvm; KUT");
  CONFORMANCE("HvCallEnableVpVtl", "VTL 0 -> INVALID_PARAMETER", "cvm; KUT");
  CONFORMANCE("HvCallEnableVpVtl", "not enabled for the partition -> INVALID_VTL_STATE", "cvm");
  CONFORMANCE("HvCallEnableVpVtl", "VTL 0 on another VP -> ACCESS_DENIED", "cvm");
  CONFORMANCE("HvCallEnableVpVtl", "enabling never changes the active VTL", "TLFS 15.4");
  struct Row {
    const char* what;
    uint64_t partition;
    uint32_t vp;
    uint8_t vtl;
    bool partition_enabled;
    HvStatus status;
  };
  const Row rows[] = {
      {"self", partition_self, vp_self, 1, true, HvStatus::Success},
      {"self by index", 1, 0, 1, true, HvStatus::Success},
      {"bad partition 42", 42, vp_self, 1, true, HvStatus::InvalidPartitionId},
      {"VP -1", partition_self, vp_any, 1, true, HvStatus::InvalidVpIndex},
      {"VP 2 of 2", partition_self, 2, 1, true, HvStatus::InvalidVpIndex},
      {"VTL 0", partition_self, vp_self, 0, true, HvStatus::InvalidParameter},
      {"VTL 2", partition_self, vp_self, 2, true, HvStatus::InvalidParameter},
      {"not enabled for the partition", partition_self, vp_self, 1, false,
       HvStatus::InvalidVtlState},
      {"another VP from VTL 0", partition_self, 1, 1, true, HvStatus::AccessDenied},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    World world;
    if (row.partition_enabled) REQUIRE(world.enable_partition_vtl() == HvStatus::Success);
    EXPECT(world.enable_vp_vtl(row.vp, row.vtl, good_context(), row.partition) == row.status);
    const VsmVpStatus status{world.get(RegisterName::VsmVpStatus)};
    EXPECT(status.enabled_vtl_set() == (row.status == HvStatus::Success ? 3 : 1));
    EXPECT(status.active_vtl() == 0);  // enabling never changes the active VTL
  }
}

TEST_CASE("EnableVpVtl takes only contexts in which a VTL above 0 can run") {
  CONFORMANCE("HvCallEnableVpVtl",
              "a context in which no VTL above 0 can run -> INVALID_REGISTER_VALUE",
              "TLFS6; cvm");
  struct Row {
    const char* what;
    void (*change)(InitialVpContext&);
  };
  const Row rows[] = {
      {"RIP not canonical", [](auto& c) { c.rip = 0x0000800000000000; }},
      {"RSP not canonical", [](auto& c) { c.rsp = 0x8000000000000000; }},
      {"RFLAGS bit 1 clear", [](auto& c) { c.rflags = 0; }},
      {"RFLAGS reserved bit", [](auto& c) { c.rflags |= 8; }},
      {"RFLAGS.VM", [](auto& c) { c.rflags |= 1 << 17; }},
      {"CR0 upper half", [](auto& c) { c.cr0 |= uint64_t{1} << 32; }},
      {"CR0.PG clear", [](auto& c) { c.cr0 &= ~(uint64_t{1} << 31); }},
      {"CR0.PE clear", [](auto& c) { c.cr0 &= ~uint64_t{1}; }},
      {"CR0.NW without CD", [](auto& c) { c.cr0 |= 1u << 29; }},
      {"CR4.PAE clear", [](auto& c) { c.cr4 &= ~uint64_t{0x20}; }},
      {"CR4 unknown bit", [](auto& c) { c.cr4 |= uint64_t{1} << 40; }},
      {"EFER.LME clear", [](auto& c) { c.efer &= ~uint64_t{0x100}; }},
      {"EFER.LMA clear", [](auto& c) { c.efer &= ~uint64_t{0x400}; }},
      {"EFER.SVME", [](auto& c) { c.efer |= 1 << 12; }},
      {"CR3 beyond the physical address width", [](auto& c) { c.cr3 = uint64_t{1} << 40; }},
      {"PAT type 2", [](auto& c) { c.msr_cr_pat = 2; }},
      {"PAT type 8", [](auto& c) { c.msr_cr_pat = uint64_t{8} << 56; }},
      {"CS not code", [](auto& c) { c.cs.attributes = 0xA093; }},
      {"CS not present", [](auto& c) { c.cs.attributes &= 0xFF7F; }},
      {"CS 32-bit", [](auto& c) { c.cs.attributes = 0xC09B; }},
      {"CS with D and L", [](auto& c) { c.cs.attributes = 0xE09B; }},
      {"CS of ring 3", [](auto& c) { c.cs.attributes |= 0x60; }},
      {"SS of ring 3", [](auto& c) { c.ss.attributes |= 0x60; }},
      {"TR available, not busy", [](auto& c) { c.tr.attributes = 0x0089; }},
      {"TR not present", [](auto& c) { c.tr.attributes = 0x000B; }},
      {"LDTR of another type", [](auto& c) { c.ldtr.attributes = 0x0089; }},
      {"GS base not canonical", [](auto& c) { c.gs.base = uint64_t{1} << 50; }},
      {"reserved segment attributes", [](auto& c) { c.ds.attributes |= 0x0F00; }},
      {"IDTR base not canonical", [](auto& c) { c.idtr.base = uint64_t{1} << 60; }},
      {"GDTR base not canonical", [](auto& c) { c.gdtr.base = uint64_t{1} << 60; }},
  };
  World world;
  REQUIRE(world.enable_partition_vtl() == HvStatus::Success);
  for (const Row& row : rows) {
    INFO(row.what);
    InitialVpContext context = good_context();
    row.change(context);
    EXPECT(world.enable_vp_vtl(vp_self, 1, context) == HvStatus::InvalidRegisterValue);
    EXPECT(world.hypervisor.partition().vps[0]->enabled_vtls == 1);
  }
  EXPECT(world.enable_vp_vtl() == HvStatus::Success);
}

TEST_CASE("a context with five levels may use their addresses") {
  for (const bool five_levels : {false, true}) {
    World world;
    REQUIRE(world.enable_partition_vtl() == HvStatus::Success);
    InitialVpContext context = good_context();
    if (five_levels) context.cr4 |= uint64_t{1} << 12;
    context.rip = context.rsp = context.gs.base = context.gdtr.base = context.idtr.base = 0xFFF0'0000'0000'1000;
    EXPECT((world.enable_vp_vtl(vp_self, 1, context) == HvStatus::Success) == five_levels);
  }
}

TEST_CASE("the first entry into VTL 1 uses the whole context of EnableVpVtl") {
  CONFORMANCE("HvCallEnableVpVtl", "the first entry uses the whole context", "TLFS 15.6.2");
  World world;
  InitialVpContext context = good_context();
  context.fs.base = 0x1234;
  context.gs.base = 0xFFFFF80100020000;
  REQUIRE(world.enable_partition_vtl() == HvStatus::Success);
  REQUIRE(world.enable_vp_vtl(vp_self, 1, context) == HvStatus::Success);
  REQUIRE(world.vtl_call().vtl_changed);
  const vtl::VtlContext& registers = world.vp().context();
  EXPECT(world.vp().active == Vtl::Vtl1);
  EXPECT(registers.rip == context.rip);
  EXPECT(registers.rsp == context.rsp);
  EXPECT(registers.rflags == context.rflags);
  EXPECT(registers.cr0 == context.cr0);
  EXPECT(registers.cr3 == context.cr3);
  EXPECT(registers.cr4 == context.cr4);
  EXPECT(registers.efer == context.efer);
  EXPECT(registers.pat == context.msr_cr_pat);
  EXPECT(registers.segments[vtl::Cs] == vtl::Segment{0, 0xFFFFFFFF, 0x08, 0xA09B});
  EXPECT(registers.segments[vtl::Fs].base == 0x1234);
  EXPECT(registers.segments[vtl::Gs].base == 0xFFFFF80100020000);
  EXPECT(registers.tr == vtl::Segment{0xFFFFF80100010000, 0x67, 0x18, 0x008B});
  EXPECT(registers.gdtr == vtl::DescriptorTable{0xFFFFF80100012000, 0x2F});
  EXPECT(registers.idtr == vtl::DescriptorTable{0xFFFFF80100011000, 0xFFF});
  EXPECT(registers.lstar == 0);
  EXPECT(registers.dr7 == 0x400);
}

TEST_CASE("once VTL 1 exists anywhere, only VTL 1 can enable it elsewhere, and only once") {
  CONFORMANCE("HvCallEnableVpVtl",
              "VTL 0, once VTL 1 exists on any VP -> ACCESS_DENIED",
              "cvm; TLFS 15.5");
  CONFORMANCE("HvCallEnableVpVtl", "already enabled on the VP -> VTL_ALREADY_ENABLED", "cvm");
  CONFORMANCE("HvCallEnableVpVtl", "after it on every VP the enabled set is 0b11", "KUT");
  World world;
  world.enable_vtl1();
  EXPECT(world.enable_vp_vtl() == HvStatus::AccessDenied);
  world.current = &world.vps[1];
  EXPECT(world.enable_vp_vtl() == HvStatus::AccessDenied);
  world.current = &world.vps[0];
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.enable_vp_vtl() == HvStatus::VtlAlreadyEnabled);
  EXPECT(world.enable_vp_vtl(1) == HvStatus::Success);
  EXPECT(world.enable_vp_vtl(1) == HvStatus::VtlAlreadyEnabled);
  world.current = &world.vps[1];
  EXPECT(VsmVpStatus{world.get(RegisterName::VsmVpStatus)}.enabled_vtl_set() == 3);
  EXPECT(world.vtl_call().vtl_changed);
}

TEST_CASE("MBEC shows in the partition's status for the VTLs that may have it") {
  CONFORMANCE("HvRegisterVsmPartitionStatus",
              "MbecEnabledVtlSet within the capability mask",
              "KUT");
  World world;
  REQUIRE(world.enable_partition_vtl(partition_self, 1, 1) == HvStatus::Success);
  const VsmPartitionStatus status{world.get(RegisterName::VsmPartitionStatus)};
  EXPECT(status.mbec_enabled_vtl_set() == 3);
  EXPECT(status.enabled_vtl_set() == 3);
}
