#include "sim/timing/shadow_paging.h"

#include "tests/unit/timing/stream.h"

using namespace timing;
using support::EventKind;
using test::FlatWalks;

namespace {

/// A machine under a hypervisor that shadows. Guest page tables lie at FlatWalks::guest_table(level).
struct World {
  explicit World(Paging paging = Paging::Shadow) : model{table, walks, paging} {
    model.listen(costs);
    model.event({.at = {}, .kind = EventKind::HypervisorLaunched});
    run(0x1000, {0x90});
  }
  const Charge& run(uint64_t rip, std::initializer_list<uint8_t> bytes) {
    model.instruction(code.next(rip, bytes));
    return costs.charges.back();
  }
  const Charge& store(uint64_t address) {
    code.registers()[vtl::Rbx] = address;
    return run(0x1001, {0x48, 0x89, 0x03});
  }
  const Charge& load(uint64_t address) {
    code.registers()[vtl::Rbx] = address;
    return run(0x1004, {0x48, 0x8b, 0x03});
  }
  const ShadowCounts& counts() { return *model.shadow(); }
  const CostTable table;
  FlatWalks walks;
  CycleModel model;
  test::Costs costs;
  test::Code code;
};

}  // namespace

TEST_CASE("a page costs one hidden fault, and then walks of four references") {
  World world;
  EXPECT(world.counts().hidden_faults.count == 1);  // the page of the code
  const Charge first = world.load(0x5000);
  EXPECT(world.counts().hidden_faults.count == 2);
  // The exit, the software, and four entries of the guest's tables, which the fault before has read already.
  EXPECT(first.system == cycles(2000 + 400 + 4 * 4));
  EXPECT(world.costs.walks.back()[0].walk.count == 4);
  world.model.event({.at = {}, .kind = EventKind::TlbFlush});
  const Charge again = world.load(0x5000);
  EXPECT(again.system == 0);
  EXPECT(world.counts().exits() == 2);
  EXPECT(again.walk == cycles(2 * 4 * 4));  // the code's page and this one; all entries in the first level
}

TEST_CASE("each write to a guest page table exits, and drops what was made of the entry") {
  World world;
  world.load(0x5000);
  const uint64_t entry = FlatWalks::guest_table(1);  // of the page table that every page here shares
  world.load(entry);
  const uint64_t faults = world.counts().hidden_faults.count;
  const Charge charge = world.store(entry);
  EXPECT(world.counts().table_writes.count == 1);
  EXPECT(charge.system == cycles(2000 + 600 + 3 * 50));  // the code's page, 0x5000 and the table's own
  EXPECT(world.counts().dropped_entries == 3);
  world.load(0x5000);
  EXPECT(world.counts().hidden_faults.count == faults + 2);  // and the code's page
  world.store(0x6000);
  EXPECT(world.counts().table_writes.count == 1);  // no page table
}

TEST_CASE("the first write to a clean page exits a second time") {
  World world;
  world.walks.dirty = false;
  world.load(0x5000);
  EXPECT(world.counts().dirty_faults.count == 0);
  world.store(0x5000);
  EXPECT(world.counts().dirty_faults.count == 1);
  world.store(0x5000);
  EXPECT(world.counts().dirty_faults.count == 1);
}

TEST_CASE("MOV to CR3, INVLPG and page faults exit, and none of them does with SLAT") {
  for (const Paging paging : {Paging::Shadow, Paging::Slat}) {
    World world{paging};
    world.run(0x1000, {0x0f, 0x22, 0xd8});
    world.code.registers()[vtl::Rbx] = 0x5000;
    world.run(0x1003, {0x0f, 0x01, 0x3b});
    world.model.event({.at = {}, .kind = EventKind::Exception, .a = 14});
    if (paging == Paging::Slat) {
      EXPECT(world.model.shadow() == nullptr);
      EXPECT(world.costs.events.back().system == cycles(120));
      continue;
    }
    EXPECT(world.counts().cr3_loads.count == 1);
    EXPECT(world.counts().cr3_loads.cost == cycles(2000 + 150));
    EXPECT(world.counts().invalidations.count == 1);
    EXPECT(world.counts().reflected_faults.count == 1);
    EXPECT(world.costs.events.back().system == cycles(120 + 2000 + 300));
  }
}

TEST_CASE("a hypervisor that gives up stops protecting a table after three writes, until it is used again") {
  const CostTable table;
  FlatWalks walks;
  for (const bool gives_up : {false, true}) {
    ShadowPaging shadow{table, gives_up};
    Caches caches{table, std::make_shared<Cache>(table.llc_bytes, table.llc_ways, table.line_bytes)};
    const auto use = [&] {
      WalkCost cost;
      cost.walk = walks.walk({}, 0x5000, mmu::AccessKind::Read);
      return shadow.miss({}, 0, cost, caches);
    };
    EXPECT(use() != 0);
    EXPECT(use() == 0);  // the shadow has the page now
    const uint64_t entry = FlatWalks::guest_table(2) + 0x800;  // nothing was made of it
    ShadowPaging::Dropped dropped;
    for (int i = 0; i < 3; ++i) EXPECT(shadow.write(entry, 8, dropped) != 0);
    EXPECT(shadow.protects(entry) == !gives_up);
    EXPECT((shadow.write(entry, 8, dropped) != 0) == !gives_up);
    EXPECT(shadow.counts().table_writes.count == (gives_up ? 3 : 4));
    EXPECT(shadow.counts().unprotected_tables == (gives_up ? 1 : 0));
    EXPECT(dropped.size() == (gives_up ? 1 : 0));  // nobody would notice if the table said something else
    EXPECT((use() != 0) == gives_up);
    EXPECT(shadow.protects(entry));
  }
}

TEST_CASE("nothing is shadowed before the hypervisor runs") {
  const CostTable table;
  FlatWalks walks;
  CycleModel model{table, walks, Paging::Shadow};
  test::Code code;
  model.instruction(code.next(0x1000, {0x0f, 0x22, 0xd8}));
  EXPECT(model.shadow()->exits() == 0);
  EXPECT(model.totals().walk_steps == 24);
}

TEST_CASE("changed rights drop the shadow of those pages in lower levels") {
  World world;
  world.load(0x5000);
  world.load(0x9000);
  world.model.event({.at = {}, .vtl = abi::hv::Vtl::Vtl1, .kind = EventKind::ProtectionChange, .a = 0x5000, .b = 1});
  EXPECT(world.counts().dropped_entries == 1);
  const uint64_t faults = world.counts().hidden_faults.count;
  world.load(0x9000);
  EXPECT(world.counts().hidden_faults.count == faults);
  world.load(0x5000);
  EXPECT(world.counts().hidden_faults.count == faults + 1);
}
