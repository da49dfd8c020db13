#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"
#include "vtl/register_rules.h"

using namespace test;

namespace {

constexpr uint8_t target0 = 0x10, target1 = 0x11, target2 = 0x12;

struct Header {
  uint64_t partition = partition_self;
  uint32_t vp = vp_self;
  uint8_t vtl = 0;
};

HvStatus get(World& world, Header header, uint32_t name) {
  const RegisterNameElement element{name};
  return world.slow(CallCode::GetVpRegisters,
                    GetVpRegisters{header.partition, header.vp, InputVtl{header.vtl}, {}},
                    std::span<const RegisterNameElement>{&element, 1});
}
HvStatus set(World& world, Header header, uint32_t name, uint64_t value = 0) {
  const RegisterAssignment element{name, {}, {value, 0}};
  return world.slow(CallCode::SetVpRegisters,
                    GetVpRegisters{header.partition, header.vp, InputVtl{header.vtl}, {}},
                    std::span<const RegisterAssignment>{&element, 1});
}
constexpr uint32_t number(RegisterName name) {
  return static_cast<uint32_t>(name);
}

}  // namespace

TEST_CASE("register calls answer each wrong header with its status, in memory and in registers") {
  CONFORMANCE("HvCallGetVpRegisters",
              "bad VP index -> INVALID_VP_INDEX, in memory and fast",
              "KUT");
  CONFORMANCE("HvCallSetVpRegisters",
              "bad VP index -> INVALID_VP_INDEX, in memory and fast",
              "KUT");
  CONFORMANCE("HvCallGetVpRegisters", "VTL 1 from VTL 0 -> ACCESS_DENIED", "KUT; cvm");
  CONFORMANCE("HvCallSetVpRegisters", "VTL 1 from VTL 0 -> ACCESS_DENIED", "KUT; cvm");
  CONFORMANCE("HvCallGetVpRegisters",
              "unknown register -> UNKNOWN_REGISTER_NAME",
              "hvdef (KUT: INVALID_PARAMETER)");
  struct Row {
    const char* what;
    Header header;
    HvStatus status;
  };
  const Row rows[] = {
      {"self", {}, HvStatus::Success},
      {"by number", {1, 0, target0}, HvStatus::Success},
      {"the other processor", {partition_self, 1, 0}, HvStatus::Success},
      {"bad partition", {42, vp_self, 0}, HvStatus::InvalidPartitionId},
      {"VP 2 of 2", {partition_self, 2, 0}, HvStatus::InvalidVpIndex},
      {"VP any", {partition_self, vp_any, 0}, HvStatus::InvalidVpIndex},
      {"VTL 1 from VTL 0", {partition_self, vp_self, target1}, HvStatus::AccessDenied},
      {"VTL 2 from VTL 0", {partition_self, vp_self, target2}, HvStatus::AccessDenied},
      {"invalid VTL", {partition_self, vp_self, 0x1F}, HvStatus::AccessDenied},
      {"reserved bits of the VTL", {partition_self, vp_self, 0x80}, HvStatus::InvalidParameter},
      {"all ones", {partition_self, vp_self, 0xFF}, HvStatus::InvalidParameter},
      {"number without the use bit", {partition_self, vp_self, 0x01}, HvStatus::Success},
  };
  World world;
  world.enable_vtl1();
  for (const Row& row : rows) {
    INFO(row.what);
    EXPECT(get(world, row.header, number(RegisterName::GuestOsId)) == row.status);
    EXPECT(set(world, row.header, number(RegisterName::GuestOsId), 5) == row.status);
    world.vp().shared.fp.xmm[0] = {number(RegisterName::GuestOsId), 0};
    world.vmcall(control_for(CallCode::GetVpRegisters, 1, true).raw, row.header.partition,
                 uint64_t{row.header.vtl} << 32 | row.header.vp);
    EXPECT(world.status() == row.status);
  }
}

