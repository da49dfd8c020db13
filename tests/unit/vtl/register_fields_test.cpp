// Each field of the VSM registers, and the rules of HvCallGetVpRegisters and HvCallSetVpRegisters (sections 3.1 to 3.8, 13).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

constexpr uint8_t target0 = 0x10, target1 = 0x11;
constexpr uint32_t number(RegisterName name) {
  return static_cast<uint32_t>(name);
}

struct Header {
  uint64_t partition{partition_self};
  uint32_t vp{vp_self};
  uint8_t vtl{};
};

HvStatus get_slow(World& world, Header h, uint32_t name) {
  const RegisterNameElement element{name};
  return world.slow(CallCode::GetVpRegisters, GetVpRegisters{h.partition, h.vp, {h.vtl}, {}},
                    std::span<const RegisterNameElement>{&element, 1});
}
HvStatus set_slow(World& world, Header h, uint32_t name) {
  const RegisterAssignment element{name, {}, {0, 0}};
  return world.slow(CallCode::SetVpRegisters, GetVpRegisters{h.partition, h.vp, {h.vtl}, {}},
                    std::span<const RegisterAssignment>{&element, 1});
}
HvStatus get_fast(World& world, Header h, uint32_t name, uint16_t count = 1) {
  world.current->shared.fp.xmm[0] = {name, 0};
  world.vmcall(control_for(CallCode::GetVpRegisters, count, true).raw, h.partition,
               uint64_t{h.vtl} << 32 | h.vp);
  return world.status();
}
HvStatus set_fast(World& world, Header h, uint32_t name, uint16_t count = 1) {
  world.current->shared.fp.xmm[0] = {name, 0};
  world.current->shared.fp.xmm[1] = {0, 0};
  world.vmcall(control_for(CallCode::SetVpRegisters, count, true).raw, h.partition,
               uint64_t{h.vtl} << 32 | h.vp);
  return world.status();
}

}  // namespace

TEST_CASE("Get and SetVpRegisters, slow and fast: who, which, how many") {
  for (const char* call : {"HvCallGetVpRegisters", "HvCallSetVpRegisters"}) {
    CONFORMANCE(call, "bad partition -> INVALID_PARTITION_ID", "TLFS 7.10");
    CONFORMANCE(call, "bad VP -> INVALID_VP_INDEX (slow, fast)", "KUT");
    CONFORMANCE(call, "VTL above the caller's -> ACCESS_DENIED (slow, fast)", "KUT, cvm");
    CONFORMANCE(call, "invalid VTL fails (slow, fast)", "KUT");
    CONFORMANCE(call, "unknown name -> UNKNOWN_REGISTER_NAME", "TLFS 7.10");
    CONFORMANCE(call, "no element -> INVALID_HYPERCALL_INPUT", "TLFS 3.7");
    CONFORMANCE(call, "more elements than registers fails (fast)", "KUT");
    CONFORMANCE(call, "architectural register of the own VTL -> ACCESS_DENIED", "cvm");
  }
  World world;
  world.enable_vtl1();
  const uint32_t id = number(RegisterName::GuestOsId);
  for (const auto form : {get_slow, set_slow}) {
    EXPECT(form(world, {.partition = 42}, id) == HvStatus::InvalidPartitionId);
    EXPECT(form(world, {.vp = 2}, id) == HvStatus::InvalidVpIndex);
    EXPECT(form(world, {.vp = vp_any}, id) == HvStatus::InvalidVpIndex);
    EXPECT(form(world, {.vtl = target1}, id) == HvStatus::AccessDenied);
    EXPECT(form(world, {.vtl = 0x1F}, id) == HvStatus::AccessDenied);
    EXPECT(form(world, {.vtl = 0xFF}, id) == HvStatus::InvalidParameter);
    EXPECT(form(world, {}, 0xFFFFFFFF) == HvStatus::UnknownRegisterName);
    EXPECT(form(world, {}, number(RegisterName::Rip)) == HvStatus::AccessDenied);
    EXPECT(form(world, {}, id) == HvStatus::Success);
  }
  for (const auto form : {get_fast, set_fast}) {
    EXPECT(form(world, {.partition = 42}, id, 1) == HvStatus::InvalidPartitionId);
    EXPECT(form(world, {.vp = 2}, id, 1) == HvStatus::InvalidVpIndex);
    EXPECT(form(world, {.vtl = target1}, id, 1) == HvStatus::AccessDenied);
    EXPECT(form(world, {.vtl = 0xFF}, id, 1) == HvStatus::InvalidParameter);
    EXPECT(form(world, {}, id, 0) == HvStatus::InvalidHypercallInput);
    EXPECT(form(world, {}, id, 5) == HvStatus::InvalidHypercallInput);
    EXPECT(form(world, {}, id, 1) == HvStatus::Success);
  }
}

