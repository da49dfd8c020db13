// Three VTLs in one partition (TLFS 15.4 to 15.9; sections 3.7, 4.2, 5.2).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/message_bytes.h"

using namespace test;

namespace {

constexpr uint64_t message_page2 = 0x17000, assist_page2 = 0x18000;
constexpr uint8_t target0 = 0x10, target1 = 0x11;

vtl::HypervisorConfig three() {
  vtl::HypervisorConfig config;
  config.maximum_vtl = 2;
  config.mbec_vtl_mask = 0b111;
  return config;
}

InitialVpContext context_of(uint8_t vtl) {
  InitialVpContext context = good_context();
  context.rip = 0xFFFFF80100000000 + (uint64_t{vtl} << 32);
  return context;
}

/// The active VTL can hear of intercepts and restricts those below it.
void make_ready(World& world, uint64_t message_page, uint64_t assist_page) {
  REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page | 1));
  REQUIRE(world.wrmsr(msr::Simp, message_page | 1));
  REQUIRE(world.wrmsr(msr::Scontrol, 1));
  REQUIRE(world.wrmsr(msr::Sint0, intercept_vector));
  world.enable_apic();
  const auto config = VsmPartitionConfig{}.with_enable_vtl_protection(true).with_default_vtl_protection_mask(0xF);
  REQUIRE(world.set(RegisterName::VsmPartitionConfig, config.raw) == HvStatus::Success);
}

/// VTL 0 runs; VTL 1 and 2 are ready.
void enable_both(World& world) {
  REQUIRE(world.enable_partition_vtl(partition_self, 1) == HvStatus::Success);
  REQUIRE(world.enable_vp_vtl(vp_self, 1, context_of(1)) == HvStatus::Success);
  REQUIRE(world.vtl_call().vtl_changed);
  REQUIRE(world.enable_partition_vtl(partition_self, 2) == HvStatus::Success);
  REQUIRE(world.enable_vp_vtl(vp_self, 2, context_of(2)) == HvStatus::Success);
  make_ready(world, message_page1, assist_page1);
  REQUIRE(world.vtl_call().vtl_changed);
  make_ready(world, message_page2, assist_page2);
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.vp().active == Vtl::Vtl0);
}

/// The engine delivers the vector.
void accept(World& world, uint8_t vector) {
  Exit exit;
  exit.reason = ExitReason::InterruptAccepted;
  exit.vector = vector;
  (void)world.hypervisor.handle(exit, world.vp(), world.now);
}

bool has_message(World& world, uint64_t page, Vtl vtl) {
  return world.memory.read<uint32_t>(world.spa(page, vtl)) != 0;
}

}  // namespace

TEST_CASE("calls go to the next higher VTL and returns to the next lower one") {
  CONFORMANCE("HvCallVtlCall", "enters the next higher enabled VTL", "TLFS 15.6");
  CONFORMANCE("HvCallVtlReturn", "enters the next lower enabled VTL", "TLFS 15.7");
  CONFORMANCE("HvRegisterVsmVpStatus", "enabled set and active VTL of three", "TLFS 15.11");
  World world{three()};
  EXPECT(VsmPartitionStatus{world.get(RegisterName::VsmPartitionStatus)}.maximum_vtl() == 2);
  enable_both(world);
  EXPECT(world.get(RegisterName::VsmVpStatus) == 0x70000);
  const uint64_t lowest = world.vp().context().rip;
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl1);
  EXPECT(world.read<VtlEntryReason>(assist_page1 + 8) == VtlEntryReason::VtlCall);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl2);
  EXPECT(world.get(RegisterName::VsmVpStatus) == 0x70002);
  EXPECT(world.vtl_call().kind == OutcomeKind::Inject);  // #UD: nothing is above
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl1);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl0);
  EXPECT(world.vp().context().rip == lowest + 3);
  EXPECT(world.vtl_return(1).kind == OutcomeKind::Inject);
}