TEST_CASE("a partition without AccessVpRegisters may not ask for registers") {
  CONFORMANCE("HvCallGetVpRegisters", "without AccessVpRegisters -> ACCESS_DENIED", "TLFS 4.2.2");
  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_access_vp_registers(false);
  World world{config};
  EXPECT(get(world, {}, number(RegisterName::VpIndex)) == HvStatus::AccessDenied);
  EXPECT(set(world, {}, number(RegisterName::GuestOsId)) == HvStatus::AccessDenied);
}

TEST_CASE("each register answers reads and writes as its row says") {
  World world;
  world.enter_vtl1_ready();
  for (const RegisterInfo& row : vp_registers) {
    INFO(row.name);
    const uint32_t name = number(row.number);
    const bool architectural = name >= 0x10000 && name < 0x90000;
    const Header target{partition_self, vp_self, architectural ? target0 : uint8_t{0}};
    if (row.access == RegisterAccess::Unknown) {
      EXPECT(get(world, target, name) == HvStatus::UnknownRegisterName);
      EXPECT(set(world, target, name) == HvStatus::UnknownRegisterName);
      continue;
    }
    if (row.number == RegisterName::VsmVpSecureConfigVtl1) {
      EXPECT(get(world, target, name) == HvStatus::InvalidParameter);  // VTL 1 is not above 1
      continue;
    }
    EXPECT(get(world, target, name) == HvStatus::Success);
    if (row.access == RegisterAccess::ReadOnly) {
      EXPECT(set(world, target, name) == HvStatus::AccessDenied);
    }
    if (architectural) {
      const bool event = row.number == RegisterName::PendingEvent0 ||
                         row.number == RegisterName::PendingEvent1;
      const HvStatus own = event ? HvStatus::InvalidParameter : HvStatus::AccessDenied;
      EXPECT(get(world, {}, name) == own);
      EXPECT(set(world, {}, name) == own);
    }
  }
  EXPECT(get(world, {}, 0xDEAD) == HvStatus::UnknownRegisterName);
  EXPECT(set(world, {}, 0xDEAD) == HvStatus::UnknownRegisterName);
}

TEST_CASE("VTL 1 reads and writes the private registers of VTL 0") {
  struct Row {
    RegisterName name;
    uint64_t value, stored;
    uint64_t vtl::VtlContext::* field;
  };
  using C = vtl::VtlContext;
  const Row rows[] = {
      {RegisterName::Rip, 0xFFFFF80000001234, 0xFFFFF80000001234, &C::rip},
      {RegisterName::Rsp, 0x1234, 0x1234, &C::rsp},
      {RegisterName::Rflags, 0x240, 0x242, &C::rflags},
      {RegisterName::Cr0, 0x80010031, 0x80010031, &C::cr0},
      {RegisterName::Cr0, 0x8001FFC1, 0x80010011, &C::cr0},  // reserved low bits are dropped
      {RegisterName::Cr3, 0x2000, 0x2000, &C::cr3},
      {RegisterName::Cr4, 0x3006A0, 0x3006A0, &C::cr4},
      {RegisterName::Efer, 0xD01, 0xD01, &C::efer},
      {RegisterName::Dr7, 0x1, 0x401, &C::dr7},
      {RegisterName::KernelGsBase, 0xFFFFF80000000000, 0xFFFFF80000000000, &C::kernel_gs_base},
      {RegisterName::Pat, 0x0606060606060606, 0x0606060606060606, &C::pat},
      {RegisterName::SysenterCs, 0x10, 0x10, &C::sysenter_cs},
      {RegisterName::SysenterEip, 0x1000, 0x1000, &C::sysenter_eip},
      {RegisterName::SysenterEsp, 0x2000, 0x2000, &C::sysenter_esp},
      {RegisterName::Star, 0x0023001000000000, 0x0023001000000000, &C::star},
      {RegisterName::Lstar, 0xFFFFF80000005000, 0xFFFFF80000005000, &C::lstar},
      {RegisterName::Cstar, 0xFFFFF80000006000, 0xFFFFF80000006000, &C::cstar},
      {RegisterName::Sfmask, 0x4700, 0x4700, &C::sfmask},
      {RegisterName::TscAux, 3, 3, &C::tsc_aux},
  };
  World world;
  world.enter_vtl1_ready();
  vtl::VtlContext& lower = world.vp().contexts[Vtl::Vtl0];
  for (const Row& row : rows) {
    INFO(number(row.name));
    const uint64_t changes = lower.changes;
    const uint64_t own = world.vp().context().*row.field;
    REQUIRE(world.set(row.name, row.value, target0) == HvStatus::Success);
    EXPECT(lower.*row.field == row.stored);
    EXPECT(world.get(row.name, target0) == row.stored);
    EXPECT(lower.changes > changes);  // an engine that caches the context must notice
    EXPECT(world.vp().context().*row.field == own);
  }
}

