// Interrupts between processors: ICR in both modes, INIT and SIPI, hypercalls (SDM vol. 3, 11.6; section 6).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

struct IpiWorld : World {
  explicit IpiWorld(bool x2apic = false) {
    for (VirtualProcessor& vp : vps) {
      current = &vp;
      vp.context().rflags = 0x202;
      enable_apic();
      if (x2apic) REQUIRE(wrmsr(0x1B, 0xFEE00000 | (vp.index == 0 ? 0x100 : 0) | 0xC00));
    }
    current = &vps[0];
  }
  bool icr(uint64_t value) { return wrmsr(0x830, value); }
  void xapic_icr(uint8_t destination, uint32_t low) {
    hypervisor.apic_mmio_write(*current, 0x310, 4, uint32_t{destination} << 24, now);
    hypervisor.apic_mmio_write(*current, 0x300, 4, low, now);
  }
  bool pending(uint32_t vp, uint8_t vector, Vtl vtl = Vtl::Vtl0) {
    return hypervisor.partition().vps[vp]->vtls[vtl].apic.pending(vector);
  }
  std::optional<uint8_t> check(uint32_t vp) { return hypervisor.check_interrupts(vps[vp], now); }
};

constexpr uint32_t init = 0x4500, startup = 0x4600, nmi = 0x4400;

}  // namespace

TEST_CASE("x2APIC: physical, logical, broadcast, shorthands and self IPI") {
  CONFORMANCE("LocalApic", "x2APIC destinations and shorthands", "SDM 3A 11.12");
  IpiWorld world{true};
  REQUIRE(world.icr(uint64_t{1} << 32 | 0x31));
  EXPECT((!world.pending(0, 0x31) && world.pending(1, 0x31)));
  REQUIRE(world.icr(uint64_t{2} << 32 | 0x832));  // logical: cluster 0, bit 1
  EXPECT((!world.pending(0, 0x32) && world.pending(1, 0x32)));
  REQUIRE(world.icr(uint64_t{0x10001} << 32 | 0x833));  // cluster 1: nobody
  EXPECT((!world.pending(0, 0x33) && !world.pending(1, 0x33)));
  REQUIRE(world.icr(uint64_t{0xFFFFFFFF} << 32 | 0x34));
  EXPECT((world.pending(0, 0x34) && world.pending(1, 0x34)));
  REQUIRE(world.icr(uint64_t{0xFF} << 32 | 0x35));  // not a broadcast in this mode
  EXPECT((!world.pending(0, 0x35) && !world.pending(1, 0x35)));
  REQUIRE(world.icr(0x40036));
  EXPECT((world.pending(0, 0x36) && !world.pending(1, 0x36)));
  REQUIRE(world.icr(0xC0037));
  EXPECT((!world.pending(0, 0x37) && world.pending(1, 0x37)));
  REQUIRE(world.icr(0x80038));
  EXPECT((world.pending(0, 0x38) && world.pending(1, 0x38)));
  REQUIRE(world.wrmsr(0x83F, 0x39));
  EXPECT((world.pending(0, 0x39) && !world.pending(1, 0x39)));
  EXPECT(world.rdmsr(0x80D) == 1);
}

TEST_CASE("lowest priority goes to one: the least busy, the first of equals") {
  CONFORMANCE("LocalApic", "lowest priority: lowest PPR, ties to the lowest", "SDM 3A 11.6.2.4");
  IpiWorld world{true};
  REQUIRE(world.icr(uint64_t{3} << 32 | 0x931));
  EXPECT((world.pending(0, 0x31) && !world.pending(1, 0x31)));
  world.vps[0].context().tpr = 0x20;
  REQUIRE(world.icr(uint64_t{3} << 32 | 0x932));
  EXPECT((!world.pending(0, 0x32) && world.pending(1, 0x32)));
}

