// What a child does that its parent wants to know: the message, whole, and what the parent's answer changes (sections
// 5.3 to 5.5).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/child_world.h"

using namespace test;

namespace {

Exit instruction_exit(ExitReason reason, uint8_t length) {
  Exit exit;
  exit.reason = reason;
  add_instruction(exit, length);
  return exit;
}

Exit port_exit(ExitReason reason, uint16_t port, uint8_t size) {
  Exit exit = instruction_exit(reason, 2);
  exit.io.port = port;
  exit.io.size = size;
  return exit;
}

Exit unmapped_exit(uint64_t gpa, mmu::AccessKind kind) {
  Exit exit = World::violation_exit(gpa, kind, 0x2779CBB0028);
  exit.fault.kind = mmu::FaultKind::GpaUnmapped;
  return exit;
}

/// The child's VP is stopped at its instruction and the root has an interrupt.
void expect_told(ChildWorld& world, const Outcome& outcome) {
  EXPECT(outcome.kind == OutcomeKind::Resume);
  EXPECT(outcome.yields);
  EXPECT(world.spares[0].intercept_suspend);
  EXPECT(world.spares[0].context().rip == 0xFFFFF80000401234);
  EXPECT(world.hypervisor.check_interrupts(world.vps[0], world.now) == intercept_vector);
}

/// The root read the message.
void consume(ChildWorld& world) {
  world.memory.write(world.spa(message_page0, Vtl::Vtl0), uint32_t{0});
  Exit accepted;
  accepted.reason = ExitReason::InterruptAccepted;
  accepted.vector = intercept_vector;
  (void)world.hypervisor.handle(accepted, world.vps[0], world.now);
  REQUIRE(world.wrmsr(msr::Eoi, 0));
  REQUIRE(world.wrmsr(msr::Eom, 0));
}

constexpr uint8_t info_size = 0x28;
constexpr uint64_t gpr(int number) {
  return 0x1111111111111111 * static_cast<uint64_t>(number + 1);
}

}  // namespace

TEST_CASE("a child's access where nothing is mapped is an UnmappedGpa message") {
  CONFORMANCE("HvMessageTypeUnmappedGpa", "message whole", "hvdef HvX64MemoryInterceptMessage");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  world.run_child(id);
  expect_told(world, world.child_exit(unmapped_exit(0x123450, mmu::AccessKind::Write)));
  MessageBytes expected = intercept_bytes(0x80000000, 0x50, id, 0, 3, 1);
  expected.add(uint32_t{6}).add(uint8_t{16}).add(uint8_t{3}).add(uint8_t{0x2F}).add(uint8_t{0});
  expected.add(uint64_t{0x2779CBB0028}).add(uint64_t{0x123450}).instruction();
  EXPECT(world.root_slot() == expected.slot());
  // The root maps the page and lets the VP go on.
  consume(world);
  REQUIRE(world.map(id, 0x123, child_ram_page, 3) == HvStatus::Success);
  REQUIRE(world.set_child(id, 0, RegisterName::InterceptSuspend, 0) == HvStatus::Success);
  EXPECT(!world.spares[0].suspended());
  EXPECT(world.set_child(id, 0, RegisterName::InterceptSuspend, 1) == HvStatus::InvalidRegisterValue);
}

