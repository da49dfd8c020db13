#include "mmu/slat.h"

#include "abi/x64/paging.h"
#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using mmu::PageSize;
using mmu::Slat;
using mmu::SlatStatus;
using namespace test;

namespace {

namespace ept = abi::x64::ept;

struct Bare {
  explicit Bare(uint64_t table_pages = 256)
      : allocator{memory, Spa{32 * MiB}, table_pages * 4096} {}

  /// The raw entry of `level` for `gpa`, read as a processor would.
  uint64_t raw(uint64_t gpa, int level) const {
    uint64_t table = slat.root().value();
    for (int at = 4;; --at) {
      const auto entry = memory.read<uint64_t>(Spa{table + 8 * abi::x64::level_index(gpa, at)});
      if (at == level) return entry;
      table = entry & ept::address_mask;
    }
  }

  mmu::PhysicalMemory memory{64 * MiB};
  mmu::SlatPageAllocator allocator;
  Slat slat{memory, allocator};
};

}  // namespace

TEST_CASE("an empty SLAT has no table and maps nothing") {
  const Bare bare;
  EXPECT(bare.slat.root() == Spa{});
  EXPECT(!bare.slat.lookup(Gpa{0}).mapped);
  EXPECT(bare.allocator.available_pages() == 256);
}

TEST_CASE("entries are written bit for bit as EPT entries") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{0x5000}, Spa{0x7000}, r_w) == SlatStatus::Ok);
  constexpr uint64_t ours = uint64_t{1} << 52;  // ignored by hardware
  EXPECT((bare.raw(0x5000, 1) & ~ours) == (0x7000 | ept::read | ept::write | ept::write_back));
  for (int level = 2; level <= 4; ++level) {
    const uint64_t entry = bare.raw(0x5000, level);
    EXPECT((entry & 0xfff) == (ept::read | ept::write | ept::execute | ept::user_execute));
    EXPECT(bare.allocator.owns(Spa{entry & ept::address_mask}));
  }
  REQUIRE(bare.slat.map(Gpa{2 * MiB}, Spa{4 * MiB}, r_kx_ux, PageSize::Size2M) == SlatStatus::Ok);
  EXPECT((bare.raw(2 * MiB, 2) & ~ours) == (4 * MiB | ept::read | ept::execute | ept::user_execute |
                                            ept::large_page | ept::write_back));
  EXPECT(bare.slat.eptp() == (bare.slat.root().value() | 0x1e));
}

TEST_CASE("a device page is mapped uncached") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{0xfee00000}, Spa{0xfee00000}, r_w) == SlatStatus::Ok);
  EXPECT((bare.raw(0xfee00000, 1) & ept::memory_type_mask) == 0);
  EXPECT(bare.slat.lookup(Gpa{0xfee00020}).spa == Spa{0xfee00020});
}

TEST_CASE("look-up returns the SPA of the very byte, for every page size") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{0x1000}, Spa{0x9000}, r) == SlatStatus::Ok);
  REQUIRE(bare.slat.map(Gpa{2 * MiB}, Spa{6 * MiB}, r_w, PageSize::Size2M) == SlatStatus::Ok);
  REQUIRE(bare.slat.map(Gpa{5 * GiB}, Spa{2 * GiB}, r_kx_ux, PageSize::Size1G) == SlatStatus::Ok);

  const auto small = bare.slat.lookup(Gpa{0x1abc});
  EXPECT(small.spa == Spa{0x9abc});
  EXPECT(small.size == PageSize::Size4K);
  EXPECT(small.rights == r);
  const auto large = bare.slat.lookup(Gpa{2 * MiB + 0x12345});
  EXPECT(large.spa == Spa{6 * MiB + 0x12345});
  EXPECT(large.size == PageSize::Size2M);
  EXPECT(large.rights == r_w);
  const auto huge = bare.slat.lookup(Gpa{5 * GiB + 0x2345678});
  EXPECT(huge.spa == Spa{2 * GiB + 0x2345678});
  EXPECT(huge.size == PageSize::Size1G);
  EXPECT(huge.rights == r_kx_ux);
  EXPECT(!bare.slat.lookup(Gpa{0x2000}).mapped);
  EXPECT(!bare.slat.lookup(Gpa{uint64_t{1} << 48}).mapped);
}

TEST_CASE("a page without rights is mapped, unlike a hole") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{0x1000}, Spa{0x9000}, none) == SlatStatus::Ok);
  REQUIRE(bare.slat.map(Gpa{4 * MiB}, Spa{8 * MiB}, none, PageSize::Size2M) == SlatStatus::Ok);
  EXPECT(bare.slat.lookup(Gpa{0x1000}).mapped);
  EXPECT(bare.slat.lookup(Gpa{0x1000}).rights == none);
  EXPECT(bare.slat.lookup(Gpa{4 * MiB + 5}).spa == Spa{8 * MiB + 5});
  EXPECT(bare.slat.protect(Gpa{0x1000}, r) == SlatStatus::Ok);
  EXPECT(bare.slat.lookup(Gpa{0x1000}).spa == Spa{0x9000});
  EXPECT(bare.slat.protect(Gpa{0x3000}, r) == SlatStatus::NotMapped);
}

