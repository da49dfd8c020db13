// What stage 2 makes of an access: rights, MBEC, and the qualification of what it refuses (sections 5.1, 5.2, 8.1, 8.4).
#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using namespace test;

namespace {

namespace ept = abi::x64::ept;
namespace violation = abi::x64::ept_violation;

constexpr uint64_t va = 0x7f12'3456'7000;
constexpr uint64_t page = 0x40'0000;
constexpr uint64_t smep = uint64_t{1} << 20;

/// A page for user (or supervisor) with these rights in stage 2.
struct Protected : World {
  explicit Protected(Rights rights, uint64_t flags = rwu) {
    map(va, page, flags);
    protect(page, rights);
  }
};

uint64_t qualification(const TranslationResult& result) {
  return slat_violation(result) ? result.fault.qualification : 0;
}

uint64_t slat_entry_address(const World& world, uint64_t gpa, int level) {
  uint64_t table = world.slat.root().value();
  for (int at = 4; at > level; --at) {
    table = world.memory.read<uint64_t>(Spa{table + 8 * abi::x64::level_index(gpa, at)}) &
            ept::address_mask;
  }
  return table + 8 * abi::x64::level_index(gpa, level);
}

}  // namespace

TEST_CASE("stage 2 grants what its rights say, and nothing else") {
  struct Row {
    Rights rights;
    bool read, write, execute;
  };
  for (const Row& row :
       {Row{none, false, false, false}, Row{r, true, false, false}, Row{r_w, true, true, false},
        Row{r_kx_ux, true, false, true}, Row{mmu::all_rights, true, true, true}}) {
    Protected world{row.rights};
    EXPECT(world.read_at(va).ok == row.read);
    EXPECT(world.write_at(va).ok == row.write);
    EXPECT(world.fetch_at(va).ok == row.execute);
    EXPECT(world.read_at(va, true).ok == row.read);
    EXPECT(world.write_at(va, true).ok == row.write);
    EXPECT(world.fetch_at(va, true).ok == row.execute);
    if (row.read) {
      const auto translation = world.read_at(va).translation;
      EXPECT(translation.readable);
      EXPECT(translation.writable == row.write);
      EXPECT(translation.executable == row.execute);
    }
  }
}

TEST_CASE("a translation reports W only once the leaf is dirty") {
  Protected world{mmu::all_rights};
  EXPECT(!world.read_at(va).translation.writable);
  EXPECT(world.write_at(va).translation.writable);
  EXPECT(world.read_at(va).translation.writable);
}

TEST_CASE("without MBEC, KX governs the fetches of both privileges") {
  Protected world{r_ux};
  world.space.stage1.cr4 |= smep;
  EXPECT(slat_violation(world.fetch_at(va, true)));
  EXPECT(world.explain(va, AccessKind::Execute, true).rule == WalkRule::SlatNoKernelExecute);
  world.protect(page, r_kx_ux);
  EXPECT(world.fetch_at(va, true).ok);
}

TEST_CASE("with MBEC and SMEP, UX governs user pages and KX supervisor pages") {
  Protected user{r_ux};
  user.space.mbec = true;
  user.space.stage1.cr4 |= smep;
  EXPECT(user.fetch_at(va, true).ok);
  user.protect(page, r);
  user.translator.invalidate_guest_physical(1, abi::hv::Vtl::Vtl0);
  EXPECT(slat_violation(user.fetch_at(va, true)));
  EXPECT(user.explain(va, AccessKind::Execute, true).rule == WalkRule::SlatNoUserExecute);

  Protected kernel{r_ux, rw};
  kernel.space.mbec = true;
  kernel.space.stage1.cr4 |= smep;
  EXPECT(slat_violation(kernel.fetch_at(va)));
  EXPECT(kernel.explain(va, AccessKind::Execute).rule == WalkRule::SlatNoKernelExecute);
  kernel.protect(page, r_kx_ux);
  EXPECT(kernel.fetch_at(va).ok);
}

TEST_CASE("with MBEC but SMEP disabled, KX governs all (TLFS 15.10)") {
  Protected user{r_ux};
  user.space.mbec = true;
  EXPECT(slat_violation(user.fetch_at(va, true)));
  EXPECT(slat_violation(user.fetch_at(va)));
  user.protect(page, r_kx_ux);
  EXPECT(user.fetch_at(va).ok);
  EXPECT(user.fetch_at(va, true).ok);
}