TEST_CASE("numbers of VTLs need not be consecutive") {
  CONFORMANCE("HvCallEnablePartitionVtl", "VTL 2 above VTL 0 without VTL 1", "TLFS 15.4");
  CONFORMANCE("HvCallModifyVtlProtectionMask", "VTL not enabled -> INVALID_VTL_STATE", "cvm; TLFS6");
  CONFORMANCE("HvCallGetVpRegisters", "HV_INVALID_VTL, or a VTL that is not enabled, fails", "KUT");
  World world{three()};
  REQUIRE(world.enable_partition_vtl(partition_self, 2) == HvStatus::Success);
  REQUIRE(world.enable_vp_vtl(vp_self, 2, context_of(2)) == HvStatus::Success);
  EXPECT(world.get(RegisterName::VsmVpStatus) == 0x50000);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl2);
  // VTL 1 is nobody: nothing of it can be named.
  const GpaPage page{victim_page / 4096};
  EXPECT(world.slow(CallCode::ModifyVtlProtectionMask, ModifyVtlProtectionMask{partition_self, 1, InputVtl{target1}, {}},
                    std::span<const GpaPage>{&page, 1}) == HvStatus::InvalidVtlState);
  RegisterValue value{};
  EXPECT(world.get(RegisterName::Rip, value, target1) == HvStatus::InvalidVtlState);
  EXPECT(world.get(RegisterName::Rip, value, 0x1F) == HvStatus::AccessDenied);  // HV_INVALID_VTL
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl0);
}

TEST_CASE("a VTL above is enabled by the highest one below it, once; then by itself or higher ones") {
  CONFORMANCE("HvCallEnablePartitionVtl", "not by a VTL below another enabled one -> ACCESS_DENIED", "TLFS 15.4");
  CONFORMANCE("HvCallEnablePartitionVtl", "a launching VTL can always enable a lower one", "TLFS 15.4");
  CONFORMANCE("HvCallEnableVpVtl", "not by a VTL below another enabled one -> ACCESS_DENIED", "TLFS 15.5");
  World world{three()};
  REQUIRE(world.enable_partition_vtl(partition_self, 1) == HvStatus::Success);
  EXPECT(world.enable_partition_vtl(partition_self, 2) == HvStatus::AccessDenied);
  REQUIRE(world.enable_vp_vtl(vp_self, 1, context_of(1)) == HvStatus::Success);
  REQUIRE(world.vtl_call().vtl_changed);
  REQUIRE(world.enable_partition_vtl(partition_self, 2) == HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.enable_vp_vtl(vp_self, 2, context_of(2)) == HvStatus::AccessDenied);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.enable_vp_vtl(1, 2, context_of(2)) == HvStatus::AccessDenied);  // not on another VP first
  REQUIRE(world.enable_vp_vtl(vp_self, 2, context_of(2)) == HvStatus::Success);
  EXPECT(world.enable_vp_vtl(1, 2, context_of(2)) == HvStatus::AccessDenied);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.enable_vp_vtl(1, 2, context_of(2)) == HvStatus::Success);
  EXPECT(world.enable_vp_vtl(1, 1, context_of(1)) == HvStatus::Success);  // a lower one

  World downwards{three()};
  REQUIRE(downwards.enable_partition_vtl(partition_self, 2) == HvStatus::Success);
  REQUIRE(downwards.enable_vp_vtl(vp_self, 2, context_of(2)) == HvStatus::Success);
  EXPECT(downwards.enable_vp_vtl(vp_self, 1, context_of(1)) == HvStatus::InvalidVtlState);
  REQUIRE(downwards.vtl_call().vtl_changed);
  REQUIRE(downwards.enable_partition_vtl(partition_self, 1) == HvStatus::Success);
  REQUIRE(downwards.vtl_return(1).vtl_changed);
  EXPECT(downwards.enable_vp_vtl(vp_self, 1, context_of(1)) == HvStatus::AccessDenied);
  REQUIRE(downwards.vtl_call().vtl_changed);
  EXPECT(downwards.enable_vp_vtl(vp_self, 1, context_of(1)) == HvStatus::Success);
  EXPECT(downwards.get(RegisterName::VsmVpStatus) == 0x70002);
}

