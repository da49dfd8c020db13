// What a timeline is made of, without a machine.
#include "tests/support/catch.h"

#include "sim/debugger/condition.h"
#include "sim/debugger/history.h"
#include "sim/debugger/intervals.h"
#include "sim/debugger/registers.h"
#include "sim/debugger/views/call_builder.h"

using namespace debugger;
using support::EventKind;

namespace {

support::Event event(uint64_t at, EventKind kind, uint64_t a = 0) {
  return {.at = {at}, .vp = 0, .vtl = Vtl::Vtl0, .kind = kind, .a = a};
}

EventFilter of(EventKind kind) {
  return [kind](const support::Event& seen) { return seen.kind == kind; };
}

}  // namespace

TEST_CASE("the history answers with the last event before an instant and the first from an instant on") {
  ObservedHistory history;
  history.on(event(1, EventKind::Hypercall));  // nobody listens yet
  history.listen(true);
  for (const uint64_t at : {10u, 20u, 20u, 30u}) history.on(event(at, EventKind::Hypercall, at));
  history.on(event(25, EventKind::Exception, 14));  // announced late
  EXPECT(!history.last({10}, of(EventKind::Hypercall), {}));
  EXPECT(history.last({11}, of(EventKind::Hypercall), {})->event.at == Instant{10});
  EXPECT(history.last({30}, of(EventKind::Hypercall), {})->event.at == Instant{20});
  EXPECT(history.last({30}, of(EventKind::Exception), {})->event.at == Instant{25});
  EXPECT(!history.last({30}, of(EventKind::Hypercall), {21}));
  EXPECT(history.first({20}, of(EventKind::Hypercall))->event.at == Instant{20});
  EXPECT(history.first({21}, of(EventKind::Hypercall))->event.at == Instant{30});
  EXPECT(!history.first({31}, of(EventKind::Hypercall)));
}

TEST_CASE("events keep their text and frame after the run has gone on") {
  ObservedHistory history;
  history.listen(true);
  {
    std::string text = "lsaiso.exe";
    uint64_t frame[13] = {7};
    support::Event seen = event(5, EventKind::ImageLoaded);
    seen.text = text;
    seen.frame = frame;
    history.on(seen);
    text.assign(text.size(), '-');
    frame[0] = 0;
  }
  const auto record = history.first({}, of(EventKind::ImageLoaded));
  REQUIRE(record.has_value());
  EXPECT(record->view().text == "lsaiso.exe");
  EXPECT(record->view().frame[0] == 7);
}

TEST_CASE("every register has one name and is found by it, whatever its case") {
  for (RegisterId id = 0; id < register_count(); ++id) {
    CAPTURE(register_name(id));
    EXPECT(find_register(register_name(id)) == id);
  }
  EXPECT(find_register("CR3") == find_register("cr3"));
  EXPECT(!find_register("eax"));
  EXPECT(!find_register(""));
}

TEST_CASE("the mask of changes names the registers that differ, of the VTL asked for") {
  vtl::VirtualProcessor a, b;
  b.shared.gpr[vtl::R10] = 1;
  b.contexts[Vtl::Vtl1].cr3 = 0x5000;
  b.shared.fp.xmm[3].high = 9;
  RegisterMask zero{}, one{};
  include_changes(zero, a, b, Vtl::Vtl0);
  include_changes(one, a, b, Vtl::Vtl1);
  EXPECT(contains(zero, *find_register("r10")));
  EXPECT(contains(zero, *find_register("xmm3")));
  EXPECT(!contains(zero, *find_register("cr3")));
  EXPECT(contains(one, *find_register("cr3")));
  EXPECT(!contains(one, *find_register("rax")));
}

TEST_CASE("an instant lies in the last interval that begins at or before it") {
  Intervals intervals(3);
  intervals[1].begin = {100};
  intervals[2].begin = {200};
  EXPECT(find_interval(intervals, {0}) == 0);
  EXPECT(find_interval(intervals, {99}) == 0);
  EXPECT(find_interval(intervals, {100}) == 1);
  EXPECT(find_interval(intervals, {5000}) == 2);
  std::vector<uint32_t> pages{2, 5};
  merge_pages(pages, {1, 5, 9});
  EXPECT(pages == std::vector<uint32_t>{1, 2, 5, 9});
}

TEST_CASE("bits that the processor sets itself do not count as a change when they are to be ignored") {
  const Condition watch = MemoryWatch{.first = Spa{0}, .bytes = 8, .ignore = 0x60};
  EXPECT(!differs(watch, {0x07, 0, 0, 0, 0, 0, 0, 0}, {0x67, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT(differs(watch, {0x07, 0, 0, 0, 0, 0, 0, 0}, {0x05, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_CASE("an interrupt that enters VTL 1 ends with its return, whatever lies in the frame then") {
  ObservedHistory history;
  const Names names{history, {}};
  views::CallBuilder builder{100, false};
  const uint64_t leftover[13] = {0x0082'0000};  // what some earlier call left in the registers
  for (const uint64_t at : {10u, 20u, 30u}) {
    EXPECT(builder.take(at, event(at, EventKind::VtlInterruptEntry, 0xf0), names));
    support::Event back = event(at + 5, EventKind::VtlReturn);
    back.vtl = Vtl::Vtl1;
    back.frame = leftover;
    EXPECT(builder.take(at + 1, back, names));
  }
  const views::CallTree tree = std::move(builder).tree();
  REQUIRE(tree.nodes.size() == 3);
  for (const views::CallNode& node : tree.nodes) {
    EXPECT(node.call.depth == 0);
    EXPECT(node.end == node.call.at + 5);
  }
}
