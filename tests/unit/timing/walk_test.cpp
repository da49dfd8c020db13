#include "sim/timing/walk.h"

#include <set>

#include "sim/timing/cold_walk.h"
#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using timing::decode_walk;
using timing::encode;
using timing::Walk;

namespace {

constexpr uint64_t address = 0x7654'3210'0000;

Walk walk_at(const test::World& world, uint64_t gva, mmu::AccessKind kind) {
  return timing::to_walk(world.explain(gva, kind), {mmu::Gva{gva}, kind, false, false});
}

bool same(const Walk& a, const Walk& b) { return encode(a) == encode(b); }

}  // namespace

TEST_CASE("a walk through two stages of four levels has 24 references in the order of the processor") {
  test::World world;
  world.map(address, 0x5000, test::rw);
  const Walk walk = walk_at(world, address + 0x123, mmu::AccessKind::Read);
  REQUIRE(walk.granted);
  REQUIRE(walk.count == 24);
  for (uint8_t i = 0; i < 24; ++i) {
    const bool first_stage = i % 5 == 4;
    INFO(unsigned{i});
    EXPECT(walk.list[i].second_stage == !first_stage);
    EXPECT(walk.list[i].level == (first_stage ? 4 - i / 5 : 4 - i % 5));
  }
  EXPECT(walk.page_shift == 12);
  EXPECT(walk.gpa == 0x5123);
  EXPECT(walk.spa == 0x5123 + test::World::shift);
  EXPECT(walk.sets_bits);
  EXPECT(!walk.dirty);
  EXPECT(name_of(walk.list[0]) == "EPT PML4E");
  EXPECT(name_of(walk.list[4]) == "PML4E");
}

TEST_CASE("bits that are set already are not set again") {
  test::World world;
  world.map(address, 0x5000, test::rw);
  REQUIRE(world.read_at(address).ok);
  EXPECT(!walk_at(world, address, mmu::AccessKind::Read).sets_bits);
  EXPECT(walk_at(world, address, mmu::AccessKind::Write).sets_bits);  // D
  REQUIRE(world.write_at(address).ok);
  const Walk walk = walk_at(world, address, mmu::AccessKind::Write);
  EXPECT(!walk.sets_bits);
  EXPECT(walk.dirty);
}

TEST_CASE("a page covers what the smaller page of both stages covers") {
  test::World world;
  world.map(address, 0x400000, test::rw, 2);
  Walk walk = walk_at(world, address, mmu::AccessKind::Read);
  EXPECT(walk.count == 19);
  EXPECT(walk.page_shift == 12);  // the second stage has 4 KiB pages
  world.space.slat = nullptr;     // a bare machine: tables by SPA
  world.space.stage1.cr3 += test::World::shift;
  walk = walk_at(world, address, mmu::AccessKind::Read);
  EXPECT(walk.count <= 4);
}

TEST_CASE("a refused walk keeps the references that it made") {
  test::World world;
  const Walk walk = walk_at(world, address, mmu::AccessKind::Read);
  EXPECT(!walk.granted);
  EXPECT(walk.count == 5);  // the PML4 entry is not present
}

TEST_CASE("walks survive being written down") {
  test::World world;
  world.map(address, 0x5000, test::rwu);
  for (const auto kind : {mmu::AccessKind::Read, mmu::AccessKind::Write, mmu::AccessKind::Execute}) {
    const Walk walk = walk_at(world, address + 8, kind);
    const auto read = decode_walk(encode(walk));
    REQUIRE(read.has_value());
    EXPECT(same(*read, walk));
    EXPECT(read->gva == address + 8);
    EXPECT(read->kind == kind);
    EXPECT(read->count == walk.count);
  }
}

TEST_CASE("bytes that no walk gives are refused") {
  test::World world;
  world.map(address, 0x5000, test::rw);
  const std::string good = encode(walk_at(world, address, mmu::AccessKind::Read));
  for (size_t length = 0; length < good.size(); ++length) EXPECT(!decode_walk({good.data(), length}));
  EXPECT(!decode_walk(good + "x"));
  for (const auto& [at, value] : {std::pair{0, 0x80}, {1, 3}, {2, 13}, {3, 25}, {28, 0x06}, {28, 0x15}, {28, 0x40}}) {
    std::string bad = good;
    bad[static_cast<size_t>(at)] = static_cast<char>(value);
    INFO(at << " " << value);
    EXPECT(!decode_walk(bad));
  }
}

TEST_CASE("a walk through five levels has 29 references, and is written down with all of them") {
  test::World world;
  constexpr uint64_t la57 = uint64_t{1} << 12, far = uint64_t{3} << 48 | address;
  world.map(address, 0x5000, test::rw);
  const uint64_t top = world.new_table();  // PML5 entry 3 leads to the four levels
  world.write(top + 3 * 8, world.space.stage1.cr3 | test::rwu);
  world.space.stage1.cr3 = top;
  world.space.stage1.cr4 |= la57;
  const Walk walk = walk_at(world, far, mmu::AccessKind::Read);
  REQUIRE(walk.granted);
  REQUIRE(walk.count == 29);
  EXPECT(walk.list[4].level == 5);
  EXPECT(name_of(walk.list[4]) == "PML5E");
  const auto read = decode_walk(encode(walk));
  REQUIRE(read.has_value());
  EXPECT(same(*read, walk));
}

TEST_CASE("a walk costs by itself what the first of a run costs") {
  const timing::CostTable costs;
  test::World world;
  world.map(address, 0x5000, test::rw);
  const Walk walk = walk_at(world, address, mmu::AccessKind::Read);
  std::set<uint64_t> lines;
  for (const timing::WalkStep& step : walk.steps()) lines.insert(step.address / costs.line_bytes);
  REQUIRE(lines.size() < walk.count);
  const uint64_t first = lines.size() * costs.memory_latency, again = (walk.count - lines.size()) * costs.l1_latency;
  EXPECT(timing::cold_cycles(costs, walk) == first + again + costs.accessed_dirty_assist);
  REQUIRE(world.read_at(address).ok);  // A is set from now on
  EXPECT(timing::cold_cycles(costs, walk_at(world, address, mmu::AccessKind::Read)) == first + again);
}