TEST_CASE("MBEC asks for the page's U/S in all levels, not for the privilege") {
  for (int level = 1; level <= 4; ++level) {
    Protected world{r_ux};
    world.space.mbec = true;
    world.space.stage1.cr4 |= smep;
    const uint64_t entry = world.entry_gpa(va, level);
    world.write(entry, world.read(entry) & ~pte::user);  // one level says supervisor: KX governs
    EXPECT(slat_violation(world.fetch_at(va)));
  }
}

TEST_CASE("the qualification names the access, the rights, and what the page is") {
  const uint64_t valid = violation::linear_address_valid | violation::final_translation;
  const uint64_t page_bits = violation::user_page | violation::writable_page;

  Protected nothing{none};
  EXPECT(qualification(nothing.read_at(va + 0x10)) == (violation::data_read | valid | page_bits));
  EXPECT(qualification(nothing.write_at(va)) == (violation::data_write | valid | page_bits));
  EXPECT(qualification(nothing.fetch_at(va)) == (violation::fetch | valid | page_bits));
  const auto fault = nothing.read_at(va + 0x10).fault;
  EXPECT(fault.gpa == Gpa{page + 0x10});
  EXPECT(fault.address == Gva{va + 0x10});
  EXPECT(!fault.paging_structure);

  Protected readable{r, pte::present | pte::no_execute};
  readable.space.stage1.cr0 &= ~(uint64_t{1} << 16);
  EXPECT(qualification(readable.write_at(va)) ==
         (violation::data_write | violation::readable | valid | violation::no_execute_page));

  Protected executable{r_kx_ux};
  const uint64_t rights = violation::readable | violation::executable;
  EXPECT(qualification(executable.write_at(va)) ==
         (violation::data_write | rights | valid | page_bits));
  executable.space.mbec = true;
  EXPECT(qualification(executable.write_at(va)) ==
         (violation::data_write | rights | violation::user_executable | valid | page_bits));
}

TEST_CASE("without paging every address counts as user-mode and writable in the qualification") {
  World world;
  world.space.stage1 = {0x60000010, 0, 0, 0, false};
  world.protect(page, none);
  EXPECT(qualification(world.read_at(page)) ==
         (violation::data_read | violation::linear_address_valid | violation::final_translation |
          violation::user_page | violation::writable_page));
}

TEST_CASE("a hole is GpaUnmapped, a page without rights is a violation") {
  World world;
  world.map(va, page, rw);
  REQUIRE(world.slat.unmap(Gpa{page}) == mmu::SlatStatus::Ok);
  const auto hole = world.read_at(va);
  REQUIRE(!hole.ok);
  EXPECT(hole.fault.kind == FaultKind::GpaUnmapped);
  EXPECT(hole.fault.gpa == Gpa{page});
  EXPECT((hole.fault.qualification & violation::data_read) != 0);
  REQUIRE(world.slat.map(Gpa{page}, Spa{page}, none) == mmu::SlatStatus::Ok);
  EXPECT(world.read_at(va).fault.kind == FaultKind::SlatViolation);
}

TEST_CASE("reading a page table needs R in stage 2") {
  for (int level = 1; level <= 4; ++level) {
    World world;
    world.map(va, page, rwu);
    const uint64_t entry = world.entry_gpa(va, level);
    world.protect(entry, none);
    const auto result = world.write_at(va, true);
    REQUIRE(slat_violation(result));
    EXPECT(result.fault.gpa == Gpa{entry});
    EXPECT(result.fault.paging_structure);
    EXPECT(result.fault.qualification == (violation::data_read | violation::linear_address_valid));
    EXPECT(world.explain(va, AccessKind::Read).rule == WalkRule::TableNotReadable);
  }
}

