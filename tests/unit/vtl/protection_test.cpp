#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;
using mmu::Rights;

namespace {

Rights vtl0_rights(const World& world, uint64_t gpa) {
  return world.hypervisor.partition().memory->slat(Vtl::Vtl0)->lookup(Gpa{gpa}).rights;
}
Rights vtl1_rights(const World& world, uint64_t gpa) {
  return world.hypervisor.partition().memory->slat(Vtl::Vtl1)->lookup(Gpa{gpa}).rights;
}

HvStatus modify(World& world, uint64_t partition, uint32_t flags, uint8_t vtl, uint64_t page,
                uint8_t reserved = 0) {
  const GpaPage element{page};
  return world.slow(CallCode::ModifyVtlProtectionMask,
                    ModifyVtlProtectionMask{partition, flags, InputVtl{vtl}, {0, reserved, 0}},
                    std::span<const GpaPage>{&element, 1});
}

}  // namespace

TEST_CASE("ModifyVtlProtectionMask answers each wrong input with its status") {
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "bad partition -> INVALID_PARTITION_ID",
              "TLFS6; cvm");
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "target VTL 0 or too high -> INVALID_PARAMETER",
              "cvm");
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "flag sets that section 5.1 refuses -> INVALID_REGISTER_VALUE",
              "cvm");
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "page that is no RAM -> INVALID_PARAMETER",
              "TLFS6");
  struct Row {
    const char* what;
    uint64_t partition;
    uint32_t flags;
    uint8_t vtl;
    uint64_t page;
    HvStatus status;
  };
  constexpr uint64_t page = victim_page / 4096;
  const Row rows[] = {
      {"own VTL, no access", partition_self, 0, 0, page, HvStatus::Success},
      {"own VTL by number", 1, 1, 0x11, page, HvStatus::Success},
      {"number without the use bit means own", partition_self, 1, 0x01, page, HvStatus::Success},
      {"bad partition", 42, 1, 0, page, HvStatus::InvalidPartitionId},
      {"VTL 0 explicitly", partition_self, 1, 0x10, page, HvStatus::InvalidParameter},
      {"VTL 2", partition_self, 1, 0x12, page, HvStatus::InvalidParameter},
      {"VTL 15", partition_self, 1, 0x1F, page, HvStatus::InvalidParameter},
      {"reserved bits of the VTL", partition_self, 1, 0x20, page, HvStatus::InvalidParameter},
      {"W without R", partition_self, 2, 0, page, HvStatus::InvalidRegisterValue},
      {"X without R", partition_self, 0xC, 0, page, HvStatus::InvalidRegisterValue},
      {"KX without UX", partition_self, 5, 0, page, HvStatus::InvalidRegisterValue},
      {"UX without KX, no MBEC", partition_self, 9, 0, page, HvStatus::InvalidRegisterValue},
      {"shadow stack", partition_self, 0x11, 0, page, HvStatus::InvalidRegisterValue},
      {"adjustable", partition_self, 0x8001, 0, page, HvStatus::InvalidRegisterValue},
      {"R and X", partition_self, 0xD, 0, page, HvStatus::Success},
      {"everything", partition_self, 0xF, 0, page, HvStatus::Success},
      {"last page of RAM", partition_self, 1, 0, guest_bytes / 4096 - 1, HvStatus::Success},
      {"the hypervisor's memory", partition_self, 1, 0, guest_bytes / 4096,
       HvStatus::InvalidParameter},
      {"a device page", partition_self, 1, 0, 0xFEE00, HvStatus::InvalidParameter},
      {"far outside", partition_self, 1, 0, ~uint64_t{0}, HvStatus::InvalidParameter},
  };
  World world;
  world.enter_vtl1_ready();
  for (const Row& row : rows) {
    INFO(row.what);
    EXPECT(modify(world, row.partition, row.flags, row.vtl, row.page) == row.status);
  }
  EXPECT(modify(world, partition_self, 1, 0, page, 1) == HvStatus::InvalidParameter);
}