TEST_CASE("status registers of a fresh partition, and after VTL 1 was enabled") {
  CONFORMANCE("HvRegisterVsmPartitionStatus", "EnabledVtlSet, MaximumVtl, MbecEnabledVtlSet",
              "TLFS 15.2.2.2; KUT");
  CONFORMANCE("HvRegisterVsmVpStatus", "ActiveVtl, ActiveMbecEnabled, EnabledVtlSet",
              "TLFS 15.2.2.3; KUT");
  World world;
  VsmPartitionStatus partition{world.get(RegisterName::VsmPartitionStatus)};
  EXPECT(partition.raw == 0x10001);
  EXPECT(VsmVpStatus{world.get(RegisterName::VsmVpStatus)}.raw == 0x10000);
  const VsmCapabilities capabilities{world.get(RegisterName::VsmCapabilities)};
  EXPECT((partition.mbec_enabled_vtl_set() & ~capabilities.mbec_vtl_mask()) == 0);

  REQUIRE(world.enable_partition_vtl(partition_self, 1, 1) == HvStatus::Success);
  partition = {world.get(RegisterName::VsmPartitionStatus)};
  EXPECT(partition.enabled_vtl_set() == 3);
  EXPECT(partition.maximum_vtl() == 1);
  EXPECT((partition.mbec_enabled_vtl_set() & ~capabilities.mbec_vtl_mask()) == 0);
  EXPECT(partition.mbec_enabled_vtl_set() != 0);
  EXPECT(partition.raw >> 36 == 0);  // no shadow stacks
  EXPECT(VsmVpStatus{world.get(RegisterName::VsmVpStatus)}.enabled_vtl_set() == 1);
  REQUIRE(world.enable_vp_vtl() == HvStatus::Success);
  EXPECT(VsmVpStatus{world.get(RegisterName::VsmVpStatus)}.enabled_vtl_set() == 3);
  REQUIRE(world.vtl_call().vtl_changed);
  const VsmVpStatus in_vtl1{world.get(RegisterName::VsmVpStatus)};
  EXPECT(in_vtl1.active_vtl() == 1);
  EXPECT(in_vtl1.enabled_vtl_set() == 3);
  EXPECT((in_vtl1.raw & 0xFFE0) == 0);
  // The same in the view of the other VTL, and of the other processor.
  EXPECT(world.get(RegisterName::VsmVpStatus, target0) == in_vtl1.raw);
  RegisterValue other{};
  REQUIRE(world.get(RegisterName::VsmVpStatus, other, target0, 1) == HvStatus::Success);
  EXPECT(other.low == 0x10000);
}

TEST_CASE("a machine without VSM says so") {
  CONFORMANCE("HvRegisterVsmPartitionStatus", "MaximumVtl is 0 if VSM is unavailable", "TLFS 15.2.2.2");
  vtl::HypervisorConfig config;
  config.maximum_vtl = 0;
  World world{config};
  EXPECT(world.get(RegisterName::VsmPartitionStatus) == 1);
  EXPECT(world.enable_partition_vtl() != HvStatus::Success);
}

TEST_CASE("capabilities and code page offsets") {
  CONFORMANCE("HvRegisterVsmCapabilities", "Dr6Shared, MbecVtlMask, DenyLowerVtlStartup as hvdef "
              "orders them", "hvdef");
  CONFORMANCE("HvRegisterVsmCodePageOffsets", "VtlCallOffset, VtlReturnOffset", "TLFS 15.6.3");
  World world;
  const uint64_t capabilities = world.get(RegisterName::VsmCapabilities);
  EXPECT((capabilities & 1) == 1);
  EXPECT(((capabilities >> 1) & 0xFFFF) == 3);
  EXPECT(((capabilities >> 17) & 1) == 1);
  EXPECT((capabilities & (uint64_t{7} << 18)) == 0);  // no shadow stacks, no HVPT
  const uint64_t offsets = world.get(RegisterName::VsmCodePageOffsets);
  EXPECT((offsets & 0xFFF) == 0x0F);
  EXPECT(((offsets >> 12) & 0xFFF) == 0x28);
  EXPECT(offsets >> 24 == 0);
  for (const RegisterName name :
       {RegisterName::VsmCapabilities, RegisterName::VsmCodePageOffsets,
        RegisterName::VsmPartitionStatus, RegisterName::VsmVpStatus,
        RegisterName::VsmVpWaitForTlbLock, RegisterName::Sversion, RegisterName::VpIndex}) {
    INFO(number(name));
    EXPECT(world.set(name, 0) == HvStatus::AccessDenied);
  }
}