TEST_CASE(
    "setting A or D in a page table needs W in stage 2, reading one that needs neither does not") {
  for (int level = 1; level <= 4; ++level) {
    World world;
    world.map(va, page, rwu);
    const uint64_t entry = world.entry_gpa(va, level);
    world.protect(entry, r);
    const auto result = world.read_at(va);
    REQUIRE(slat_violation(result));
    EXPECT(result.fault.gpa == Gpa{entry});
    EXPECT(result.fault.paging_structure);
    EXPECT(result.fault.qualification ==
           (violation::data_write | violation::readable | violation::linear_address_valid));
    EXPECT(world.explain(va, AccessKind::Read).rule == WalkRule::TableNotWritable);
    EXPECT((world.read(entry) & pte::accessed) == 0);

    world.write(entry, world.read(entry) | pte::accessed);
    EXPECT(world.read_at(va).ok);
    if (level == 1) {
      EXPECT(slat_violation(world.write_at(va)));
      world.write(entry, world.read(entry) | pte::dirty);
    }
    EXPECT(world.write_at(va).ok);
  }
}

TEST_CASE("levels above the one whose A bit cannot be set keep what they got") {
  World world;
  world.map(va, page, rwu);
  world.protect(world.entry_gpa(va, 2), r);
  REQUIRE(!world.read_at(va).ok);
  EXPECT((world.entry(va, 4) & pte::accessed) != 0);
  EXPECT((world.entry(va, 3) & pte::accessed) != 0);
  EXPECT((world.entry(va, 1) & pte::accessed) == 0);
}

TEST_CASE("large pages of stage 2 give the SPA of the very byte") {
  World world;
  REQUIRE(world.slat.map(Gpa{64 * MiB}, Spa{2 * MiB}, r_w, mmu::PageSize::Size2M) ==
          mmu::SlatStatus::Ok);
  REQUIRE(world.slat.map(Gpa{3 * GiB}, Spa{GiB}, r_w, mmu::PageSize::Size1G) ==
          mmu::SlatStatus::Ok);
  world.map(va, 64 * MiB + 0x5000, rw);
  world.map(va + 0x1000, 3 * GiB + 0x1234'5000, rw);
  EXPECT(world.read_at(va + 7).translation.spa == Spa{2 * MiB + 0x5007});
  EXPECT(world.read_at(va + 0x1007).translation.spa == Spa{GiB + 0x1234'5007});
  EXPECT(!world.read_at(va + 0x1007).translation.ram);
}

TEST_CASE("an entry that no processor accepts is a misconfiguration of the host") {
  constexpr uint64_t good = ept::read | ept::write_back | page;
  struct Row {
    int level;
    uint64_t entry;
  };
  const Row rows[] = {
      {1, ept::write | page},                    // W without R
      {1, ept::execute | page},                  // X without R
      {1, good | uint64_t{1} << 45},             // beyond MAXPHYADDR
      {1, ept::read | uint64_t{2} << 3 | page},  // memory types 2, 3, 7
      {1, ept::read | uint64_t{3} << 3 | page},
      {1, ept::read | uint64_t{7} << 3 | page},
      {2, ept::read | ept::large_page | 0x1000 | 2 * MiB},  // low address bits of a 2 MiB page
      {3, ept::read | ept::large_page | 2 * MiB},           // of a 1 GiB page
      {2, ept::read | ept::write_back | page},  // memory type in an entry that points to a table
      {2, ept::read | ept::ignore_pat | page},
      {4, ept::read | ept::large_page | page},  // PS in the PML4
  };
  for (const Row& row : rows) {
    World world;
    world.space.stage1 = {0x60000010, 0, 0, 0, false};
    const Spa address{slat_entry_address(world, page, row.level)};
    const auto before = world.memory.read<uint64_t>(address);
    world.memory.write(address, row.entry);
    CAPTURE(row.level, row.entry);
    const auto result = world.read_at(page);
    EXPECT(!result.ok);
    EXPECT(result.fault.kind == FaultKind::SlatMisconfigured);
    EXPECT(world.explain(page, AccessKind::Read).rule == WalkRule::SlatMisconfigured);
    world.memory.write(address, before);
    EXPECT(world.read_at(page).ok);
  }
}

TEST_CASE("UX alone makes an entry present, and so misconfigured, only with MBEC") {
  World world;
  world.space.stage1 = {0x60000010, 0, 0, 0, false};
  world.memory.write(Spa{slat_entry_address(world, page, 1)}, ept::user_execute | page);
  EXPECT(world.read_at(page).fault.kind == FaultKind::GpaUnmapped);
  world.space.mbec = true;
  EXPECT(world.read_at(page).fault.kind == FaultKind::SlatMisconfigured);
}