TEST_CASE("values that a register cannot hold are refused and change nothing") {
  CONFORMANCE("HvCallSetVpRegisters",
              "non-canonical, reserved or contradicting values -> INVALID_REGISTER_VALUE",
              "cvm");
  struct Row {
    RegisterName name;
    uint64_t value;
  };
  const Row rows[] = {
      {RegisterName::Rip, 0x0000800000000000},
      {RegisterName::Rflags, 0x8},
      {RegisterName::Cr0, uint64_t{1} << 32},
      {RegisterName::Cr0, 0x80000000},
      {RegisterName::Cr0, 0x20000001},
      {RegisterName::Cr3, uint64_t{1} << 40},
      {RegisterName::Cr4, uint64_t{1} << 13},
      {RegisterName::Xss, 1},
      {RegisterName::MsrIa32MiscEnable, 2},
      {RegisterName::PendingEvent1, 1},
      {RegisterName::Cr8, 16},
      {RegisterName::Efer, 0x1000},
      {RegisterName::Efer, 0x400},
      {RegisterName::Pat, 0x02},
      {RegisterName::SysenterEip, 0x8000000000000000},
      {RegisterName::SysenterEsp, 0x8000000000000000},
      {RegisterName::Lstar, 0x8000000000000000},
      {RegisterName::Cstar, 0x8000000000000000},
      {RegisterName::KernelGsBase, 0x8000000000000000},
      {RegisterName::Sfmask, uint64_t{1} << 32},
      {RegisterName::Dr7, uint64_t{1} << 32},
      {RegisterName::Dr6, uint64_t{1} << 32},
  };
  World world;
  world.enter_vtl1_ready();
  for (const Row& row : rows) {
    INFO(number(row.name) << " = " << row.value);
    const uint64_t before = world.get(row.name, target0);
    EXPECT(world.set(row.name, row.value, target0) == HvStatus::InvalidRegisterValue);
    EXPECT(world.get(row.name, target0) == before);
  }
}

TEST_CASE("with five levels an address of 57 bits is canonical, and one of 58 is not") {
  World world;
  world.enter_vtl1_ready();
  constexpr uint64_t highest = 0x00FF'FFFF'FFFF'F000, too_wide = 0x0100'0000'0000'0000;
  const uint64_t data = uint64_t{0xC093} << 48 | uint64_t{0x10} << 32 | 0xFFFFFFFF;
  const auto expect = [&](uint64_t address, HvStatus status) {
    for (const RegisterName name : {RegisterName::Rip, RegisterName::Lstar, RegisterName::KernelGsBase}) {
      INFO(number(name) << " = " << address);
      EXPECT(world.set(name, address, target0) == status);
    }
    EXPECT(world.set(RegisterName::Gs, address, target0, data) == status);
    EXPECT(world.set(RegisterName::Gdtr, uint64_t{0x57} << 48, target0, address) == status);
  };
  vtl::VtlContext& lower = world.vp().contexts[Vtl::Vtl0];
  lower.cr4 &= ~(uint64_t{1} << 12);
  expect(highest, HvStatus::InvalidRegisterValue);
  expect(~highest, HvStatus::InvalidRegisterValue);
  lower.cr4 |= uint64_t{1} << 12;
  expect(highest, HvStatus::Success);
  expect(~highest, HvStatus::Success);
  expect(too_wide, HvStatus::InvalidRegisterValue);
}

