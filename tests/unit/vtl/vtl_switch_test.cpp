#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

TEST_CASE("VTL switches fail with #UD, never with a status, and change nothing") {
  CONFORMANCE("HvCallVtlCall",
              "control other than 0, extra bits, no higher VTL -> #UD",
              "TLFS 15.6.1.1");
  CONFORMANCE("HvCallVtlReturn",
              "control bits 63:1, extra bits, lowest VTL -> #UD",
              "TLFS 15.7.2");
  struct Row {
    const char* what;
    bool vtl1_enabled, from_vtl1;
    uint64_t code, control;
  };
  const Row rows[] = {
      {"call without VTL 1", false, false, 0x11, 0},
      {"return from the lowest VTL", false, false, 0x12, 0},
      {"return from VTL 0 though VTL 1 exists", true, false, 0x12, 0},
      {"call with control bit 0", true, false, 0x11, 1},
      {"call with control bit 63", true, false, 0x11, uint64_t{1} << 63},
      {"call from the highest VTL", true, true, 0x11, 0},
      {"return with control bit 1", true, true, 0x12, 2},
      {"return with control bit 63", true, true, 0x12, uint64_t{1} << 63},
      {"call marked fast", true, false, 0x11 | 1 << 16, 0},
      {"call with elements", true, false, 0x11 | uint64_t{1} << 32, 0},
      {"call with a reserved bit", true, false, 0x11 | uint64_t{1} << 63, 0},
      {"return marked fast", true, true, 0x12 | 1 << 16, 0},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    World world;
    if (row.vtl1_enabled) world.enable_vtl1();
    if (row.from_vtl1) REQUIRE(world.vtl_call().vtl_changed);
    const Vtl before = world.vp().active;
    const uint64_t rip = world.vp().context().rip;
    world.vp().shared.gpr[vtl::Rax] = row.control;
    const Outcome outcome = world.vmcall(row.code);
    EXPECT(outcome.kind == OutcomeKind::Inject);
    EXPECT(outcome.exception.vector == 6);
    EXPECT(!outcome.exception.has_error_code);
    EXPECT(world.vp().active == before);
    EXPECT(world.vp().context().rip == rip);
    EXPECT(world.vp().shared.gpr[vtl::Rax] == row.control);
  }
}

TEST_CASE("a VTL call from user mode is #UD") {
  CONFORMANCE("HvCallVtlCall", "CPL 3 -> #UD", "TLFS 15.6.1.1");
  World world;
  world.enable_vtl1();
  world.vp().context().segments[vtl::Ss].attributes |= 3 << 5;
  EXPECT(world.vtl_call().kind == OutcomeKind::Inject);
  EXPECT(world.vp().active == Vtl::Vtl0);
}

TEST_CASE("call and return continue each VTL after its own VMCALL") {
  CONFORMANCE("HvCallVtlReturn", "each VTL goes on after its own VMCALL", "TLFS 15.6, 15.7");
  World world;
  world.enable_vtl1();
  world.vp().context().rip = 0x5000;
  const Outcome call = world.vtl_call();
  EXPECT(call.kind == OutcomeKind::Resume);
  EXPECT(call.vtl_changed);
  EXPECT(call.ticks == 1);
  EXPECT(world.vp().contexts[Vtl::Vtl0].rip == 0x5003);
  EXPECT(world.vp().context().rip == good_context().rip);
  world.vp().context().rip = 0x7000;
  REQUIRE(world.vtl_return().vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl0);
  EXPECT(world.vp().context().rip == 0x5003);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.vp().context().rip == 0x7003);  // where VTL 1 left, not where it first started
  EXPECT(world.vp().contexts[Vtl::Vtl0].rip == 0x5006);
}