TEST_CASE("protections need VTL 1, its permission to itself, and the privilege") {
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "before EnableVtlProtection -> ACCESS_DENIED",
              "cvm");
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "from VTL 0 or without CpuManagement -> ACCESS_DENIED",
              "TLFS6");
  World world;
  world.enable_vtl1();
  EXPECT(world.protect(victim_page, 0) == HvStatus::AccessDenied);  // VTL 0 asks
  // Whoever may not ask at all learns nothing else.
  EXPECT(modify(world, 42, 1, 0, 0) == HvStatus::AccessDenied);
  REQUIRE(world.vtl_call().vtl_changed);
  EXPECT(world.protect(victim_page, 0) == HvStatus::AccessDenied);  // EnableVtlProtection is off
  EXPECT(vtl0_rights(world, victim_page) == mmu::all_rights);

  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_access_vsm(false);
  World poor{config};
  EXPECT(poor.enable_partition_vtl() == HvStatus::AccessDenied);
}

TEST_CASE("each mask becomes exactly those rights for VTL 0 and leaves VTL 1 everything") {
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "each valid MapFlags set becomes those rights of lower VTLs, with and without MBEC",
              "TLFS 15.9, 15.10");
  struct Row {
    uint32_t flags;
    Rights rights;
  };
  const Row rows[] = {
      {0x0, {}},
      {0x1, {true, false, false, false}},
      {0x3, {true, true, false, false}},
      {0x9, {true, false, false, true}},
      {0xB, {true, true, false, true}},
      {0xD, {true, false, true, true}},
      {0xF, {true, true, true, true}},
  };
  World world;
  world.enter_vtl1_ready(true);
  for (const Row& row : rows) {
    INFO(row.flags);
    REQUIRE(world.protect(victim_page, row.flags) == HvStatus::Success);
    EXPECT(vtl0_rights(world, victim_page) == row.rights);
    EXPECT(vtl0_rights(world, victim_page - 4096) == mmu::all_rights);
    EXPECT(vtl0_rights(world, victim_page + 4096) == mmu::all_rights);
    EXPECT(vtl1_rights(world, victim_page) == mmu::all_rights);
    EXPECT(world.spa(victim_page, Vtl::Vtl0).value() == victim_page);
  }
}

TEST_CASE("a protection takes effect in the translations of VTL 0 before the call returns") {
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "translations of lower VTLs are dropped before it returns",
              "SDM 28.3.3; section 8.5");
  World world;
  // VTL 0 page tables: one 2 MiB page that maps GVA 0x40000000 to the victim.
  world.write(0x1000, uint64_t{0x2003});
  world.write(0x2008, uint64_t{0x3003});
  world.write(0x3000, uint64_t{0x400083});
  world.enter_vtl1_ready();
  REQUIRE(world.vtl_return().vtl_changed);
  const Gva address{0x40000008};
  const auto space = [&] { return world.hypervisor.address_space(world.vp()); };
  REQUIRE(world.translator.translate(space(), {address, mmu::AccessKind::Write}).ok);
  const uint64_t epoch = world.translator.epoch(1, Vtl::Vtl0);
  REQUIRE(world.vtl_call().vtl_changed);
  REQUIRE(world.protect(victim_page, map_gpa::readable) == HvStatus::Success);
  EXPECT(world.translator.epoch(1, Vtl::Vtl0) != epoch);
  REQUIRE(world.vtl_return().vtl_changed);
  EXPECT(world.translator.translate(space(), {address, mmu::AccessKind::Read}).ok);
  const auto refused = world.translator.translate(space(), {address, mmu::AccessKind::Write});
  REQUIRE(!refused.ok);
  EXPECT(refused.fault.kind == mmu::FaultKind::SlatViolation);
  EXPECT(refused.fault.gpa.value() == victim_page + 8);
}

