#include "sim/support/state.h"
#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

constexpr uint64_t interrupts_on = 0x202;

/// Arms the one-shot timer of the active VTL, `counts` of 10 ticks from now.
void arm_timer(World& world, uint8_t vector, uint32_t counts) {
  world.hypervisor.apic_mmio_write(*world.current, 0x3E0, 4, 0xB, world.now);
  world.hypervisor.apic_mmio_write(*world.current, 0x320, 4, vector, world.now);
  world.hypervisor.apic_mmio_write(*world.current, 0x380, 4, counts, world.now);
}
std::optional<uint8_t> check(World& world) {
  return world.hypervisor.check_interrupts(*world.current, world.now);
}
void accept(World& world, uint8_t vector) {
  Exit exit;
  exit.reason = ExitReason::InterruptAccepted;
  exit.vector = vector;
  REQUIRE(world.hypervisor.handle(exit, *world.current, world.now).kind == OutcomeKind::Resume);
}
/// A fixed interrupt to oneself, in the active VTL.
void self_ipi(World& world, uint8_t vector) {
  world.hypervisor.apic_mmio_write(*world.current, 0x300, 4, 0x40000u | vector, world.now);
}

}  // namespace

TEST_CASE("a timer of VTL 0 fires in VTL 0 and wakes it from HLT") {
  World world;
  world.enable_apic();
  world.vp().context().rflags = interrupts_on;
  arm_timer(world, 0xD1, 50);
  EXPECT(world.hypervisor.next_event(world.vp()) == Instant{1500});
  EXPECT(world.exit(ExitReason::Halt).kind == OutcomeKind::Halt);
  EXPECT(!check(world));
  EXPECT(world.vp().halted);
  world.now = Instant{1500};
  EXPECT(check(world) == 0xD1);
  EXPECT(!world.vp().halted);
  accept(world, 0xD1);
  EXPECT(!check(world));
}

TEST_CASE("HLT with interrupts off is not left for a vector that will not be taken") {
  World world;
  world.enable_apic();
  world.vp().context().rflags = 2;
  (void)world.exit(ExitReason::Halt);
  self_ipi(world, 0x40);
  EXPECT(check(world) == 0x40);
  EXPECT(world.vp().halted);
  world.vp().context().exception_pending = true;
  (void)check(world);
  EXPECT(!world.vp().halted);
}

TEST_CASE("VTL 1's timer forces an entry, whatever RFLAGS.IF says") {
  CONFORMANCE("LocalApic", "VTL 1's timer forces entry, RFLAGS.IF of either VTL ignored",
              "TLFS 15.12.2; KUT");
  CONFORMANCE("HvCallVtlReturn", "pending interrupts of the higher VTL are looked at again",
              "TLFS 15.12.2");
  World world;
  world.enter_vtl1_ready();
  arm_timer(world, 0x50, 100);
  world.vp().context().rflags = 2;
  REQUIRE(world.vtl_return(1).vtl_changed);
  world.vp().context().rflags = 2;
  world.now = Instant{1999};
  EXPECT(!check(world));
  EXPECT(world.vp().active == Vtl::Vtl0);
  EXPECT(world.hypervisor.next_event(world.vp()) == Instant{2000});
  world.now = Instant{2000};
  EXPECT(check(world) == 0x50);
  EXPECT(world.vp().active == Vtl::Vtl1);
  EXPECT(world.read<VtlEntryReason>(assist_page1 + 8) == VtlEntryReason::Interrupt);
  EXPECT(world.hypervisor.statistics().interrupt_entries == 1);

  // VTL 1 goes back without taking it: it is entered again before VTL 0 executes anything.
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(check(world) == 0x50);
  EXPECT(world.vp().active == Vtl::Vtl1);
}