TEST_CASE("private registers stay with their VTL and shared ones travel") {
  CONFORMANCE("HvCallVtlCall",
              "RFLAGS, CR3, segments and the other private state stay with their VTL",
              "TLFS 15.11; KUT");
  World world;
  world.enable_vtl1();
  VirtualProcessor& vp = world.vp();
  vtl::VtlContext mark = vp.context();
  mark.rsp = 0xA0;
  mark.rflags = 0x10202;  // RF, IF
  mark.cr3 = 0xA000;
  mark.cr4 = 0xA1;
  mark.efer = 0xD01;
  mark.dr7 = 0xA2;
  mark.star = 0xA3;
  mark.lstar = 0xA4;
  mark.cstar = 0xA5;
  mark.sfmask = 0xA6;
  mark.kernel_gs_base = 0xA7;
  mark.sysenter_cs = 0xA8;
  mark.sysenter_esp = 0xA9;
  mark.sysenter_eip = 0xAA;
  mark.pat = 0x0606060606060606;
  mark.tsc_aux = 0xAB;
  mark.tsc_offset = 0xAC;
  mark.tpr = 0xAD;
  mark.segments[vtl::Gs].base = 0xAE;
  mark.ldtr.base = 0xAF;
  mark.tr.base = 0xB0;
  mark.gdtr = {0xB1, 0xB2};
  mark.idtr = {0xB3, 0xB4};
  vp.context() = mark;
  for (uint64_t i = 0; i < vtl::gpr_count; ++i)
    vp.shared.gpr[i] = 0xC0 + i;
  vp.shared.cr2 = 0xD0;
  vp.shared.dr = {1, 2, 3, 4};
  vp.shared.fp.xmm[10] = {5, 6};

  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(vp.context().cr3 == good_context().cr3);
  EXPECT(vp.context().rflags == 2);
  EXPECT(vp.context().tpr == 0);
  EXPECT(vp.context().lstar == 0);
  EXPECT(vp.context().tsc_offset == 0);
  EXPECT(vp.shared.gpr[vtl::Rbx] == 0xC0 + vtl::Rbx);
  EXPECT(vp.shared.cr2 == 0xD0);
  EXPECT(vp.shared.fp.xmm[10] == vtl::Xmm{5, 6});
  vp.shared.gpr[vtl::R12] = 0xE0;
  vp.context().lstar = 0xE1;
  vp.context().cr3 = 0xE2;

  REQUIRE(world.vtl_return(1).vtl_changed);
  mark.rip += 3;
  const vtl::VtlContext& back = vp.context();
  EXPECT(back.rip == mark.rip);
  EXPECT(back.rsp == mark.rsp);
  EXPECT(back.rflags == mark.rflags);
  EXPECT(back.cr3 == mark.cr3);
  EXPECT(back.lstar == mark.lstar);
  EXPECT(back.star == mark.star);
  EXPECT(back.kernel_gs_base == mark.kernel_gs_base);
  EXPECT(back.pat == mark.pat);
  EXPECT(back.tpr == mark.tpr);
  EXPECT(back.tsc_offset == mark.tsc_offset);
  EXPECT(back.segments == mark.segments);
  EXPECT(back.tr == mark.tr);
  EXPECT(back.gdtr == mark.gdtr);
  EXPECT(back.idtr == mark.idtr);
  EXPECT(vp.shared.gpr[vtl::R12] == 0xE0);
  EXPECT(vp.contexts[Vtl::Vtl1].lstar == 0xE1);
}

TEST_CASE("a return restores RAX and RCX from the assist page, unless it is fast") {
  CONFORMANCE("HvCallVtlReturn", "not fast: RAX and RCX come from the assist page", "TLFS 15.7.1");
  World world;
  world.enter_vtl1_ready();
  constexpr uint64_t control = assist_page1 + 8;
  world.write(control + 8, uint64_t{0x1111});
  world.write(control + 16, uint64_t{0x2222});
  SECTION("not fast") {
    REQUIRE(world.vtl_return(0).vtl_changed);
    EXPECT(world.vp().shared.gpr[vtl::Rax] == 0x1111);
    EXPECT(world.vp().shared.gpr[vtl::Rcx] == 0x2222);
  }
  SECTION("fast") {
    REQUIRE(world.vtl_return(1).vtl_changed);
    EXPECT(world.vp().shared.gpr[vtl::Rax] == 1);
    EXPECT(world.vp().shared.gpr[vtl::Rcx] == 0x12);
  }
}

TEST_CASE("the assist page tells why VTL 1 was entered") {
  CONFORMANCE("HvCallVtlCall", "EntryReason 1", "TLFS 15.5");
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.vtl_return().vtl_changed);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.read<VtlEntryReason>(assist_page1 + 8) == VtlEntryReason::VtlCall);
  REQUIRE(world.vtl_return().vtl_changed);
  EXPECT(world.read<uint64_t>(assist_page1) ==
         0);  // VTL 0 sees its own RAM there, not VTL 1's page
}

TEST_CASE("a VTL that has no assist page is entered and left without one") {
  World world;
  world.enable_vtl1();
  REQUIRE(world.vtl_call().vtl_changed);
  world.vp().shared.gpr[vtl::Rbx] = 7;
  REQUIRE(world.vtl_return(0).vtl_changed);
  EXPECT(world.vp().shared.gpr[vtl::Rax] == 0);
  EXPECT(world.vp().shared.gpr[vtl::Rcx] == 0x12);
  EXPECT(world.vp().shared.gpr[vtl::Rbx] == 7);
}

