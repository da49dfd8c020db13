// Calls made of events alone. That marshalling is told from work needs symbols: machine_test.cpp.
#include "sim/timing/call_ledger.h"

#include "sim/timing/report.h"
#include "tests/unit/timing/stream.h"

using namespace timing;
using abi::hv::Vtl;
using support::EventKind;
using test::cycles;

namespace {

/// The first word of SKCALL.
uint64_t head(uint8_t operation, uint8_t state, uint16_t code, uint32_t cookie) {
  return operation | uint64_t{state} << 8 | uint64_t{code} << 16 | uint64_t{cookie} << 32;
}
constexpr uint8_t resume = 0, service = 1;          // operations
constexpr uint8_t normal_service = 0, finished = 1; // states

struct World {
  World() : model{table, walks} {
    model.listen(ledger);
    code.registers()[vtl::Rsp] = 0x8000;
    model.event({.at = {}, .kind = EventKind::HypervisorLaunched});
  }
  void in(Vtl vtl, unsigned instructions) {
    code.vtl(vtl);
    for (unsigned i = 0; i < instructions; ++i) model.instruction(code.next(0x1000 + i, {0x90}));
  }
  void event(EventKind kind, Vtl vtl, std::optional<uint64_t> first_word = {}) {
    std::array<uint64_t, 13> frame{};
    frame[0] = first_word.value_or(0);
    model.event({.at = {code.tick()}, .vtl = vtl, .kind = kind, .frame = first_word ? frame.data() : nullptr});
  }
  const SecureCall& call(size_t index) { return ledger.calls().at(index); }

  const CostTable table;
  test::FlatWalks walks{0};  // no walks: every address is its own
  CycleModel model;
  loader::ImageCatalog images;
  Phases phases{images};
  CallLedger ledger{phases};
  test::Code code;
};

constexpr Quarters one_switch = cycles(2800);

}  // namespace

TEST_CASE("a call that comes back finished is an entry, work and an exit") {
  World world;
  world.in(Vtl::Vtl0, 10);
  world.event(EventKind::VtlCall, Vtl::Vtl0, head(service, 0, 1, 0));
  world.in(Vtl::Vtl1, 8);
  world.event(EventKind::VtlReturn, Vtl::Vtl1, head(0, finished, 0, 0));
  world.in(Vtl::Vtl0, 10);
  REQUIRE(world.ledger.calls().size() == 1);
  const SecureCall& call = world.call(0);
  EXPECT(call.finished);
  EXPECT(call.switches == 1);
  EXPECT(call.instructions == 8);
  EXPECT(call.parts.entry == one_switch);
  EXPECT(call.parts.exit == one_switch);
  EXPECT(call.parts.work == 8);  // a quarter each: the line was fetched in VTL 0
  EXPECT(call.parts.total() == 2 * one_switch + 8);
  EXPECT(world.ledger.outside().at(0) + call.parts.total() == world.model.totals().total());
}

TEST_CASE("what NTOS does for a call is part of it, and a call made meanwhile is one of its own") {
  World world;
  world.event(EventKind::VtlCall, Vtl::Vtl0, head(service, 0, 1, 0));
  world.in(Vtl::Vtl1, 4);
  world.event(EventKind::VtlReturn, Vtl::Vtl1, head(0, normal_service, 1, 0x101));
  world.in(Vtl::Vtl0, 100);
  world.event(EventKind::VtlCall, Vtl::Vtl0, head(service, 0, 2, 0x101));  // nested
  world.in(Vtl::Vtl1, 12);
  world.event(EventKind::VtlReturn, Vtl::Vtl1, head(0, finished, 0, 0));
  world.in(Vtl::Vtl0, 20);
  world.event(EventKind::VtlCall, Vtl::Vtl0, head(resume, 0, 0, 0x101));
  world.in(Vtl::Vtl1, 4);
  world.event(EventKind::VtlReturn, Vtl::Vtl1, head(0, finished, 0, 0));
  world.in(Vtl::Vtl0, 3);
  REQUIRE(world.ledger.calls().size() == 2);
  const SecureCall& outer = world.call(0);
  const SecureCall& inner = world.call(1);
  EXPECT(outer.switches == 2);
  EXPECT(outer.parts.entry == 2 * one_switch);
  EXPECT(outer.parts.work + outer.parts.normal >= 8 + 120);
  EXPECT(outer.instructions + inner.instructions == 4 + 100 + 12 + 20 + 4);
  EXPECT(inner.parts.work == 12);
  EXPECT(inner.parts.total() == 2 * one_switch + 12);
  EXPECT(world.ledger.outside().at(0) == 3);
}

