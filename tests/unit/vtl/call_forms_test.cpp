// The forms of a call: who may make one, registers of both conventions, variable headers, output (sections 2.1, 2.3).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

constexpr uint64_t bit(unsigned n) {
  return uint64_t{1} << n;
}
constexpr uint64_t join(uint64_t high, uint64_t low) {
  return high << 32 | (low & 0xFFFFFFFF);
}

/// 32-bit protected mode, paging off, CPL 0.
void in_protected_mode(World& world) {
  vtl::VtlContext& context = world.vp().context();
  context.cr0 = 0x11;
  context.efer = 0;
  context.cr4 = 0;
  context.segments[vtl::Cs].attributes = 0xC09B;
}

/// A call with the registers of a 32-bit caller.
Outcome call32(World& world, uint64_t control, uint64_t input = 0, uint64_t output = 0) {
  auto& gpr = world.vp().shared.gpr;
  const auto set = [&](vtl::Gpr high, vtl::Gpr low, uint64_t value) {
    gpr[high] = 0xAAAAAAAA00000000 | value >> 32;  // upper halves do not exist in this mode
    gpr[low] = 0xBBBBBBBB00000000 | (value & 0xFFFFFFFF);
  };
  set(vtl::Rdx, vtl::Rax, control);
  set(vtl::Rbx, vtl::Rcx, input);
  set(vtl::Rdi, vtl::Rsi, output);
  return world.exit(ExitReason::Hypercall);
}
HypercallResult result32(World& world) {
  return {join(world.vp().shared.gpr[vtl::Rdx], world.vp().shared.gpr[vtl::Rax])};
}

}  // namespace

TEST_CASE("only CPL 0 in protected or 64-bit mode may call") {
  CONFORMANCE("Hypercall", "real mode, virtual-8086, CPL 3, compatibility segment -> #UD",
              "TLFS 3.3, 3.7");
  const auto outcome_of = [](auto change) {
    World world;
    change(world.vp().context());
    return world.vmcall(0x8).kind;
  };
  using vtl::VtlContext;
  EXPECT(outcome_of([](VtlContext&) {}) != OutcomeKind::Inject);
  EXPECT(outcome_of([](VtlContext& c) { c.cr0 = 0x10, c.efer = 0; }) == OutcomeKind::Inject);
  EXPECT(outcome_of([](VtlContext& c) { c.rflags |= bit(17), c.efer = 0; }) ==
         OutcomeKind::Inject);
  EXPECT(outcome_of([](VtlContext& c) { c.segments[vtl::Ss].attributes |= 3 << 5; }) ==
         OutcomeKind::Inject);
  EXPECT(outcome_of([](VtlContext& c) { c.segments[vtl::Cs].attributes = 0xC09B; }) ==
         OutcomeKind::Inject);
  EXPECT(outcome_of([](VtlContext& c) { c.efer = 0, c.segments[vtl::Cs].attributes = 0xC09B; }) !=
         OutcomeKind::Inject);
}

TEST_CASE("a 32-bit caller has its words in EDX:EAX, EBX:ECX and EDI:ESI") {
  CONFORMANCE("Hypercall", "x86 convention: input EDX:EAX, result EDX:EAX", "TLFS 3.7");
  World world;
  world.write(input_page, GetVpRegisters{partition_self, vp_self, {}, {}});
  world.write(input_page + 16, static_cast<uint32_t>(RegisterName::VpIndex));
  world.write(input_page + 20, static_cast<uint32_t>(RegisterName::GuestOsId));
  REQUIRE(world.wrmsr(msr::GuestOsId, 0x1234));
  in_protected_mode(world);
  EXPECT(call32(world, 0x50 | bit(33), input_page, output_page).kind == OutcomeKind::Retire);
  EXPECT(result32(world).status() == 0);
  EXPECT(result32(world).reps_completed() == 2);
  EXPECT(world.read<uint64_t>(output_page + 16) == 0x1234);

  // Fast: the two words are the parameters.
  in_protected_mode(world);
  EXPECT(call32(world, 0x8 | bit(16), 77, 0).kind == OutcomeKind::Retire);
  EXPECT(result32(world).status() == 0);
  EXPECT(call32(world, 0x50 | bit(27) | bit(32)).kind == OutcomeKind::Retire);
  EXPECT(result32(world).status() == static_cast<uint16_t>(HvStatus::InvalidHypercallInput));
}

TEST_CASE("an unfinished call of a 32-bit caller goes on in EDX:EAX") {
  CONFORMANCE("Hypercall", "rep continuation updates the rep start index of the caller's mode",
              "TLFS 3.8");
  vtl::HypervisorConfig config;
  config.reps_per_entry = 1;
  World world{config};
  world.write(input_page, GetVpRegisters{partition_self, vp_self, {}, {}});
  world.write(input_page + 16, static_cast<uint32_t>(RegisterName::VpIndex));
  world.write(input_page + 20, static_cast<uint32_t>(RegisterName::VpIndex));
  in_protected_mode(world);
  EXPECT(call32(world, 0x50 | bit(33), input_page, output_page).kind == OutcomeKind::Resume);
  EXPECT(result32(world).raw == (0x50 | bit(33) | bit(48)));
  EXPECT(world.exit(ExitReason::Hypercall).kind == OutcomeKind::Retire);
  EXPECT(result32(world).reps_completed() == 2);
}

