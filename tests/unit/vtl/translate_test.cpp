// Translations for others, CPUID of others, events and properties (section 2.10).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

namespace flags = translate_gva;
constexpr uint64_t to_vtl0 = uint64_t{0x10} << 56;
constexpr uint64_t gva = 0x40000000;

struct TranslateWorld : World {
  TranslateWorld() {
    write(0x1000, uint64_t{0x2007});
    write(0x2008, uint64_t{0x3007});
    write(0x3000, uint64_t{0x4007});
    map(0, victim_page | 0x7);  // user, writable
  }
  void map(unsigned index, uint64_t entry) { memory.write(Spa{0x4000 + 8 * index}, entry); }
  HvStatus call(uint64_t control, unsigned page = 0, uint32_t vp = vp_self,
                uint64_t partition = partition_self) {
    return slow(CallCode::TranslateVirtualAddress,
                TranslateVirtualAddress{partition, vp, 0, control, (gva >> 12) + page});
  }
  TranslateResult translate(uint64_t control, unsigned page = 0) {
    REQUIRE(call(control, page) == HvStatus::Success);
    return static_cast<TranslateResult>(output().result_code);
  }
  TranslateVirtualAddressOutput output() { return read<TranslateVirtualAddressOutput>(output_page); }
};

}  // namespace

TEST_CASE("an address is translated for VTL 0 by itself and by VTL 1") {
  CONFORMANCE("HvCallTranslateVirtualAddress", "0 to 0 mapped and unmapped, 1 to 0", "KUT");
  CONFORMANCE("HvCallTranslateVirtualAddress", "1 to 0 overlay page: flag and GPA", "KUT");
  TranslateWorld world;
  EXPECT(world.translate(flags::validate_read) == TranslateResult::Success);
  EXPECT(world.output().gpa_page == victim_page >> 12);
  EXPECT(world.output().cache_type == 6);
  EXPECT(world.output().overlay_page == 0);
  EXPECT(world.translate(flags::validate_read, 1) == TranslateResult::PageNotPresent);
  REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));
  world.map(2, assist_page0 | 3);
  world.enter_vtl1_ready();
  EXPECT(world.translate(to_vtl0 | flags::validate_read) == TranslateResult::Success);
  EXPECT(world.translate(to_vtl0, 1) == TranslateResult::PageNotPresent);
  EXPECT(world.translate(to_vtl0 | flags::validate_read, 2) == TranslateResult::Success);
  EXPECT(world.output().overlay_page == 1);
  EXPECT(world.output().gpa_page == assist_page0 >> 12);
}

TEST_CASE("control flags choose access, privilege and SMAP") {
  CONFORMANCE("HvCallTranslateVirtualAddress", "validate, privilege, SMAP flags", "hvdef");
  TranslateWorld world;
  world.map(1, victim_page | 0x1);  // supervisor, read-only
  world.map(2, victim_page | uint64_t{1} << 63 | 0x7);
  world.map(3, victim_page | uint64_t{1} << 51 | 0x7);  // beyond MAXPHYADDR
  EXPECT(world.translate(flags::validate_write | flags::user_access) == TranslateResult::Success);
  EXPECT(world.translate(flags::validate_read | flags::user_access, 1) ==
         TranslateResult::PrivilegeViolation);
  EXPECT(world.translate(flags::validate_read | flags::supervisor_access, 1) ==
         TranslateResult::Success);
  EXPECT(world.translate(flags::validate_write, 1) == TranslateResult::PrivilegeViolation);
  EXPECT(world.translate(flags::privilege_exempt | flags::user_access | flags::validate_read, 1) ==
         TranslateResult::Success);
  EXPECT(world.translate(flags::validate_execute, 2) == TranslateResult::PrivilegeViolation);
  EXPECT(world.translate(flags::validate_read, 3) == TranslateResult::InvalidPageTableFlags);
  world.vp().context().segments[vtl::Ss].attributes |= 3 << 5;
  world.vp().context().segments[vtl::Ss].attributes &= static_cast<uint16_t>(~(3u << 5));

  world.vp().context().cr4 |= uint64_t{1} << 21;  // SMAP
  EXPECT(world.translate(flags::validate_read) == TranslateResult::PrivilegeViolation);
  EXPECT(world.translate(flags::validate_read | flags::override_smap) == TranslateResult::Success);
  EXPECT(world.translate(flags::validate_read | flags::privilege_exempt) ==
         TranslateResult::Success);
  world.vp().context().rflags |= uint64_t{1} << 18;  // AC lifts it
  EXPECT(world.translate(flags::validate_read) == TranslateResult::Success);
  EXPECT(world.translate(flags::validate_read | flags::enforce_smap) ==
         TranslateResult::PrivilegeViolation);
}