TEST_CASE("510 pages are protected by one call, in several entries, up to the first bad one") {
  CONFORMANCE("HvCallModifyVtlProtectionMask",
              "rep call with continuation; reps done on failure",
              "TLFS 3.7");
  World world;
  world.enter_vtl1_ready();
  std::vector<GpaPage> pages;
  for (uint64_t i = 0; i < 510; ++i)
    pages.push_back({victim_page / 4096 + i});
  const ModifyVtlProtectionMask header{partition_self, 0, {}, {}};
  REQUIRE(world.slow(CallCode::ModifyVtlProtectionMask, header, std::span<const GpaPage>{pages}) ==
          HvStatus::Success);
  EXPECT(world.result().reps_completed() == 510);
  EXPECT(world.entries_into_hypervisor == 4);
  for (const GpaPage& page : pages)
    EXPECT(vtl0_rights(world, page.page * 4096) == Rights{});

  pages[300].page = guest_bytes / 4096;
  const ModifyVtlProtectionMask back{partition_self, 0xF, {}, {}};
  EXPECT(world.slow(CallCode::ModifyVtlProtectionMask, back, std::span<const GpaPage>{pages}) ==
         HvStatus::InvalidParameter);
  EXPECT(world.result().reps_completed() == 300);
  EXPECT(vtl0_rights(world, pages[299].page * 4096) == mmu::all_rights);
  EXPECT(vtl0_rights(world, pages[301].page * 4096) == Rights{});
}

TEST_CASE("the default mask covers all of memory, and stands once it is set") {
  CONFORMANCE("HvRegisterVsmPartitionConfig",
              "DefaultVtlProtectionMask applies to all memory and cannot be changed once set",
              "KUT; TLFS 15.2.2");
  CONFORMANCE("HvRegisterVsmPartitionConfig",
              "EnableVtlProtection cannot be cleared -> INVALID_REGISTER_VALUE",
              "cvm");
  struct Row {
    const char* what;
    uint8_t mask;
    bool mbec;
    HvStatus status;
    Rights rights;
  };
  const Row rows[] = {
      {"everything", 0xF, false, HvStatus::Success, mmu::all_rights},
      {"no execution", 0x3, false, HvStatus::Success, {true, true, false, false}},
      {"no kernel execution", 0xB, true, HvStatus::Success, {true, true, false, true}},
      {"no kernel execution without MBEC", 0xB, false, HvStatus::InvalidRegisterValue,
       mmu::all_rights},
      {"not writable", 0xD, false, HvStatus::InvalidRegisterValue, mmu::all_rights},
      {"nothing", 0x0, false, HvStatus::InvalidRegisterValue, mmu::all_rights},
      {"KX without UX", 0x7, true, HvStatus::InvalidRegisterValue, mmu::all_rights},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    World world;
    world.enable_vtl1(row.mbec);
    REQUIRE(world.vtl_call().vtl_changed);
    const auto config =
        VsmPartitionConfig{}.with_enable_vtl_protection(true).with_default_vtl_protection_mask(
            row.mask);
    EXPECT(world.set(RegisterName::VsmPartitionConfig, config.raw) == row.status);
    for (const uint64_t gpa : {uint64_t{0}, uint64_t{0x10000}, victim_page, guest_bytes - 4096}) {
      EXPECT(vtl0_rights(world, gpa) == row.rights);
    }
    if (row.status != HvStatus::Success) continue;
    EXPECT(
        world.set(RegisterName::VsmPartitionConfig, config.with_enable_vtl_protection(false).raw) ==
        HvStatus::InvalidRegisterValue);
    const uint8_t other = row.mask == 0xF ? 0x3 : 0xF;
    EXPECT(world.set(RegisterName::VsmPartitionConfig,
                     config.with_default_vtl_protection_mask(other).raw) ==
           HvStatus::InvalidRegisterValue);
    EXPECT(world.set(RegisterName::VsmPartitionConfig,
                     config.with_deny_lower_vtl_startup(true).raw) == HvStatus::Success);
  }
}

