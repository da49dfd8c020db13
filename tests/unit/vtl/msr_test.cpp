#include "tests/unit/vtl/world.h"

using namespace test;

TEST_CASE("MSRs that nobody owns are #GP, on reads and writes, in every VTL") {
  World world;
  for (const bool vtl1 : {false, true}) {
    if (vtl1) world.enter_vtl1_ready();
    for (const uint32_t number :
         {0x0u, 0x3Au, 0x480u, 0x7FFu, 0x840u, 0x40000004u, 0x40000041u, 0x40000086u, 0x400000A0u,
          0x400000B8u, 0x400000F1u, 0x40000106u, 0x40000119u, 0x40001080u, 0x40000200u, 0xC0010114u,
          0xFFFFFFFFu}) {
      INFO(number);
      EXPECT(!world.rdmsr(number));
      EXPECT(!world.wrmsr(number, 0));
    }
  }
}

TEST_CASE("#GP of an MSR access changes no register") {
  World world;
  world.vp().shared.gpr[vtl::Rax] = 0x1111;
  world.vp().shared.gpr[vtl::Rdx] = 0x2222;
  Exit exit;
  exit.reason = ExitReason::MsrRead;
  exit.msr = 0x3A;
  const Outcome outcome = world.hypervisor.handle(exit, world.vp(), world.now);
  EXPECT(outcome.kind == OutcomeKind::Inject);
  EXPECT(outcome.exception.vector == 13);
  EXPECT(outcome.exception.has_error_code);
  EXPECT(world.vp().shared.gpr[vtl::Rax] == 0x1111);
  EXPECT(world.vp().shared.gpr[vtl::Rdx] == 0x2222);
}

TEST_CASE("synthetic MSRs answer as the reference's table says") {
  World world;
  world.now = Instant{2'000'000'199};
  EXPECT(world.rdmsr(msr::VpIndex) == 0);
  EXPECT(!world.wrmsr(msr::VpIndex, 1));
  EXPECT(world.rdmsr(msr::TimeRefCount) == 10'000'000);  // one second in units of 100 ns
  EXPECT(!world.wrmsr(msr::TimeRefCount, 1));
  EXPECT(world.rdmsr(msr::TscFrequency) == 2'000'000'000);
  EXPECT(world.rdmsr(msr::ApicFrequency) == 200'000'000);
  EXPECT(world.rdmsr(msr::Sversion) == 1);
  EXPECT(!world.wrmsr(msr::Sversion, 1));
  EXPECT(world.rdmsr(msr::Scontrol) == 0);
  EXPECT(!world.rdmsr(msr::Eoi));
  EXPECT(world.rdmsr(msr::Eom) == 0);
  world.current = &world.vps[1];
  EXPECT(world.rdmsr(msr::VpIndex) == 1);
}

TEST_CASE("SINTs take vectors from 16, and nothing that CPUID does not offer") {
  World world;
  for (uint32_t i = 0; i < 16; ++i)
    EXPECT(world.rdmsr(msr::Sint0 + i) == 0x10000);
  EXPECT(world.wrmsr(msr::Sint0, 0x10));
  EXPECT(world.wrmsr(msr::Sint0 + 1, 0x200FF));  // AutoEOI
  EXPECT(world.rdmsr(msr::Sint0 + 1) == 0x200FF);
  EXPECT(world.wrmsr(msr::Sint15, 0x10000));
  EXPECT(!world.wrmsr(msr::Sint0, 0x0F));
  EXPECT(!world.wrmsr(msr::Sint0, 0x80010));   // as intercept
  EXPECT(!world.wrmsr(msr::Sint0, 0x100010));  // proxy
  EXPECT(world.rdmsr(msr::Sint0) == 0x10);
}

TEST_CASE(
    "the hypercall page appears where the MSR says, read-only, once a system has named itself") {
  World world;
  world.write(hypercall_page, uint64_t{0x1234});
  EXPECT(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  EXPECT(world.rdmsr(msr::Hypercall) == hypercall_page);  // no GUEST_OS_ID: stays off
  EXPECT(world.read<uint64_t>(hypercall_page) == 0x1234);

  REQUIRE(world.wrmsr(msr::GuestOsId, 0x0001'0400'0A00'2800));
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  EXPECT(world.read<uint32_t>(hypercall_page) == 0xC3C1010F);
  const auto mapping =
      world.hypervisor.partition().memory->slat(Vtl::Vtl0)->lookup(Gpa{hypercall_page});
  EXPECT(mapping.rights == mmu::Rights{true, false, true, true});
  REQUIRE(world.wrmsr(msr::Hypercall, (hypercall_page + 0x1000) | 1));  // it moves
  EXPECT(world.read<uint64_t>(hypercall_page) == 0x1234);
  EXPECT(world.read<uint32_t>(hypercall_page + 0x1000) == 0xC3C1010F);
  REQUIRE(world.wrmsr(msr::GuestOsId, 0));
  EXPECT(world.rdmsr(msr::Hypercall) == hypercall_page + 0x1000);
  EXPECT(world.read<uint32_t>(hypercall_page + 0x1000) == 0);
}

TEST_CASE(
    "the hypercall MSR refuses reserved bits, places outside RAM, and every write once locked") {
  World world;
  REQUIRE(world.wrmsr(msr::GuestOsId, 1));
  EXPECT(!world.wrmsr(msr::Hypercall, hypercall_page | 5));
  EXPECT(!world.wrmsr(msr::Hypercall, guest_bytes | 1));
  EXPECT(!world.wrmsr(msr::Hypercall, 0xFEE00001));
  EXPECT(world.rdmsr(msr::Hypercall) == 0);
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 3));
  EXPECT(!world.wrmsr(msr::Hypercall, hypercall_page | 3));
  EXPECT(!world.wrmsr(msr::Hypercall, 0));
  EXPECT(world.rdmsr(msr::Hypercall) == (hypercall_page | 3));
}

TEST_CASE("each VTL has its own synthetic registers and its own overlay pages") {
  World world;
  REQUIRE(world.wrmsr(msr::GuestOsId, 0xAAAA));
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));
  REQUIRE(world.wrmsr(msr::Sint0, 0x55));
  world.write(assist_page0, uint32_t{0xBEEF});
  world.enable_vtl1();
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.rdmsr(msr::GuestOsId) == 0);
  EXPECT(world.rdmsr(msr::Hypercall) == 0);
  EXPECT(world.rdmsr(msr::VpAssistPage) == 0);
  EXPECT(world.rdmsr(msr::Sint0) == 0x10000);
  EXPECT(world.read<uint32_t>(assist_page0) == 0);  // RAM, not VTL 0's page
  REQUIRE(world.wrmsr(msr::GuestOsId, 0xBBBB));
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));  // the same GPA
  world.write(assist_page0, uint32_t{0xCAFE});
  EXPECT(world.read<uint32_t>(hypercall_page) == 0xC3C1010F);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.rdmsr(msr::GuestOsId) == 0xAAAA);
  EXPECT(world.rdmsr(msr::Sint0) == 0x55);
  EXPECT(world.read<uint32_t>(assist_page0) == 0xBEEF);
}

