// What a higher VTL sees of a lower one's registers, MSRs, ports, CPUID, exceptions and hypercalls (TLFS 15.13; sections
// 5.3 to 5.7).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/message_bytes.h"

using namespace test;

namespace {

/// VTL 1 is ready to hear and VTL 0 runs, in a state that shows in messages. `prepare` runs in VTL 1.
class InterceptWorld : public World {
 public:
  template <class Prepare>
  explicit InterceptWorld(Prepare prepare) {
    enter_vtl1_ready();
    prepare(*this);
    REQUIRE(vtl_return(1).vtl_changed);
    distinct_state(vp());
    vp().context().cr3 = 0x1000;
  }
  HvStatus install(InterceptType type, uint32_t access, uint64_t parameter) {
    return slow(CallCode::InstallIntercept, abi::hv::InstallIntercept{partition_self, access, type, parameter});
  }
  std::vector<uint8_t> slot() {
    std::vector<uint8_t> bytes(256);
    REQUIRE(memory.read(spa(message_page1, Vtl::Vtl1), std::span<uint8_t>{bytes}));
    return bytes;
  }
  Outcome leave(Exit exit, uint8_t length) {
    add_instruction(exit, length);
    return hypervisor.handle(exit, vp(), now);
  }
  void expect_in_vtl1() {
    EXPECT(vp().active == Vtl::Vtl1);
    EXPECT(vp().contexts[Vtl::Vtl0].rip == 0xFFFFF80000401234);
  }
};

Exit msr_exit(ExitReason reason, uint32_t number, uint64_t value = 0) {
  Exit exit;
  exit.reason = reason;
  exit.msr = number;
  exit.value = value;
  return exit;
}

Exit register_exit(RegisterName name, uint64_t low, uint64_t high = 0, bool memory = false) {
  Exit exit;
  exit.reason = ExitReason::RegisterAccess;
  exit.register_access = {static_cast<uint32_t>(name), true, memory, low, high};
  return exit;
}

constexpr uint64_t gpr(int number) {
  return 0x1111111111111111 * static_cast<uint64_t>(number + 1);
}

}  // namespace

TEST_CASE("each bit of HvX64RegisterCrInterceptControl shows its access, and no other does") {
  CONFORMANCE("HvX64RegisterCrInterceptControl", "each of the 29 accesses, message whole", "TLFS 15.13.1; hvdef");
  CONFORMANCE("HvX64RegisterCrInterceptControl", "IA32_APIC_BASE write with control 0x1000", "tmk");
  struct Row {
    unsigned bit;
    Exit exit;
  };
  constexpr ExitReason read = ExitReason::MsrRead, write = ExitReason::MsrWrite;
  const Row rows[] = {
      {0, register_exit(RegisterName::Cr0, 0x80010031)}, {1, register_exit(RegisterName::Cr4, 0x6A8)},
      {2, register_exit(RegisterName::Xfem, 7)},         {3, msr_exit(read, 0x1A0)},
      {4, msr_exit(write, 0x1A0, 0)},                    {5, msr_exit(read, 0xC0000082)},
      {6, msr_exit(write, 0xC0000082)},                  {7, msr_exit(read, 0xC0000081)},
      {8, msr_exit(write, 0xC0000081)},                  {9, msr_exit(read, 0xC0000083)},
      {10, msr_exit(write, 0xC0000083)},                 {11, msr_exit(read, 0x1B)},
      {12, msr_exit(write, 0x1B)},                       {13, msr_exit(read, 0xC0000080)},
      {14, msr_exit(write, 0xC0000080)},                 {15, register_exit(RegisterName::Gdtr, 0x7F00000000000000, 5)},
      {16, register_exit(RegisterName::Idtr, 1, 2, true)}, {17, register_exit(RegisterName::Ldtr, 1, 2)},
      {18, register_exit(RegisterName::Tr, 3, 4)},       {19, msr_exit(write, 0x174)},
      {20, msr_exit(write, 0x176)},                      {21, msr_exit(write, 0x175)},
      {22, msr_exit(write, 0xC0000084)},                 {23, msr_exit(write, 0xC0000103)},
      {24, msr_exit(write, 0x8D)},                       {25, msr_exit(write, 0xDA0)},
      {26, msr_exit(write, 0x6A2)},                      {27, msr_exit(write, 0x6A6)},
      {28, msr_exit(write, 0x6A8)},
  };
  for (const Row& row : rows) {
    INFO(row.bit);
    const uint64_t bit = uint64_t{1} << row.bit;
    InterceptWorld world{[&](World& w) { REQUIRE(w.set(RegisterName::CrInterceptControl, bit) == HvStatus::Success); }};
    EXPECT(world.vp().context().interceptions.registers == bit);
    EXPECT(world.vp().contexts[Vtl::Vtl1].interceptions.registers == 0);
    EXPECT(world.leave(row.exit, 3).vtl_changed);
    world.expect_in_vtl1();
    if (row.exit.reason == ExitReason::RegisterAccess) {
      const auto& access = row.exit.register_access;
      MessageBytes expected = intercept_bytes(0x80010006, 0x40, 1, 0, 3, 1);
      expected.add(static_cast<uint8_t>(access.memory_operand ? 1 : 0)).zeros(3).add(access.name);
      EXPECT(world.slot() == expected.add(access.low).add(access.high).slot());
    } else {
      const uint8_t access = row.exit.reason == read ? 0 : 1;
      MessageBytes expected = intercept_bytes(0x80010001, 0x40, 1, 0, 3, access);
      expected.add(row.exit.msr).add(uint32_t{0}).add(gpr(vtl::Rdx)).add(gpr(vtl::Rax));
      EXPECT(world.slot() == expected.slot());
    }
    // All other bits together do not show it.
    InterceptWorld others{[&](World& w) {
      REQUIRE(w.set(RegisterName::CrInterceptControl, 0x1FFFFFFF & ~bit) == HvStatus::Success);
    }};
    EXPECT(!others.leave(row.exit, 3).vtl_changed);
  }
}

