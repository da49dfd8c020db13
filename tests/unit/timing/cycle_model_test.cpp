// Known sequences with cycles computed by hand.
#include "sim/timing/cycle_model.h"

#include "tests/unit/timing/stream.h"

using namespace timing;
using support::EventKind;
using test::Code;
using test::Costs;
using test::FlatWalks;

namespace {

struct World {
  explicit World(uint8_t steps = 24, Paging paging = Paging::Slat) : walks{steps}, model{table, walks, paging} {
    model.listen(costs);
  }
  const Charge& run(uint64_t rip, std::initializer_list<uint8_t> bytes) {
    model.instruction(code.next(rip, bytes));
    return costs.charges.back();
  }
  const Charge& event(EventKind kind, uint64_t a = 0, uint64_t b = 0, abi::hv::Vtl vtl = {}) {
    model.event({.at = {code.tick()}, .vtl = vtl, .kind = kind, .a = a, .b = b});
    return costs.events.back();
  }
  const CostTable table;
  FlatWalks walks;
  CycleModel model;
  Costs costs;
  Code code;
};

constexpr std::initializer_list<uint8_t> nop{0x90};
constexpr std::initializer_list<uint8_t> load{0x48, 0x8b, 0x03};   // mov rax, [rbx]
constexpr std::initializer_list<uint8_t> store{0x48, 0x89, 0x03};  // mov [rbx], rax

}  // namespace

TEST_CASE("a walk of 24 references costs what the table says, cold and warm") {
  World world;
  const Charge cold = world.run(0x1000, nop);
  EXPECT(cold.walk == cycles(24 * 200));  // each reference goes to memory
  EXPECT(cold.fetch == cycles(200));
  EXPECT(cold.base == 1);
  REQUIRE(world.costs.walks.back().size() == 1);
  for (unsigned i = 0; i < 24; ++i) EXPECT(world.costs.walks.back()[0].levels[i] == Level::Memory);

  world.event(EventKind::TlbFlush, ~uint64_t{0});
  const Charge warm = world.run(0x1001, nop);
  EXPECT(warm.walk == cycles(24 * 4));  // and now to the first level
  EXPECT(warm.fetch == 0);
  EXPECT(world.model.totals().walks_by_steps[24] == 2);
  EXPECT(world.model.totals().walk_levels[static_cast<size_t>(Level::Memory)] == 24);
  EXPECT(world.model.totals().walk_levels[static_cast<size_t>(Level::L1)] == 24);
}

TEST_CASE("setting A or D bits costs an assist, once for the walk") {
  World world{4};
  world.walks.sets_bits = true;
  EXPECT(world.run(0x1000, nop).walk == cycles(4 * 200 + 50));
}

TEST_CASE("a sequence in one line and one page costs its classes, and its misses once") {
  World world{4};
  world.code.registers()[vtl::Rbx] = 0x5000;
  world.run(0x1000, nop);
  const Charge first = world.run(0x1001, load);  // 0.5, a walk whose entries are in L1, a line from memory
  EXPECT(first.base == 2);
  EXPECT(first.walk == cycles(4 * 4));
  EXPECT(first.data == cycles(200));
  const Charge second = world.run(0x1004, store);  // 1, everything is there
  EXPECT(second.total() == 4);
  world.code.registers()[vtl::Rbx] = 0x5040;
  EXPECT(world.run(0x1007, load).data == cycles(12));  // the next line was prefetched
  EXPECT(world.run(0x100a, {0xf7, 0xf1}).total() == cycles(26));        // div ecx
  EXPECT(world.run(0x100c, {0xf0, 0xff, 0x03}).total() == cycles(18));  // lock inc [rbx]
  EXPECT(world.run(0x100f, {0xe8, 0, 0, 0, 0}).base == cycles(2));      // call
  const Totals& totals = world.model.totals();
  EXPECT(totals.instructions == 7);
  Quarters sum = 0;
  for (const Charge& charge : world.costs.charges) sum += charge.total();
  EXPECT(totals.total() == sum);
  EXPECT(world.costs.starts[2] == world.costs.charges[0].total() + world.costs.charges[1].total());
}

TEST_CASE("an access over the end of a page asks for two translations and two lines") {
  World world{4};
  world.run(0x1000, nop);
  const unsigned asked = world.walks.asked;
  world.code.registers()[vtl::Rbx] = 0x5ffc;
  const Charge charge = world.run(0x1001, load);
  EXPECT(world.walks.asked == asked + 2);
  EXPECT(charge.walk == cycles(2 * 4 * 4));
  EXPECT(charge.data == cycles(2 * 200));
}

TEST_CASE("the second TLB level costs its latency") {
  World world{4};
  for (uint64_t page = 0; page < 129; ++page) world.run(0x100000 + page * 0x1000, nop);  // 128 entries of 8 ways
  const Charge charge = world.run(0x100000, nop);
  EXPECT(charge.tlb == cycles(9));
  EXPECT(charge.walk == 0);
}

TEST_CASE("loading CR3 forgets pages, unless bit 63 says to keep them") {
  World world{4};
  const std::initializer_list<uint8_t> load_cr3{0x0f, 0x22, 0xd8};  // mov cr3, rax
  world.run(0x1000, nop);
  world.code.registers()[vtl::Rax] = uint64_t{1} << 63;
  world.run(0x1001, load_cr3);
  EXPECT(world.run(0x1004, nop).walk == 0);
  world.code.registers()[vtl::Rax] = 0;
  world.run(0x1005, load_cr3);
  EXPECT(world.run(0x1008, nop).walk == cycles(4 * 4));
}