TEST_CASE("VTL 1's TPR holds its own interrupts back, and only its own") {
  CONFORMANCE("LocalApic", "only the higher VTL's TPR holds its interrupt back; TPR isolated",
              "TLFS 15.12.2; KUT");
  World world;
  world.enable_apic();
  world.enter_vtl1_ready();
  self_ipi(world, 0x50);
  world.vp().context().tpr = 0x50;
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.vp().context().tpr == 0);
  self_ipi(world, 0x41);
  EXPECT(check(world) == 0x41);
  EXPECT(world.vp().active == Vtl::Vtl0);
  EXPECT(world.wrmsr(msr::Tpr, 0x41));
  EXPECT(world.rdmsr(msr::Tpr) == 0x41);
  EXPECT(!check(world));
  EXPECT(world.vp().contexts[Vtl::Vtl1].tpr == 0x50);
  world.vp().contexts[Vtl::Vtl1].tpr = 0x4F;
  EXPECT(check(world) == 0x50);
  EXPECT(world.vp().active == Vtl::Vtl1);
}

TEST_CASE("an interrupt of VTL 0 waits while VTL 1 runs, and fires on return") {
  CONFORMANCE("LocalApic", "VTL 0's timer fires after the return", "TLFS 15.12.3; KUT");
  World world;
  world.enable_apic();
  world.vp().context().rflags = interrupts_on;
  arm_timer(world, 0xD1, 10);
  world.enter_vtl1_ready();
  world.now = Instant{1100};
  EXPECT(!check(world));
  EXPECT(world.vp().active == Vtl::Vtl1);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(check(world) == 0xD1);
}

TEST_CASE("disabling VTL 1's APIC leaves VTL 0's alone") {
  CONFORMANCE("LocalApic", "disabling VTL 1's APIC leaves VTL 0's", "KUT");
  World world;
  world.enable_apic();
  world.enter_vtl1_ready();
  REQUIRE(world.wrmsr(0x1B, 0xFEE00000));
  self_ipi(world, 0x60);
  EXPECT(!check(world));
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.rdmsr(0x1B) == 0xFEE00900);
  self_ipi(world, 0x60);
  EXPECT(check(world) == 0x60);
}

TEST_CASE("interprocessor interrupts stay within their VTL") {
  CONFORMANCE("LocalApic", "IPIs stay within the sender's VTL", "TLFS 15.12; KUT");
  World world;
  for (VirtualProcessor& vp : world.vps) {
    world.current = &vp;
    world.enable_apic();
  }
  world.current = &world.vps[0];
  world.hypervisor.apic_mmio_write(world.vp(), 0x310, 4, 1u << 24, world.now);
  world.hypervisor.apic_mmio_write(world.vp(), 0x300, 4, 0x99, world.now);
  EXPECT(!check(world));
  world.current = &world.vps[1];
  EXPECT(check(world) == 0x99);
  accept(world, 0x99);
  EXPECT(world.wrmsr(msr::Eoi, 0));
  EXPECT(world.wrmsr(msr::Icr, 0xC0088));  // all but self
  EXPECT(!check(world));
  world.current = &world.vps[0];
  EXPECT(check(world) == 0x88);
  accept(world, 0x88);
  EXPECT(world.wrmsr(msr::Eoi, 0));

  world.enter_vtl1_ready();
  self_ipi(world, 0x77);
  EXPECT(check(world) == 0x77);
  accept(world, 0x77);
  EXPECT(world.wrmsr(msr::Eoi, 0));
  EXPECT(world.wrmsr(msr::Icr, 0x80077));  // all: VTL 1 of the other processor does not exist
  world.current = &world.vps[1];
  EXPECT(!check(world));
  EXPECT(world.vps[1].active == Vtl::Vtl0);
  world.current = &world.vps[0];
  EXPECT(world.wrmsr(msr::Icr, 0x40400 | 0x77));  // an NMI goes nowhere
}

