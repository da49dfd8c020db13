// What the TLB may keep, what each invalidation removes, and what engines hear of it (section 8.5).
#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using abi::hv::Vtl;
using namespace test;

namespace {

constexpr uint64_t va = 0xffff'8000'0012'3000;
constexpr uint64_t page = 0x40'0000, other_page = 0x50'0000;
constexpr uint64_t pcide = uint64_t{1} << 17, pge = uint64_t{1} << 7;

struct TlbWorld : World {
  using World::World;
  bool cached(uint64_t address) const {
    return translator.tlb().find(space, Gva{address}) != nullptr;
  }
  uint64_t epoch(Vtl vtl = Vtl::Vtl0) const { return translator.epoch(1, vtl); }
  uint64_t gpa(uint64_t address) {
    const auto result = read_at(address);
    return result.ok ? result.translation.gpa.value() : ~uint64_t{0};
  }
  /// Caches va as `page` and then lets the tables say `other_page`.
  void make_stale(uint64_t flags = rw) {
    map(va, page, flags);
    REQUIRE(gpa(va) == page);
    map(va, other_page, flags);
    REQUIRE(gpa(va) == page);
  }
};

}  // namespace

TEST_CASE("a hit walks nothing, changes nothing and is not counted") {
  TlbWorld world;
  world.map(va, page, rw);
  REQUIRE(world.read_at(va).ok);
  EXPECT(world.translator.misses() == 1);
  const auto hash = world.translator.tlb().hash();
  const uint64_t epoch = world.epoch();
  for (int i = 0; i < 100; ++i)
    REQUIRE(world.read_at(va + 8).ok);
  EXPECT(world.translator.misses() == 1);
  EXPECT(world.translator.tlb().hash() == hash);
  EXPECT(world.epoch() == epoch);
}

TEST_CASE("the list has what is valid, where it applies, and nothing that was invalidated") {
  TlbWorld world;
  constexpr uint64_t low = 0x7000;
  world.map(va, page, rw);
  world.map(low, other_page, rw);
  REQUIRE(world.read_at(va).ok);
  REQUIRE(world.read_at(low).ok);
  const auto list = world.translator.tlb().list();
  REQUIRE(list.size() == 2);
  EXPECT(list[0].page == Gva{low});
  EXPECT(list[0].entry.gpa() == Gpa{other_page});
  EXPECT(list[1].page == Gva{va});
  EXPECT(list[1].entry.gpa() == Gpa{page});
  EXPECT((list[1].partition == 1 && list[1].vp == world.space.vp && list[1].vtl == Vtl::Vtl0));
  world.translator.invalidate_address(world.space, Gva{va});
  REQUIRE(world.translator.tlb().list().size() == 1);
  EXPECT(world.translator.tlb().list()[0].page == Gva{low});
}

TEST_CASE("the first write to a page is a miss of its own, because it must set D") {
  TlbWorld world;
  world.map(va, page, rw);
  REQUIRE(world.read_at(va).ok);
  EXPECT(world.translator.lookup(world.space, Gva{va}, AccessKind::Write, false) == nullptr);
  const uint64_t epoch = world.epoch();
  REQUIRE(world.write_at(va).ok);
  EXPECT(world.translator.misses() == 2);
  EXPECT(world.translator.lookup(world.space, Gva{va}, AccessKind::Write, false) != nullptr);
  EXPECT(world.epoch() == epoch);  // an engine's copy for reading is still right
}

TEST_CASE("look-up answers by kind and privilege, and non-canonical addresses never") {
  TlbWorld world;
  world.map(va, page, rw | pte::no_execute);
  REQUIRE(world.write_at(va).ok);
  const auto lookup = [&](uint64_t address, AccessKind kind, bool user) {
    return world.translator.lookup(world.space, Gva{address}, kind, user) != nullptr;
  };
  EXPECT(lookup(va, AccessKind::Read, false));
  EXPECT(lookup(va, AccessKind::Write, false));
  EXPECT(!lookup(va, AccessKind::Execute, false));
  EXPECT(!lookup(va, AccessKind::Read, true));
  EXPECT(!lookup(va ^ (uint64_t{1} << 60), AccessKind::Read, false));
  EXPECT(!lookup(va + 0x1000, AccessKind::Read, false));
  const auto* entry = world.translator.tlb().find(world.space, Gva{va});
  REQUIRE(entry != nullptr);
  EXPECT(entry->spa() == Spa{page + World::shift});
  EXPECT(mmu::granted(world.space, *entry, false) == (mmu::grant::read | mmu::grant::write));
}