TEST_CASE("a 32-bit VTL 0 calls VTL 1 with its control in ECX") {
  CONFORMANCE("HvCallVtlCall", "x86 stub: control in ECX, code in EDX:EAX", "TLFS 15.6.1.2");
  World world;
  world.enable_vtl1();
  in_protected_mode(world);
  EXPECT(call32(world, 0x11, 1).kind == OutcomeKind::Inject);
  EXPECT(call32(world, 0x11 | bit(32), 0).kind == OutcomeKind::Inject);
  EXPECT(call32(world, 0x11, 0).vtl_changed);
  EXPECT(world.vp().active == Vtl::Vtl1);
}

TEST_CASE("simple calls write their output to memory, or behind their fast input") {
  CONFORMANCE("Hypercall", "XMM output begins after the input rounded up to 16 bytes", "TLFS 3.7.3");
  World world;
  world.vmcall(0x8001, 0, output_page + 8);
  EXPECT(world.status() == HvStatus::Success);
  world.write(output_page, uint64_t{0x77});
  world.vmcall(0x8001, 0, output_page + 4);
  EXPECT(world.status() == HvStatus::InvalidAlignment);

  REQUIRE(world.wrmsr(msr::Scontrol, 1));
  REQUIRE(world.wrmsr(msr::Siefp, 0x31001));
  REQUIRE(world.wrmsr(msr::Sint0 + 2, 0x40));
  world.vp().shared.fp.xmm[0] = {0xAA, 0xBB};
  world.vp().shared.fp.xmm[1] = {0xCC, 0xDD};
  world.vmcall(control_for(CallCode::SignalEventDirect, 0, true).raw, partition_self,
               uint64_t{5} << 48 | uint64_t{2} << 40 | vp_self);
  EXPECT(world.status() == HvStatus::Success);
  EXPECT(world.vp().shared.fp.xmm[0].low == 1);
  EXPECT(world.vp().shared.fp.xmm[1].low == 0xCC);  // not part of the output
}

TEST_CASE("a call that fails writes no output") {
  World world;
  world.write(output_page, uint64_t{0x77});
  SignalEventDirect input{partition_self, 9, 0, 2, 1};
  EXPECT(world.slow(CallCode::SignalEventDirect, input) == HvStatus::InvalidVpIndex);
  EXPECT(world.read<uint64_t>(output_page) == 0x77);
}

TEST_CASE("variable headers have the size that the control word says") {
  CONFORMANCE("Hypercall", "variable header on another call -> INVALID_HYPERCALL_INPUT",
              "TLFS 3.7");
  CONFORMANCE("HvCallFlushVirtualAddressSpaceEx", "banks unlike the mask -> "
              "INVALID_HYPERCALL_INPUT", "TLFS 7.8.7.3");
  World world;
  const auto call = [&](VpSet set, std::vector<uint64_t> banks, uint64_t qwords) {
    world.write(input_page, FlushVirtualAddressSpaceEx{0x1000, 0, set});
    for (size_t i = 0; i < banks.size(); ++i)
      world.write(input_page + 32 + 8 * i, banks[i]);
    world.vmcall(0x13 | qwords << 17, input_page);
    return world.status();
  };
  EXPECT(call({vp_set_sparse_4k, 1}, {1}, 1) == HvStatus::Success);
  EXPECT(call({vp_set_sparse_4k, 3}, {0, 1}, 2) == HvStatus::Success);
  EXPECT(call({vp_set_sparse_4k, 3}, {1}, 1) == HvStatus::InvalidHypercallInput);
  EXPECT(call({vp_set_sparse_4k, 1}, {1, 1}, 2) == HvStatus::InvalidHypercallInput);
  EXPECT(call({vp_set_all, 0}, {}, 0) == HvStatus::Success);
  EXPECT(call({2, 0}, {}, 0) == HvStatus::InvalidParameter);
  EXPECT(call({vp_set_sparse_4k, 1}, {0}, 1) == HvStatus::InvalidParameter);  // nobody
  EXPECT(call({vp_set_sparse_4k, 0}, {}, 0) == HvStatus::InvalidParameter);
  EXPECT(call({vp_set_sparse_4k, 1}, {1}, 1023) == HvStatus::InvalidAlignment);  // leaves the page
  world.vmcall(0x2 | bit(17), input_page);
  EXPECT(world.status() == HvStatus::InvalidHypercallInput);
}

TEST_CASE("variable headers of fast calls follow in the registers, and lists follow them") {
  World world;
  auto& fp = world.vp().shared.fp;
  fp.xmm[0] = {vp_set_sparse_4k, 1};
  fp.xmm[1] = {1, 0x5000};  // bank, then a range
  world.vmcall(0x14 | bit(16) | bit(17) | bit(32), 0x1000, 0);
  EXPECT(world.status() == HvStatus::Success);
  EXPECT(world.result().reps_completed() == 1);
  world.vmcall(0x13 | bit(16) | uint64_t{11} << 17, 0x1000, 0);
  EXPECT(world.status() == HvStatus::InvalidHypercallInput);  // 32 + 88 bytes: no such registers
}
