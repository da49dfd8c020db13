#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;
using mmu::AccessKind;

namespace {

/// Little-endian bytes, appended field by field as the reference lists them.
class Bytes {
 public:
  template <class T>
  Bytes& add(T value) {
    const auto* raw = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof value);
    return *this;
  }
  Bytes& zeros(size_t count) {
    bytes_.insert(bytes_.end(), count, 0);
    return *this;
  }
  [[nodiscard]] std::vector<uint8_t> to(size_t size) const {
    std::vector<uint8_t> result = bytes_;
    result.resize(size);
    return result;
  }

 private:
  std::vector<uint8_t> bytes_;
};

std::vector<uint8_t> slot_bytes(World& world) {
  std::vector<uint8_t> bytes(256);
  REQUIRE(world.memory.read(world.spa(message_page1, Vtl::Vtl1), std::span<uint8_t>{bytes}));
  return bytes;
}

/// VTL 0 runs, restricted: nothing may touch the victim page.
void run_vtl0_with_protected_page(World& world) {
  world.enter_vtl1_ready();
  REQUIRE(world.protect(victim_page, 0) == HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
}

}  // namespace

TEST_CASE("a refused access becomes a message of VTL 1, byte for byte") {
  CONFORMANCE("HvMessageTypeGpaIntercept",
              "message whole: access type, GPA, GVA for read, write, execute",
              "KUT; hvdef HvX64MemoryInterceptMessage");
  struct Row {
    AccessKind kind;
    uint8_t access;
  };
  for (const Row row :
       {Row{AccessKind::Read, 0}, Row{AccessKind::Write, 1}, Row{AccessKind::Execute, 2}}) {
    World world;
    run_vtl0_with_protected_page(world);
    vtl::VtlContext& lower = world.vp().context();
    lower.rip = 0xFFFFF80000401234;
    lower.rflags = 0x10246;
    lower.tpr = 0x2F;
    lower.segments[vtl::Cs] = {0, 0xFFFFFFFF, 0x33, 0xA0FB};
    lower.segments[vtl::Ss].attributes = 0xC0F3;  // CPL 3
    lower.dr7 = 0x401;
    lower.interrupt_shadow = true;
    const Outcome outcome = world.violation(victim_page + 0x28, row.kind, 0x2779CBB0028);
    EXPECT(outcome.kind == OutcomeKind::Resume);
    EXPECT(outcome.vtl_changed);
    EXPECT(world.vp().active == Vtl::Vtl1);

    Bytes expected;
    expected.add(uint32_t{0x80000001})
        .add(uint8_t{0x50})
        .add(uint8_t{0})
        .add(uint16_t{0})
        .add(uint64_t{1});
    expected
        .add(uint32_t{0})           // VP index
        .add(uint8_t{0x23})         // length 3, CR8 2
        .add(row.access)            //
        .add(uint16_t{0x1037})      // CPL 3, PE, LMA, debug active, VTL 0, interrupt shadow
        .add(uint64_t{0})           // CS base
        .add(uint32_t{0xFFFFFFFF})  //
        .add(uint16_t{0x33})        //
        .add(uint16_t{0xA0FB})      //
        .add(uint64_t{0xFFFFF80000401234})
        .add(uint64_t{0x10246});
    expected
        .add(uint32_t{6})    // write-back
        .add(uint8_t{16})    // instruction bytes
        .add(uint8_t{3})     // GVA valid, and GPA belongs to it
        .add(uint8_t{0x2F})  // TPR
        .add(uint8_t{0})     //
        .add(uint64_t{0x2779CBB0028})
        .add(uint64_t{victim_page + 0x28});
    for (uint8_t i = 0; i < 16; ++i)
      expected.add(static_cast<uint8_t>(0x48 + i));
    EXPECT(slot_bytes(world) == expected.to(256));
  }
}