TEST_CASE("VsmVina: vector, enabled, AutoReset, AutoEoi; the rest is RsvdP") {
  CONFORMANCE("HvRegisterVsmVina", "fields; reserved bits read as they were", "TLFS 15.12.4");
  CONFORMANCE("HvRegisterVsmVina", "VTL 0 -> INVALID_PARAMETER", "cvm");
  World world;
  EXPECT(world.set(RegisterName::VsmVina, 0) == HvStatus::InvalidParameter);
  world.enter_vtl1_ready();
  for (unsigned bit = 0; bit < 64; ++bit) {
    INFO(bit);
    const uint64_t value = 0x80 | uint64_t{1} << bit;
    REQUIRE(world.set(RegisterName::VsmVina, value) == HvStatus::Success);
    EXPECT(world.get(RegisterName::VsmVina) == (value & 0x7FF));
  }
  EXPECT(world.set(RegisterName::VsmVina, 0x100) == HvStatus::InvalidRegisterValue);
  EXPECT(world.set(RegisterName::VsmVina, 0) == HvStatus::Success);
}

TEST_CASE("PendingEvent0 and 1 of a lower VTL") {
  CONFORMANCE("HvRegisterPendingEvent0", "exception: vector, error code, parameter", "section 3.6");
  CONFORMANCE("HvRegisterPendingEvent0", "target VTL not below -> INVALID_PARAMETER", "cvm");
  CONFORMANCE("HvRegisterPendingEvent0", "other types, vectors above 31, NMI -> INVALID_REGISTER_VALUE",
              "section 3.6");
  World world;
  world.enter_vtl1_ready();
  const auto event = PendingExceptionEvent{}
                         .with_event_pending(true)
                         .with_vector(14)
                         .with_deliver_error_code(true)
                         .with_error_code(6);
  REQUIRE(world.set(RegisterName::PendingEvent0, event.raw, target0, 0x1234) == HvStatus::Success);
  const vtl::VtlContext& lower = world.vp().contexts[Vtl::Vtl0];
  EXPECT(lower.exception_pending);
  EXPECT(lower.pending.vector == 14);
  EXPECT(lower.pending.error_code == 6);
  EXPECT(lower.pending.parameter == 0x1234);
  RegisterValue back{};
  REQUIRE(world.get(RegisterName::PendingEvent0, back, target0) == HvStatus::Success);
  EXPECT(back.low == event.raw);
  EXPECT(back.high == 0x1234);
  const auto refused = [&](PendingExceptionEvent bad) {
    return world.set(RegisterName::PendingEvent0, bad.raw, target0) ==
           HvStatus::InvalidRegisterValue;
  };
  EXPECT(refused(event.with_event_type(1)));
  EXPECT(refused(event.with_event_type(5)));
  EXPECT(refused(event.with_vector(32)));
  EXPECT(refused(event.with_vector(2)));
  EXPECT(world.set(RegisterName::PendingEvent1, 0, target0) == HvStatus::Success);
  EXPECT(world.set(RegisterName::PendingEvent0, event.raw) == HvStatus::InvalidParameter);
  EXPECT(world.set(RegisterName::PendingEvent1, 0) == HvStatus::InvalidParameter);
}