TEST_CASE("hypercalls of VTL 1 are the hypervisor's part, exceptions are work") {
  World world;
  world.event(EventKind::VtlCall, Vtl::Vtl0, head(service, 0, 1, 0));
  world.event(EventKind::Hypercall, Vtl::Vtl1);
  world.event(EventKind::Exception, Vtl::Vtl1);
  world.event(EventKind::VtlReturn, Vtl::Vtl1, head(0, finished, 0, 0));
  EXPECT(world.call(0).parts.hypervisor == cycles(2200));
  EXPECT(world.call(0).parts.work == cycles(120));
}

TEST_CASE("interrupts into VTL 1 and its first entry have names of their own") {
  World world;
  world.model.event({.at = {}, .vtl = Vtl::Vtl0, .kind = EventKind::VtlEnabled, .a = 1, .b = 1});
  world.event(EventKind::VtlCall, Vtl::Vtl0, head(service, 0, 1, 0));
  world.event(EventKind::VtlReturn, Vtl::Vtl1, head(0, finished, 0, 0));
  world.event(EventKind::VtlInterruptEntry, Vtl::Vtl0);
  world.event(EventKind::VtlReturn, Vtl::Vtl1);
  REQUIRE(world.ledger.calls().size() == 2);
  EXPECT(world.call(0).name == "(first entry)");
  EXPECT(world.call(1).name == "(interrupt or intercept)");
  EXPECT(world.call(1).finished);
}

TEST_CASE("nothing that a guest does with frames and returns confuses the sum") {
  World world;
  uint64_t seed = 1;
  for (int i = 0; i < 2000; ++i) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    const auto pick = static_cast<unsigned>(seed >> 33);
    const Vtl vtl = (pick & 1) != 0 ? Vtl::Vtl1 : Vtl::Vtl0;
    const uint64_t word = head(pick >> 1 & 3, pick >> 3 & 7, pick >> 6 & 0x3f, pick >> 12 & 3);
    switch (pick >> 16 & 7) {
      case 0: world.event(EventKind::VtlCall, vtl, word); break;
      case 1: world.event(EventKind::VtlReturn, vtl, word); break;
      case 2: world.event(EventKind::VtlReturn, vtl); break;
      case 3: world.event(EventKind::VtlInterruptEntry, vtl); break;
      case 4: world.event(EventKind::Hypercall, vtl); break;
      default: world.in(vtl, pick & 15); break;
    }
  }
  Quarters sum = 0;
  for (const SecureCall& call : world.ledger.calls()) sum += call.parts.total();
  for (const auto& [vtl, outside] : world.ledger.outside()) sum += outside;
  EXPECT(sum == world.model.totals().total());
}

TEST_CASE("summaries add up, the most expensive kind first") {
  std::vector<SecureCall> calls(3);
  calls[0].name = "a";
  calls[0].parts.work = 10;
  calls[1].name = "b";
  calls[1].parts.work = 25;
  calls[1].finished = true;
  calls[2].name = "a";
  calls[2].parts.walks = 5;
  const std::vector<CallSummary> summary = summarise(calls);
  REQUIRE(summary.size() == 2);
  EXPECT(summary[0].name == "b");
  EXPECT(summary[1].name == "a");
  EXPECT(summary[1].count == 2);
  EXPECT(summary[1].unfinished == 2);
  EXPECT(summary[1].fastest == 5);
  EXPECT(summary[1].slowest == 10);
  EXPECT(summary[1].parts.total() == 15);
}

TEST_CASE("shares are rounded down to tenths of a percent and never overflow") {
  EXPECT(share_text(1, 3) == "33.3 %");
  EXPECT(share_text(0, 0) == "0.0 %");
  EXPECT(share_text(~uint64_t{0}, ~uint64_t{0}) == "100.0 %");
}