TEST_CASE(
    "a changed table stays unseen until INVLPG, and until then probes agree with the processor") {
  TlbWorld world;
  world.make_stale();
  EXPECT(world.translator.probe(world.space, {Gva{va}, AccessKind::Read, false, false})
             .translation.gpa == Gpa{page});
  EXPECT(world.explain(va, AccessKind::Read).result.translation.gpa == Gpa{other_page});
  const uint64_t epoch = world.epoch();
  world.translator.invalidate_address(world.space, Gva{va + 0xfff});
  EXPECT(world.gpa(va) == other_page);
  EXPECT(world.epoch() != epoch);
}

TEST_CASE("INVLPG of what is not cached, or is not canonical, disturbs no engine") {
  TlbWorld world;
  world.make_stale();
  const uint64_t epoch = world.epoch();
  world.translator.invalidate_address(world.space, Gva{va + 0x1000});
  world.translator.invalidate_address(world.space, Gva{va ^ (uint64_t{1} << 60)});
  EXPECT(world.epoch() == epoch);
  EXPECT(world.gpa(va) == page);
}

TEST_CASE("INVLPG anywhere in a large page removes all of its parts, and of no other page") {
  for (const int level : {2, 3}) {
    TlbWorld world;
    world.map(0x4000'0000, 0, rw, level);
    world.map(0x8000'0000, 0, rw, level);
    REQUIRE(world.read_at(0x4000'1000).ok);
    REQUIRE(world.read_at(0x401f'f000).ok);
    REQUIRE(world.read_at(0x8000'1000).ok);
    world.translator.invalidate_address(world.space, Gva{0x4000'5000});
    EXPECT(!world.cached(0x4000'1000));
    EXPECT(!world.cached(0x401f'f000));
    EXPECT(world.cached(0x8000'1000));
  }
}

TEST_CASE("INVLPG removes global entries, too") {
  TlbWorld world;
  world.make_stale(rw | pte::global);
  world.translator.invalidate_address(world.space, Gva{va});
  EXPECT(world.gpa(va) == other_page);
}

TEST_CASE("MOV CR3 spares global entries, but only while CR4.PGE made them global") {
  TlbWorld world;
  world.make_stale(rw | pte::global);
  world.translator.invalidate_pcid(world.space, 0);
  EXPECT(world.gpa(va) == page);
  world.translator.invalidate_all(world.space, false);
  EXPECT(world.gpa(va) == other_page);

  TlbWorld without;
  without.space.stage1.cr4 &= ~pge;
  without.make_stale(rw | pte::global);
  without.translator.invalidate_pcid(without.space, 0);
  EXPECT(without.gpa(va) == other_page);
}

TEST_CASE("entries of one PCID are not seen by another, global ones are") {
  TlbWorld world;
  world.space.stage1.cr4 |= pcide;
  world.map(va, page, rw);
  world.map(va + 0x1000, page, rw | pte::global);
  REQUIRE(world.read_at(va).ok);
  REQUIRE(world.read_at(va + 0x1000).ok);
  world.space.stage1.cr3 |= 5;
  EXPECT(!world.cached(va));
  EXPECT(world.cached(va + 0x1000));
  REQUIRE(world.read_at(va).ok);

  world.translator.invalidate_pcid(world.space, 0);
  EXPECT(world.cached(va));
  world.translator.invalidate_pcid(world.space, 5);
  EXPECT(!world.cached(va));
  EXPECT(world.cached(va + 0x1000));
}

TEST_CASE("INVPCID of one address spares globals and other PCIDs") {
  TlbWorld world;
  world.space.stage1.cr4 |= pcide;
  world.map(va, page, rw);
  world.map(va + 0x1000, page, rw | pte::global);
  const uint64_t root = world.space.stage1.cr3;
  for (const uint64_t pcid : {1u, 2u}) {
    world.space.stage1.cr3 = root | pcid;
    REQUIRE(world.read_at(va).ok);
    REQUIRE(world.read_at(va + 0x1000).ok);
  }
  world.translator.invalidate_address_in_pcid(world.space, 1, Gva{va});
  world.translator.invalidate_address_in_pcid(world.space, 2, Gva{va + 0x1000});
  EXPECT(world.cached(va));
  EXPECT(world.cached(va + 0x1000));
  world.space.stage1.cr3 = root | 1;
  EXPECT(!world.cached(va));
}

TEST_CASE("invalidating all PCIDs can keep the globals") {
  TlbWorld world;
  world.space.stage1.cr4 |= pcide;
  world.map(va, page, rw);
  world.map(va + 0x1000, page, rw | pte::global);
  REQUIRE(world.read_at(va).ok);
  REQUIRE(world.read_at(va + 0x1000).ok);
  auto elsewhere = world.space;
  elsewhere.stage1.cr3 |= 9;
  world.translator.invalidate_all(elsewhere, true);
  EXPECT(!world.cached(va));
  EXPECT(world.cached(va + 0x1000));
  world.translator.invalidate_all(elsewhere, false);
  EXPECT(!world.cached(va + 0x1000));
}

TEST_CASE("VTLs, VPs, partitions and unpaged addresses have entries of their own") {
  TlbWorld world;
  const uint64_t low = 0x5000;
  world.map(low, page, rw);
  REQUIRE(world.read_at(low).ok);
  const AddressSpace home = world.space;
  world.space.vtl = Vtl::Vtl1;
  EXPECT(!world.cached(low));
  world.space = home;
  world.space.vp = 1;
  EXPECT(!world.cached(low));
  world.space = home;
  world.space.partition = 2;
  EXPECT(!world.cached(low));
  world.space = home;
  world.space.stage1.cr0 &= ~(uint64_t{1} << 31);
  EXPECT(!world.cached(low));
  REQUIRE(world.read_at(low).ok);
  EXPECT(world.gpa(low) == low);
  world.space = home;
  EXPECT(world.gpa(low) == page);
}

TEST_CASE("invalidating one VTL or VP leaves the others alone") {
  TlbWorld world;
  world.map(va, page, rw | pte::global);
  AddressSpace spaces[3] = {world.space, world.space, world.space};
  spaces[1].vtl = Vtl::Vtl1;
  spaces[2].vp = 3;
  const auto fill = [&] {
    for (const auto& space : spaces) {
      REQUIRE(world.translator.translate(space, {Gva{va}, AccessKind::Read, false, false}).ok);
    }
  };
  const auto cached = [&](int i) {
    return world.translator.tlb().find(spaces[i], Gva{va}) != nullptr;
  };
  fill();
  const uint64_t epoch1 = world.epoch(Vtl::Vtl1);
  world.translator.invalidate_all(spaces[0], false);
  EXPECT(!cached(0));
  EXPECT(cached(1));
  EXPECT(cached(2));
  EXPECT(world.epoch(Vtl::Vtl1) == epoch1);
  fill();
  world.translator.invalidate_guest_physical(1, Vtl::Vtl0);
  EXPECT(!cached(0));
  EXPECT(cached(1));
  EXPECT(!cached(2));
}

TEST_CASE("rights that stage 2 lost persist until the guest-physical invalidation") {
  TlbWorld world;
  world.map(va, page, rw);
  REQUIRE(world.write_at(va).ok);
  world.protect(page, none);
  EXPECT(world.write_at(va).ok);
  world.translator.invalidate_guest_physical(1, Vtl::Vtl1);
  EXPECT(world.write_at(va).ok);
  const uint64_t epoch = world.epoch();
  world.translator.invalidate_guest_physical(1, Vtl::Vtl0);
  EXPECT(world.epoch() != epoch);
  EXPECT(slat_violation(world.write_at(va)));
}

TEST_CASE("rights that stage 2 or the tables gained are found by the access that needs them") {
  TlbWorld world;
  world.map(va, page, pte::present);
  world.protect(page, r);
  REQUIRE(world.read_at(va).ok);
  world.map(va, page, rw);
  world.protect(page, r_w);
  const uint64_t epoch = world.epoch();
  EXPECT(world.write_at(va).ok);
  EXPECT(world.epoch() == epoch);  // nothing that an engine holds became wrong
}

TEST_CASE("a fault removes the entries of its page, and engines hear of it") {
  TlbWorld world;
  world.map(va, page, rw);
  REQUIRE(world.read_at(va).ok);
  world.map(va, 0, 0);
  EXPECT(world.read_at(va).ok);  // stale, as on hardware
  const uint64_t epoch = world.epoch();
  EXPECT(error_code(world.write_at(va)) == 2);  // needs a walk
  EXPECT(!world.cached(va));
  EXPECT(world.epoch() != epoch);
  const uint64_t after = world.epoch();
  EXPECT(error_code(world.read_at(va)) == 0);
  EXPECT(world.epoch() == after);
}

TEST_CASE("a walk that finds another page than the stale entry had moves the epoch") {
  TlbWorld world;
  world.map(va, page, pte::present);
  REQUIRE(world.read_at(va).ok);
  world.map(va, other_page, rw);
  const uint64_t epoch = world.epoch();
  REQUIRE(world.write_at(va).ok);
  EXPECT(world.gpa(va) == other_page);
  EXPECT(world.epoch() != epoch);
}

TEST_CASE("a walk for one privilege that takes a right from the other moves the epoch") {
  for (const uint64_t flags : {rwu | pte::no_execute, rw}) {
    TlbWorld world;
    world.map(va, page, rwu);
    REQUIRE(world.fetch_at(va, true).ok);
    world.map(va, page, flags);
    const uint64_t epoch = world.epoch();
    REQUIRE(world.write_at(va).ok);
    EXPECT(world.translator.lookup(world.space, Gva{va}, AccessKind::Execute, true) == nullptr);
    EXPECT(world.epoch() != epoch);
  }
}

TEST_CASE(
    "a page that is global to one PCID and not to another is found by the rule of its own entry") {
  TlbWorld world;
  world.space.stage1.cr4 |= pcide;
  const uint64_t root = world.space.stage1.cr3;
  world.map(va, page, rw);
  world.space.stage1.cr3 = root | 1;
  REQUIRE(world.gpa(va) == page);
  world.map(va, other_page, rw | pte::global);
  world.space.stage1.cr3 = root | 2;
  REQUIRE(world.gpa(va) == other_page);
  world.space.stage1.cr3 = root | 1;  // two entries apply; either is right, but always the same one
  const uint64_t found = world.gpa(va);
  EXPECT(world.gpa(va) == found);
  world.translator.invalidate_address(world.space, Gva{va});
  EXPECT(!world.cached(va));
  world.space.stage1.cr3 = root | 2;
  EXPECT(!world.cached(va));
}

TEST_CASE("control bits that need no flush apply to cached entries at once") {
  TlbWorld world;
  world.map(va, page, pte::present | pte::user | pte::dirty);
  REQUIRE(world.read_at(va).ok);
  const auto permits = [&](AccessKind kind) {
    return world.translator.lookup(world.space, Gva{va}, kind, false) != nullptr;
  };
  EXPECT(!permits(AccessKind::Write));
  world.space.stage1.cr0 &= ~(uint64_t{1} << 16);  // WP
  EXPECT(permits(AccessKind::Write));
  world.space.stage1.cr4 |= uint64_t{1} << 21;  // SMAP
  EXPECT(!permits(AccessKind::Read));
  EXPECT(permits(AccessKind::Execute));
  world.space.stage1.alignment_check = true;
  EXPECT(permits(AccessKind::Read));
  world.space.stage1.cr4 |= uint64_t{1} << 20;  // SMEP
  EXPECT(!permits(AccessKind::Execute));
}

TEST_CASE("when it is full, the TLB drops its whole generation and all epochs move") {
  TlbWorld world{{.physical_address_bits = 40, .tlb_entries = 8}};
  for (uint64_t i = 0; i <= 8; ++i)
    world.map(va + i * 0x1000, page + i * 0x1000, rw | pte::global);
  for (uint64_t i = 0; i < 8; ++i)
    REQUIRE(world.read_at(va + i * 0x1000).ok);
  EXPECT(world.translator.tlb().used() == 8);
  for (uint64_t i = 0; i < 8; ++i)
    EXPECT(world.cached(va + i * 0x1000));
  const uint64_t epoch0 = world.epoch();
  const uint64_t epoch1 = world.epoch(Vtl::Vtl1);
  REQUIRE(world.read_at(va + 8 * 0x1000).ok);
  EXPECT(world.epoch() != epoch0);
  EXPECT(world.epoch(Vtl::Vtl1) != epoch1);
  EXPECT(world.translator.tlb().generations_dropped() == 1);
  EXPECT(world.translator.tlb().used() == 1);
  for (uint64_t i = 0; i < 8; ++i)
    EXPECT(!world.cached(va + i * 0x1000));
  EXPECT(world.cached(va + 8 * 0x1000));
}

TEST_CASE("a page that is filled again and again does not use up the TLB") {
  TlbWorld world{{.physical_address_bits = 40, .tlb_entries = 8}};
  world.map(va, page, rw);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(world.read_at(va).ok);
    if (i % 2 == 0) world.translator.invalidate_address(world.space, Gva{va});
    if (i % 3 == 0) world.translator.invalidate_pcid(world.space, 0);
  }
  EXPECT(world.translator.tlb().generations_dropped() == 0);
}

TEST_CASE("a probe sets no A or D, fills no TLB and counts no miss") {
  TlbWorld world;
  world.map(va, page, rw);
  const auto hash = world.memory.hash();
  const Access write{Gva{va + 1}, AccessKind::Write, false, false};
  const auto probed = world.translator.probe(world.space, write);
  REQUIRE(probed.ok);
  EXPECT(probed.translation.spa == Spa{page + World::shift + 1});
  EXPECT(world.memory.hash() == hash);
  EXPECT(!world.cached(va));
  EXPECT(world.translator.misses() == 0);
}
