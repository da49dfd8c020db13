#include "vtl/hypercall_page.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

std::vector<uint8_t> at(const std::array<uint8_t, 4096>& page, size_t offset, size_t bytes) {
  return {page.begin() + static_cast<long>(offset),
          page.begin() + static_cast<long>(offset + bytes)};
}

}  // namespace

TEST_CASE("the hypercall page has the 1607 layout, byte for byte") {
  const auto page = vtl::build_hypercall_page({}, vtl::Vendor::Intel);
  EXPECT(at(page, 0x00, 4) == std::vector<uint8_t>{0x0F, 0x01, 0xC1, 0xC3});
  EXPECT(at(page, 0x04, 11) ==
         std::vector<uint8_t>{0x89, 0xC1, 0xB8, 0x11, 0, 0, 0, 0x0F, 0x01, 0xC1, 0xC3});
  EXPECT(at(page, 0x0F, 14) == std::vector<uint8_t>{0x48, 0x89, 0xC8, 0x48, 0xC7, 0xC1, 0x11, 0, 0,
                                                    0, 0x0F, 0x01, 0xC1, 0xC3});
  EXPECT(at(page, 0x1D, 11) ==
         std::vector<uint8_t>{0x89, 0xC1, 0xB8, 0x12, 0, 0, 0, 0x0F, 0x01, 0xC1, 0xC3});
  EXPECT(at(page, 0x28, 14) == std::vector<uint8_t>{0x48, 0x89, 0xC8, 0x48, 0xC7, 0xC1, 0x12, 0, 0,
                                                    0, 0x0F, 0x01, 0xC1, 0xC3});
  EXPECT(page[0x36] == 0xCC);
  EXPECT(page[4095] == 0xCC);
  EXPECT(vtl::code_page_offsets({}, true).raw == 0x2800F);
  EXPECT(vtl::code_page_offsets({}, false).raw == 0x1D004);
}

TEST_CASE("an AMD processor gets VMMCALL in every stub") {
  const auto page = vtl::build_hypercall_page({}, vtl::Vendor::Amd);
  for (const size_t offset : {0x02u, 0x0Du, 0x1Bu, 0x26u, 0x34u})
    EXPECT(page[offset] == 0xD9);
}

TEST_CASE("layouts that overlap or leave the page are refused") {
  EXPECT(vtl::valid({}));
  EXPECT(vtl::valid(
      {.vtl_call32 = 0x100, .vtl_call64 = 0x200, .vtl_return32 = 0x300, .vtl_return64 = 0xFF2}));
  EXPECT(!vtl::valid({.vtl_return64 = 0xFF3}));
  EXPECT(!vtl::valid({.vtl_call64 = 0x0E}));
  EXPECT(!vtl::valid({.vtl_call32 = 0x03}));
}

TEST_CASE(
    "moved stubs are told by the code page register and are in the page that the guest sees") {
  vtl::HypervisorConfig config;
  config.hypercall_page = {
      .vtl_call32 = 0x40, .vtl_call64 = 0x80, .vtl_return32 = 0xC0, .vtl_return64 = 0x100};
  World world{config};
  const VsmCodePageOffsets offsets{world.get(RegisterName::VsmCodePageOffsets)};
  REQUIRE(offsets.vtl_call_offset() == 0x80);
  REQUIRE(offsets.vtl_return_offset() == 0x100);
  REQUIRE(world.wrmsr(msr::GuestOsId, 1));
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  EXPECT(world.read<uint8_t>(hypercall_page + 0x80) == 0x48);
  EXPECT(world.read<uint8_t>(hypercall_page + 0x86) == 0x11);
  EXPECT(world.read<uint8_t>(hypercall_page + 0x106) == 0x12);
  EXPECT(world.read<uint8_t>(hypercall_page + 0x0F) == 0xCC);
}