TEST_CASE("a parent that translates may keep flushes of others away until it answers the intercept") {
  CONFORMANCE("HvCallTranslateVirtualAddress",
              "TLB_FLUSH_INHIBIT of a child: HvRegisterInterceptSuspend bit 1, and other VPs' flushes wait", "TLFS 5.4");
  ChildWorld world;
  const uint64_t id = world.child();
  REQUIRE(world.create_vp(id, 1) == HvStatus::Success);
  world.run_child(id);
  distinct_state(world.spares[1]);
  world.write_child(0x1000, uint64_t{0x2003});
  world.write_child(0x2000, uint64_t{0x3003});
  world.write_child(0x3000, uint64_t{0x83});
  world.spares[0].context().cr3 = 0x1000;
  const auto translate = [&](uint64_t page) {
    return world.slow(CallCode::TranslateVirtualAddress,
                      TranslateVirtualAddress{id, 0, 0, translate_gva::tlb_flush_inhibit, page});
  };
  uint64_t suspend = 0;
  REQUIRE(translate(0x40000) == HvStatus::Success);
  REQUIRE(world.read<uint32_t>(output_page) != 0);  // not mapped: nothing is held
  REQUIRE(world.get_child(id, 0, RegisterName::InterceptSuspend, suspend) == HvStatus::Success);
  EXPECT(suspend == 0);
  REQUIRE(translate(4) == HvStatus::Success);
  REQUIRE(world.read<uint32_t>(output_page) == 0);
  REQUIRE(world.get_child(id, 0, RegisterName::InterceptSuspend, suspend) == HvStatus::Success);
  EXPECT(suspend == 2);

  const auto flush = [&](VirtualProcessor& from) {
    world.write_child(0x5000, FlushVirtualAddressSpace{0x1000, 0, 1});
    from.shared.gpr[vtl::Rcx] = 0x2;
    from.shared.gpr[vtl::Rdx] = 0x5000;
    Exit exit;
    exit.reason = ExitReason::Hypercall;
    return world.hypervisor.handle(exit, from, world.now);
  };
  EXPECT(flush(world.spares[1]).kind == OutcomeKind::Resume);  // it waits
  EXPECT(flush(world.spares[0]).kind == OutcomeKind::Retire);  // the processor itself does not
  EXPECT(world.set_child(id, 0, RegisterName::InterceptSuspend, 4) == HvStatus::InvalidRegisterValue);
  REQUIRE(world.set_child(id, 0, RegisterName::InterceptSuspend, 2) == HvStatus::Success);
  EXPECT(flush(world.spares[1]).kind == OutcomeKind::Resume);
  REQUIRE(world.set_child(id, 0, RegisterName::InterceptSuspend, 0) == HvStatus::Success);
  EXPECT(flush(world.spares[1]).kind == OutcomeKind::Retire);
  EXPECT(world.set_child(id, 0, RegisterName::InterceptSuspend, 2) == HvStatus::InvalidRegisterValue);
}

TEST_CASE("a child's access beyond the rights of the mapping is a GpaIntercept message for the parent") {
  CONFORMANCE("HvMessageTypeGpaIntercept", "message to the parent, whole", "hvdef HvX64MemoryInterceptMessage");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  world.run_child(id);
  REQUIRE(world.map(id, 1, child_ram_page, 1) == HvStatus::Success);
  expect_told(world, world.child_exit(World::violation_exit(0x1008, mmu::AccessKind::Execute, 0x7FF000001008)));
  MessageBytes expected = intercept_bytes(0x80000001, 0x50, id, 0, 3, 2);
  expected.add(uint32_t{6}).add(uint8_t{16}).add(uint8_t{3}).add(uint8_t{0x2F}).add(uint8_t{0});
  expected.add(uint64_t{0x7FF000001008}).add(uint64_t{0x1008}).instruction();
  EXPECT(world.root_slot() == expected.slot());
}

TEST_CASE("a child's intercepted port is an IoPortIntercept message; another is the machine's to answer") {
  CONFORMANCE("HvMessageTypeX64IoPortIntercept", "message whole", "hvdef HvX64IoPortInterceptMessage");
  CONFORMANCE("HvCallInstallIntercept", "I/O port: only the port and direction asked for", "TLFS; hvdef");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  world.run_child(id);
  REQUIRE(world.install(id, InterceptType::X64IoPort, 2, 0xCF8) == HvStatus::Success);
  EXPECT(world.child_exit(port_exit(ExitReason::IoRead, 0xCF8, 4)).kind == OutcomeKind::NotMine);
  EXPECT(world.child_exit(port_exit(ExitReason::IoWrite, 0xCFC, 4)).kind == OutcomeKind::NotMine);
  EXPECT(world.child_exit(port_exit(ExitReason::IoWrite, 0xCF0, 4)).kind == OutcomeKind::NotMine);
  Exit exit = port_exit(ExitReason::IoWrite, 0xCF7, 2);  // its second byte is 0xCF8
  exit.io.string = exit.io.rep = true;
  expect_told(world, world.child_exit(exit));
  MessageBytes expected = intercept_bytes(0x80010000, 0x80, id, 0, 2, 1);
  expected.add(uint16_t{0xCF7}).add(uint8_t{2 | 8 | 16}).add(uint8_t{16}).add(uint32_t{0});
  expected.add(gpr(vtl::Rax)).instruction();
  expected.segment(0x1111, 0x2222, 0x33, 0xC0F3).segment(0x4444, 0x5555, 0x66, 0xC0F3);
  expected.add(gpr(vtl::Rcx)).add(gpr(vtl::Rsi)).add(gpr(vtl::Rdi));
  EXPECT(world.root_slot() == expected.slot());

  consume(world);
  REQUIRE(world.install(id, InterceptType::X64IoPort, 0, 0xCF8) == HvStatus::Success);  // and no more
  EXPECT(world.child_exit(exit).kind == OutcomeKind::NotMine);
}