TEST_CASE("protecting one page of a 1 GiB page splits it and leaves its neighbours as they were") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{GiB}, Spa{3 * GiB}, mmu::all_rights, PageSize::Size1G) ==
          SlatStatus::Ok);
  const uint64_t target = GiB + 6 * MiB + 0x5000;
  REQUIRE(bare.slat.protect(Gpa{target}, r) == SlatStatus::Ok);

  EXPECT(bare.slat.lookup(Gpa{target}).rights == r);
  EXPECT(bare.slat.lookup(Gpa{target}).spa == Spa{target + 2 * GiB});
  EXPECT(bare.slat.lookup(Gpa{target}).size == PageSize::Size4K);
  for (const uint64_t other :
       {target - 0x1000, target + 0x1000, GiB + 6 * MiB, GiB + 8 * MiB - 0x1000}) {
    EXPECT(bare.slat.lookup(Gpa{other}).rights == mmu::all_rights);
    EXPECT(bare.slat.lookup(Gpa{other}).spa == Spa{other + 2 * GiB});
    EXPECT(bare.slat.lookup(Gpa{other}).size == PageSize::Size4K);
  }
  for (const uint64_t other : {GiB, GiB + 8 * MiB, 2 * GiB - 1}) {
    EXPECT(bare.slat.lookup(Gpa{other}).spa == Spa{other + 2 * GiB});
    EXPECT(bare.slat.lookup(Gpa{other}).size == PageSize::Size2M);
  }
}

TEST_CASE("protecting with the rights that a large page has does not split it") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{2 * MiB}, Spa{4 * MiB}, r_w, PageSize::Size2M) == SlatStatus::Ok);
  const uint64_t before = bare.allocator.available_pages();
  REQUIRE(bare.slat.protect(Gpa{2 * MiB + 0x1000}, r_w) == SlatStatus::Ok);
  EXPECT(bare.allocator.available_pages() == before);
  EXPECT(bare.slat.lookup(Gpa{2 * MiB}).size == PageSize::Size2M);
}

TEST_CASE("a split page without rights stays without rights") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{2 * MiB}, Spa{4 * MiB}, none, PageSize::Size2M) == SlatStatus::Ok);
  REQUIRE(bare.slat.protect(Gpa{2 * MiB + 0x3000}, r_w) == SlatStatus::Ok);
  EXPECT(bare.slat.lookup(Gpa{2 * MiB + 0x3000}).rights == r_w);
  EXPECT(bare.slat.lookup(Gpa{2 * MiB + 0x3000}).spa == Spa{4 * MiB + 0x3000});
  EXPECT(bare.slat.lookup(Gpa{2 * MiB + 0x4000}).mapped);
  EXPECT(bare.slat.lookup(Gpa{2 * MiB + 0x4000}).rights == none);
}

TEST_CASE("unmapping makes a hole of one page") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{2 * MiB}, Spa{4 * MiB}, r_w, PageSize::Size2M) == SlatStatus::Ok);
  REQUIRE(bare.slat.unmap(Gpa{2 * MiB + 0x1000}) == SlatStatus::Ok);
  EXPECT(!bare.slat.lookup(Gpa{2 * MiB + 0x1000}).mapped);
  EXPECT(bare.slat.lookup(Gpa{2 * MiB + 0x2000}).rights == r_w);
  EXPECT(bare.slat.unmap(Gpa{2 * MiB + 0x1000}) == SlatStatus::NotMapped);
}

TEST_CASE("a large page over small ones gives their tables back") {
  Bare bare;
  REQUIRE(bare.slat.map(Gpa{GiB + 0x1000}, Spa{0x1000}, r) == SlatStatus::Ok);
  REQUIRE(bare.slat.map(Gpa{GiB + 4 * MiB}, Spa{0x1000}, r) == SlatStatus::Ok);
  const uint64_t before = bare.allocator.available_pages();
  REQUIRE(bare.slat.map(Gpa{GiB}, Spa{GiB}, r_w, PageSize::Size1G) == SlatStatus::Ok);
  EXPECT(bare.allocator.available_pages() == before + 3);
  EXPECT(bare.slat.lookup(Gpa{GiB + 0x1000}).rights == r_w);
}