TEST_CASE("VINA tells VTL 1 once of an interrupt that VTL 0 would take") {
  CONFORMANCE("HvRegisterVsmVina", "raised once, by the arrival; EOI does not clear VinaAsserted",
              "TLFS 15.12.4");
  World world;
  world.enable_apic();
  world.vp().context().rflags = interrupts_on;
  arm_timer(world, 0xD1, 10);
  world.enter_vtl1_ready();
  const auto vina = VsmVina{}.with_vector(0x40).with_enabled(true);
  REQUIRE(world.set(RegisterName::VsmVina, vina.raw) == HvStatus::Success);
  EXPECT(!check(world));
  world.now = Instant{1100};
  EXPECT(check(world) == 0x40);
  EXPECT(world.read<uint8_t>(assist_page1 + 12) == 1);
  accept(world, 0x40);
  REQUIRE(world.wrmsr(msr::Eoi, 0));
  EXPECT(!check(world));  // EOI does not clear VinaAsserted: it is not raised again
  world.write(assist_page1 + 12, uint8_t{0});
  EXPECT(!check(world));  // an edge: writing the page is no event, however often anybody looks
  REQUIRE(world.set(RegisterName::Cr8, 0xF, 0x10) == HvStatus::Success);
  EXPECT(!check(world));
  REQUIRE(world.set(RegisterName::Cr8, 0, 0x10) == HvStatus::Success);
  EXPECT(check(world) == 0x40);  // ready again
}

TEST_CASE("VINA is not raised for what VTL 0 would not take, nor when it is off") {
  CONFORMANCE("HvRegisterVsmVina", "only for vectors that VTL 0 would take now: IF and PPR",
              "section 6");
  struct Row {
    const char* what;
    uint64_t rflags;
    uint8_t tpr;
    bool enabled;
    bool raised;
  };
  const Row rows[] = {
      {"deliverable", interrupts_on, 0, true, true},
      {"VTL 0 has interrupts off", 2, 0, true, false},
      {"VTL 0's TPR blocks it", interrupts_on, 0xD0, true, false},
      {"VTL 0's TPR is just below", interrupts_on, 0xC0, true, true},
      {"VINA is off", interrupts_on, 0, false, false},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    World world;
    world.enable_apic();
    self_ipi(world, 0xD1);
    world.enter_vtl1_ready();
    world.vp().contexts[Vtl::Vtl0].rflags = row.rflags;
    world.vp().contexts[Vtl::Vtl0].tpr = row.tpr;
    REQUIRE(world.set(RegisterName::VsmVina,
                      VsmVina{}.with_vector(0x40).with_enabled(row.enabled).raw) ==
            HvStatus::Success);
    EXPECT(check(world).has_value() == row.raised);
    EXPECT(world.read<uint8_t>(assist_page1 + 12) == (row.raised ? 1 : 0));
  }
}

TEST_CASE("VINA with AutoReset is cleared at the next entry, with AutoEoi it needs no EOI") {
  CONFORMANCE("HvRegisterVsmVina", "AutoReset at entry, AutoEoi", "TLFS 15.12.4");
  World world;
  world.enable_apic();
  world.vp().context().rflags = interrupts_on;
  self_ipi(world, 0xD1);
  world.enter_vtl1_ready();
  const auto vina =
      VsmVina{}.with_vector(0x40).with_enabled(true).with_auto_reset(true).with_auto_eoi(true);
  REQUIRE(world.set(RegisterName::VsmVina, vina.raw) == HvStatus::Success);
  EXPECT(check(world) == 0x40);
  accept(world, 0x40);
  EXPECT(!world.hypervisor.partition().vps[0]->vtls[Vtl::Vtl1].apic.in_service(0x40));
  EXPECT(world.read<uint8_t>(assist_page1 + 12) == 1);
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.read<uint8_t>(assist_page1 + 12) == 1);  // 0xD1 still waits: raised again at entry
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(check(world) == 0x40);  // VTL 1 did not take it: it is entered again
  accept(world, 0x40);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(check(world) == 0xD1);
  accept(world, 0xD1);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.read<uint8_t>(assist_page1 + 12) == 0);
}

TEST_CASE("APIC registers are reached by 4-byte accesses only") {
  World world;
  EXPECT(world.hypervisor.apic_mmio_read(world.vp(), 0x30, 4, world.now) == 0x50014);
  EXPECT(world.hypervisor.apic_mmio_read(world.vp(), 0x30, 8, world.now) == ~uint64_t{0});
  world.hypervisor.apic_mmio_write(world.vp(), 0xF0, 2, 0x1FF, world.now);
  EXPECT(world.hypervisor.apic_mmio_read(world.vp(), 0xF0, 4, world.now) == 0xFF);
  EXPECT(world.hypervisor.apic_mmio_read(world.vp(), 0x32, 4, world.now) == 0);
}

