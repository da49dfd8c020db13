// Stage 1 outside four-level paging: 32-bit, PAE, five levels (SDM vol. 3, 4.3 to 4.5).
#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using namespace test;

namespace {

constexpr uint32_t P = 1, W = 2, U = 4, RSVD = 8, I = 16;
constexpr uint64_t smep = uint64_t{1} << 20, nxe = uint64_t{1} << 11;
constexpr uint64_t pse = uint64_t{1} << 4, pae = uint64_t{1} << 5, pge = uint64_t{1} << 7, la57 = uint64_t{1} << 12;
constexpr uint64_t directory = 0x10000, table = 0x11000, page = 0x40'0000;

struct Bits32World : World {
  Bits32World() {
    space.stage1 = {cr0, directory, pse | pge, 0, false};
    entry32(directory, 0x123, table | rwu);
    entry32(table, 0x45, page | rwu);
  }
  void entry32(uint64_t at, unsigned index, uint64_t value) {
    memory.write(spa_of(at + 4 * index), static_cast<uint32_t>(value));
  }
  uint32_t entry32(uint64_t at, unsigned index) {
    return memory.read<uint32_t>(spa_of(at + 4 * index));
  }
  static constexpr uint64_t va = 0x48c45000;  // indices 0x123 and 0x45
};

struct PaeWorld : World {
  PaeWorld() {
    space.stage1 = {cr0, 0x2000'0000, pae | pge, nxe, false};
    space.stage1.pdpte[1] = directory | 1;
    write(directory + 8 * 0x44, table | rwu);
    write(table + 8 * 0x55, page | rwu);
  }
  static constexpr uint64_t va = 0x48855000;  // pointer 1, indices 0x44 and 0x55
};

}  // namespace

TEST_CASE("32-bit paging has two levels of 1024 entries of four bytes, with A and D") {
  Bits32World world;
  REQUIRE(world.write_at(Bits32World::va + 0x678).translation.gpa == Gpa{page + 0x678});
  EXPECT(world.entry32(directory, 0x123) == (table | rwu | pte::accessed));
  EXPECT(world.entry32(table, 0x45) == (page | rwu | pte::accessed | pte::dirty));
  EXPECT(world.entry32(table, 0x46) == 0);
  EXPECT(world.explain(Bits32World::va, AccessKind::Read).count == 2 * 4 + 2 + 4);
  EXPECT(error_code(world.read_at(Bits32World::va + 0x1000)) == 0);
  EXPECT(error_code(world.fetch_at(Bits32World::va + 0x1000, true)) == U);
  world.space.stage1.efer = nxe;  // means nothing here
  EXPECT(error_code(world.fetch_at(Bits32World::va + 0x1000)) == 0);
  world.space.stage1.cr4 |= smep;
  EXPECT(error_code(world.fetch_at(Bits32World::va + 0x1000)) == I);
  EXPECT(error_code(world.fetch_at(Bits32World::va)) == (P | I));
}

TEST_CASE("4 MiB pages need CR4.PSE, reach 40 bits, and reserve bit 21") {
  Bits32World world;
  world.space.slat = nullptr;
  world.space.stage1.cr3 = directory;
  world.memory.write(Spa{directory + 4 * 0x123}, static_cast<uint32_t>(0xc0'0000 | pte::large_page | rwu));
  EXPECT(world.read_at(Bits32World::va + 0x678).translation.gpa == Gpa{0xc0'0000 + 0x45678});
  world.translator.invalidate_all(world.space, false);
  world.space.stage1.cr4 &= ~pse;  // now it is a table at 0xc00000
  world.memory.write(Spa{0xc0'0000 + 4 * 0x45}, static_cast<uint32_t>(page | rw));
  EXPECT(world.read_at(Bits32World::va + 0x678).translation.gpa == Gpa{page + 0x678});
  world.translator.invalidate_all(world.space, false);
  world.space.stage1.cr4 |= pse;
  world.memory.write(Spa{directory + 4 * 0x123}, static_cast<uint32_t>(0xc0'0000 | 0xabu << 13 | pte::large_page | rwu));
  EXPECT(world.read_at(Bits32World::va).translation.gpa == Gpa{0xab'00c4'5000});
  world.translator.invalidate_all(world.space, false);
  world.memory.write(Spa{directory + 4 * 0x123}, static_cast<uint32_t>(0xc0'0000 | 1u << 21 | pte::large_page | rwu));
  EXPECT(error_code(world.write_at(Bits32World::va)) == (P | W | RSVD));
}

TEST_CASE("address bits of a 4 MiB page that the processor does not have are reserved") {
  mmu::PhysicalMemory memory{64 * MiB};
  mmu::Translator translator{memory, {.physical_address_bits = 36}};
  AddressSpace space;
  space.stage1 = {cr0, directory, pse, 0, false};
  const auto reads = [&](uint32_t high) {
    memory.write(Spa{directory}, static_cast<uint32_t>(high << 13 | pte::large_page | rwu));
    translator.invalidate_all(space, false);
    return translator.translate(space, {Gva{0x1000}, AccessKind::Read, false, false});
  };
  EXPECT(reads(0x0f).translation.gpa == Gpa{0xf'0000'1000});
  EXPECT(error_code(reads(0x10)) == (P | RSVD));
}

TEST_CASE("INVLPG anywhere in a 4 MiB page concerns all of it") {
  Bits32World world;
  world.entry32(directory, 0x123, 0x80'0000 | pte::large_page | rwu);
  constexpr uint64_t start = 0x48c00000;
  REQUIRE(world.read_at(start + 0x1000).ok);
  REQUIRE(world.read_at(start + 0x3f'f000).ok);
  const uint64_t misses = world.translator.misses();
  world.translator.invalidate_address(world.space, Gva{start + 0x3f'0000});
  REQUIRE(world.read_at(start + 0x1000).ok);
  REQUIRE(world.read_at(start + 0x3f'f000).ok);
  EXPECT(world.translator.misses() == misses + 2);
}

TEST_CASE("PAE paging starts at the pointers that the processor holds, whatever memory says") {
  PaeWorld world;
  EXPECT(world.read_at(PaeWorld::va + 0x123).translation.gpa == Gpa{page + 0x123});
  EXPECT(world.explain(PaeWorld::va, AccessKind::Read).count == 2 * 4 + 2 + 4);
  EXPECT(error_code(world.write_at(PaeWorld::va - (uint64_t{1} << 30))) == W);  // pointer 0
  world.write(directory + 8 * 0x45, 0x80'0000 | pte::large_page | rw);
  EXPECT(world.read_at(0x48a12345).translation.gpa == Gpa{0x80'0000 + 0x12345});
}

TEST_CASE("bits 52 to 62 are reserved in PAE entries, and XD works with NXE") {
  PaeWorld world;
  world.write(table + 8 * 0x55, page | rwu | uint64_t{1} << 55);
  EXPECT(error_code(world.read_at(PaeWorld::va)) == (P | RSVD));
  world.write(table + 8 * 0x55, page | rwu | pte::no_execute);
  EXPECT(world.read_at(PaeWorld::va).ok);
  EXPECT(error_code(world.fetch_at(PaeWorld::va)) == (P | I));
  world.translator.invalidate_all(world.space, false);
  world.space.stage1.efer = 0;
  EXPECT(error_code(world.read_at(PaeWorld::va)) == (P | RSVD));
}

TEST_CASE("five levels give 57 bits, and the same address means another page with four") {
  World world;
  world.space.stage1.cr4 |= la57;
  constexpr uint64_t va = 0x00ff'8000'0012'3000;
  const uint64_t root = world.space.stage1.cr3;
  const uint64_t pml4 = world.new_table();
  world.write(root + 8 * abi::x64::level_index(va, 5), pml4 | rwu);
  uint64_t at = pml4;
  for (int level = 4; level > 1; --level) {
    const uint64_t next = world.new_table();
    world.write(at + abi::x64::entry_offset(va, level), next | rwu);
    at = next;
  }
  world.write(at + abi::x64::entry_offset(va, 1), page | rw);
  REQUIRE(world.read_at(va + 5).translation.gpa == Gpa{page + 5});
  EXPECT(world.explain(va, AccessKind::Read).count == 5 * 5 + 4);
  EXPECT(world.read_at(0x0100'0000'0000'0000).fault.kind == FaultKind::NonCanonical);
  EXPECT(error_code(world.read_at(0xff00'0000'0000'0000)) == 0);
  world.space.stage1.cr4 &= ~la57;
  EXPECT(world.read_at(va).fault.kind == FaultKind::NonCanonical);
}