TEST_CASE("a range uses the largest pages that fit") {
  Bare bare;
  REQUIRE(bare.slat.map_range(Gpa{GiB - 2 * MiB - 0x1000}, Spa{3 * GiB - 2 * MiB - 0x1000},
                              0x1000 + 2 * MiB + GiB + 0x2000, r_w) == SlatStatus::Ok);
  EXPECT(bare.slat.lookup(Gpa{GiB - 2 * MiB - 0x1000}).size == PageSize::Size4K);
  EXPECT(bare.slat.lookup(Gpa{GiB - 2 * MiB}).size == PageSize::Size2M);
  EXPECT(bare.slat.lookup(Gpa{GiB}).size == PageSize::Size1G);
  EXPECT(bare.slat.lookup(Gpa{2 * GiB + 0x1000}).size == PageSize::Size4K);
  EXPECT(bare.slat.lookup(Gpa{2 * GiB + 0x1fff}).spa == Spa{4 * GiB + 0x1fff});
  EXPECT(!bare.slat.lookup(Gpa{2 * GiB + 0x2000}).mapped);
}

TEST_CASE("rights that TLFS does not allow are refused") {
  Bare bare;
  const Rights write_only{false, true, false, false};
  const Rights execute_only{false, false, true, true};
  const Rights kernel_execute_only{true, false, true, false};
  for (const Rights rights : {write_only, execute_only, kernel_execute_only}) {
    EXPECT(!Slat::valid(rights));
    EXPECT(bare.slat.map(Gpa{0}, Spa{0}, rights) == SlatStatus::InvalidRights);
  }
  for (const Rights rights : {none, r, r_w, r_ux, r_kx_ux, r_w_ux, mmu::all_rights})
    EXPECT(Slat::valid(rights));
  EXPECT(!bare.slat.lookup(Gpa{0}).mapped);
}

TEST_CASE("addresses that are not multiples of the page, or too large, are refused") {
  Bare bare;
  EXPECT(bare.slat.map(Gpa{0x1001}, Spa{0}, r) == SlatStatus::Misaligned);
  EXPECT(bare.slat.map(Gpa{0}, Spa{0x800}, r) == SlatStatus::Misaligned);
  EXPECT(bare.slat.map(Gpa{0x1000}, Spa{0}, r, PageSize::Size2M) == SlatStatus::Misaligned);
  EXPECT(bare.slat.map(Gpa{2 * MiB}, Spa{0}, r, PageSize::Size1G) == SlatStatus::Misaligned);
  EXPECT(bare.slat.map(Gpa{uint64_t{1} << 48}, Spa{0}, r) == SlatStatus::Misaligned);
  EXPECT(bare.slat.map(Gpa{0}, Spa{uint64_t{1} << 48}, r) == SlatStatus::Misaligned);
  EXPECT(bare.slat.map_range(Gpa{0}, Spa{0}, 0x800, r) == SlatStatus::Misaligned);
  EXPECT(bare.slat.unmap(Gpa{1}) == SlatStatus::Misaligned);
  EXPECT(bare.slat.protect(Gpa{1}, r) == SlatStatus::Misaligned);
}

TEST_CASE("when tables run out, what was mapped stays mapped") {
  Bare bare{4};
  REQUIRE(bare.slat.map(Gpa{0x1000}, Spa{0x1000}, r) == SlatStatus::Ok);
  EXPECT(bare.slat.map(Gpa{2 * MiB}, Spa{0x1000}, r) == SlatStatus::OutOfTables);
  EXPECT(bare.slat.lookup(Gpa{0x1000}).mapped);
  REQUIRE(bare.slat.map(Gpa{2 * MiB}, Spa{2 * MiB}, r_w, PageSize::Size2M) == SlatStatus::Ok);
  EXPECT(bare.slat.protect(Gpa{2 * MiB}, r) == SlatStatus::OutOfTables);
  EXPECT(bare.slat.lookup(Gpa{2 * MiB}).rights == r_w);

  Bare none_left{0};
  EXPECT(none_left.slat.map(Gpa{0}, Spa{0}, r) == SlatStatus::OutOfTables);
  EXPECT(!none_left.slat.lookup(Gpa{0}).mapped);
}

TEST_CASE("tables start as zeros even where RAM does not, and a SLAT that goes returns them all") {
  mmu::PhysicalMemory memory{64 * MiB};
  REQUIRE(memory.fill(Spa{32 * MiB}, MiB, 0xff));
  mmu::SlatPageAllocator allocator{memory, Spa{32 * MiB}, MiB};
  {
    Slat slat{memory, allocator};
    REQUIRE(slat.map(Gpa{0x5000}, Spa{0x5000}, r) == SlatStatus::Ok);
    EXPECT(!slat.lookup(Gpa{0x6000}).mapped);
    EXPECT(allocator.available_pages() == 256 - 4);
  }
  EXPECT(allocator.available_pages() == 256);
  Slat slat{memory, allocator};
  REQUIRE(slat.map(Gpa{0x6000}, Spa{0x6000}, r) == SlatStatus::Ok);
  EXPECT(!slat.lookup(Gpa{0x5000}).mapped);
}