TEST_CASE("page-table bits are set only when asked for") {
  CONFORMANCE("HvCallTranslateVirtualAddress", "SetPageTableBits sets A and D", "hvdef");
  TranslateWorld world;
  constexpr uint64_t accessed = 0x20, dirty = 0x40;
  EXPECT(world.translate(flags::validate_write) == TranslateResult::Success);
  EXPECT((world.memory.read<uint64_t>(Spa{0x4000}) & (accessed | dirty)) == 0);
  EXPECT(world.translate(flags::validate_write | flags::set_page_table_bits) ==
         TranslateResult::Success);
  EXPECT((world.memory.read<uint64_t>(Spa{0x4000}) & (accessed | dirty)) == (accessed | dirty));
  EXPECT((world.memory.read<uint64_t>(Spa{0x1000}) & accessed) != 0);
}

TEST_CASE("stage 2 has results of its own") {
  CONFORMANCE("HvCallTranslateVirtualAddress", "GPA unmapped, no read, no write", "hvdef");
  TranslateWorld world;
  world.map(1, (uint64_t{1} << 33) | 3);
  world.enter_vtl1_ready();
  EXPECT(world.translate(to_vtl0 | flags::validate_read, 1) == TranslateResult::GpaUnmapped);
  REQUIRE(world.protect(victim_page, map_gpa::readable) == HvStatus::Success);
  EXPECT(world.translate(to_vtl0 | flags::validate_read) == TranslateResult::Success);
  EXPECT(world.translate(to_vtl0 | flags::validate_write) == TranslateResult::GpaNoWriteAccess);
  REQUIRE(world.protect(victim_page, 0) == HvStatus::Success);
  EXPECT(world.translate(to_vtl0 | flags::validate_read) == TranslateResult::GpaNoReadAccess);
}

TEST_CASE("what a translation refuses") {
  CONFORMANCE("HvCallTranslateVirtualAddress", "bad partition -> INVALID_PARTITION_ID", "TLFS");
  CONFORMANCE("HvCallTranslateVirtualAddress", "bad VP -> INVALID_VP_INDEX", "TLFS");
  CONFORMANCE("HvCallTranslateVirtualAddress", "VTL above the caller's -> ACCESS_DENIED", "TLFS");
  CONFORMANCE("HvCallTranslateVirtualAddress", "unknown flag, user and supervisor -> "
              "INVALID_PARAMETER", "hvdef");
  CONFORMANCE("HvCallTranslateVirtualAddress", "without AccessVpRegisters -> ACCESS_DENIED", "TLFS");
  TranslateWorld world;
  EXPECT(world.call(1, 0, vp_self, 42) == HvStatus::InvalidPartitionId);
  EXPECT(world.call(1, 0, 7) == HvStatus::InvalidVpIndex);
  EXPECT(world.call(1, 0, 1) == HvStatus::Success);  // the other processor
  EXPECT(world.call(uint64_t{0x11} << 56) == HvStatus::AccessDenied);
  EXPECT(world.call(uint64_t{0x20} << 56) == HvStatus::InvalidParameter);
  EXPECT(world.call(0x800) == HvStatus::InvalidParameter);
  EXPECT(world.call(flags::shadow_stack) == HvStatus::InvalidParameter);
  EXPECT(world.call(flags::user_access | flags::supervisor_access) == HvStatus::InvalidParameter);
  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_access_vp_registers(false);
  World poor{config};
  EXPECT(poor.slow(CallCode::TranslateVirtualAddress,
                   TranslateVirtualAddress{partition_self, vp_self, 0, 1, 1}) ==
         HvStatus::AccessDenied);
}