TEST_CASE("the state's hash moves with each part of the hypervisor's state") {
  const auto hash = [](const World& world) { return support::hash_of(world.hypervisor); };
  World world;
  std::vector<support::StateHash> seen{hash(world)};
  const auto changed = [&] {
    seen.push_back(hash(world));
    for (size_t i = 0; i + 1 < seen.size(); ++i) {
      if (seen[i] == seen.back()) return false;
    }
    return true;
  };
  EXPECT(world.wrmsr(msr::GuestOsId, 3));
  EXPECT(changed());
  world.enable_apic();
  EXPECT(changed());
  EXPECT(world.wrmsr(msr::CrashP0, 3));
  EXPECT(changed());
  EXPECT(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));
  EXPECT(changed());
  world.enter_vtl1_ready();
  EXPECT(changed());
  EXPECT(world.protect(victim_page, 1) == HvStatus::Success);
  EXPECT(changed());
  arm_timer(world, 0x40, 7);
  EXPECT(changed());
  World other;
  EXPECT(hash(other) == seen.front());
}

TEST_CASE("of several pending interrupts the highest VTL's comes first") {
  CONFORMANCE("LocalApic", "several pending: highest VTL first", "TLFS 15.12.2");
  vtl::HypervisorConfig config;
  config.maximum_vtl = 2;
  World world{config};
  world.enable_apic();
  world.vp().context().rflags = interrupts_on;
  world.enter_vtl1_ready();
  REQUIRE(world.enable_partition_vtl(partition_self, 2) == HvStatus::Success);
  REQUIRE(world.enable_vp_vtl(vp_self, 2) == HvStatus::Success);
  REQUIRE(world.vtl_call().vtl_changed);
  world.enable_apic();
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.vtl_return(1).vtl_changed);
  REQUIRE(world.vp().active == Vtl::Vtl0);
  const auto send = [&](uint8_t vtl, uint32_t vector) {
    return world.slow(CallCode::SendSyntheticClusterIpi,
                      SendSyntheticClusterIpi{vector, InputVtl{vtl}, 0, 0, 1});
  };
  REQUIRE(send(0x10, 0xE0) == HvStatus::Success);
  REQUIRE(send(0x11, 0xD0) == HvStatus::Success);
  REQUIRE(send(0x12, 0x50) == HvStatus::Success);
  EXPECT(check(world) == 0x50);
  EXPECT(world.vp().active == Vtl::Vtl2);
  accept(world, 0x50);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(check(world) == 0xD0);
  EXPECT(world.vp().active == Vtl::Vtl1);
  accept(world, 0xD0);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(check(world) == 0xE0);
  EXPECT(world.vp().active == Vtl::Vtl0);
}

TEST_CASE("how often interrupts are looked at changes nothing") {
  CONFORMANCE("HvRegisterVsmVina", "raised by events, not by looking", "TLFS 15.12.4");
  const auto hash_after = [](unsigned extra) {
    World world;
    world.enable_apic();
    world.vp().context().rflags = interrupts_on;
    arm_timer(world, 0xD1, 50);
    world.enter_vtl1_ready();
    const auto vina = VsmVina{}.with_vector(0x40).with_enabled(true);
    REQUIRE(world.set(RegisterName::VsmVina, vina.raw) == HvStatus::Success);
    for (uint64_t tick = 1000; tick < 2000; ++tick) {
      world.now = Instant{tick};
      const bool due = world.hypervisor.next_event(world.vp()) == world.now;
      for (unsigned i = 0; i < extra + (due ? 1u : 0u); ++i)
        (void)check(world);
      if (tick == 1400) world.write(assist_page1 + 12, uint8_t{0});
    }
    return support::hash_of(world.hypervisor);
  };
  const auto expected = hash_after(0);
  EXPECT(hash_after(1) == expected);
  EXPECT(hash_after(5) == expected);
}