TEST_CASE("a return releases the TLB locks of the VTL that leaves") {
  CONFORMANCE("HvRegisterVsmVpSecureConfigVtl0", "a VTL return releases TlbLocked", "TLFS 15.11");
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.set(RegisterName::VsmVpSecureConfigVtl0, 2) == HvStatus::Success);
  EXPECT(world.get(RegisterName::VsmVpSecureConfigVtl0) == 2);
  REQUIRE(world.vtl_return().vtl_changed);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.get(RegisterName::VsmVpSecureConfigVtl0) == 0);
}

TEST_CASE("a flush of a processor whose TLB VTL 1 locked waits until VTL 1 returns or unlocks") {
  CONFORMANCE("HvCallFlushVirtualAddressSpace",
              "waits while a higher VTL has locked the TLB",
              "KUT; TLFS 15.11");
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.enable_vp_vtl(1) == HvStatus::Success);
  for (int round = 0; round < 64; ++round) {
    REQUIRE(world.set(RegisterName::VsmVpSecureConfigVtl0, 2) == HvStatus::Success);
    world.current = &world.vps[1];
    world.write(input_page, FlushVirtualAddressSpace{0x1000, 0, 1});
    world.current->shared.gpr[vtl::Rcx] = 0x02;
    world.current->shared.gpr[vtl::Rdx] = input_page;
    const Outcome waiting = world.exit(ExitReason::Hypercall);
    EXPECT(waiting.kind == OutcomeKind::Resume);
    EXPECT(waiting.ticks == 1);
    EXPECT(world.current->shared.gpr[vtl::Rcx] == 0x02);
    // A flush of another processor does not wait.
    world.write(input_page, FlushVirtualAddressSpace{0x1000, 0, 2});
    EXPECT(world.exit(ExitReason::Hypercall).kind == OutcomeKind::Retire);
    world.current = &world.vps[0];
    if (round % 2 == 0) {
      REQUIRE(world.vtl_return().vtl_changed);
    } else {
      REQUIRE(world.set(RegisterName::VsmVpSecureConfigVtl0, 0) == HvStatus::Success);
    }
    world.current = &world.vps[1];
    world.write(input_page, FlushVirtualAddressSpace{0x1000, 0, 1});
    world.current->shared.gpr[vtl::Rcx] = 0x02;
    world.current->shared.gpr[vtl::Rdx] = input_page;
    EXPECT(world.exit(ExitReason::Hypercall).kind == OutcomeKind::Retire);
    EXPECT(world.status() == HvStatus::Success);
    world.current = &world.vps[0];
    if (round % 2 == 0) REQUIRE(world.vtl_call().vtl_changed);
  }
}

TEST_CASE("a VTL that waits in HLT still waits after a higher one ran") {
  World world;
  world.enter_vtl1_ready();
  REQUIRE(world.vtl_return().vtl_changed);
  EXPECT(world.exit(ExitReason::Halt).kind == OutcomeKind::Halt);
  EXPECT(world.vp().halted);
  vtl::VtlSwitch{world.memory}.enter(world.vp(), {Vtl::Vtl1, {}, false}, VtlEntryReason::Interrupt);
  EXPECT(!world.vp().halted);
  REQUIRE(world.vtl_return().vtl_changed);
  EXPECT(world.vp().halted);
}

TEST_CASE("switches announce themselves with the frame in RBX and XMM10 to XMM15") {
  World world;
  world.enable_vtl1();
  world.vp().shared.gpr[vtl::Rbx] = 0x100;
  for (uint64_t i = 0; i < 6; ++i)
    world.vp().shared.fp.xmm[10 + i] = {0x200 + 2 * i, 0x201 + 2 * i};
  REQUIRE(world.vtl_call().vtl_changed);
  const EventLog::Entry call = world.events.entries.back();
  EXPECT(call.kind == support::EventKind::VtlCall);
  EXPECT(call.vtl == Vtl::Vtl0);
  REQUIRE(call.frame.size() == 13);
  EXPECT(call.frame[0] == 0x100);
  for (uint64_t i = 0; i < 12; ++i)
    EXPECT(call.frame[1 + i] == 0x200 + i);
  REQUIRE(world.vtl_return(1).vtl_changed);
  const EventLog::Entry& back = world.events.entries.back();
  EXPECT(back.kind == support::EventKind::VtlReturn);
  EXPECT(back.vtl == Vtl::Vtl1);
  EXPECT(back.c == 1);
  EXPECT(world.hypervisor.statistics().vtl_calls == 1);
  EXPECT(world.hypervisor.statistics().vtl_returns == 1);
}