TEST_CASE("the Ex form says what the access would have raised") {
  CONFORMANCE("HvCallTranslateVirtualAddressEx", "64-byte output with the pending event", "hvdef");
  TranslateWorld world;
  const auto call = [&](uint64_t control, uint64_t page) {
    REQUIRE(world.slow(CallCode::TranslateVirtualAddressEx,
                       TranslateVirtualAddress{partition_self, vp_self, 0, control, page}) ==
            HvStatus::Success);
    return world.read<TranslateVirtualAddressExOutput>(output_page);
  };
  const auto good = call(flags::validate_read, gva >> 12);
  EXPECT(good.result_code == 0);
  EXPECT(good.cache_type == 6);
  EXPECT(good.gpa_page == victim_page >> 12);
  EXPECT(good.event.low == 0);
  const auto bad = call(flags::validate_write | flags::user_access, (gva >> 12) + 1);
  EXPECT(bad.result_code == 1);
  const PendingExceptionEvent event{bad.event.low};
  EXPECT(event.event_pending());
  EXPECT(event.vector() == 14);
  EXPECT(event.error_code() == 6);
  EXPECT(bad.event.high == gva + 0x1000);
  EXPECT(bad.gpa_page == 0);
}

TEST_CASE("CPUID of another processor") {
  CONFORMANCE("HvCallGetVpCpuidValues", "leaves as that VP sees them", "hvdef");
  CONFORMANCE("HvCallGetVpCpuidValues", "bad partition, VP, flags", "hvdef");
  World world;
  const CpuidLeafElement leaves[] = {{1, 0, 0, 0}, {0x40000000, 0, 0, 0}};
  const auto call = [&](const GetVpCpuidValues& header) {
    return world.slow(CallCode::GetVpCpuidValues, header, std::span<const CpuidLeafElement>{leaves});
  };
  REQUIRE(call({partition_self, 1, 0, 0, 0}) == HvStatus::Success);
  EXPECT(world.read<CpuidValues>(output_page).ebx >> 24 == 1);
  EXPECT(world.read<CpuidValues>(output_page + 16).ebx == cpuid::vendor_ebx);
  EXPECT(call({42, 1, 0, 0, 0}) == HvStatus::InvalidPartitionId);
  EXPECT(call({partition_self, 5, 0, 0, 0}) == HvStatus::InvalidVpIndex);
  EXPECT(call({partition_self, 1, 4, 0, 0}) == HvStatus::InvalidParameter);
  EXPECT(call({partition_self, 1, 0, 1, 0}) == HvStatus::InvalidParameter);
}

TEST_CASE("events and properties of the system, extended capabilities") {
  CONFORMANCE("HvCallNotifyPartitionEvent", "1 is taken, others -> INVALID_PARAMETER", "hvdef");
  CONFORMANCE("HvCallGetSystemProperty", "scheduler type; others -> UNKNOWN_PROPERTY", "hvdef");
  CONFORMANCE("HvCallExtQueryCapabilities", "none; without privilege -> ACCESS_DENIED", "TLFS 3.10");
  World world;
  const auto notify = [&](uint32_t event) {
    return world.slow(CallCode::NotifyPartitionEvent, NotifyPartitionEvent{event, 0});
  };
  EXPECT(notify(1) == HvStatus::Success);
  EXPECT(notify(99) == HvStatus::InvalidParameter);
  EXPECT(world.slow(CallCode::GetSystemProperty, GetSystemProperty{15, 0, 0}) == HvStatus::Success);
  EXPECT(world.read<uint64_t>(output_page) == 1);
  EXPECT(world.slow(CallCode::GetSystemProperty, GetSystemProperty{16, 0, 0}) ==
         HvStatus::UnknownProperty);
  EXPECT(world.slow(CallCode::GetSystemProperty, GetSystemProperty{15, 1, 0}) ==
         HvStatus::InvalidParameter);
  world.vmcall(0x8001, 0, output_page);
  EXPECT(world.status() == HvStatus::Success);
  EXPECT(world.read<uint64_t>(output_page) == 0);
  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_enable_extended_hypercalls(false);
  World poor{config};
  poor.vmcall(0x8001, 0, output_page);
  EXPECT(poor.status() == HvStatus::AccessDenied);
}