TEST_CASE("a child's MSRs: unknown ones, and those asked for, are MsrIntercept messages") {
  CONFORMANCE("HvMessageTypeMsrIntercept", "message to the parent, whole", "hvdef HvX64MsrInterceptMessage");
  CONFORMANCE("HvCallInstallIntercept", "MSR: those that the hypervisor does not know", "hvdef");
  CONFORMANCE("HvCallInstallIntercept", "MSR index: that one, before it is performed", "hvgdk_mini");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  VirtualProcessor& vp = world.run_child(id);
  Exit exit = instruction_exit(ExitReason::MsrRead, 2);
  exit.msr = 0x1234;
  EXPECT(world.child_exit(exit).kind == OutcomeKind::Inject);  // #GP: nobody asked
  REQUIRE(world.install(id, InterceptType::X64Msr, 3, 0) == HvStatus::Success);
  expect_told(world, world.child_exit(exit));
  MessageBytes expected = intercept_bytes(0x80010001, 0x40, id, 0, 2, 0);
  expected.add(uint32_t{0x1234}).add(uint32_t{0}).add(gpr(vtl::Rdx)).add(gpr(vtl::Rax));
  EXPECT(world.root_slot() == expected.slot());
  consume(world);
  vp.intercept_suspend = false;

  exit.reason = ExitReason::MsrWrite;
  exit.msr = msr::VpIndex;  // known, and read-only
  exit.value = 1;
  EXPECT(world.child_exit(exit).kind == OutcomeKind::Inject);
  REQUIRE(world.install(id, InterceptType::X64MsrIndex, 2, 0xC0000082) == HvStatus::Success);
  EXPECT(CrInterceptControl{vp.context().interceptions.registers}.lstar_write());
  EXPECT(!CrInterceptControl{vp.context().interceptions.registers}.lstar_read());
  exit.msr = 0xC0000082;
  expect_told(world, world.child_exit(exit));
  expected = intercept_bytes(0x80010001, 0x40, id, 0, 2, 1);
  expected.add(uint32_t{0xC0000082}).add(uint32_t{0}).add(gpr(vtl::Rdx)).add(gpr(vtl::Rax));
  EXPECT(world.root_slot() == expected.slot());
}