TEST_CASE("INIT stops another processor in its reset state; SIPI starts it") {
  CONFORMANCE("LocalApic", "INIT: reset state of table 10-1, waits for SIPI", "SDM 3A 10.4.4");
  CONFORMANCE("LocalApic", "SIPI: CS = vector << 8, IP 0; ignored unless waiting", "SDM 3A 9.4.4");
  IpiWorld world;
  VirtualProcessor& ap = world.vps[1];
  world.xapic_icr(1, startup | 0x9);  // it runs: ignored
  EXPECT(!ap.startup_suspend);
  EXPECT(ap.context().rip == code_page);
  ap.halted = true;
  ap.shared.gpr[vtl::Rbx] = 7;
  ap.shared.fp.xmm[3] = {5, 6};
  ap.context().lstar = 0x1234;
  ap.context().tpr = 0x40;
  world.xapic_icr(1, init);
  EXPECT(ap.startup_suspend);
  EXPECT(!ap.halted);
  EXPECT(ap.context().cr0 == 0x10);
  EXPECT(ap.context().efer == 0);
  EXPECT(ap.context().rip == 0xFFF0);
  EXPECT(ap.context().segments[vtl::Cs].base == 0xFFFF0000);
  EXPECT(ap.context().idtr.limit == 0xFFFF);
  EXPECT(ap.shared.gpr[vtl::Rbx] == 0);
  EXPECT(ap.shared.gpr[vtl::Rdx] == 0x506E3);
  EXPECT(ap.shared.fp.xmm[3] == vtl::Xmm{5, 6});
  EXPECT(ap.context().lstar == 0x1234);
  EXPECT(ap.context().tpr == 0);
  EXPECT(!world.hypervisor.partition().vps[1]->vtls[Vtl::Vtl0].apic.enabled());
  EXPECT(!world.check(1));
  world.xapic_icr(1, 0x8500);  // level de-assert: nothing
  world.xapic_icr(1, startup | 0x9A);
  EXPECT(!ap.startup_suspend);
  EXPECT(ap.context().segments[vtl::Cs].selector == 0x9A00);
  EXPECT(ap.context().segments[vtl::Cs].base == 0x9A000);
  EXPECT(ap.context().rip == 0);
  world.xapic_icr(1, startup | 0x55);  // only the first counts
  EXPECT(ap.context().segments[vtl::Cs].base == 0x9A000);
}

TEST_CASE("INIT of the bootstrap processor does not wait") {
  IpiWorld world;
  world.current = &world.vps[1];
  world.xapic_icr(0, init);
  EXPECT(!world.vps[0].startup_suspend);
  EXPECT(world.vps[0].context().rip == 0xFFF0);
}