TEST_CASE("PendingInterruption of a lower VTL: an NMI or an exception") {
  CONFORMANCE("HvRegisterPendingInterruption", "NMI and exception types; others -> "
              "INVALID_REGISTER_VALUE", "section 3.6");
  World world;
  world.enter_vtl1_ready();
  world.vp().contexts[Vtl::Vtl0].halted = true;
  const auto pending = PendingInterruption{}.with_interruption_pending(true);
  const auto nmi = pending.with_interruption_type(2).with_interruption_vector(2);
  const auto write = [&](PendingInterruption value) {
    return world.set(RegisterName::PendingInterruption, value.raw, target0);
  };
  REQUIRE(write(nmi) == HvStatus::Success);
  const vtl::VtlContext& lower = world.vp().contexts[Vtl::Vtl0];
  EXPECT(lower.nmi_pending);
  EXPECT(!lower.halted);
  EXPECT(world.get(RegisterName::PendingInterruption, target0) == nmi.raw);
  const auto fault = pending.with_interruption_type(3)
                         .with_interruption_vector(13)
                         .with_deliver_error_code(true)
                         .with_error_code(0x18);
  REQUIRE(write(fault) == HvStatus::Success);
  EXPECT(lower.exception_pending);
  EXPECT(world.get(RegisterName::PendingInterruption, target0) == fault.raw);
  EXPECT(write(pending.with_interruption_type(0).with_interruption_vector(0x40)) ==
         HvStatus::InvalidRegisterValue);
  EXPECT(write(pending.with_interruption_type(4).with_interruption_vector(3)) ==
         HvStatus::InvalidRegisterValue);
  EXPECT(write(nmi.with_interruption_vector(3)) == HvStatus::InvalidRegisterValue);
  EXPECT(write(fault.with_interruption_vector(32)) == HvStatus::InvalidRegisterValue);
  REQUIRE(write({}) == HvStatus::Success);
  EXPECT((!lower.nmi_pending && !lower.exception_pending));
  EXPECT(world.get(RegisterName::PendingInterruption, target0) == 0);
}

TEST_CASE("InterruptState of a lower VTL") {
  CONFORMANCE("HvRegisterInterruptState", "interrupt shadow, NMI masked", "TLFS 7.9.1");
  World world;
  world.enter_vtl1_ready();
  for (uint64_t value = 0; value < 4; ++value) {
    REQUIRE(world.set(RegisterName::InterruptState, value, target0) == HvStatus::Success);
    EXPECT(world.get(RegisterName::InterruptState, target0) == value);
    EXPECT(world.vp().contexts[Vtl::Vtl0].interrupt_shadow == ((value & 1) != 0));
    EXPECT(world.vp().contexts[Vtl::Vtl0].nmi_masked == ((value & 2) != 0));
  }
}

