#include <numeric>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using namespace test;

namespace {

constexpr uint64_t va = 0xffff'8000'0012'3000;

/// Three linear pages on GPAs out of order; the fourth is missing.
struct CopyWorld : World {
  CopyWorld() {
    map(va, 0x40'2000, rw);
    map(va + 0x1000, 0x40'0000, rw);
    map(va + 0x2000, 0x40'1000, rw);
  }
  uint64_t read(uint64_t address, std::vector<uint8_t>& bytes, bool user = false) const {
    return mmu::read_gva(translator, space, Gva{address}, bytes, user);
  }
  uint64_t write(uint64_t address, const std::vector<uint8_t>& bytes, bool user = false) {
    return mmu::write_gva(translator, space, Gva{address}, bytes, user);
  }
};

std::vector<uint8_t> pattern(size_t size) {
  std::vector<uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), uint8_t{1});
  return bytes;
}

}  // namespace

TEST_CASE("a copy follows the pages wherever they are, and changes no A, D or TLB entry") {
  CopyWorld world;
  const auto bytes = pattern(0x2080);
  REQUIRE(world.write(va + 0xf80, bytes) == bytes.size());
  EXPECT(world.memory.read<uint8_t>(World::spa_of(0x40'2f80)) == bytes[0]);
  EXPECT(world.memory.read<uint8_t>(World::spa_of(0x40'0000)) == bytes[0x80]);
  EXPECT(world.memory.read<uint8_t>(World::spa_of(0x40'1000)) == bytes[0x1080]);
  std::vector<uint8_t> back(bytes.size());
  REQUIRE(world.read(va + 0xf80, back) == back.size());
  EXPECT(back == bytes);
  EXPECT((world.entry(va) & (pte::accessed | pte::dirty)) == 0);
  EXPECT(world.translator.misses() == 0);
}

TEST_CASE("a copy stops at the first byte that cannot be reached and says how far it came") {
  CopyWorld world;
  auto bytes = pattern(0x1000);
  EXPECT(world.write(va + 0x2f00, bytes) == 0x100);
  EXPECT(world.read(va + 0x2f00, bytes) == 0x100);
  EXPECT(world.read(va + 0x3000, bytes) == 0);
  EXPECT(world.read(0x8000'0000'0000'0000, bytes) == 0);
  EXPECT(world.read(va, bytes, true) == 0);  // supervisor pages
  std::vector<uint8_t> nothing;
  EXPECT(world.read(0x8000'0000'0000'0000, nothing) == 0);
}

TEST_CASE("a copy does not wrap around the end of the address space, nor leave the lower half") {
  CopyWorld world;
  world.map(0xffff'ffff'ffff'f000, 0x40'3000, rw);
  world.map(0, 0x40'4000, rw);
  world.map(0x7fff'ffff'f000, 0x40'5000, rw);
  auto bytes = pattern(0x40);
  EXPECT(world.read(0xffff'ffff'ffff'fff0, bytes) == 0x10);
  EXPECT(world.write(0xffff'ffff'ffff'fff0, bytes) == 0x10);
  EXPECT(world.read(0x7fff'ffff'fff8, bytes) == 8);
}

TEST_CASE("a copy respects stage 2 and never touches devices") {
  CopyWorld world;
  auto bytes = pattern(0x1800);
  world.protect(0x40'0000, r);
  EXPECT(world.write(va, bytes) == 0x1000);
  EXPECT(world.read(va, bytes) == 0x1800);
  world.protect(0x40'0000, none);
  EXPECT(world.read(va, bytes) == 0x1000);
  REQUIRE(world.slat.map(Gpa{0xfee00000}, Spa{0xfee00000}, r_w) == mmu::SlatStatus::Ok);
  world.map(va + 0x1000, 0xfee00000, rw);
  EXPECT(world.read(va, bytes) == 0x1000);
  EXPECT(world.write(va, bytes) == 0x1000);
}

TEST_CASE("guest physical copies need R or W in stage 2") {
  CopyWorld world;
  auto bytes = pattern(0x1800);
  const auto read = [&](uint64_t gpa) {
    return mmu::read_gpa(world.translator, world.space, Gpa{gpa}, bytes);
  };
  const auto write = [&](uint64_t gpa) {
    return mmu::write_gpa(world.translator, world.space, Gpa{gpa}, bytes);
  };
  REQUIRE(write(0x50'0800) == 0x1800);
  EXPECT(world.memory.read<uint8_t>(World::spa_of(0x50'0800)) == bytes[0]);
  world.protect(0x50'1000, r);
  EXPECT(write(0x50'0800) == 0x800);
  EXPECT(read(0x50'0800) == 0x1800);
  world.protect(0x50'1000, none);
  EXPECT(read(0x50'0800) == 0x800);
  EXPECT(read(World::guest_size - 0x800) == 0x800);
  EXPECT(read(~uint64_t{0} - 7) == 0);
  world.space.slat = nullptr;
  EXPECT(read(world.memory.size() - 0x1000) == 0x1000);
}