TEST_CASE("the masks of CR0, CR4 and IA32_MISC_ENABLE name the bits whose change counts") {
  CONFORMANCE("HvX64RegisterCrInterceptCr0Mask", "a write counts only if it changes a bit of the mask", "cvm");
  CONFORMANCE("HvX64RegisterCrInterceptCr4Mask", "a write counts only if it changes a bit of the mask", "cvm");
  CONFORMANCE("HvX64RegisterCrInterceptIa32MiscEnableMask", "a write counts only if it changes a bit of the mask", "cvm");
  const auto prepare = [](World& w) {
    REQUIRE(w.set(RegisterName::CrInterceptControl, 0x13) == HvStatus::Success);
    REQUIRE(w.set(RegisterName::CrInterceptCr0Mask, 0x10000) == HvStatus::Success);
    REQUIRE(w.set(RegisterName::CrInterceptCr4Mask, 0x100000) == HvStatus::Success);
    REQUIRE(w.set(RegisterName::CrInterceptIa32MiscEnableMask, 1) == HvStatus::Success);
  };
  InterceptWorld world{prepare};
  const vtl::Interceptions& wanted = world.vp().context().interceptions;
  EXPECT(wanted.cr0_mask == 0x10000);
  EXPECT(wanted.cr4_mask == 0x100000);
  EXPECT(wanted.misc_enable_mask == 1);
  const vtl::VtlContext& context = world.vp().context();
  EXPECT(!world.leave(register_exit(RegisterName::Cr0, context.cr0 ^ 2), 3).vtl_changed);
  EXPECT(!world.leave(register_exit(RegisterName::Cr4, context.cr4 ^ 8), 3).vtl_changed);
  EXPECT(!world.leave(msr_exit(ExitReason::MsrWrite, 0x1A0, context.misc_enable ^ 2), 2).vtl_changed);
  EXPECT(world.leave(register_exit(RegisterName::Cr0, context.cr0 ^ 0x10002), 3).vtl_changed);
  InterceptWorld cr4{prepare}, misc{prepare};
  EXPECT(cr4.leave(register_exit(RegisterName::Cr4, cr4.vp().context().cr4 ^ 0x100000), 3).vtl_changed);
  EXPECT(misc.leave(msr_exit(ExitReason::MsrWrite, 0x1A0, misc.vp().context().misc_enable ^ 1), 2).vtl_changed);
}