TEST_CASE("segments, tables, XMM, CR8, TSC and the interrupt state travel as 16 bytes") {
  World world;
  world.enter_vtl1_ready();
  vtl::VtlContext& lower = world.vp().contexts[Vtl::Vtl0];
  const uint64_t cs = uint64_t{0xA09B} << 48 | uint64_t{0x10} << 32 | 0xFFFFFFFF;
  REQUIRE(world.set(RegisterName::Cs, 0x1000, target0, cs) == HvStatus::Success);
  EXPECT(lower.segments[vtl::Cs] == vtl::Segment{0x1000, 0xFFFFFFFF, 0x10, 0xA09B});
  RegisterValue value{};
  REQUIRE(world.get(RegisterName::Cs, value, target0) == HvStatus::Success);
  EXPECT(value.high == cs);
  EXPECT(world.set(RegisterName::Gs, uint64_t{1} << 60, target0, cs) ==
         HvStatus::InvalidRegisterValue);

  REQUIRE(world.set(RegisterName::Gdtr, uint64_t{0x57} << 48, target0, 0xFFFFF80000000100) ==
          HvStatus::Success);
  EXPECT(lower.gdtr == vtl::DescriptorTable{0xFFFFF80000000100, 0x57});
  EXPECT(world.set(RegisterName::Idtr, 0, target0, uint64_t{1} << 60) ==
         HvStatus::InvalidRegisterValue);

  REQUIRE(world.set(RegisterName::Xmm10, 1, target0, 2) == HvStatus::Success);
  EXPECT(world.vp().shared.fp.xmm[10] == vtl::Xmm{1, 2});
  REQUIRE(world.set(RegisterName::Cr8, 0xF, target0) == HvStatus::Success);
  EXPECT(lower.tpr == 0xF0);
  EXPECT(world.get(RegisterName::Cr8, target0) == 0xF);
  REQUIRE(world.set(RegisterName::Tsc, 5000, target0) == HvStatus::Success);
  EXPECT(lower.tsc_offset == 4000);  // it is instant 1000
  EXPECT(world.get(RegisterName::Tsc, target0) == 5000);
  REQUIRE(world.set(RegisterName::InterruptState, 1, target0) == HvStatus::Success);
  EXPECT(lower.interrupt_shadow);
  REQUIRE(world.set(RegisterName::Rbx, 0x77, target0) == HvStatus::Success);
  EXPECT(world.vp().shared.gpr[vtl::Rbx] == 0x77);
}

TEST_CASE("a changed CR3 of VTL 0 drops its translations") {
  World world;
  world.enter_vtl1_ready();
  const uint64_t epoch = world.translator.epoch(1, Vtl::Vtl0);
  REQUIRE(world.set(RegisterName::Cr3, 0x9000, target0) == HvStatus::Success);
  EXPECT(world.translator.epoch(1, Vtl::Vtl0) != epoch);
}