TEST_CASE("an overlay page keeps its content while it is off, and lets the RAM below through") {
  World world;
  world.write(assist_page0, uint32_t{1});
  REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));
  EXPECT(world.read<uint32_t>(assist_page0) == 0);
  world.write(assist_page0, uint32_t{2});
  REQUIRE(world.wrmsr(msr::VpAssistPage, 0));
  EXPECT(world.read<uint32_t>(assist_page0) == 1);
  REQUIRE(world.wrmsr(msr::VpAssistPage, (assist_page0 + 0x1000) | 1));
  EXPECT(world.read<uint32_t>(assist_page0 + 0x1000) == 2);
  EXPECT(!world.wrmsr(msr::VpAssistPage, (assist_page0 + 0x1000) | 3));
}

TEST_CASE("two overlays at one place: the later one is seen, the earlier comes back") {
  World world;
  REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));
  world.write(assist_page0, uint32_t{0x11});
  REQUIRE(world.wrmsr(msr::Simp, assist_page0 | 1));
  EXPECT(world.read<uint32_t>(assist_page0) == 0);
  REQUIRE(world.wrmsr(msr::Simp, 0));
  EXPECT(world.read<uint32_t>(assist_page0) == 0x11);
}

TEST_CASE("the reference TSC page gives the time of the MSR, per VTL") {
  World world;
  const auto time_by_page = [&](uint64_t gpa, uint64_t tsc) {
    const auto page = world.read<ReferenceTscPage>(gpa);
    REQUIRE(page.tsc_sequence != 0);
    const auto product = static_cast<unsigned __int128>(tsc) * page.tsc_scale;
    return static_cast<uint64_t>(product >> 64) + static_cast<uint64_t>(page.tsc_offset);
  };
  REQUIRE(world.wrmsr(msr::ReferenceTsc, output_page | 1));
  for (const uint64_t tick :
       {uint64_t{0}, uint64_t{199}, uint64_t{200}, uint64_t{1'999'999'999}, uint64_t{2'000'000'000},
        uint64_t{1} << 55, (uint64_t{1} << 55) * 200 / 199}) {
    world.now = Instant{tick};
    EXPECT(time_by_page(output_page, tick) == world.rdmsr(msr::TimeRefCount));
  }
  world.enable_vtl1();
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.rdmsr(msr::ReferenceTsc) == 0);
  world.vp().context().tsc_offset = 2000;
  REQUIRE(world.wrmsr(msr::ReferenceTsc, output_page | 1));
  world.now = Instant{1'000'000};
  EXPECT(time_by_page(output_page, 1'002'000) == world.rdmsr(msr::TimeRefCount));
}