TEST_CASE("VTL 1 sees ports, CPUID, exceptions and hypercalls of VTL 0 that it asked for, and its own do not count") {
  CONFORMANCE("HvCallInstallIntercept", "a higher VTL on its own partition: I/O port", "WI7-2; TLFS 15.13");
  CONFORMANCE("HvCallInstallIntercept", "a higher VTL on its own partition: CPUID", "TLFS 15.13");
  CONFORMANCE("HvCallInstallIntercept", "a higher VTL on its own partition: exception", "TLFS 15.13");
  CONFORMANCE("HvCallInstallIntercept", "a higher VTL on its own partition: hypercalls, not VTL calls", "WI7-2");
  CONFORMANCE("HvMessageTypeHypercallIntercept", "message whole", "hvdef HvX64HypercallInterceptMessage");
  const auto prepare = [](InterceptWorld& w) {
    REQUIRE(w.install(InterceptType::X64IoPort, 3, 0xCF8) == HvStatus::Success);
    REQUIRE(w.install(InterceptType::X64Cpuid, 4, 7) == HvStatus::Success);
    REQUIRE(w.install(InterceptType::Exception, 4, 3) == HvStatus::Success);
    REQUIRE(w.install(InterceptType::Hypercall, 4, 0) == HvStatus::Success);
  };
  InterceptWorld port{prepare}, cpuid{prepare}, exception{prepare}, hypercall{prepare};
  Exit exit;
  exit.reason = ExitReason::IoRead;
  exit.io = {.port = 0xCF8, .size = 4};
  EXPECT(port.leave(exit, 1).vtl_changed);
  port.expect_in_vtl1();
  MessageBytes expected = intercept_bytes(0x80010000, 0x80, 1, 0, 1, 0);
  expected.add(uint16_t{0xCF8}).add(uint8_t{4}).add(uint8_t{16}).add(uint32_t{0}).add(gpr(vtl::Rax)).instruction();
  expected.segment(0x1111, 0x2222, 0x33, 0xC0F3).segment(0x4444, 0x5555, 0x66, 0xC0F3);
  EXPECT(port.slot() == expected.add(gpr(vtl::Rcx)).add(gpr(vtl::Rsi)).add(gpr(vtl::Rdi)).slot());
  EXPECT(port.leave(exit, 1).kind == OutcomeKind::NotMine);  // VTL 1's own access

  exit = {};
  exit.reason = ExitReason::Cpuid;
  cpuid.vp().shared.gpr[vtl::Rax] = 8;
  EXPECT(cpuid.leave(exit, 2).kind == OutcomeKind::Retire);
  cpuid.vp().shared.gpr[vtl::Rax] = 7;
  EXPECT(cpuid.leave(exit, 2).vtl_changed);

  EXPECT(exception.vp().context().interceptions.exceptions == 8);
  EXPECT(exception.vp().contexts[Vtl::Vtl1].interceptions.exceptions == 0);
  exit.reason = ExitReason::Exception;
  exit.exception = {.vector = 3};
  EXPECT(exception.leave(exit, 1).vtl_changed);

  distinct_state(hypercall.vp());
  hypercall.vp().shared.gpr[vtl::Rcx] = 0x4D;
  for (uint64_t i = 0; i < 6; ++i) hypercall.vp().shared.fp.xmm[i] = {i, ~i};
  const Outcome outcome = hypercall.exit(ExitReason::Hypercall);
  EXPECT(outcome.vtl_changed);
  hypercall.expect_in_vtl1();
  expected = intercept_bytes(0x80000050, 0xD0, 1, 0, 3, 2);
  expected.add(gpr(vtl::Rax)).add(gpr(vtl::Rbx)).add(uint64_t{0x4D}).add(gpr(vtl::Rdx)).add(gpr(vtl::R8));
  expected.add(gpr(vtl::Rsi)).add(gpr(vtl::Rdi));
  for (uint64_t i = 0; i < 6; ++i) expected.add(i).add(~i);
  EXPECT(hypercall.slot() == expected.slot());
  EXPECT(hypercall.get(RegisterName::VsmVpStatus) == 0x30001);  // VTL 1's own hypercalls are not seen
  REQUIRE(hypercall.vtl_return(1).vtl_changed);
  EXPECT(hypercall.vtl_call().vtl_changed);
}

TEST_CASE("with InterceptPage the message lies in the assist page and VTL 1 is entered with reason 3") {
  CONFORMANCE("HvRegisterVsmPartitionConfig", "InterceptPage: message in the assist page, EntryReason 3", "hvdef");
  CONFORMANCE("HvRegisterVsmCapabilities", "InterceptPageAvailable", "hvdef");
  InterceptWorld world{[](World& w) {
    EXPECT(VsmCapabilities{w.get(RegisterName::VsmCapabilities)}.intercept_page_available());
    const VsmPartitionConfig config{w.get(RegisterName::VsmPartitionConfig)};
    REQUIRE(w.set(RegisterName::VsmPartitionConfig, config.with_intercept_page(true).raw) == HvStatus::Success);
    REQUIRE(w.set(RegisterName::CrInterceptControl, 0x1000) == HvStatus::Success);
    w.vp().context().tpr = 0xFF;  // no interrupt is needed
  }};
  EXPECT(world.leave(msr_exit(ExitReason::MsrWrite, 0x1B, 0xFEE00000), 2).vtl_changed);
  world.expect_in_vtl1();
  EXPECT(world.read<VtlEntryReason>(assist_page1 + 8) == VtlEntryReason::Intercept);
  std::vector<uint8_t> bytes(256);
  REQUIRE(world.memory.read(world.spa(assist_page1) + 112, std::span<uint8_t>{bytes}));
  MessageBytes expected = intercept_bytes(0x80010001, 0x40, 1, 0, 2, 1);
  expected.add(uint32_t{0x1B}).add(uint32_t{0}).add(gpr(vtl::Rdx)).add(gpr(vtl::Rax));
  EXPECT(bytes == expected.slot());
  EXPECT(world.slot() == std::vector<uint8_t>(256));
}