TEST_CASE("a child's CPUID is told with the answer that it would get, and the parent may change answers") {
  CONFORMANCE("HvMessageTypeX64CpuidIntercept", "message whole", "hvdef HvX64CpuidInterceptMessage");
  CONFORMANCE("HvCallRegisterInterceptResult", "the masked bits of an answer become the parent's", "TLFS; hvhdk");
  CONFORMANCE("HvCallRegisterInterceptResult", "self -> ACCESS_DENIED; other types -> INVALID_PARAMETER", "our choice");
  CONFORMANCE("HvCallRegisterInterceptResult", "unknown VP -> INVALID_VP_INDEX", "TLFS");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  VirtualProcessor& vp = world.run_child(id);
  const Exit exit = instruction_exit(ExitReason::Cpuid, 2);
  vp.shared.gpr[vtl::Rax] = 0x40000001;
  REQUIRE(world.install(id, InterceptType::X64Cpuid, 4, 0x40000001) == HvStatus::Success);
  expect_told(world, world.child_exit(exit));
  MessageBytes expected = intercept_bytes(0x80010002, 0x68, id, 0, 2, 2);
  expected.add(uint64_t{0x40000001}).add(gpr(vtl::Rcx)).add(gpr(vtl::Rdx)).add(gpr(vtl::Rbx));
  expected.add(uint64_t{0x31237648}).zeros(24);
  EXPECT(world.root_slot() == expected.slot());
  consume(world);
  vp.intercept_suspend = false;

  REQUIRE(world.install(id, InterceptType::X64Cpuid, 0, 0x40000001) == HvStatus::Success);
  abi::hv::RegisterInterceptResult result{};
  result.partition = id;
  result.type = InterceptType::X64Cpuid;
  result.leaf = 0x40000001;
  result.eax = 0x12345678;
  result.eax_mask = 0xFFFF0000;
  result.ebx = result.ebx_mask = 0xF;
  REQUIRE(world.slow(CallCode::RegisterInterceptResult, result) == HvStatus::Success);
  EXPECT(world.child_exit(exit).kind == OutcomeKind::Retire);
  EXPECT(vp.shared.gpr[vtl::Rax] == 0x12347648);
  EXPECT(vp.shared.gpr[vtl::Rbx] == 0xF);
  REQUIRE(world.install(id, InterceptType::X64GlobalCpuid, 4, 0) == HvStatus::Success);
  EXPECT(world.child_exit(exit).yields);

  result.vp = 7;
  EXPECT(world.slow(CallCode::RegisterInterceptResult, result) == HvStatus::InvalidVpIndex);
  result.vp = 0;
  result.type = InterceptType::X64Msr;
  EXPECT(world.slow(CallCode::RegisterInterceptResult, result) == HvStatus::InvalidParameter);
  result.partition = partition_self;
  EXPECT(world.slow(CallCode::RegisterInterceptResult, result) == HvStatus::AccessDenied);
  result.partition = 42;
  EXPECT(world.slow(CallCode::RegisterInterceptResult, result) == HvStatus::InvalidPartitionId);
}

TEST_CASE("HLT of a child without a local APIC is a message; with one it waits for an interrupt") {
  CONFORMANCE("HvMessageTypeX64Halt", "message whole, where the hypervisor emulates no local APIC", "hvdef; mshv");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child(0);
  world.run_child(id);
  expect_told(world, world.child_exit(instruction_exit(ExitReason::Halt, 1)));
  EXPECT(world.root_slot() == intercept_bytes(0x80010007, info_size, id, 0, 1, 2).slot());
  EXPECT(!world.memory_of(id).slat(Vtl::Vtl0)->lookup(Gpa{0xFEE00000}).mapped);

  ChildWorld other;
  other.listen();
  other.run_child(other.child());
  EXPECT(other.child_exit(instruction_exit(ExitReason::Halt, 1)).kind == OutcomeKind::Halt);
  EXPECT(other.spares[0].halted);
  EXPECT(!other.spares[0].suspended());
}

TEST_CASE("an intercepted exception of a child is told with all its registers") {
  CONFORMANCE("HvMessageTypeExceptionIntercept", "message whole", "hvdef HvX64ExceptionInterceptMessage");
  CONFORMANCE("HvCallInstallIntercept", "exception: the vector leaves the processor", "TLFS; hvdef");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  VirtualProcessor& vp = world.run_child(id);
  Exit exit = instruction_exit(ExitReason::Exception, 3);
  exit.exception = {.vector = 14, .has_error_code = true, .error_code = 0x15, .parameter = 0xFFFF800000001000};
  EXPECT(world.child_exit(exit).kind == OutcomeKind::Inject);  // nobody asked (any more)
  REQUIRE(world.install(id, InterceptType::Exception, 4, 14) == HvStatus::Success);
  EXPECT(vp.context().interceptions.exceptions == 1u << 14);
  expect_told(world, world.child_exit(exit));
  MessageBytes expected = intercept_bytes(0x80010003, 0xF0, id, 0, 3, 2);
  expected.add(uint16_t{14}).add(uint8_t{1}).add(uint8_t{16}).add(uint32_t{0x15});
  expected.add(uint64_t{0xFFFF800000001000}).add(uint64_t{0}).instruction();
  expected.segment(0x1111, 0x2222, 0x33, 0xC0F3).segment(0x7777, 0x8888, 0x18, 0xC093);
  for (int i = 0; i < vtl::gpr_count; ++i) expected.add(i == vtl::Rsp ? uint64_t{0xFFFFF80000555550} : gpr(i));
  EXPECT(world.root_slot() == expected.slot());
  REQUIRE(world.install(id, InterceptType::Exception, 0, 14) == HvStatus::Success);
  EXPECT(vp.context().interceptions.exceptions == 0);
}