TEST_CASE(
    "an intercept enters VTL 1 with reason 2 and SINT0's vector, and leaves VTL 0 on its "
    "instruction") {
  World world;
  run_vtl0_with_protected_page(world);
  const uint64_t rip = world.vp().context().rip;
  REQUIRE(world.violation(victim_page, AccessKind::Read).vtl_changed);
  EXPECT(world.vp().contexts[Vtl::Vtl0].rip == rip);
  EXPECT(world.read<VtlEntryReason>(assist_page1 + 8) == VtlEntryReason::Interrupt);
  EXPECT(world.hypervisor.check_interrupts(world.vp(), world.now) == intercept_vector);
  EXPECT(world.hypervisor.statistics().intercepts == 1);
  const auto& entries = world.events.entries;
  REQUIRE(entries.size() >= 2);
  EXPECT(entries[entries.size() - 2].kind == support::EventKind::Intercept);
  EXPECT(entries[entries.size() - 2].vtl == Vtl::Vtl0);
  EXPECT(entries[entries.size() - 2].b == victim_page);
  EXPECT(entries.back().kind == support::EventKind::VtlInterruptEntry);
  EXPECT(entries.back().a == intercept_vector);
}

TEST_CASE("RFLAGS.IF of neither VTL matters for the entry, but VTL 1's TPR does") {
  CONFORMANCE("HvMessageTypeGpaIntercept",
              "RFLAGS.IF does not hold the entry back, the higher VTL's TPR does",
              "TLFS 15.12.2");
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.protect(victim_page, 0) == HvStatus::Success);
  world.vp().context().tpr = 0xF0;
  REQUIRE(world.vtl_return(1).vtl_changed);
  const Outcome first = world.violation(victim_page, AccessKind::Read);
  EXPECT(first.kind == OutcomeKind::Resume);
  EXPECT(!first.vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl0);
  const auto message = slot_bytes(world);

  // The slot is busy: the instruction executes again, time passes, the message stays the first
  // one's.
  const Outcome second = world.violation(victim_page + 8, AccessKind::Write);
  EXPECT(second.kind == OutcomeKind::Resume);
  EXPECT(second.ticks == 1);
  auto pending = message;
  pending[5] = message_pending;
  EXPECT(slot_bytes(world) == pending);

  world.vp().contexts[Vtl::Vtl1].tpr = 0xE0;
  (void)world.hypervisor.check_interrupts(world.vp(), world.now);
  EXPECT(world.vp().active == Vtl::Vtl1);
}

TEST_CASE("after EOM and EOI the next refused access is told too") {
  World world;
  run_vtl0_with_protected_page(world);
  for (int round = 0; round < 3; ++round) {
    REQUIRE(world.violation(victim_page + 8 * static_cast<uint64_t>(round), AccessKind::Read)
                .vtl_changed);
    const auto vector = world.hypervisor.check_interrupts(world.vp(), world.now);
    REQUIRE(vector == intercept_vector);
    Exit accepted;
    accepted.reason = ExitReason::InterruptAccepted;
    accepted.vector = *vector;
    REQUIRE(world.hypervisor.handle(accepted, world.vp(), world.now).kind == OutcomeKind::Resume);
    EXPECT(!world.hypervisor.check_interrupts(world.vp(), world.now));
    EXPECT(world.read<uint64_t>(message_page1 + 16 + 0x38) ==
           victim_page + 8 * static_cast<uint64_t>(round));
    world.write(message_page1, uint32_t{0});
    REQUIRE(world.wrmsr(msr::Eom, 0));
    REQUIRE(world.wrmsr(msr::Eoi, 0));
    REQUIRE(world.vtl_return(0).vtl_changed);
  }
  EXPECT(world.hypervisor.statistics().intercepts == 3);
}

