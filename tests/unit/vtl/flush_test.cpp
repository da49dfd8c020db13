// Address spaces and their flushes over several processors and VTLs (sections 2.10, 3.5, 3.8).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

constexpr uint64_t leaf_at = 0x3000, address = 0x40000000;

/// Both processors map `address` through one large page that can be turned.
struct FlushWorld : World {
  FlushWorld() {
    write(0x1000, uint64_t{0x2003});
    write(0x2008, uint64_t{0x3003});
    turn(0x400000);
  }
  void turn(uint64_t frame) { memory.write(Spa{leaf_at}, frame | 0x83); }
  uint64_t lands(uint32_t vp, Vtl vtl = Vtl::Vtl0) {
    const auto space = hypervisor.address_space(vps[vp], vtl);
    return translator.translate(space, {Gva{address}, mmu::AccessKind::Read})
        .translation.spa.value();
  }
  HvStatus flush(uint64_t flags, uint64_t mask) {
    return slow(CallCode::FlushVirtualAddressSpace, FlushVirtualAddressSpace{0x1000, flags, mask});
  }
};

}  // namespace

TEST_CASE("a flush reaches the TLB of every processor that it names, and no other") {
  CONFORMANCE("HvCallFlushVirtualAddressSpace", "each VP of the mask, no other", "TLFS 4.4");
  CONFORMANCE("HvCallFlushVirtualAddressSpace", "flag AllProcessors: every VP", "TLFS 4.4");
  FlushWorld world;
  EXPECT(world.lands(0) == 0x400000);
  EXPECT(world.lands(1) == 0x400000);
  world.turn(0x600000);
  REQUIRE(world.flush(0, 2) == HvStatus::Success);
  EXPECT(world.lands(0) == 0x400000);
  EXPECT(world.lands(1) == 0x600000);
  REQUIRE(world.flush(flush::all_processors, 0) == HvStatus::Success);
  EXPECT(world.lands(0) == 0x600000);
}

TEST_CASE("the Ex calls take the same set as banks") {
  CONFORMANCE("HvCallFlushVirtualAddressListEx", "each VP of the set, no other", "TLFS 4.4");
  FlushWorld world;
  (void)world.lands(0), (void)world.lands(1);
  world.turn(0x600000);
  world.write(input_page,
              FlushVirtualAddressSpaceEx{0x1000, 0, {vp_set_sparse_4k, uint64_t{1} | 1u << 5}});
  world.write(input_page + 32, uint64_t{2});
  world.write(input_page + 40, ~uint64_t{0});  // processors that are not: ignored
  world.write(input_page + 48, GvaRange{}.with_page(address >> 12));
  world.vmcall(0x14 | uint64_t{2} << 17 | uint64_t{1} << 32, input_page);
  REQUIRE(world.status() == HvStatus::Success);
  EXPECT(world.lands(0) == 0x400000);
  EXPECT(world.lands(1) == 0x600000);
}

TEST_CASE("VTL 1 flushes VTL 0 when it says so, and itself otherwise") {
  CONFORMANCE("HvCallFlushVirtualAddressSpace", "UseTargetVtl: the VTLs named", "hvdef");
  CONFORMANCE("HvCallFlushVirtualAddressSpace", "VTL above the caller's -> ACCESS_DENIED", "hvdef");
  FlushWorld world;
  (void)world.lands(0);
  world.enter_vtl1_ready();
  world.turn(0x600000);
  REQUIRE(world.flush(flush::all_virtual_address_spaces, 1) == HvStatus::Success);
  EXPECT(world.lands(0, Vtl::Vtl0) == 0x400000);
  REQUIRE(world.flush(flush::all_virtual_address_spaces | flush::use_target_vtl | flush::target_vtl0,
                      1) == HvStatus::Success);
  EXPECT(world.lands(0, Vtl::Vtl0) == 0x600000);
}

TEST_CASE("extended ranges need their privilege; a large one drops everything") {
  CONFORMANCE("HvCallFlushVirtualAddressList", "extended format without privilege -> "
              "ACCESS_DENIED", "TLFS 4.4");
  FlushWorld world;
  (void)world.lands(0);
  world.turn(0x600000);
  const FlushVirtualAddressSpace header{0x1000, flush::extended_range_format, 1};
  const GvaRange large{0x1 << 11};
  REQUIRE(world.slow(CallCode::FlushVirtualAddressList, header,
                     std::span<const GvaRange>{&large, 1}) == HvStatus::Success);
  EXPECT(world.lands(0) == 0x600000);

  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_enable_extended_gva_ranges_flush(false);
  World poor{config};
  EXPECT(poor.slow(CallCode::FlushVirtualAddressList, header,
                   std::span<const GvaRange>{&large, 1}) == HvStatus::AccessDenied);
}