TEST_CASE("INIT and SIPI of VTL 0 do nothing to a processor that has VTL 1") {
  CONFORMANCE("LocalApic", "INIT and SIPI to a lower VTL are dropped", "TLFS 15.12.3");
  CONFORMANCE("HvRegisterVsmPartitionConfig", "DenyLowerVtlStartup drops SIPI everywhere",
              "TLFS 15.2.2.4");
  IpiWorld world;
  world.enter_vtl1_ready();
  REQUIRE(world.vtl_return(1).vtl_changed);
  world.xapic_icr(1, init);
  EXPECT(world.vps[1].startup_suspend);  // no VTL 1 there, and nobody denies it
  world.current = &world.vps[1];
  world.enable_apic();
  world.xapic_icr(0, init);
  EXPECT(world.vps[0].context().rip != 0xFFF0);

  world.current = &world.vps[0];
  REQUIRE(world.vtl_call().vtl_changed);
  const auto config = VsmPartitionConfig{world.get(RegisterName::VsmPartitionConfig)};
  REQUIRE(world.set(RegisterName::VsmPartitionConfig,
                    config.with_deny_lower_vtl_startup(true).raw) == HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
  world.xapic_icr(1, startup | 0x10);
  EXPECT(world.vps[1].startup_suspend);
}

TEST_CASE("an NMI pends in the VTL that it is for, and wakes HLT") {
  CONFORMANCE("LocalApic", "NMI to a lower VTL is pended while VTL 1 runs", "section 6 (K)");
  IpiWorld world;
  world.vps[1].halted = true;
  world.vps[1].context().rflags = 2;
  world.xapic_icr(1, nmi);
  EXPECT(world.vps[1].context().nmi_pending);
  EXPECT(!world.check(1));
  EXPECT(!world.vps[1].halted);

  world.enter_vtl1_ready();
  world.current = &world.vps[1];
  world.xapic_icr(0, nmi);
  EXPECT(world.vps[0].contexts[Vtl::Vtl0].nmi_pending);
  EXPECT(!world.vps[0].contexts[Vtl::Vtl1].nmi_pending);
  EXPECT(!world.check(0));
  EXPECT(world.vps[0].active == Vtl::Vtl1);
}

TEST_CASE("illegal vectors are errors that ESR shows after a write, and LVT error tells") {
  CONFORMANCE("LocalApic", "ESR: send illegal vector, illegal register; LVT error", "SDM 3A 11.5.3");
  IpiWorld world;
  const auto read = [&](uint16_t offset) {
    return world.hypervisor.apic_mmio_read(world.vp(), offset, 4, world.now);
  };
  const auto write = [&](uint16_t offset, uint32_t value) {
    world.hypervisor.apic_mmio_write(world.vp(), offset, 4, value, world.now);
  };
  write(0x370, 0xE1);
  world.xapic_icr(1, 0x0F);
  EXPECT(world.pending(0, 0xE1));
  EXPECT(read(0x280) == 0);
  write(0x280, 0);
  EXPECT(read(0x280) == 0x20);
  (void)read(0x3F0);
  write(0x280, 0);
  EXPECT(read(0x280) == 0x80);
  write(0x280, 0);
  EXPECT(read(0x280) == 0);
}

namespace {

struct Board final : vtl::InterruptControllers {
  std::optional<uint8_t> line;
  int acknowledged = 0;
  std::vector<uint8_t> ended;
  std::optional<uint8_t> external_vector() const override { return line; }
  void acknowledge_external() override {
    ++acknowledged;
    line.reset();
  }
  void end_of_interrupt(uint8_t vector) override { ended.push_back(vector); }
};

}  // namespace

TEST_CASE("the end of a level-triggered interrupt is told to the board") {
  CONFORMANCE("LocalApic", "TMR set by level-triggered interrupts; EOI broadcast", "SDM 3A 11.8.5");
  IpiWorld world;
  Board board;
  world.hypervisor.connect(&board);
  world.hypervisor.deliver_external({.destination = 0, .vector = 0x61, .level = true});
  world.hypervisor.deliver_external({.destination = 0, .vector = 0x52});
  EXPECT(world.hypervisor.apic_mmio_read(world.vp(), 0x1B0, 4, world.now) == 2);
  for (const uint8_t vector : {uint8_t{0x61}, uint8_t{0x52}}) {
    REQUIRE(world.check(0) == vector);
    Exit exit;
    exit.reason = ExitReason::InterruptAccepted;
    exit.vector = vector;
    (void)world.hypervisor.handle(exit, world.vp(), world.now);
    REQUIRE(world.wrmsr(msr::Eoi, 0));
  }
  EXPECT(board.ended == std::vector<uint8_t>{0x61});
}

TEST_CASE("an 8259 speaks through LINT0 of the first processor") {
  CONFORMANCE("LocalApic", "LINT0 ExtINT: vector of the 8259, TPR ignored", "SDM 3A 11.5.1");
  IpiWorld world;
  Board board;
  world.hypervisor.connect(&board);
  board.line = 0x28;
  EXPECT(!world.check(0));  // LINT0 is masked after reset
  world.hypervisor.set_virtual_wire_mode();
  world.vp().context().tpr = 0xF0;
  EXPECT(!world.check(1));
  world.vp().halted = true;
  EXPECT(world.check(0) == 0x28);
  EXPECT(!world.vp().halted);
  EXPECT(board.acknowledged == 0);
  Exit exit;
  exit.reason = ExitReason::InterruptAccepted;
  exit.vector = 0x28;
  (void)world.hypervisor.handle(exit, world.vp(), world.now);
  EXPECT(board.acknowledged == 1);
  EXPECT(!world.hypervisor.partition().vps[0]->vtls[Vtl::Vtl0].apic.in_service(0x28));
}

TEST_CASE("cluster IPIs reach the VTL that they name on the processors that they name") {
  CONFORMANCE("HvCallSendSyntheticClusterIpi", "0 to 0, 0 to 1, 1 to 0, 1 to 1", "KUT");
  CONFORMANCE("HvCallSendSyntheticClusterIpi", "vector below 16 or above 255 -> INVALID_PARAMETER",
              "TLFS");
  CONFORMANCE("HvCallSendSyntheticClusterIpi", "VTL not enabled -> INVALID_VTL_STATE", "hv1hc");
  IpiWorld world;
  const auto send = [&](uint32_t vector, uint8_t vtl, uint64_t mask, uint8_t flags = 0) {
    return world.slow(CallCode::SendSyntheticClusterIpi,
                      SendSyntheticClusterIpi{vector, InputVtl{vtl}, flags, 0, mask});
  };
  EXPECT(send(0x0F, 0, 1) == HvStatus::InvalidParameter);
  EXPECT(send(0x100, 0, 1) == HvStatus::InvalidParameter);
  EXPECT(send(0x40, 0, 1, 1) == HvStatus::InvalidParameter);
  EXPECT(send(0x40, 0x20, 1) == HvStatus::InvalidParameter);
  EXPECT(send(0x40, 0x11, 1) == HvStatus::InvalidVtlState);
  EXPECT(send(0x40, 0, 2) == HvStatus::Success);
  EXPECT((!world.pending(0, 0x40) && world.pending(1, 0x40)));

  world.enter_vtl1_ready();
  EXPECT(send(0x41, 0, 3) == HvStatus::Success);  // 1 to 1; the other has no VTL 1
  EXPECT(world.pending(0, 0x41, Vtl::Vtl1));
  EXPECT(send(0x42, 0x10, 1) == HvStatus::Success);  // 1 to 0
  EXPECT(world.pending(0, 0x42));
  EXPECT(!world.pending(0, 0x42, Vtl::Vtl1));
  world.current = &world.vps[1];
  EXPECT(send(0x43, 0x11, 1) == HvStatus::Success);  // 0 to 1
  EXPECT(world.pending(0, 0x43, Vtl::Vtl1));
}

TEST_CASE("cluster IPIs by set") {
  CONFORMANCE("HvCallSendSyntheticClusterIpiEx", "VPs of the set, all, bad format", "KUT");
  IpiWorld world;
  const auto send = [&](VpSet set, uint64_t bank, uint64_t qwords, uint32_t vector) {
    world.write(input_page, SendSyntheticClusterIpiEx{vector, {}, 0, 0, set});
    world.write(input_page + 24, bank);
    world.vmcall(0x15 | qwords << 17, input_page);
    return world.status();
  };
  EXPECT(send({vp_set_sparse_4k, 1}, 2, 1, 0x40) == HvStatus::Success);
  EXPECT((!world.pending(0, 0x40) && world.pending(1, 0x40)));
  EXPECT(send({vp_set_all, 0}, 0, 0, 0x41) == HvStatus::Success);
  EXPECT((world.pending(0, 0x41) && world.pending(1, 0x41)));
  EXPECT(send({vp_set_sparse_4k, 1}, 2, 0, 0x40) == HvStatus::InvalidHypercallInput);
  EXPECT(send({5, 1}, 2, 1, 0x40) == HvStatus::InvalidParameter);
  EXPECT(send({vp_set_all, 0}, 0, 0, 3) == HvStatus::InvalidParameter);
}

TEST_CASE("AssertVirtualInterrupt: types, targets, errors") {
  CONFORMANCE("HvCallAssertVirtualInterrupt", "fixed, lowest priority, NMI, ExtINT delivered",
              "TLFS");
  CONFORMANCE("HvCallAssertVirtualInterrupt", "bad partition -> INVALID_PARTITION_ID", "TLFS");
  CONFORMANCE("HvCallAssertVirtualInterrupt", "vector below 16, unknown type, reserved -> "
              "INVALID_PARAMETER", "TLFS");
  CONFORMANCE("HvCallAssertVirtualInterrupt", "VTL above the caller's -> ACCESS_DENIED", "TLFS");
  CONFORMANCE("HvCallClearVirtualInterrupt", "takes a pending ExtINT back", "TLFS");
  IpiWorld world;
  const auto assert_interrupt = [&](uint64_t control, uint64_t destination, uint32_t vector,
                                    uint8_t vtl = 0, uint64_t partition = partition_self) {
    return world.slow(CallCode::AssertVirtualInterrupt,
                      AssertVirtualInterrupt{partition, control, destination, vector, vtl, {}});
  };
  EXPECT(assert_interrupt(0, 1, 0x40) == HvStatus::Success);
  EXPECT((!world.pending(0, 0x40) && world.pending(1, 0x40)));
  EXPECT(assert_interrupt(1, 0xFFFFFFFF, 0x41) == HvStatus::Success);
  EXPECT((world.pending(0, 0x41) && !world.pending(1, 0x41)));
  EXPECT(assert_interrupt(4, 1, 0) == HvStatus::Success);
  EXPECT(world.vps[1].context().nmi_pending);
  EXPECT(assert_interrupt(uint64_t{1} << 33, 1, 0x42) == HvStatus::Success);  // LDR is 0: nobody
  EXPECT((!world.pending(0, 0x42) && !world.pending(1, 0x42)));
  EXPECT(assert_interrupt(0, 1, 0x0F) == HvStatus::InvalidParameter);
  EXPECT(assert_interrupt(0, 1, 0x100) == HvStatus::InvalidParameter);
  EXPECT(assert_interrupt(2, 1, 0x40) == HvStatus::InvalidParameter);
  EXPECT(assert_interrupt(uint64_t{1} << 34, 1, 0x40) == HvStatus::InvalidParameter);
  EXPECT(assert_interrupt(0, 1, 0x40, 0, 42) == HvStatus::InvalidPartitionId);
  EXPECT(assert_interrupt(0, 1, 0x40, 1) == HvStatus::AccessDenied);
  EXPECT(assert_interrupt(0, 1, 0x40, 3) == HvStatus::InvalidParameter);

  world.hypervisor.set_virtual_wire_mode();
  (void)world.check(0);
  EXPECT(assert_interrupt(9, 0, 0) == HvStatus::Success);  // LINT1: an NMI
  EXPECT(world.vps[0].context().nmi_pending);
  IpiWorld other;
  other.hypervisor.set_virtual_wire_mode();
  EXPECT(other.slow(CallCode::AssertVirtualInterrupt,
                    AssertVirtualInterrupt{partition_self, 7, 0, 0x33, 0, {}}) ==
         HvStatus::Success);
  EXPECT(other.check(0) == 0x33);
  EXPECT(other.slow(CallCode::ClearVirtualInterrupt, ClearVirtualInterrupt{42}) ==
         HvStatus::InvalidPartitionId);
  EXPECT(other.slow(CallCode::ClearVirtualInterrupt, ClearVirtualInterrupt{partition_self}) ==
         HvStatus::Success);
  EXPECT(!other.check(0));
}