TEST_CASE("each VTL restricts all below it, and the one that restricts is told; the lower one first") {
  CONFORMANCE("HvCallModifyVtlProtectionMask", "VTL 2 restricts VTL 1 and VTL 0; VTL 1 only VTL 0", "TLFS 15.9");
  CONFORMANCE("HvMessageTypeGpaIntercept", "to the VTL that set the protection, the lower receiver first", "TLFS 15.13");
  World world{three()};
  enable_both(world);
  constexpr uint64_t of1 = victim_page, of2 = victim_page + 0x1000, of_both = victim_page + 0x2000;
  REQUIRE(world.vtl_call().vtl_changed);
  REQUIRE(world.protect(of1, 0) == HvStatus::Success);
  REQUIRE(world.protect(of_both, 0) == HvStatus::Success);
  REQUIRE(world.vtl_call().vtl_changed);
  REQUIRE(world.protect(of2, 1) == HvStatus::Success);
  REQUIRE(world.protect(of_both, 0) == HvStatus::Success);
  const auto rights = [&](Vtl vtl, uint64_t gpa) {
    return world.hypervisor.partition().memory->slat(vtl)->lookup(Gpa{gpa}).rights;
  };
  constexpr mmu::Rights nothing{}, read_only{true, false, false, false};
  EXPECT(rights(Vtl::Vtl0, of1) == nothing);
  EXPECT(rights(Vtl::Vtl1, of1) == mmu::all_rights);
  EXPECT(rights(Vtl::Vtl0, of2) == read_only);
  EXPECT(rights(Vtl::Vtl1, of2) == read_only);
  EXPECT(rights(Vtl::Vtl2, of2) == mmu::all_rights);
  EXPECT(rights(Vtl::Vtl1, of_both) == nothing);
  REQUIRE(world.vtl_return(1).vtl_changed);

  // VTL 1 writes what VTL 2 keeps: VTL 2 is told.
  (void)world.violation(of2, mmu::AccessKind::Write);
  EXPECT(world.vp().active == Vtl::Vtl2);
  EXPECT(has_message(world, message_page2, Vtl::Vtl2));
  EXPECT(!has_message(world, message_page1, Vtl::Vtl1));
  world.memory.write(world.spa(message_page2, Vtl::Vtl2), uint32_t{0});
  accept(world, intercept_vector);
  REQUIRE(world.wrmsr(msr::Eoi, 0));
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.vtl_return(1).vtl_changed);
  // VTL 0 touches what both keep: VTL 1 is told.
  (void)world.violation(of_both, mmu::AccessKind::Read);
  EXPECT(world.vp().active == Vtl::Vtl1);
  EXPECT(has_message(world, message_page1, Vtl::Vtl1));
  EXPECT(!has_message(world, message_page2, Vtl::Vtl2));
}

TEST_CASE("VTL 2 edits VTL 1's instance of the protections, but VTL 1 not VTL 2's") {
  CONFORMANCE("HvCallModifyVtlProtectionMask", "target VTL above the caller's -> ACCESS_DENIED", "TLFS; cvm");
  World world{three()};
  enable_both(world);
  const auto modify = [&](uint8_t vtl) {
    const GpaPage page{victim_page / 4096};
    return world.slow(CallCode::ModifyVtlProtectionMask,
                      ModifyVtlProtectionMask{partition_self, 1, InputVtl{vtl}, {}},
                      std::span<const GpaPage>{&page, 1});
  };
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(modify(0x12) == HvStatus::AccessDenied);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(modify(target1) == HvStatus::Success);
  EXPECT(world.hypervisor.partition().memory->protection(Vtl::Vtl1, Gpa{victim_page}) == 1);
  EXPECT(world.hypervisor.partition().memory->protection(Vtl::Vtl2, Gpa{victim_page}) == 0xF);
}

