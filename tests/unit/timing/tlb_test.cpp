#include "sim/timing/tlb.h"

#include "tests/support/catch.h"

using timing::CostTable;
using timing::Tlb;
using timing::TlbAnswer;
using timing::TlbPage;
using timing::TlbTag;

namespace {

TlbPage page_of(TlbTag tag, uint64_t gva, uint8_t shift = 12) {
  const uint64_t base = gva >> shift << shift;
  return {gva >> shift, shift, tag, false, true, true, base, base};
}

TlbAnswer look_up(Tlb& tlb, TlbTag tag, uint64_t gva) { return tlb.look_up(tag, gva, false, false).answer; }

constexpr TlbTag vtl0{0, 0}, vtl1{1, 0}, other_pcid{0, 7};

}  // namespace

TEST_CASE("a translation belongs to its VTL and PCID, a global one to every PCID of its VTL") {
  Tlb tlb{CostTable{}};
  tlb.fill(page_of(vtl0, 0x4000), false);
  EXPECT(look_up(tlb, vtl0, 0x4fff) == TlbAnswer::First);
  EXPECT(look_up(tlb, vtl0, 0x5000) == TlbAnswer::Miss);
  EXPECT(look_up(tlb, vtl1, 0x4000) == TlbAnswer::Miss);
  EXPECT(look_up(tlb, other_pcid, 0x4000) == TlbAnswer::Miss);
  TlbPage global = page_of(vtl0, 0x9000);
  global.global = true;
  tlb.fill(global, false);
  EXPECT(look_up(tlb, other_pcid, 0x9000) == TlbAnswer::First);
  EXPECT(look_up(tlb, vtl1, 0x9000) == TlbAnswer::Miss);
}

TEST_CASE("code and data share the second level only") {
  Tlb tlb{CostTable{}};
  tlb.fill(page_of(vtl0, 0x4000), true);
  EXPECT(tlb.look_up(vtl0, 0x4000, true, false).answer == TlbAnswer::First);
  EXPECT(tlb.look_up(vtl0, 0x4000, false, false).answer == TlbAnswer::Second);
  EXPECT(tlb.look_up(vtl0, 0x4000, false, false).answer == TlbAnswer::First);
}

TEST_CASE("what leaves the first level is found in the second, and then in none") {
  CostTable costs;
  costs.dtlb_entries = 2;
  costs.dtlb_ways = 2;
  costs.stlb_entries = 3;
  costs.stlb_ways = 3;
  Tlb tlb{costs};
  for (uint64_t page = 0; page < 3; ++page) tlb.fill(page_of(vtl0, page << 12), false);
  EXPECT(look_up(tlb, vtl0, 0x0000) == TlbAnswer::Second);
  EXPECT(look_up(tlb, vtl0, 0x0000) == TlbAnswer::First);
  tlb.fill(page_of(vtl0, 0x3000), false);  // the second level forgets page 1, used least recently
  EXPECT(look_up(tlb, vtl0, 0x1000) == TlbAnswer::Miss);
  EXPECT(look_up(tlb, vtl0, 0x3000) == TlbAnswer::First);
}

TEST_CASE("large pages are found anywhere inside them") {
  Tlb tlb{CostTable{}};
  tlb.fill(page_of(vtl0, 0x200000, 21), false);
  tlb.fill(page_of(vtl0, 0x40000000, 30), false);
  EXPECT(look_up(tlb, vtl0, 0x3fffff) == TlbAnswer::First);
  EXPECT(look_up(tlb, vtl0, 0x7fffffff) == TlbAnswer::First);
  EXPECT(look_up(tlb, vtl0, 0x400000) == TlbAnswer::Miss);
  tlb.invalidate_address(vtl0, 0x312345);
  EXPECT(look_up(tlb, vtl0, 0x200000) == TlbAnswer::Miss);
}

TEST_CASE("the first write to a clean page is a miss") {
  Tlb tlb{CostTable{}};
  TlbPage clean = page_of(vtl0, 0x4000);
  clean.dirty = false;
  tlb.fill(clean, false);
  EXPECT(tlb.look_up(vtl0, 0x4000, false, false).answer == TlbAnswer::First);
  EXPECT(tlb.look_up(vtl0, 0x4000, false, true).answer == TlbAnswer::Miss);
  tlb.fill(page_of(vtl0, 0x4000), false);
  EXPECT(tlb.look_up(vtl0, 0x4000, false, true).answer == TlbAnswer::First);
}

TEST_CASE("loading CR3 keeps global pages and other PCIDs, and a VTL can be forgotten alone") {
  Tlb tlb{CostTable{}};
  TlbPage global = page_of(vtl0, 0x9000);
  global.global = true;
  tlb.fill(global, false);
  tlb.fill(page_of(vtl0, 0x4000), false);
  tlb.fill(page_of(other_pcid, 0x5000), false);
  tlb.fill(page_of(vtl1, 0x4000), false);
  tlb.invalidate_pcid(vtl0);
  EXPECT(look_up(tlb, vtl0, 0x4000) == TlbAnswer::Miss);
  EXPECT(look_up(tlb, vtl0, 0x9000) == TlbAnswer::First);
  EXPECT(look_up(tlb, other_pcid, 0x5000) == TlbAnswer::First);
  EXPECT(look_up(tlb, vtl1, 0x4000) == TlbAnswer::First);
  tlb.invalidate_vtl(0);
  EXPECT(look_up(tlb, vtl0, 0x9000) == TlbAnswer::Miss);
  EXPECT(look_up(tlb, vtl1, 0x4000) == TlbAnswer::First);
}