TEST_CASE("PendingEvent0 injects an exception into a lower VTL only") {
  CONFORMANCE("HvRegisterPendingEvent0",
              "target VTL not below the caller's -> INVALID_PARAMETER",
              "cvm");
  World world;
  const auto event = PendingExceptionEvent{}
                         .with_event_pending(true)
                         .with_deliver_error_code(true)
                         .with_vector(13)
                         .with_error_code(0);
  EXPECT(world.set(RegisterName::PendingEvent0, event.raw) == HvStatus::InvalidParameter);
  world.enter_vtl1_ready();
  EXPECT(world.set(RegisterName::PendingEvent0, event.raw) == HvStatus::InvalidParameter);
  world.vp().contexts[Vtl::Vtl0].halted = true;
  REQUIRE(world.set(RegisterName::PendingEvent0, event.raw, target0, 0xABC) == HvStatus::Success);
  const vtl::VtlContext& lower = world.vp().contexts[Vtl::Vtl0];
  EXPECT(lower.exception_pending);
  EXPECT(lower.pending.vector == 13);
  EXPECT(lower.pending.has_error_code);
  EXPECT(lower.pending.error_code == 0);
  EXPECT(lower.pending.parameter == 0xABC);
  EXPECT(!lower.halted);
  EXPECT(!world.vp().contexts[Vtl::Vtl1].exception_pending);
  RegisterValue value{};
  REQUIRE(world.get(RegisterName::PendingEvent0, value, target0) == HvStatus::Success);
  EXPECT(value.low == event.raw);
  EXPECT(value.high == 0xABC);

  for (const auto bad : {event.with_event_type(1), event.with_vector(32), event.with_vector(2)}) {
    EXPECT(world.set(RegisterName::PendingEvent0, bad.raw, target0) ==
           HvStatus::InvalidRegisterValue);
  }
  REQUIRE(world.set(RegisterName::PendingEvent0, 0, target0) == HvStatus::Success);
  EXPECT(!lower.exception_pending);
}

TEST_CASE("VSM registers belong to the VTLs above 0") {
  CONFORMANCE("HvRegisterVsmVina", "VTL 0 -> INVALID_PARAMETER", "cvm");
  CONFORMANCE("HvX64RegisterCrInterceptControl", "target VTL 0 -> INVALID_PARAMETER", "cvm");
  CONFORMANCE("HvX64RegisterCrInterceptControl",
              "undefined bits -> INVALID_REGISTER_VALUE",
              "our choice");
  CONFORMANCE("HvRegisterVsmPartitionConfig",
              "bits that are reserved or not offered -> INVALID_REGISTER_VALUE",
              "TLFS 15.2.2");
  CONFORMANCE("HvRegisterVsmVpSecureConfigVtl1",
              "requester not above n -> INVALID_PARAMETER",
              "TLFS 15.11");
  World world;
  for (const RegisterName name :
       {RegisterName::VsmVina, RegisterName::VsmPartitionConfig, RegisterName::CrInterceptControl,
        RegisterName::VsmVpSecureConfigVtl0}) {
    INFO(number(name));
    EXPECT(get(world, {}, number(name)) == HvStatus::InvalidParameter);
    EXPECT(set(world, {}, number(name)) == HvStatus::InvalidParameter);
  }
  world.enter_vtl1_ready();
  EXPECT(world.get(RegisterName::VsmVpStatus) == 0x30001);
  const auto vina = VsmVina{}.with_vector(0x2F).with_enabled(true).with_auto_reset(true);
  EXPECT(world.set(RegisterName::VsmVina, vina.raw) == HvStatus::Success);
  EXPECT(world.get(RegisterName::VsmVina) == vina.raw);
  EXPECT(world.set(RegisterName::VsmVina, vina.with_vector(15).raw) ==
         HvStatus::InvalidRegisterValue);
  EXPECT(world.set(RegisterName::VsmVina, 0, target0) == HvStatus::InvalidParameter);
  EXPECT(world.set(RegisterName::VsmVpSecureConfigVtl1, 0) == HvStatus::InvalidParameter);
  EXPECT(world.set(RegisterName::CrInterceptControl, 0x1800) == HvStatus::Success);
  EXPECT(world.get(RegisterName::CrInterceptControl) == 0x1800);
  EXPECT(world.set(RegisterName::CrInterceptControl, 0x1FFFFFFF) == HvStatus::Success);
  EXPECT(world.set(RegisterName::CrInterceptControl, 0x20000000) == HvStatus::InvalidRegisterValue);
  EXPECT(world.set(RegisterName::CrInterceptControl, 0, target0) == HvStatus::InvalidParameter);
  EXPECT(world.get(RegisterName::CrInterceptCr0Mask) == ~uint64_t{0});
  EXPECT(world.set(RegisterName::CrInterceptCr4Mask, 0x100000) == HvStatus::Success);
  EXPECT(world.get(RegisterName::CrInterceptCr4Mask) == 0x100000);
  // Bits 7, 8, 10, 13 to 15 and all above are reserved here.
  for (unsigned bit = 0; bit < 64; ++bit) {
    INFO(bit);
    const bool known = bit <= 6 || bit == 9 || bit == 11 || bit == 12;
    const HvStatus status = world.set(RegisterName::VsmPartitionConfig, 0x1F | uint64_t{1} << bit);
    EXPECT(status == (known ? HvStatus::Success : HvStatus::InvalidRegisterValue));
  }
}