TEST_CASE("an access to a paging structure is told as what it is") {
  CONFORMANCE("HvMessageTypeGpaIntercept",
              "a paging structure: GVA valid, GVA and GPA do not belong together",
              "hvdef");
  World world;
  run_vtl0_with_protected_page(world);
  Exit exit = World::violation_exit(victim_page + 0x18, AccessKind::Read, 0x1000);
  exit.fault.qualification = 3 | 1 << 7;  // an update of A: read and write
  exit.fault.paging_structure = true;
  REQUIRE(world.hypervisor.handle(exit, world.vp(), world.now).vtl_changed);
  EXPECT(world.read<uint8_t>(message_page1 + 16 + 5) == 1);  // write
  EXPECT(world.read<uint8_t>(message_page1 + 16 + 0x2D) ==
         1);  // GVA valid, but it is not the GPA's
}

TEST_CASE("a VTL that refuses but cannot be told stops the run with the reason") {
  struct Row {
    const char* what;
    uint32_t msr;
    uint64_t value;
  };
  for (const Row row : {Row{"no message page", msr::Simp, 0}, Row{"SynIC off", msr::Scontrol, 0},
                        Row{"SINT0 masked", msr::Sint0, 0x10000 | intercept_vector}}) {
    INFO(row.what);
    World world;
    world.enter_vtl1_ready();
    REQUIRE(world.protect(victim_page, 0) == HvStatus::Success);
    REQUIRE(world.wrmsr(row.msr, row.value));
    REQUIRE(world.vtl_return(1).vtl_changed);
    const Outcome outcome = world.violation(victim_page, AccessKind::Read);
    EXPECT(outcome.kind == OutcomeKind::Hang);
    EXPECT(std::string{outcome.detail}.find("SINT0") != std::string::npos);
  }
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.protect(victim_page, 0) == HvStatus::Success);
  world.hypervisor.apic_mmio_write(world.vp(), 0xF0, 4, 0xFF, world.now);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.violation(victim_page, AccessKind::Read).kind == OutcomeKind::Hang);
}

TEST_CASE("a violation that no VTL asked for is the accessor's own #GP(0)") {
  World world;
  REQUIRE(world.wrmsr(msr::GuestOsId, 1));
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  struct Row {
    const char* what;
    uint64_t gpa;
    AccessKind kind;
    mmu::FaultKind fault;
  };
  const Row rows[] = {
      {"write to the hypercall page", hypercall_page, AccessKind::Write,
       mmu::FaultKind::SlatViolation},
      {"the hypervisor's memory", guest_bytes + 0x1000, AccessKind::Read,
       mmu::FaultKind::GpaUnmapped},
      {"code in device space", 0xFEE00000, AccessKind::Execute, mmu::FaultKind::SlatViolation},
      {"beyond 4 GiB", uint64_t{1} << 33, AccessKind::Read, mmu::FaultKind::GpaUnmapped},
  };
  for (const bool vsm : {false, true}) {
    if (vsm) run_vtl0_with_protected_page(world);
    for (const Row& row : rows) {
      INFO(row.what);
      Exit exit = World::violation_exit(row.gpa, row.kind, 0x1000);
      exit.fault.kind = row.fault;
      const Outcome outcome = world.hypervisor.handle(exit, world.vp(), world.now);
      EXPECT(outcome.kind == OutcomeKind::Inject);
      EXPECT(outcome.exception.vector == 13);
      EXPECT(outcome.exception.has_error_code);
      EXPECT(outcome.exception.error_code == 0);
      EXPECT(world.vp().active == Vtl::Vtl0);
    }
  }
}

TEST_CASE("faults that are the host's own stop the run") {
  World world;
  for (const auto kind : {mmu::FaultKind::SlatMisconfigured, mmu::FaultKind::PageFault}) {
    Exit exit = World::violation_exit(0x1000, AccessKind::Read, 0x1000);
    exit.fault.kind = kind;
    EXPECT(world.hypervisor.handle(exit, world.vp(), world.now).kind ==
           OutcomeKind::MachineFailure);
  }
}

