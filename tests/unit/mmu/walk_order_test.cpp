// Which check comes first, and how many references a walk makes (sections 8.2 and 8.3).
#include <algorithm>
#include <cstring>

#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using namespace test;

namespace {

constexpr uint64_t va = 0x7f12'3456'7000;
constexpr uint64_t page = 0x40'0000;
constexpr uint64_t low_in_huge_page = 0x7f12'4000'1000;  // so that a 1 GiB page stays inside RAM

/// References of an access, with stage 1 and stage 2 pages of the given levels.
unsigned references(int stage1_level, int stage2_level) {
  World world;
  if (stage2_level == 2) {
    REQUIRE(world.slat.map_range(Gpa{0}, Spa{World::shift}, World::guest_size, mmu::all_rights) ==
            mmu::SlatStatus::Ok);
  }
  if (stage2_level == 3) {
    REQUIRE(world.slat.map(Gpa{0}, Spa{0}, mmu::all_rights, mmu::PageSize::Size1G) ==
            mmu::SlatStatus::Ok);
    REQUIRE(world.memory.fill(Spa{0x100000}, 0x10000, 0));
    // GPA and SPA are now the same: put the tables where the walk will look for them.
    world.map(low_in_huge_page, 0, rw, stage1_level);
    std::memcpy(world.memory.data() + 0x100000, world.memory.data() + 0x100000 + World::shift,
                0x10000);
  } else {
    world.map(low_in_huge_page, 0, rw, stage1_level);
  }
  const auto report = world.explain(low_in_huge_page, AccessKind::Read);
  EXPECT(report.rule == WalkRule::Granted);
  return report.count;
}

}  // namespace

TEST_CASE("a walk makes exactly the references of the two-dimensional formula") {
  EXPECT(references(1, 1) == 24);  // 4 x 4, 4 KiB: (4+1)(4+1) - 1
  EXPECT(references(2, 1) == 19);  // 2 MiB guest page, 4 KiB EPT: (3+1)(4+1) - 1
  EXPECT(references(2, 2) == 15);  // 2 MiB both: (3+1)(3+1) - 1
  EXPECT(references(1, 2) == 19);
  EXPECT(references(3, 1) == 14);
  EXPECT(references(3, 2) == 11);
  EXPECT(references(1, 3) == 14);
  EXPECT(references(2, 3) == 11);
  EXPECT(references(3, 3) == 8);
}

TEST_CASE(
    "without stage 2 a walk makes four references, without paging as many as stage 2 has levels") {
  World bare;
  bare.map(va, page, rw);
  bare.space.slat = nullptr;
  bare.space.stage1.cr3 += World::shift;
  for (int level = 4; level > 1; --level) {  // the tables hold GPAs: make them SPAs
    uint64_t table = bare.space.stage1.cr3 & pte::address_mask;
    for (int at = 4; at > level; --at) {
      table = bare.memory.read<uint64_t>(Spa{table + 8 * abi::x64::level_index(va, at)}) &
              pte::address_mask;
    }
    const Spa entry{table + 8 * abi::x64::level_index(va, level)};
    bare.memory.write(entry, bare.memory.read<uint64_t>(entry) + World::shift);
  }
  const auto report = bare.explain(va, AccessKind::Read);
  EXPECT(report.rule == WalkRule::Granted);
  EXPECT(report.count == 4);

  World unpaged;
  unpaged.space.stage1 = {0x60000010, 0, 0, 0, false};
  EXPECT(unpaged.explain(page, AccessKind::Read).count == 4);
}

TEST_CASE("a #PF comes before the SLAT violation of the final page") {
  World world;
  world.map(va, page, pte::present);
  world.protect(page, none);
  EXPECT(error_code(world.write_at(va)) == 3);
  EXPECT(error_code(world.read_at(va, true)) == 5);
  EXPECT(slat_violation(world.read_at(va)));
}

TEST_CASE("the SLAT violation of a table comes before what the table would have said") {
  for (int level = 1; level <= 4; ++level) {
    World world;
    const uint64_t entry = world.entry_gpa(va, level);  // and the entry itself is not present
    world.protect(entry, none);
    const auto result = world.read_at(va);
    REQUIRE(slat_violation(result));
    EXPECT(result.fault.paging_structure);
  }
}

TEST_CASE("a #PF of an upper level comes before the SLAT violation of a lower table") {
  World world;
  world.map(va, page, rw);
  world.protect(world.entry_gpa(va, 1), none);
  world.write(world.entry_gpa(va, 3), 0);
  EXPECT(error_code(world.read_at(va)) == 0);
}

TEST_CASE("a #PF of permissions comes before the SLAT violation of setting A") {
  World world;
  world.map(va, page, pte::present | pte::user);
  world.protect(world.entry_gpa(va, 1), r);
  EXPECT(error_code(world.write_at(va)) == 3);
  EXPECT(slat_violation(world.read_at(va)));
}

TEST_CASE("the SLAT violation of setting A or D comes before that of the final page") {
  World world;
  world.map(va, page, rw);
  world.protect(world.entry_gpa(va, 1), r);
  world.protect(page, none);
  const auto result = world.read_at(va);
  REQUIRE(slat_violation(result));
  EXPECT(result.fault.paging_structure);
}

TEST_CASE("a write that stage 2 refuses has set A and D before") {
  World world;
  world.map(va, page, rw);
  world.protect(page, r);
  const auto result = world.write_at(va);
  REQUIRE(slat_violation(result));
  EXPECT(!result.fault.paging_structure);
  EXPECT((world.entry(va) & (pte::accessed | pte::dirty)) == (pte::accessed | pte::dirty));
}

TEST_CASE("a hole in stage 2 under a table is unmapped, with the table's GPA") {
  World world;
  world.write(world.entry_gpa(va, 4), 40 * MiB | rw);
  const auto result = world.read_at(va);
  REQUIRE(!result.ok);
  EXPECT(result.fault.kind == FaultKind::GpaUnmapped);
  EXPECT(result.fault.paging_structure);
  EXPECT(result.fault.gpa == Gpa{40 * MiB + 8 * abi::x64::level_index(va, 3)});
  EXPECT(world.explain(va, AccessKind::Read).rule == WalkRule::TableUnmapped);
}

TEST_CASE("setting A in a table makes its page dirty, and takes it out of code") {
  World world;
  world.map(va, page, rw);
  const uint64_t table = World::spa_of(world.entry_gpa(va, 1)).page_number();
  world.memory.clear_dirty();
  world.memory.make_code(table);
  REQUIRE(world.read_at(va).ok);
  EXPECT(world.memory.state(table) == mmu::PageState::Data);
  const auto dirty = world.memory.dirty_pages();
  EXPECT(std::find(dirty.begin(), dirty.end(), table) != dirty.end());
  EXPECT(dirty.size() == 4);
}
