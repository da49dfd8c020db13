#include "mmu/explain.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using mmu::WalkReference;
using namespace test;

namespace {

constexpr uint64_t va = 0x7f12'3456'7000;
constexpr uint64_t page = 0x40'0000;

}  // namespace

TEST_CASE(
    "a report lists each reference in the order of the walk: four of stage 2, then one of stage "
    "1") {
  World world;
  world.map(va, page, rw);
  const auto report = world.explain(va + 5, AccessKind::Read);
  REQUIRE(report.count == 24);
  for (unsigned i = 0; i < 24; ++i) {
    const WalkReference& reference = report.references()[i];
    const bool stage1 = i % 5 == 4;
    EXPECT((reference.kind == WalkReference::Kind::Stage1) == stage1);
    EXPECT(reference.level == (stage1 ? 4 - i / 5 : 4 - i % 5));
    EXPECT(reference.present);
    EXPECT(reference.value == world.memory.read<uint64_t>(reference.address));
    EXPECT(reference.leaf == (reference.level == 1));
    if (stage1) {
      const int level = reference.level;
      EXPECT(reference.gpa == Gpa{world.entry_gpa(va, level)});
      EXPECT(reference.address == World::spa_of(world.entry_gpa(va, level)));
    } else if (i >= 20) {
      EXPECT(reference.gpa == Gpa{page + 5});
    } else {
      EXPECT(reference.gpa == report.references()[5 * (i / 5) + 4].gpa);
    }
  }
}

TEST_CASE("a report ends with the reference that decided") {
  World world;
  world.map(va, page, rw);
  world.write(world.entry_gpa(va, 2), 0);
  const auto report = world.explain(va, AccessKind::Read);
  EXPECT(report.rule == WalkRule::NotPresent);
  REQUIRE(report.count == 15);
  EXPECT(!report.references().back().present);
  EXPECT(report.references().back().level == 2);
}

TEST_CASE("a non-canonical address needs no reference") {
  const World world;
  const auto report = world.explain(0x8000'0000'0000'0000, AccessKind::Read);
  EXPECT(report.count == 0);
  EXPECT(report.rule == WalkRule::NonCanonical);
}

TEST_CASE("each rule of stage 1 is named") {
  World world;
  constexpr uint64_t smep = uint64_t{1} << 20, smap = uint64_t{1} << 21;
  world.map(va, page, pte::present | pte::no_execute);
  EXPECT(world.explain(va, AccessKind::Read, true).rule == WalkRule::SupervisorPage);
  EXPECT(world.explain(va, AccessKind::Write).rule == WalkRule::ReadOnlyPage);
  EXPECT(world.explain(va, AccessKind::Execute).rule == WalkRule::NoExecutePage);
  world.map(va, page, rwu);
  world.space.stage1.cr4 |= smep | smap;
  EXPECT(world.explain(va, AccessKind::Execute).rule == WalkRule::SmepFetch);
  EXPECT(world.explain(va, AccessKind::Read).rule == WalkRule::SmapAccess);
  world.map(va, page | uint64_t{1} << 50, rwu);
  EXPECT(world.explain(va, AccessKind::Read, true).rule == WalkRule::ReservedBit);
}

TEST_CASE("explaining changes nothing and says what the TLB holds") {
  World world;
  world.map(va, page, rw);
  const auto hash = world.memory.hash();
  EXPECT(!world.explain(va, AccessKind::Write).cached);
  EXPECT(world.memory.hash() == hash);
  EXPECT(world.translator.misses() == 0);
  REQUIRE(world.read_at(va).ok);
  world.map(va, page + 0x1000, rw);
  const auto report = world.explain(va, AccessKind::Read);
  REQUIRE(report.cached);
  EXPECT(report.cached->gpa() == Gpa{page});
  EXPECT(report.result.translation.gpa == Gpa{page + 0x1000});
}

TEST_CASE("the text shows every reference, the rule, the verdict and a stale TLB entry") {
  using Catch::Matchers::ContainsSubstring;
  World world;
  world.map(va, page, rwu | pte::no_execute);
  REQUIRE(world.read_at(va, true).ok);
  world.protect(page, none);
  const Access access{Gva{va + 0x10}, AccessKind::Read, true, false};
  const std::string text =
      to_text(world.explain(va + 0x10, AccessKind::Read, true), world.space, access);
  INFO(text);
  REQUIRE_THAT(text, ContainsSubstring("user read of gva 0x7f1234567010"));
  REQUIRE_THAT(text, ContainsSubstring("24 references"));
  REQUIRE_THAT(text, ContainsSubstring("P RW U A XD"));
  REQUIRE_THAT(text, ContainsSubstring("no access"));
  REQUIRE_THAT(text, ContainsSubstring("rule: stage 2 denies reading"));
  REQUIRE_THAT(
      text, ContainsSubstring("SLAT violation at gpa 0x400010 (final page), qualification 0xf81"));
  REQUIRE_THAT(text, ContainsSubstring("STALE"));
  EXPECT(std::count(text.begin(), text.end(), '\n') == 1 + 24 + 4);
}

TEST_CASE("every rule has a sentence of its own") {
  std::set<std::string> sentences;
  constexpr auto last = static_cast<unsigned>(WalkRule::SlatMisconfigured);
  for (unsigned rule = 0; rule <= last; ++rule)
    sentences.insert(mmu::describe(static_cast<WalkRule>(rule)));
  EXPECT(sentences.size() == last + 1);
  EXPECT(sentences.count("unknown rule") == 0);
}