TEST_CASE("VTL 1 is never refused by its own restrictions") {
  CONFORMANCE("HvCallModifyVtlProtectionMask", "a VTL cannot restrict itself", "TLFS 15.9");
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.protect(victim_page, 0) == HvStatus::Success);
  world.write(victim_page, uint64_t{7});
  EXPECT(world.read<uint64_t>(victim_page) == 7);
  EXPECT(world.violation(victim_page, AccessKind::Read).kind ==
         OutcomeKind::Inject);  // nobody is above
}

TEST_CASE("a hypercall whose parameters lie in a protected page is intercepted, not answered") {
  CONFORMANCE("HvMessageTypeGpaIntercept",
              "a parameter page that is denied: a message, no status",
              "TLFS 3.8");
  for (const bool output : {false, true}) {
    World world;
    run_vtl0_with_protected_page(world);
    world.write(input_page, GetVpRegisters{partition_self, vp_self, {}, {}});
    world.write(input_page + 16, static_cast<uint32_t>(RegisterName::VpIndex));
    world.vp().context().rip = 0x5000;
    world.vp().shared.gpr[vtl::Rax] = 0x77;
    const Outcome outcome = output
                                ? world.vmcall(0x50 | uint64_t{1} << 32, input_page, victim_page)
                                : world.vmcall(0x50 | uint64_t{1} << 32, victim_page, output_page);
    EXPECT(outcome.vtl_changed);
    EXPECT(world.vp().contexts[Vtl::Vtl0].rip == 0x5000);
    EXPECT(world.vp().shared.gpr[vtl::Rax] == 0x77);
    EXPECT(world.read<uint64_t>(message_page1 + 16 + 0x38) == victim_page);
    EXPECT(world.read<uint8_t>(message_page1 + 16 + 5) == (output ? 1 : 0));
    EXPECT(world.read<uint8_t>(message_page1 + 16 + 0x2D) == 0);  // there is no linear address
  }
}

TEST_CASE("a read-only parameter page is good for input and refused for output") {
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.protect(victim_page, 1) == HvStatus::Success);
  world.write(victim_page, GetVpRegisters{partition_self, vp_self, {}, {}});
  world.write(victim_page + 16, static_cast<uint32_t>(RegisterName::VpIndex));
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.vmcall(0x50 | uint64_t{1} << 32, victim_page, output_page).kind ==
         OutcomeKind::Retire);
  EXPECT(world.status() == HvStatus::Success);
  EXPECT(world.vmcall(0x50 | uint64_t{1} << 32, victim_page, victim_page).vtl_changed);
}

TEST_CASE("VTL 1 can ask to be told of accesses to IA32_APIC_BASE") {
  CONFORMANCE("HvX64RegisterCrInterceptControl",
              "write of IA32_APIC_BASE with control 0x1000 is a message of VTL 1",
              "tmk");
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.set(RegisterName::CrInterceptControl, 0x1000) == HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.rdmsr(0x1B).has_value());  // reads are not asked for
  world.vp().shared.gpr[vtl::Rax] = 0xFEE00D00;
  world.vp().shared.gpr[vtl::Rdx] = 0x5;
  Exit exit;
  exit.reason = ExitReason::MsrWrite;
  exit.msr = 0x1B;
  exit.value = 0x5FEE00D00;
  exit.instruction_length = 2;
  REQUIRE(world.hypervisor.handle(exit, world.vp(), world.now).vtl_changed);
  EXPECT(world.read<uint32_t>(message_page1) == 0x80010001);
  EXPECT(world.read<uint8_t>(message_page1 + 4) == 0x40);
  EXPECT(world.read<uint8_t>(message_page1 + 16 + 4) == 2);
  EXPECT(world.read<uint8_t>(message_page1 + 16 + 5) == 1);
  EXPECT(world.read<uint32_t>(message_page1 + 16 + 0x28) == 0x1B);
  EXPECT(world.read<uint64_t>(message_page1 + 16 + 0x30) == 5);
  EXPECT(world.read<uint64_t>(message_page1 + 16 + 0x38) == 0xFEE00D00);
  EXPECT(world.wrmsr(0x1B, 0xFEE00D00));  // VTL 1's own APIC is nobody's business
}