TEST_CASE("crash MSRs keep their parameters and announce the crash") {
  World world;
  for (uint32_t i = 0; i < 5; ++i)
    REQUIRE(world.wrmsr(msr::CrashP0 + i, 0x100 + i));
  EXPECT(world.rdmsr(msr::CrashP4) == 0x104);
  EXPECT(world.rdmsr(msr::CrashCtl) == uint64_t{1} << 63);
  REQUIRE(world.wrmsr(msr::CrashCtl, uint64_t{1} << 63));
  REQUIRE(world.events.count(support::EventKind::Milestone) == 1);
  for (const auto& entry : world.events.entries) {
    if (entry.kind == support::EventKind::Milestone) {
      EXPECT(entry.text == "guest crash 0x100 (0x101, 0x102, 0x103, 0x104)");
    }
  }
}

TEST_CASE("the reset MSR resets, without the privilege it does not exist") {
  World world;
  EXPECT(world.rdmsr(msr::Reset) == 0);
  EXPECT(world.wrmsr(msr::Reset, 0));
  Exit exit;
  exit.reason = ExitReason::MsrWrite;
  exit.msr = msr::Reset;
  exit.value = 1;
  EXPECT(world.hypervisor.handle(exit, world.vp(), world.now).kind == OutcomeKind::Reset);

  vtl::HypervisorConfig config;
  config.privileges = PrivilegeMask{};
  World poor{config};
  for (const MsrInfo& row : synthetic_msrs) {
    INFO(row.name);
    const bool crash = row.number >= msr::CrashP0 && row.number <= msr::CrashCtl;
    EXPECT(poor.rdmsr(row.number).has_value() == crash);
  }
}

TEST_CASE("user mode may touch no MSR, and a bare machine has no synthetic ones") {
  World world;
  world.vp().context().segments[vtl::Ss].attributes |= 3 << 5;
  EXPECT(!world.rdmsr(msr::VpIndex));
  EXPECT(!world.wrmsr(msr::GuestOsId, 1));
  World bare{{}, false};
  EXPECT(!bare.rdmsr(msr::VpIndex));
  EXPECT(!bare.wrmsr(msr::GuestOsId, 1));
  EXPECT(bare.rdmsr(0x1B) == 0xFEE00900);
}

TEST_CASE("CPUID shows the hypervisor only when it runs") {
  const auto cpuid = [](World& world, uint32_t leaf, uint32_t subleaf = 0) {
    world.current->shared.gpr[vtl::Rax] = 0xFFFFFFFF00000000 | leaf;
    world.current->shared.gpr[vtl::Rcx] = subleaf;
    REQUIRE(world.exit(ExitReason::Cpuid).kind == OutcomeKind::Retire);
    const auto& gpr = world.current->shared.gpr;
    for (const auto reg : {vtl::Rax, vtl::Rbx, vtl::Rcx, vtl::Rdx})
      EXPECT(gpr[reg] >> 32 == 0);
    return std::array<uint64_t, 4>{gpr[vtl::Rax], gpr[vtl::Rbx], gpr[vtl::Rcx], gpr[vtl::Rdx]};
  };
  World bare{{}, false};
  EXPECT((cpuid(bare, 1)[2] >> 31) == 0);
  EXPECT(cpuid(bare, 0x40000000) == std::array<uint64_t, 4>{});

  World world;
  EXPECT((cpuid(world, 1)[2] >> 31) == 1);
  const auto vendor = cpuid(world, 0x40000000);
  EXPECT(vendor == std::array<uint64_t, 4>{0x40000006, 0x7263694D, 0x666F736F, 0x76482074});
  EXPECT(cpuid(world, 0x40000001)[0] == 0x31237648);
  EXPECT(cpuid(world, 0x40000002)[0] == 10240);
  const auto features = cpuid(world, 0x40000003);
  EXPECT((features[1] & 0x30000) == 0x30000);
  EXPECT((features[3] & 0x8010) == 0x8010);
  EXPECT(cpuid(world, 0x40000004)[2] == 40);
  EXPECT(cpuid(world, 0x40000006)[0] == (1 << 1 | 1 << 3));
  EXPECT(cpuid(world, 0x40000007) == std::array<uint64_t, 4>{});
  EXPECT((cpuid(world, 7)[1] & (1u << 7)) != 0);  // SMEP: the MBEC rule needs it
  EXPECT((cpuid(world, 0x80000008)[0] & 0xFF) == 40);
  EXPECT(cpuid(world, 0x12345678) == std::array<uint64_t, 4>{});
  world.current = &world.vps[1];
  EXPECT((cpuid(world, 1)[1] >> 24) == 1);
  EXPECT(cpuid(world, 0xB)[3] == 1);

  vtl::HypervisorConfig config;
  config.maximum_vtl = 0;
  World no_vsm{config};
  EXPECT((cpuid(no_vsm, 0x40000003)[1] & 0x30000) == 0x20000);
}