TEST_CASE("INVLPG forgets one page") {
  World world{4};
  world.run(0x1000, nop);
  world.code.registers()[vtl::Rbx] = 0x5000;
  world.run(0x1001, load);
  world.run(0x1004, {0x0f, 0x01, 0x3b});
  EXPECT(world.run(0x1007, load).walk == cycles(4 * 4));
  EXPECT(world.run(0x100a, nop).walk == 0);
}

TEST_CASE("a refused access is walked for, and its memory is not touched") {
  World world{4};
  world.run(0x1000, nop);
  world.walks.granted = false;
  world.code.registers()[vtl::Rbx] = 0x5000;
  const Charge charge = world.run(0x1001, load);
  EXPECT(charge.walk == cycles(4 * 4));
  EXPECT(charge.data == 0);
  EXPECT(world.event(EventKind::Exception, 14).total() == cycles(120));
  world.walks.granted = true;
  EXPECT(world.run(0x1001, load).data == cycles(200));
}

TEST_CASE("an instruction that is shown twice at the same instant counts once") {
  World world{4};
  const trace::InstructionRecord record = world.code.next(0x1000, nop);
  world.model.instruction(record);
  world.model.instruction(record);
  EXPECT(world.model.totals().instructions == 1);
  world.event(EventKind::Exception, 14);
  world.model.instruction(record);  // after its handler, as far as the model can know
  EXPECT(world.model.totals().instructions == 2);
}

TEST_CASE("ticks after HLT are idle, other gaps are instructions that were not shown") {
  World world{4};
  world.run(0x1000, nop);
  world.code.skip(3);
  world.run(0x1001, {0xf4});
  world.code.skip(1000);
  world.run(0x1002, nop);
  EXPECT(world.model.totals().unobserved == 3);
  EXPECT(world.model.totals().idle_ticks == 1000);
  Quarters sum = 3 * world.table.of(InstructionClass::Unobserved);
  for (const Charge& charge : world.costs.charges) sum += charge.total();
  EXPECT(world.model.totals().total() == sum);
}

TEST_CASE("switches, hypercalls, intercepts and interrupts cost what the table says") {
  World world{4};
  EXPECT(world.event(EventKind::Interrupt, 0x30).total() == cycles(120));  // on the bare machine
  EXPECT(world.run(0x1000, {0x0f, 0xa2}).system == 0);
  world.event(EventKind::HypervisorLaunched);
  EXPECT(world.event(EventKind::VtlCall).total() == cycles(2000 + 800));
  EXPECT(world.event(EventKind::VtlReturn).total() == cycles(2000 + 800));
  EXPECT(world.event(EventKind::VtlInterruptEntry).total() == cycles(2000 + 800));
  EXPECT(world.event(EventKind::Intercept).total() == cycles(2000 + 500));
  EXPECT(world.event(EventKind::MsrWrite, 0x40000073).total() == cycles(2000 + 150));
  EXPECT(world.event(EventKind::Interrupt, 0x30).total() == cycles(2000 + 300 + 120));
  const uint64_t ten_elements = uint64_t{10} << 32;
  EXPECT(world.event(EventKind::Hypercall, 0x0c, ten_elements).total() == cycles(2000 + 200 + 10 * 60 + 300));
  EXPECT(world.event(EventKind::Hypercall, 0x0b).total() == cycles(2000 + 200 + 1200));
  EXPECT(world.event(EventKind::ProtectionChange, 0, 5, abi::hv::Vtl::Vtl1).total() == cycles(5 * 40));
  EXPECT(world.event(EventKind::DebugPrint).total() == 0);
  EXPECT(world.run(0x1002, {0x0f, 0xa2}).system == cycles(2000 + 150));
  EXPECT(world.run(0x1004, {0xf4}).system == cycles(2000 + 150));
}

TEST_CASE("an interrupt to another processor costs the same by every way") {
  World world{4};
  world.code.registers()[vtl::Rcx] = 0x830;
  EXPECT(world.run(0x1000, {0x0f, 0x30}).system == cycles(1200));
  world.code.registers()[vtl::Rcx] = 0x40000071;
  EXPECT(world.run(0x1002, {0x0f, 0x30}).system == cycles(1200));
  world.code.registers()[vtl::Rbx] = 0xfee00300;
  world.walks.device = 0xfee00300;
  const Charge charge = world.run(0x1004, store);
  EXPECT(charge.system == cycles(1200));
  EXPECT(charge.data == cycles(500));
  EXPECT(world.model.totals().interprocessor_interrupts == 3);
}

TEST_CASE("changed rights forget the pages of lower levels only") {
  World world{4};
  world.run(0x1000, nop);
  world.code.vtl(abi::hv::Vtl::Vtl1);
  world.run(0x2000, nop);
  world.event(EventKind::ProtectionChange, 0x1000, 1, abi::hv::Vtl::Vtl1);
  EXPECT(world.run(0x2001, nop).walk == 0);
  world.code.vtl(abi::hv::Vtl::Vtl0);
  EXPECT(world.run(0x1001, nop).walk != 0);
}

TEST_CASE("the same stream costs the same") {
  Quarters totals[2];
  for (Quarters& total : totals) {
    World world;
    for (uint64_t i = 0; i < 5000; ++i) {
      world.code.registers()[vtl::Rbx] = (i * 0x9e3779b97f4a7c15 >> 40) & ~uint64_t{7};
      world.run(0x1000 + i % 3000 * 3, i % 2 == 0 ? load : store);
    }
    total = world.model.totals().total();
  }
  EXPECT(totals[0] == totals[1]);
  EXPECT(totals[0] != 0);
}
