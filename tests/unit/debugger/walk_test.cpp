// The references of a walk in words, and the one that denied.
#include "sim/debugger/views/walk.h"

#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using debugger::views::walk_words;
using debugger::views::WalkWords;
using mmu::AccessKind;
using mmu::WalkRule;

namespace {

constexpr uint64_t address = 0x7654'3210'0000;

/// What is wrong with a translation that is otherwise granted, and which entry of it is to blame.
struct Denial {
  WalkRule rule;
  void (*spoil)(test::World& world);
  AccessKind kind;
  bool user;
  const char* name;
  std::optional<uint64_t> under{};  ///< second stage: the GPA under translation
};

void entry_without(test::World& world, int level, uint64_t bit) {
  const uint64_t gpa = world.entry_gpa(address, level);
  world.write(gpa, world.read(gpa) & ~bit);
}
uint64_t table_page(test::World& world, int level) { return world.entry_gpa(address, level) & ~uint64_t{4095}; }

const Denial denials[] = {
    {WalkRule::NotPresent, [](auto& world) { entry_without(world, 3, test::pte::present); }, AccessKind::Read, false, "PDPTE"},
    {WalkRule::ReservedBit, [](auto& world) { world.write(world.entry_gpa(address, 4), world.entry(address, 4) | test::pte::large_page); },
     AccessKind::Read, false, "PML4E"},
    {WalkRule::SupervisorPage, [](auto& world) { entry_without(world, 2, test::pte::user); }, AccessKind::Read, true, "PDE"},
    {WalkRule::ReadOnlyPage, [](auto& world) { entry_without(world, 1, test::pte::writable); }, AccessKind::Write, false, "PTE"},
    {WalkRule::NoExecutePage, [](auto& world) { world.write(world.entry_gpa(address, 2), world.entry(address, 2) | test::pte::no_execute); },
     AccessKind::Execute, true, "PDE"},
    {WalkRule::SmepFetch, [](auto& world) { world.space.stage1.cr4 |= mmu::control::cr4_smep; }, AccessKind::Execute, false, "PTE"},
    {WalkRule::SmapAccess, [](auto& world) { world.space.stage1.cr4 |= mmu::control::cr4_smap; }, AccessKind::Read, false, "PTE"},
    {WalkRule::SlatNoWrite, [](auto& world) { world.protect(0x5000, test::r); }, AccessKind::Write, false, "S2 PTE", 0x5000},
    {WalkRule::SlatNoKernelExecute, [](auto& world) { world.protect(0x5000, test::r_w); }, AccessKind::Execute, false, "S2 PTE", 0x5000},
    {WalkRule::SlatUnmapped, [](auto& world) { world.map(address, 0x1'5000'0000, test::rwu); }, AccessKind::Read, false, "S2 PDPTE",
     0x1'5000'0000},
    {WalkRule::TableNotReadable, [](auto& world) { world.protect(table_page(world, 2), test::none); }, AccessKind::Read, false, "S2 PTE"},
    {WalkRule::TableNotWritable, [](auto& world) { world.protect(table_page(world, 3), test::r); }, AccessKind::Read, false, "S2 PTE"},
};

}  // namespace

TEST_CASE("the entry that denied a walk is told from all others, whatever the rule", "[debugger][views]") {
  for (const Denial& denial : denials) {
    INFO(mmu::describe(denial.rule));
    test::World world;
    world.map(address, 0x5000, test::rwu);
    denial.spoil(world);
    const mmu::WalkReport report = world.explain(address, denial.kind, denial.user);
    REQUIRE(report.rule == denial.rule);
    const std::vector<WalkWords> words = walk_words(report, world.space);
    REQUIRE(words.size() == report.count);
    size_t denied = 0;
    for (size_t i = 0; i < words.size(); ++i) {
      if (!words[i].denied) continue;
      ++denied;
      EXPECT(words[i].name == denial.name);
      if (denial.under) EXPECT(report.list[i].gpa == abi::Gpa{*denial.under});
      if (denial.rule == WalkRule::TableNotWritable) EXPECT(report.list[i].gpa.page_base() == abi::Gpa{table_page(world, 3)});
    }
    EXPECT(denied == 1);
  }
}

TEST_CASE("references have names, indexes and flags of their stage", "[debugger][views]") {
  test::World world;
  world.map(address, 0x5000, test::rwu | test::pte::no_execute | test::pte::global);
  REQUIRE(world.write_at(address).ok);  // sets A and D
  world.protect(0x5000, test::r);
  const mmu::WalkReport report = world.explain(address, AccessKind::Read);
  const std::vector<WalkWords> words = walk_words(report, world.space);
  REQUIRE(words.size() == 24);
  constexpr std::string_view names[] = {"S2 PML4E", "S2 PDPTE", "S2 PDE", "S2 PTE"}, outer[] = {"PML4E", "PDPTE", "PDE", "PTE"};
  for (size_t i = 0; i < words.size(); ++i) {
    INFO(i);
    EXPECT(words[i].name == (i % 5 == 4 ? outer[i / 5] : names[i % 5]));
    EXPECT(!words[i].denied);
    const uint64_t translated = i % 5 == 4 ? address : report.list[i].gpa.value();
    EXPECT(words[i].index == abi::x64::level_index(translated, report.list[i].level));
  }
  EXPECT(words[4].flags == "P W U A");
  EXPECT(words[19].flags == "P W U A D G NX");
  EXPECT(words[23].flags == "r");
  EXPECT(words[18].flags == "r w kx ux");
}

TEST_CASE("a large page says so, and an entry that is not present has no flags", "[debugger][views]") {
  test::World world;
  world.map(address, 0x400000, test::rw, 2);
  const auto words = walk_words(world.explain(address, AccessKind::Read), world.space);
  EXPECT(words[14].name == "PDE");
  EXPECT(words[14].flags == "P W PS");
  const mmu::WalkReport none = world.explain(address + (uint64_t{1} << 39), AccessKind::Read);
  EXPECT(walk_words(none, world.space).back().flags.empty());
  EXPECT(walk_words(none, world.space).back().denied);
}

TEST_CASE("entries of 32-bit paging are counted by four bytes", "[debugger][views]") {
  test::World world;
  world.space.stage1.cr4 = 0;
  world.space.stage1.efer = 0;
  const uint64_t directory = world.space.stage1.cr3, table = world.new_table();
  world.memory.write(world.spa_of(directory + 4 * 5), static_cast<uint32_t>(table | test::rwu));
  world.memory.write(world.spa_of(table + 4 * 1023), static_cast<uint32_t>(0x5000 | test::rwu));
  const auto words = walk_words(world.explain(uint64_t{5} << 22 | uint64_t{1023} << 12, AccessKind::Read), world.space);
  REQUIRE(words.size() == 14);
  EXPECT((words[4].name == "PDE" && words[4].index == 5));
  EXPECT((words[9].name == "PTE" && words[9].index == 1023));
}