TEST_CASE("a TLB lock of VTL 1 holds VTL 0's flushes back until it is released") {
  CONFORMANCE("HvRegisterVsmVpSecureConfigVtl0", "TlbLocked blocks flushes of the lower VTL",
              "TLFS 15.11.2; KUT");
  CONFORMANCE("HvRegisterVsmVpWaitForTlbLock", "1 while the VP's flush is held back",
              "TLFS 15.11.2");
  CONFORMANCE("HvCallTranslateVirtualAddress", "TLB_FLUSH_INHIBIT, and success: the lower VTL's TLB is locked",
              "TLFS 5.4, 15.5.1.3");
  for (const auto& [by_return, by_translation] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    CAPTURE(by_return, by_translation);
    FlushWorld world;
    (void)world.lands(0);
    world.enter_vtl1_ready();
    if (by_translation) {
      constexpr uint64_t to_vtl0 = uint64_t{0x10} << 56;
      const auto translate = [&](uint64_t control, uint64_t page) {
        return world.slow(CallCode::TranslateVirtualAddress,
                          TranslateVirtualAddress{partition_self, vp_self, 0, control, page});
      };
      using translate_gva::tlb_flush_inhibit;
      REQUIRE(translate(tlb_flush_inhibit, 0x40000) == HvStatus::InvalidParameter);  // of its own VTL
      REQUIRE(translate(to_vtl0 | tlb_flush_inhibit, 0x7FFFF) == HvStatus::Success);  // not mapped: no lock
      REQUIRE(world.get(RegisterName::VsmVpSecureConfigVtl0) == 0);
      REQUIRE(translate(to_vtl0 | tlb_flush_inhibit, 0x40000) == HvStatus::Success);
      REQUIRE(world.get(RegisterName::VsmVpSecureConfigVtl0) == 2);
    } else {
      REQUIRE(world.set(RegisterName::VsmVpSecureConfigVtl0, 2) == HvStatus::Success);
    }
    (void)world.lands(0);
    world.turn(0x600000);

    world.current = &world.vps[1];  // VTL 0 of the other processor
    for (const uint64_t mask : {uint64_t{1}, uint64_t{3}}) {
      world.write(input_page, FlushVirtualAddressSpace{0x1000, 0, mask});
      world.current->shared.gpr[vtl::Rcx] = 0x2;
      world.current->shared.gpr[vtl::Rdx] = input_page;
      const Outcome outcome = world.exit(ExitReason::Hypercall);
      EXPECT(outcome.kind == OutcomeKind::Resume);
      EXPECT(outcome.yields);
    }
    EXPECT(world.lands(0) == 0x400000);
    EXPECT(world.get(RegisterName::VsmVpWaitForTlbLock) == 1);
    EXPECT(world.flush(0, 2) == HvStatus::Success);  // its own TLB is not locked

    world.current = &world.vps[0];
    if (by_return) {
      REQUIRE(world.vtl_return(1).vtl_changed);
    } else {
      REQUIRE(world.set(RegisterName::VsmVpSecureConfigVtl0, 0) == HvStatus::Success);
    }
    world.current = &world.vps[1];
    EXPECT(world.flush(0, 1) == HvStatus::Success);
    EXPECT(world.lands(0) == 0x600000);
    EXPECT(world.get(RegisterName::VsmVpWaitForTlbLock) == 0);
  }
}

TEST_CASE("SwitchVirtualAddressSpace is MOV CR3") {
  CONFORMANCE("HvCallSwitchVirtualAddressSpace", "CR3 becomes the value", "TLFS 4.4");
  CONFORMANCE("HvCallSwitchVirtualAddressSpace", "reserved bit -> INVALID_PARAMETER", "TLFS 4.4");
  FlushWorld world;
  (void)world.lands(0);
  world.turn(0x600000);
  const auto change = [&](uint64_t cr3) {
    return world.slow(CallCode::SwitchVirtualAddressSpace, SwitchVirtualAddressSpace{cr3});
  };
  EXPECT(change(uint64_t{1} << 50) == HvStatus::InvalidParameter);
  EXPECT(change(uint64_t{1} << 63) == HvStatus::InvalidParameter);  // no PCIDs
  const uint64_t changes = world.vp().context().changes;
  REQUIRE(change(0x1000) == HvStatus::Success);
  EXPECT(world.vp().context().changes > changes);
  EXPECT(world.lands(0) == 0x600000);
  REQUIRE(change(0x9000) == HvStatus::Success);
  EXPECT(world.vp().context().cr3 == 0x9000);
  EXPECT(world.vps[1].context().cr3 == 0x1000);
}

TEST_CASE("guest physical flushes take no flags") {
  CONFORMANCE("HvCallFlushGuestPhysicalAddressSpace", "flags -> INVALID_PARAMETER", "TLFS");
  CONFORMANCE("HvCallFlushGuestPhysicalAddressList", "flags -> INVALID_PARAMETER", "TLFS");
  World world;
  const GpaPageRange range{0x1000};
  const auto list = [&](uint64_t flags) {
    return world.slow(CallCode::FlushGuestPhysicalAddressList,
                      FlushGuestPhysicalAddressSpace{0, flags},
                      std::span<const GpaPageRange>{&range, 1});
  };
  EXPECT(world.slow(CallCode::FlushGuestPhysicalAddressSpace,
                    FlushGuestPhysicalAddressSpace{0, 0}) == HvStatus::Success);
  EXPECT(world.slow(CallCode::FlushGuestPhysicalAddressSpace,
                    FlushGuestPhysicalAddressSpace{0, 1}) == HvStatus::InvalidParameter);
  EXPECT(list(0) == HvStatus::Success);
  EXPECT(list(2) == HvStatus::InvalidParameter);
}

TEST_CASE("a VP that spins lets others run") {
  CONFORMANCE("HvCallNotifyLongSpinWait", "the VP yields", "TLFS");
  World world;
  const Outcome outcome = world.vmcall(0x8 | uint64_t{1} << 16, 4095);
  EXPECT(outcome.kind == OutcomeKind::Retire);
  EXPECT(outcome.yields);
  EXPECT(world.status() == HvStatus::Success);
}