TEST_CASE("with InterceptPage and no assist page the guest has left itself no way to be told, and hangs") {
  InterceptWorld world{[](World& w) {
    const VsmPartitionConfig config{w.get(RegisterName::VsmPartitionConfig)};
    REQUIRE(w.set(RegisterName::VsmPartitionConfig, config.with_intercept_page(true).raw) == HvStatus::Success);
    REQUIRE(w.set(RegisterName::CrInterceptControl, 0x1000) == HvStatus::Success);
    REQUIRE(w.wrmsr(msr::VpAssistPage, 0));
  }};
  const Outcome outcome = world.leave(msr_exit(ExitReason::MsrWrite, 0x1B, 0xFEE00000), 2);
  EXPECT(outcome.kind == OutcomeKind::Hang);
  EXPECT(std::string{outcome.detail} == "a higher VTL refused an access but its assist page is off");
}

TEST_CASE("VTL 1 sees a triple fault of VTL 0 if it asked for it") {
  CONFORMANCE("HvRegisterVsmPartitionConfig", "InterceptUnrecoverableException: a triple fault is a message", "hvdef");
  InterceptWorld deaf{[](World&) {}};
  EXPECT(deaf.exit(ExitReason::TripleFault).kind == OutcomeKind::NotMine);
  InterceptWorld world{[](World& w) {
    const VsmPartitionConfig config{w.get(RegisterName::VsmPartitionConfig)};
    REQUIRE(w.set(RegisterName::VsmPartitionConfig, config.with_intercept_unrecoverable_exception(true).raw) ==
            HvStatus::Success);
  }};
  EXPECT(world.exit(ExitReason::TripleFault).vtl_changed);
  EXPECT(world.slot() == intercept_bytes(0x80000021, 0x28, 1, 0, 0, 2).slot());
}

TEST_CASE("CheckSparseGpaPageVtlAccess says who would refuse what") {
  CONFORMANCE("HvCallCheckSparseGpaPageVtlAccess", "allowed, or the denied accesses and the VTL that denies", "hvdef");
  CONFORMANCE("HvCallCheckSparseGpaPageVtlAccess", "target VTL above the caller's -> ACCESS_DENIED", "our choice");
  CONFORMANCE("HvCallCheckSparseGpaPageVtlAccess", "no RAM, no or unknown access -> INVALID_PARAMETER", "our choice");
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.protect(victim_page, 1) == HvStatus::Success);
  const GpaPage pages[] = {{victim_page / 4096}, {victim_page / 4096 + 1}, {guest_bytes / 4096}};
  const auto check = [&](uint8_t vtl, uint8_t access, size_t count, uint64_t partition = partition_self) {
    return world.slow(CallCode::CheckSparseGpaPageVtlAccess,
                      abi::hv::CheckSparseGpaPageVtlAccess{partition, InputVtl{vtl}, access, {}},
                      std::span<const GpaPage>{pages, count});
  };
  REQUIRE(check(0x10, 7, 2) == HvStatus::Success);
  EXPECT(world.read<uint32_t>(output_page) == 0x010601);  // memory intercept; W and KX denied; by VTL 1
  EXPECT(world.read<uint32_t>(output_page + 4) == 0);
  REQUIRE(check(0x10, 1, 1) == HvStatus::Success);
  EXPECT(world.read<uint32_t>(output_page) == 0);
  EXPECT(check(0x10, 7, 3) == HvStatus::InvalidParameter);
  EXPECT(world.result().reps_completed() == 2);
  EXPECT(check(0x10, 0, 1) == HvStatus::InvalidParameter);
  EXPECT(check(0x10, 0x10, 1) == HvStatus::InvalidParameter);
  EXPECT(check(0x12, 1, 1) == HvStatus::AccessDenied);
  EXPECT(check(0x10, 1, 1, 42) == HvStatus::InvalidPartitionId);
}