TEST_CASE("floating point by name") {
  CONFORMANCE("HvX64RegisterFpControlStatus", "fields as FXSAVE has them; reserved -> "
              "INVALID_REGISTER_VALUE", "TLFS 7.8");
  CONFORMANCE("HvX64RegisterXmmControlStatus", "MXCSR with its mask; reserved -> "
              "INVALID_REGISTER_VALUE", "TLFS 7.8");
  World world;
  world.enter_vtl1_ready();
  RegisterValue value{};
  REQUIRE(world.get(RegisterName::FpControlStatus, value, target0) == HvStatus::Success);
  EXPECT(value.low == 0x37F);
  REQUIRE(world.set(RegisterName::FpControlStatus, 0x0123'00FF'4567'027F, target0, 0xAB) ==
          HvStatus::Success);
  const vtl::FloatingPoint& fp = world.vp().shared.fp;
  EXPECT(fp.control == 0x027F);
  EXPECT(fp.status == 0x4567);
  EXPECT(fp.tag == 0xFF);
  EXPECT(fp.opcode == 0x0123);
  EXPECT(fp.instruction == 0xAB);
  EXPECT(world.set(RegisterName::FpControlStatus, uint64_t{1} << 40, target0) ==
         HvStatus::InvalidRegisterValue);
  REQUIRE(world.get(RegisterName::XmmControlStatus, value, target0) == HvStatus::Success);
  EXPECT(value.high == 0x0000FFFF'00001F80);
  REQUIRE(world.set(RegisterName::XmmControlStatus, 0x77, target0, 0x1F00) == HvStatus::Success);
  EXPECT(fp.mxcsr == 0x1F00);
  EXPECT(fp.operand == 0x77);
  EXPECT(world.set(RegisterName::XmmControlStatus, 0, target0, 0x10000) ==
         HvStatus::InvalidRegisterValue);
  REQUIRE(world.set(RegisterName::FpMmx3, 5, target0, 0x3FFF) == HvStatus::Success);
  EXPECT(fp.st[3] == vtl::Xmm{5, 0x3FFF});
}

TEST_CASE("timers, run time and reference time by name") {
  CONFORMANCE("HvRegisterStimer0Config", "the same register as the MSR", "hvdef");
  CONFORMANCE("HvRegisterTimeRefCount", "100 ns units, read-only", "TLFS 12.4");
  World world;
  EXPECT(world.set(RegisterName::Stimer2Count, 77) == HvStatus::Success);
  EXPECT(world.rdmsr(msr::Stimer0Count + 4) == 77);
  EXPECT(world.set(RegisterName::Stimer1Config, 1u << 13) == HvStatus::InvalidRegisterValue);
  world.now = Instant{2000};
  EXPECT(world.get(RegisterName::TimeRefCount) == 10);
  EXPECT(world.set(RegisterName::TimeRefCount, 0) == HvStatus::AccessDenied);
  world.vp().run_ticks = 600;
  EXPECT(world.get(RegisterName::VpRuntime) == 3);
}

TEST_CASE("each VTL has its own reference TSC page, TPR and registers of its own") {
  CONFORMANCE("HV_X64_MSR_REFERENCE_TSC", "one page per VTL", "KUT");
  CONFORMANCE("HV_X64_MSR_TPR", "isolated between VTLs", "KUT");
  CONFORMANCE("HvCallVtlCall", "RFLAGS, CR3, segments isolated per VTL", "KUT; TLFS 15.11");
  World world;
  world.enable_apic();
  REQUIRE(world.wrmsr(msr::ReferenceTsc, 0x50001));
  REQUIRE(world.wrmsr(msr::Tpr, 0x30));
  const vtl::VtlContext before = world.vp().context();
  world.enter_vtl1_ready();
  EXPECT(world.rdmsr(msr::ReferenceTsc) == 0);
  EXPECT(world.rdmsr(msr::Tpr) == 0);
  REQUIRE(world.wrmsr(msr::ReferenceTsc, 0x51001));
  REQUIRE(world.wrmsr(msr::Tpr, 0x40));
  EXPECT(world.read<ReferenceTscPage>(0x51000).tsc_sequence == 1);
  world.vp().context().rflags = 0x246;
  world.vp().context().cr3 = 0x700000;
  world.vp().context().segments[vtl::Ds].selector = 0x2B;
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.rdmsr(msr::ReferenceTsc) == 0x50001);
  EXPECT(world.rdmsr(msr::Tpr) == 0x30);
  EXPECT(world.read<ReferenceTscPage>(0x50000).tsc_sequence == 1);
  EXPECT(world.vp().context().rflags == before.rflags);
  EXPECT(world.vp().context().cr3 == before.cr3);
  EXPECT(world.vp().context().segments == before.segments);
}

TEST_CASE("VTL switches that are not allowed are #UD") {
  CONFORMANCE("HvCallVtlCall", "control not 0 -> #UD", "TLFS 15.6.1.1");
  CONFORMANCE("HvCallVtlCall", "no VTL above, or not enabled on this VP -> #UD", "TLFS 15.6.1.1");
  CONFORMANCE("HvCallVtlReturn", "from VTL 0 -> #UD", "TLFS 15.7.1");
  CONFORMANCE("HvCallVtlReturn", "control above bit 0 -> #UD", "TLFS 15.7.1");
  CONFORMANCE("HvCallVtlCall", "CPL 3 -> #UD", "TLFS 15.6.1.1");
  World world;
  EXPECT(world.vtl_call().kind == OutcomeKind::Inject);
  EXPECT(world.vtl_return().kind == OutcomeKind::Inject);
  world.enable_vtl1();
  EXPECT(world.vtl_call(1).kind == OutcomeKind::Inject);
  EXPECT(world.vtl_return().kind == OutcomeKind::Inject);
  world.current = &world.vps[1];
  EXPECT(world.vtl_call().kind == OutcomeKind::Inject);
  world.current = &world.vps[0];
  world.vp().context().segments[vtl::Ss].attributes |= 3 << 5;
  EXPECT(world.vtl_call().kind == OutcomeKind::Inject);
  world.vp().context().segments[vtl::Ss].attributes ^= 3 << 5;
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.vtl_call().kind == OutcomeKind::Inject);
  EXPECT(world.vtl_return(2).kind == OutcomeKind::Inject);
  EXPECT(world.vtl_return(1).vtl_changed);
}
