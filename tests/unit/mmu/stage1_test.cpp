// Stage 1 alone: what four-level paging allows and which error code a #PF has (SDM vol. 3, 4.5 to 4.8).
#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using namespace test;

namespace {

constexpr uint64_t va = 0xffff'8000'0012'3000;
constexpr uint64_t page = 0x40'0000;  // a GPA
constexpr uint32_t P = 1, W = 2, U = 4, RSVD = 8, I = 16;
constexpr uint64_t smep = uint64_t{1} << 20, smap = uint64_t{1} << 21;
constexpr uint64_t wp = uint64_t{1} << 16, nxe = uint64_t{1} << 11;

}  // namespace

TEST_CASE("a 4 KiB page lands at its frame plus the offset, moved by stage 2") {
  World world;
  world.map(va, page, rw);
  const auto result = world.read_at(va + 0xabc);
  REQUIRE(result.ok);
  EXPECT(result.translation.gpa == Gpa{page + 0xabc});
  EXPECT(result.translation.spa == Spa{page + World::shift + 0xabc});
  EXPECT(result.translation.ram);
  EXPECT(!result.translation.user_page);
  EXPECT(result.translation.readable);
  EXPECT(result.translation.executable);
}

TEST_CASE("2 MiB and 1 GiB pages take their low bits from the linear address") {
  World world;
  world.map(0x4000'0000, 6 * MiB, rw, 2);
  EXPECT(world.read_at(0x4000'0000 + 0x12345).translation.gpa == Gpa{6 * MiB + 0x12345});
  world.map(0x8000'0000, 0, rw, 3);
  EXPECT(world.read_at(0x8000'0000 + 0x1234567).translation.gpa == Gpa{0x1234567});
  EXPECT(world.read_at(0x8000'0000 + 33 * MiB).fault.kind == FaultKind::GpaUnmapped);
}

TEST_CASE("the PAT bit of a large page is not part of its address") {
  World world;
  world.map(0x4000'0000, (6 * MiB) | 0x1000, rw, 2);
  EXPECT(world.read_at(0x4000'0000).translation.gpa == Gpa{6 * MiB});
}

TEST_CASE("addresses whose upper bits differ are not canonical, whatever the tables say") {
  World world;
  world.map(0x7fff'ffff'f000, page, rwu);
  world.map(0xffff'8000'0000'0000, page, rwu);
  EXPECT(world.read_at(0x7fff'ffff'ffff).ok);
  EXPECT(world.read_at(0xffff'8000'0000'0000).ok);
  for (const uint64_t address : {0x0000'8000'0000'0000ull, 0xffff'7fff'ffff'ffffull,
                                 0x8000'0000'0000'0000ull, 0x0001'0000'0000'0000ull}) {
    const auto result = world.read_at(address);
    REQUIRE(!result.ok);
    EXPECT(result.fault.kind == FaultKind::NonCanonical);
    EXPECT(result.fault.address == Gva{address});
  }
}

TEST_CASE("a level that is not present gives a #PF with P = 0 and the access in the error code") {
  for (int level = 1; level <= 4; ++level) {
    World world;
    world.map(va, page, rwu);
    world.write(world.entry_gpa(va, level), 0);
    EXPECT(error_code(world.read_at(va)) == 0);
    EXPECT(error_code(world.write_at(va)) == W);
    EXPECT(error_code(world.read_at(va, true)) == U);
    EXPECT(error_code(world.write_at(va, true)) == (W | U));
    EXPECT(error_code(world.fetch_at(va)) == I);
    EXPECT(error_code(world.fetch_at(va, true)) == (I | U));
    EXPECT(world.read_at(va + 0x678).fault.address == Gva{va + 0x678});
  }
}

TEST_CASE("the fetch bit of the error code needs NXE or SMEP") {
  World world;
  world.space.stage1.efer &= ~nxe;
  EXPECT(error_code(world.fetch_at(va)) == 0);
  world.space.stage1.cr4 |= smep;
  EXPECT(error_code(world.fetch_at(va)) == I);
  world.space.stage1.cr4 &= ~smep;
  world.space.stage1.efer |= nxe;
  EXPECT(error_code(world.fetch_at(va)) == I);
}

TEST_CASE("reserved bits fault with RSVD in every level") {
  for (int level = 1; level <= 4; ++level) {
    World world;
    world.map(va, page, rwu);
    const uint64_t entry = world.entry_gpa(va, level);
    const uint64_t good = world.read(entry);
    for (int bit = 40; bit <= 51; ++bit) {  // MAXPHYADDR is 40
      world.write(entry, good | uint64_t{1} << bit);
      EXPECT(error_code(world.write_at(va)) == (P | W | RSVD));
    }
    for (int bit = 52; bit <= 62;
         ++bit) {  // ignored, but for protection keys, which this machine has not
      world.write(entry, good | uint64_t{1} << bit);
      EXPECT(world.read_at(va).ok);
      world.translator.invalidate_address(world.space, Gva{va});
    }
    world.write(entry, (good & ~pte::present) | uint64_t{1} << 45);
    EXPECT(error_code(world.read_at(va)) == 0);  // not present comes first
  }
}

TEST_CASE("the boundary of the physical address follows the configuration") {
  World world{{.physical_address_bits = 36, .tlb_entries = 64}};
  world.map(va, page, rw);
  world.write(world.entry_gpa(va, 1), (uint64_t{1} << 36) | page | rw);
  EXPECT(error_code(world.read_at(va)) == (P | RSVD));
  world.write(world.entry_gpa(va, 1), (uint64_t{1} << 35) | page | rw);
  EXPECT(world.read_at(va).fault.kind == FaultKind::GpaUnmapped);
}

TEST_CASE("PS in a PML4 entry and the low address bits of large pages are reserved") {
  World world;
  world.map(va, page, rw);
  const uint64_t pml4e = world.entry_gpa(va, 4);
  world.write(pml4e, world.read(pml4e) | pte::large_page);
  EXPECT(error_code(world.read_at(va)) == (P | RSVD));

  for (int bit = 13; bit <= 20; ++bit) {
    world.map(0x4000'0000, (uint64_t{1} << bit), rw, 2);
    EXPECT(error_code(world.read_at(0x4000'0000)) == (P | RSVD));
  }
  for (int bit = 13; bit <= 29; ++bit) {
    world.map(0x1'0000'0000, (uint64_t{1} << bit), rw, 3);
    EXPECT(error_code(world.read_at(0x1'0000'0000)) == (P | RSVD));
  }
}

TEST_CASE("XD forbids fetches with NXE, and is a reserved bit without") {
  for (int level = 1; level <= 4; ++level) {
    World world;
    world.map(va, page, rwu);
    const uint64_t entry = world.entry_gpa(va, level);
    world.write(entry, world.read(entry) | pte::no_execute);
    EXPECT(error_code(world.fetch_at(va)) == (P | I));
    EXPECT(error_code(world.fetch_at(va, true)) == (P | I | U));
    EXPECT(world.read_at(va).ok);
    EXPECT(!world.read_at(va).translation.executable);
    world.translator.invalidate_all(world.space, false);
    world.space.stage1.efer &= ~nxe;
    EXPECT(error_code(world.read_at(va)) == (P | RSVD));
  }
}

TEST_CASE("U/S and R/W count in every level for user accesses") {
  for (int level = 1; level <= 4; ++level) {
    World world;
    world.map(va, page, rwu);
    const uint64_t entry = world.entry_gpa(va, level);
    const uint64_t good = world.read(entry);
    EXPECT(world.write_at(va, true).ok);
    world.translator.invalidate_all(world.space, false);
    world.write(entry, good & ~pte::user);
    EXPECT(error_code(world.read_at(va, true)) == (P | U));
    EXPECT(error_code(world.write_at(va, true)) == (P | U | W));
    EXPECT(error_code(world.fetch_at(va, true)) == (P | U | I));
    EXPECT(world.write_at(va).ok);
    world.translator.invalidate_all(world.space, false);
    world.write(entry, good & ~pte::writable);
    EXPECT(error_code(world.write_at(va, true)) == (P | U | W));
    EXPECT(world.read_at(va, true).ok);
  }
}

TEST_CASE("a supervisor writes to a read-only page only without CR0.WP, a user never") {
  World world;
  world.map(va, page, pte::present | pte::user);
  EXPECT(error_code(world.write_at(va)) == (P | W));
  world.space.stage1.cr0 &= ~wp;
  EXPECT(world.write_at(va).ok);
  EXPECT(error_code(world.write_at(va, true)) == (P | W | U));
}

TEST_CASE("SMEP forbids supervisor fetches from user pages only") {
  World world;
  world.map(va, page, rwu);
  world.map(va + 0x1000, page, rw);
  EXPECT(world.fetch_at(va).ok);
  world.space.stage1.cr4 |= smep;
  EXPECT(error_code(world.fetch_at(va)) == (P | I));
  EXPECT(world.fetch_at(va, true).ok);
  EXPECT(world.fetch_at(va + 0x1000).ok);
  EXPECT(world.read_at(va).ok);
}

TEST_CASE(
    "SMAP forbids supervisor data accesses to user pages unless AC is set and the access is "
    "explicit") {
  World world;
  world.map(va, page, rwu);
  world.map(va + 0x1000, page, rw);
  world.space.stage1.cr4 |= smap;
  EXPECT(error_code(world.read_at(va)) == P);
  EXPECT(error_code(world.write_at(va)) == (P | W));
  EXPECT(world.fetch_at(va).ok);  // that is SMEP's affair
  EXPECT(world.write_at(va, true).ok);
  EXPECT(world.write_at(va + 0x1000).ok);
  world.space.stage1.alignment_check = true;
  EXPECT(world.write_at(va).ok);
  const Access implicit{Gva{va}, AccessKind::Read, true, true};  // the GDT, touched at CPL 3
  EXPECT(error_code(world.translator.translate(world.space, implicit)) == P);
  const Access implicit_kernel{Gva{va + 0x1000}, AccessKind::Read, true, true};
  EXPECT(world.translator.translate(world.space, implicit_kernel).ok);
}

TEST_CASE("A is set in every level, D in the leaf of a write only") {
  World world;
  world.map(va, page, rw);
  REQUIRE(world.read_at(va).ok);
  for (int level = 1; level <= 4; ++level)
    EXPECT((world.entry(va, level) & pte::accessed) != 0);
  EXPECT((world.entry(va) & pte::dirty) == 0);
  EXPECT(!world.read_at(va).translation.dirty);
  REQUIRE(world.write_at(va).ok);
  EXPECT((world.entry(va) & pte::dirty) != 0);
  EXPECT(world.read_at(va).translation.dirty);
  for (int level = 2; level <= 4; ++level)
    EXPECT((world.entry(va, level) & pte::dirty) == 0);
}

TEST_CASE("A and D of large pages are in the entry that maps them") {
  World world;
  world.map(0x4000'0000, 2 * MiB, rw, 2);
  REQUIRE(world.write_at(0x4000'1000).ok);
  EXPECT((world.entry(0x4000'0000, 2) & (pte::accessed | pte::dirty)) ==
         (pte::accessed | pte::dirty));
  EXPECT((world.entry(0x4000'0000, 3) & pte::dirty) == 0);
}

TEST_CASE("a walk that ends in a #PF sets no bit") {
  World world;
  world.map(va, page, pte::present);
  REQUIRE(!world.write_at(va, true).ok);
  for (int level = 1; level <= 4; ++level)
    EXPECT((world.entry(va, level) & pte::accessed) == 0);
}

TEST_CASE("a table that maps itself gets A and D from every level that it serves") {
  World world;
  const uint64_t root = world.space.stage1.cr3;
  world.write(root + 8 * 0x1ed, root | rw);
  const uint64_t self = 0xffff'0000'0000'0000 | uint64_t{0x1ed} << 39 | uint64_t{0x1ed} << 30 |
                        uint64_t{0x1ed} << 21 | uint64_t{0x1ed} << 12;
  const auto result = world.write_at(self);
  REQUIRE(result.ok);
  EXPECT(result.translation.gpa == Gpa{root});
  EXPECT(world.read(root + 8 * 0x1ed) == (root | rw | pte::accessed | pte::dirty));
}

TEST_CASE("the low bits of CR3 are no part of the table's address") {
  World world;
  world.map(va, page, rw);
  world.space.stage1.cr3 |= 0x18;  // PWT, PCD
  EXPECT(world.read_at(va).ok);
  world.space.stage1.cr4 |= uint64_t{1} << 17;  // PCIDE
  world.space.stage1.cr3 |= 0xfff;
  EXPECT(world.read_at(va).ok);
}

TEST_CASE("without paging an address is its own GPA and every access is allowed") {
  World world;
  world.space.stage1 = {0x60000010, 0, 0, 0, false};
  const auto result = world.write_at(0x5123);
  REQUIRE(result.ok);
  EXPECT(result.translation.gpa == Gpa{0x5123});
  EXPECT(result.translation.spa == Spa{World::shift + 0x5123});
  EXPECT(result.translation.writable);
  EXPECT(result.translation.executable);
  EXPECT(world.fetch_at(0x5123, true).ok);
  EXPECT(world.read_at(0x8000'0000).fault.kind == FaultKind::GpaUnmapped);
}

TEST_CASE("on a bare machine GPA and SPA are the same number, and what is not RAM is a device") {
  World world;
  world.space.slat = nullptr;
  world.space.stage1.cr3 += World::shift;  // the same table, seen without stage 2
  const uint64_t root = world.space.stage1.cr3;
  world.memory.write<uint64_t>(Spa{root + 8 * 256}, (root + 0x10000) | rw);
  world.memory.write<uint64_t>(Spa{root + 0x10000}, (root + 0x11000) | rw);
  world.memory.write<uint64_t>(Spa{root + 0x11000}, (root + 0x12000) | rw);
  world.memory.write<uint64_t>(Spa{root + 0x12000}, 0xfee00000 | rw);
  world.memory.write<uint64_t>(Spa{root + 0x12008}, 0x3000 | rw);
  const auto device = world.read_at(0xffff'8000'0000'0020);
  REQUIRE(device.ok);
  EXPECT(device.translation.spa == Spa{0xfee00020});
  EXPECT(!device.translation.ram);
  const auto memory = world.read_at(0xffff'8000'0000'1020);
  REQUIRE(memory.ok);
  EXPECT(memory.translation.spa == Spa{0x3020});
  EXPECT(memory.translation.gpa == Gpa{0x3020});
  EXPECT(memory.translation.ram);
}

TEST_CASE("a page table outside RAM reads as ones, whose reserved bits fault") {
  World world;
  world.space.slat = nullptr;
  world.space.stage1.cr3 = 0xfee00000;
  EXPECT(error_code(world.read_at(va)) == (P | RSVD));
}