TEST_CASE("MBEC of a processor follows the partition's and governs its address space") {
  CONFORMANCE("HvRegisterVsmVpSecureConfigVtl0",
              "MbecEnabled other than the partition's -> INVALID_REGISTER_VALUE",
              "cvm");
  World without;
  without.enter_vtl1_ready();
  EXPECT(without.set(RegisterName::VsmVpSecureConfigVtl0, 1) == HvStatus::InvalidRegisterValue);
  World world;
  world.enable_vtl1(true);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(!world.hypervisor.address_space(world.vp(), Vtl::Vtl0).mbec);
  EXPECT(world.set(RegisterName::VsmVpSecureConfigVtl0, 0) == HvStatus::InvalidRegisterValue);
  EXPECT(world.set(RegisterName::VsmVpSecureConfigVtl0, 4) == HvStatus::InvalidRegisterValue);
  REQUIRE(world.set(RegisterName::VsmVpSecureConfigVtl0, 1) == HvStatus::Success);
  EXPECT(world.hypervisor.address_space(world.vp(), Vtl::Vtl0).mbec);
  EXPECT(!world.hypervisor.address_space(world.vp(), Vtl::Vtl1).mbec);
  EXPECT(!VsmVpStatus{world.get(RegisterName::VsmVpStatus)}.active_mbec_enabled());
  REQUIRE(world.vtl_return().vtl_changed);
  EXPECT(VsmVpStatus{world.get(RegisterName::VsmVpStatus)}.active_mbec_enabled());
}

TEST_CASE("registers that are MSRs too are one register with two names") {
  World world;
  REQUIRE(world.set(RegisterName::GuestOsId, 0x42) == HvStatus::Success);
  EXPECT(world.rdmsr(msr::GuestOsId) == 0x42);
  REQUIRE(world.set(RegisterName::Sint0, 0x30) == HvStatus::Success);
  EXPECT(world.rdmsr(msr::Sint0) == 0x30);
  EXPECT(world.set(RegisterName::Sint0, 5) == HvStatus::InvalidRegisterValue);
  EXPECT(world.get(RegisterName::VpIndex) == 0);
  EXPECT(world.get(RegisterName::Sversion) == 1);
  RegisterValue value{};
  REQUIRE(world.get(RegisterName::PrivilegesAndFeaturesInfo, value) == HvStatus::Success);
  EXPECT(value.low == vtl::root_privileges.raw);
  REQUIRE(world.get(RegisterName::HypervisorVersion, value) == HvStatus::Success);
  EXPECT((value.low & 0xFFFFFFFF) == 10240);
  world.enter_vtl1_ready();
  REQUIRE(world.set(RegisterName::ApicBase, 0xFEE00D00, target0) == HvStatus::Success);
  EXPECT(world.get(RegisterName::ApicBase, target0) == 0xFEE00D00);
}