TEST_CASE("registers of all lower VTLs are open to a higher one, and of none to a lower one") {
  CONFORMANCE("HvCallGetVpRegisters", "target VTL above the caller's -> ACCESS_DENIED", "KUT; cvm");
  World world{three()};
  enable_both(world);
  RegisterValue value{};
  EXPECT(world.get(RegisterName::Rip, value, target1) == HvStatus::AccessDenied);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.get(RegisterName::Rip, value, 0x12) == HvStatus::AccessDenied);
  EXPECT(world.get(RegisterName::Rip, value, target0) == HvStatus::Success);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.get(RegisterName::Rip, value, target0) == HvStatus::Success);
  EXPECT(world.get(RegisterName::Rip, value, target1) == HvStatus::Success);
  EXPECT(value.low == world.vp().contexts[Vtl::Vtl1].rip);
  // Each VTL above has its own control of the ones below.
  EXPECT(world.set(RegisterName::CrInterceptControl, 1) == HvStatus::Success);
  EXPECT(world.vp().contexts[Vtl::Vtl1].interceptions.registers == 1);
  EXPECT(world.vp().contexts[Vtl::Vtl0].interceptions.registers == 1);
  EXPECT(world.vp().contexts[Vtl::Vtl2].interceptions.registers == 0);
  EXPECT(world.set(RegisterName::VsmVpSecureConfigVtl1, 2) == HvStatus::Success);
  EXPECT(world.set(RegisterName::VsmVpSecureConfigVtl0, 2) == HvStatus::Success);
}

TEST_CASE("an interrupt of VTL 2 interrupts VTL 0 and VTL 1; the highest goes first") {
  CONFORMANCE("HvCallVtlReturn", "pending interrupts of higher VTLs are looked at again, highest first", "TLFS 15.12");
  World world{three()};
  enable_both(world);
  const auto self_ipi = [&](uint8_t vector) {
    world.hypervisor.apic_mmio_write(*world.current, 0x300, 4, 0x40000 | vector, world.now);
  };
  REQUIRE(world.vtl_call().vtl_changed);
  self_ipi(0x51);
  REQUIRE(world.vtl_call().vtl_changed);
  self_ipi(0x52);
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.hypervisor.check_interrupts(world.vp(), world.now) == 0x52);
  EXPECT(world.vp().active == Vtl::Vtl2);
  accept(world, 0x52);
  REQUIRE(world.wrmsr(msr::Eoi, 0));
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl0);
  EXPECT(world.hypervisor.check_interrupts(world.vp(), world.now) == 0x51);
  EXPECT(world.vp().active == Vtl::Vtl1);
}

TEST_CASE("MBEC of each lower VTL follows what is above it") {
  CONFORMANCE("HvRegisterVsmVpSecureConfigVtl1", "MBEC of VTL 1 is VTL 2's to decide", "TLFS 15.10");
  World world{three()};
  REQUIRE(world.enable_partition_vtl(partition_self, 2, 1) == HvStatus::Success);
  REQUIRE(world.enable_vp_vtl(vp_self, 2, context_of(2)) == HvStatus::Success);
  REQUIRE(world.vtl_call().vtl_changed);
  REQUIRE(world.enable_partition_vtl(partition_self, 1, 0) == HvStatus::Success);
  REQUIRE(world.enable_vp_vtl(vp_self, 1, context_of(1)) == HvStatus::Success);
  EXPECT(world.set(RegisterName::VsmVpSecureConfigVtl1, 1) == HvStatus::Success);
  EXPECT(world.hypervisor.address_space(world.vp(), Vtl::Vtl1).mbec);
  EXPECT(!world.hypervisor.address_space(world.vp(), Vtl::Vtl0).mbec);
  EXPECT(world.set(RegisterName::VsmVpSecureConfigVtl0, 1) == HvStatus::Success);
  EXPECT(world.hypervisor.address_space(world.vp(), Vtl::Vtl0).mbec);
}