TEST_CASE("a page that an overlay covers keeps VTL 0 out all the same") {
  World world;
  REQUIRE(world.wrmsr(msr::GuestOsId, 1));
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  EXPECT(vtl0_rights(world, hypercall_page) == Rights{true, false, true, true});
  world.enter_vtl1_ready();
  REQUIRE(world.protect(hypercall_page, 1) == HvStatus::Success);
  EXPECT(vtl0_rights(world, hypercall_page) == Rights{true, false, false, false});
  EXPECT(world.spa(hypercall_page, Vtl::Vtl0).value() >= guest_bytes);
  EXPECT(world.spa(hypercall_page, Vtl::Vtl1).value() == hypercall_page);
  REQUIRE(world.vtl_return().vtl_changed);
  REQUIRE(world.wrmsr(msr::Hypercall, 0));
  EXPECT(world.spa(hypercall_page, Vtl::Vtl0).value() == hypercall_page);
  EXPECT(vtl0_rights(world, hypercall_page) == Rights{true, false, false, false});
}

TEST_CASE("flush calls check their flags and processor mask") {
  struct Row {
    const char* what;
    uint64_t flags, mask;
    HvStatus status;
  };
  const Row rows[] = {
      {"this processor", 0, 1, HvStatus::Success},
      {"all processors", flush::all_processors, 0, HvStatus::Success},
      {"all spaces", flush::all_virtual_address_spaces, 3, HvStatus::Success},
      {"non-global", flush::non_global_mappings_only, 1, HvStatus::Success},
      {"empty mask", 0, 0, HvStatus::InvalidParameter},
      {"extended ranges", flush::extended_range_format, 1, HvStatus::Success},
      {"target VTLs without one", flush::use_target_vtl, 1, HvStatus::InvalidParameter},
      {"a VTL that is not to be used", flush::target_vtl0, 1, HvStatus::InvalidParameter},
      {"the own VTL", flush::use_target_vtl | flush::target_vtl0, 1, HvStatus::Success},
      {"a VTL above", flush::use_target_vtl | flush::target_vtl1, 1, HvStatus::AccessDenied},
      {"reserved flag", 0x8000, 1, HvStatus::InvalidParameter},
  };
  World world;
  const GvaRange range{0x7FF000000003};
  for (const Row& row : rows) {
    INFO(row.what);
    const FlushVirtualAddressSpace header{0x1000, row.flags, row.mask};
    EXPECT(world.slow(CallCode::FlushVirtualAddressSpace, header) == row.status);
    EXPECT(world.slow(CallCode::FlushVirtualAddressList, header,
                      std::span<const GvaRange>{&range, 1}) == row.status);
  }
}

TEST_CASE("a flush drops stale translations of the caller's VTL") {
  World world;
  world.write(0x1000, uint64_t{0x2003});
  world.write(0x2008, uint64_t{0x3003});
  world.write(0x3000, uint64_t{0x400083});
  const Gva address{0x40000000};
  const auto lands = [&] {
    const auto space = world.hypervisor.address_space(world.vp());
    return world.translator.translate(space, {address, mmu::AccessKind::Read})
        .translation.spa.value();
  };
  const GvaRange range = GvaRange{}.with_page(0x40000).with_additional_pages(0);
  uint64_t frame = 0x400000;
  for (const bool list : {false, true}) {
    REQUIRE(lands() == frame);
    frame = frame == 0x400000 ? 0x600000 : 0x400000;
    world.write(0x3000, frame | 0x83);
    EXPECT(lands() != frame);  // stale, as hardware may be
    const FlushVirtualAddressSpace header{0x1000, 0, 1};
    if (list) {
      REQUIRE(world.slow(CallCode::FlushVirtualAddressList, header,
                         std::span<const GvaRange>{&range, 1}) == HvStatus::Success);
    } else {
      REQUIRE(world.slow(CallCode::FlushVirtualAddressSpace, header) == HvStatus::Success);
    }
    EXPECT(lands() == frame);
  }
}