TEST_CASE("a triple fault of a child is its parent's; of the root it is the machine's") {
  CONFORMANCE("HvMessageTypeUnrecoverableException", "message whole", "hvdef");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  world.run_child(id);
  EXPECT(world.exit(ExitReason::TripleFault).kind == OutcomeKind::NotMine);
  Exit exit;
  exit.reason = ExitReason::TripleFault;
  expect_told(world, world.child_exit(exit));
  EXPECT(world.root_slot() == intercept_bytes(0x80000021, info_size, id, 0, 0, 2).slot());
}

TEST_CASE("a second child event waits until the first message was read; an unheard one still suspends") {
  CONFORMANCE("HvMessageTypeUnmappedGpa", "a busy slot: the instruction executes again later", "cvm");
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  REQUIRE(world.create_vp(id, 1) == HvStatus::Success);
  world.run_child(id);
  distinct_state(world.spares[1]);
  (void)world.child_exit(unmapped_exit(0x123000, mmu::AccessKind::Read));
  const auto before = world.root_slot();
  const Outcome outcome = world.hypervisor.handle(unmapped_exit(0x456000, mmu::AccessKind::Read), world.spares[1],
                                                  world.now);
  EXPECT(outcome.yields);
  EXPECT(!world.spares[1].intercept_suspend);
  auto after = world.root_slot();
  EXPECT(after[5] == 1);  // a message is pending
  after[5] = 0;
  EXPECT(after == before);

  ChildWorld deaf;
  const uint64_t other = deaf.child();
  deaf.run_child(other);
  (void)deaf.child_exit(unmapped_exit(0x123000, mmu::AccessKind::Read));
  uint64_t value = 0;
  REQUIRE(deaf.get_child(other, 0, RegisterName::InterceptSuspend, value) == HvStatus::Success);
  EXPECT(value == 1);
}

TEST_CASE("InstallIntercept answers each wrong input with its status") {
  CONFORMANCE("HvCallInstallIntercept", "unknown partition -> INVALID_PARTITION_ID", "TLFS");
  CONFORMANCE("HvCallInstallIntercept", "own partition from VTL 0 -> ACCESS_DENIED", "our choice");
  CONFORMANCE("HvCallInstallIntercept", "unknown type, access or parameter -> INVALID_PARAMETER", "TLFS; hvdef");
  ChildWorld world;
  const uint64_t id = world.child();
  EXPECT(world.install(42, InterceptType::X64Msr, 3, 0) == HvStatus::InvalidPartitionId);
  EXPECT(world.install(partition_self, InterceptType::X64Msr, 3, 0) == HvStatus::AccessDenied);
  struct Row {
    uint32_t type, access;
    uint64_t parameter;
    HvStatus status;
  };
  for (const Row& row : {Row{0, 3, 0xFFFF, HvStatus::Success}, Row{0, 3, 0x10000, HvStatus::InvalidParameter},
                         Row{0, 4, 0x80, HvStatus::InvalidParameter}, Row{1, 3, 0, HvStatus::Success},
                         Row{1, 3, 1, HvStatus::InvalidParameter}, Row{2, 4, 7, HvStatus::Success},
                         Row{2, 1, 7, HvStatus::InvalidParameter}, Row{3, 4, 31, HvStatus::Success},
                         Row{3, 4, 32, HvStatus::InvalidParameter}, Row{3, 4, 2, HvStatus::InvalidParameter},
                         Row{6, 4, 0, HvStatus::Success}, Row{8, 4, 0, HvStatus::Success},
                         Row{12, 2, 0xC0000082, HvStatus::Success},
                         Row{12, 1, 0x277, HvStatus::InvalidParameter},  // PAT: the processor has no exit for it
                         Row{12, 1, 0x12345, HvStatus::Success}, Row{7, 4, 0, HvStatus::InvalidParameter},
                         Row{99, 1, 0, HvStatus::InvalidParameter}}) {
    INFO(row.type << " " << row.access << " " << row.parameter);
    EXPECT(world.install(id, static_cast<InterceptType>(row.type), row.access, row.parameter) == row.status);
  }
}
