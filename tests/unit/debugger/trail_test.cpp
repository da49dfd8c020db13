// Trails against everything that a machine executes when it runs straight on and counts each instruction.
#include "sim/debugger/views/trail.h"

#include "tests/unit/debugger/boot_timeline.h"
#include "vtl/instruction_observer.h"

using namespace debugger;
using debugger::views::Trail;
using debugger::views::Trails;
using debugger::views::TrailStep;
using support::EventKind;

namespace {

struct Everything final : vtl::InstructionObserver {
  void before_instruction(Instant now, const vtl::VirtualProcessor& vp) override {
    const TrailStep step{now, vp.number, vp.active, vp.context().rip};
    if (steps.empty() || steps.back() != step) steps.push_back(step);
  }
  std::vector<TrailStep> steps;
};

/// All that is executed in [from, to).
std::vector<TrailStep> all_steps(loader::MachineConfig config, Instant from, Instant to) {
  auto quick = machine::Machine::create(config, test::boot_parts(), nullptr);
  REQUIRE(quick.ok());
  REQUIRE(quick.value()->run(from) == machine::StopReason::Deadline);
  config.gear = loader::GearSetting::Exact;
  auto exact = machine::Machine::create(config, test::boot_parts(), nullptr);
  REQUIRE(exact.ok());
  REQUIRE(exact.value()->restore(quick.value()->save()).ok());
  Everything everything;
  exact.value()->observe(&everything);
  (void)exact.value()->run(to);
  return everything.steps;
}

struct Run {
  explicit Run(const loader::MachineConfig& the_config) : config{the_config} {
    auto timeline = Timeline::over(config, test::boot_parts());
    if (!timeline) FAIL(timeline.error().message);
    auto made = Session::over(std::move(timeline.value()), {});
    if (!made) FAIL(made.error().message);
    session = std::move(made.value());
  }
  /// The first event that `filter` takes; the run is known up to there.
  Instant first(const EventFilter& filter) {
    auto hit = session->timeline().find_next({EventBreak{filter}}, Instant{});
    REQUIRE(hit.has_value());
    return hit->at;
  }
  loader::MachineConfig config;
  std::unique_ptr<Session> session;
};

std::vector<TrailStep> last_of(const std::vector<TrailStep>& all, uint32_t vp, Instant before, size_t count) {
  std::vector<TrailStep> out;
  for (auto step = all.rbegin(); step != all.rend() && out.size() < count; ++step)
    if (step->vp == vp && step->at < before) out.push_back(*step);
  std::reverse(out.begin(), out.end());
  return out;
}
std::vector<TrailStep> first_of(const std::vector<TrailStep>& all, uint32_t vp, Instant from, size_t count) {
  std::vector<TrailStep> out;
  for (const TrailStep& step : all)
    if (step.vp == vp && step.at >= from && out.size() < count) out.push_back(step);
  return out;
}

/// `all` is what is executed in [from, to): of a trail as much as lies there is compared.
void compare(Session& session, Trails& trails, const std::vector<TrailStep>& all, Instant at, uint32_t vp, size_t count) {
  const Focus focus{.at = at, .vp = vp, .vtl = Vtl::Vtl0, .frame = 0, .address = {}};
  REQUIRE(session.look(focus).ok());
  const uint64_t rip = session.look(focus).value().processor.context().rip;
  const Trail trail = trails.around(focus, count, count);
  INFO("instant " << at.ticks << ", VP " << vp);
  const std::vector<TrailStep> past = last_of(all, vp, at, count), future = first_of(all, vp, at, count);
  REQUIRE(trail.past.size() >= past.size());
  REQUIRE(trail.future.size() >= future.size());
  EXPECT(std::equal(past.rbegin(), past.rend(), trail.past.rbegin()));
  EXPECT(std::equal(future.begin(), future.end(), trail.future.begin()));
  EXPECT(trail.past.size() <= count);
  EXPECT(trail.future.size() <= count);
  const vtl::VirtualProcessor& processor = session.look(focus).value().processor;
  if (!trail.future.empty() && !processor.suspended() && !processor.halted && trail.future.front().at == at)
    EXPECT(trail.future.front().address == rip);
}

EventFilter milestone(const char* text) {
  return [text](const support::Event& event) { return event.kind == EventKind::Milestone && event.text.find(text) != std::string_view::npos; };
}

}  // namespace

TEST_CASE("a trail is what the machine executes, over VTL calls, step by step and from anywhere", "[debugger][trail]") {
  Run run{{}};
  const Instant call = run.first([](const support::Event& event) { return event.kind == EventKind::VtlCall; });
  const Instant from{call.ticks - 3000}, to = call + 6000;
  (void)run.session->timeline().seek(to);
  const Instant known = run.session->timeline().end();
  const std::vector<TrailStep> all = all_steps(run.config, from, to);
  Trails trails{*run.session};
  bool both = false;
  for (uint64_t at = call.ticks - 40; at < call.ticks + 40; ++at) {
    compare(*run.session, trails, all, {at}, 0, 64);
    const Trail trail = trails.around({.at = {at}, .vp = 0, .vtl = Vtl::Vtl0, .frame = 0, .address = {}}, 64, 64);
    both = both || (trail.past.front().vtl == Vtl::Vtl0 && trail.future.back().vtl == Vtl::Vtl1);
  }
  EXPECT(both);
  const uint64_t cost = trails.looked_at();
  for (uint64_t at = call.ticks + 40; at-- > call.ticks - 40;) compare(*run.session, trails, all, {at}, 0, 256);
  EXPECT(trails.looked_at() == cost);  // what was looked at is known
  for (const uint64_t at : {call.ticks + 5000, call.ticks - 2500, call.ticks + 5990, call.ticks + 3, to.ticks})
    compare(*run.session, trails, all, {at}, 0, 100);
  EXPECT(run.session->timeline().end() == known);  // no future was made
}

TEST_CASE("a trail goes through idle time", "[debugger][trail]") {
  Run run{{}};
  const Instant wake = run.first([](const support::Event& event) { return event.kind == EventKind::Interrupt; });
  (void)run.session->timeline().seek(wake + 3000);
  (void)run.session->timeline().seek(wake);
  (void)run.session->timeline().reverse_step(2000);
  const Instant from = run.session->timeline().now(), to = wake + 3000;
  REQUIRE(wake - from > 100'000);  // it waits for the clock
  const std::vector<TrailStep> all = all_steps(run.config, from, to);
  Trails trails{*run.session};
  for (const uint64_t back : {uint64_t{0}, uint64_t{1}, uint64_t{50'000}, uint64_t{100}}) compare(*run.session, trails, all, {wake.ticks - back}, 0, 64);
  for (const uint64_t on : {1u, 2u, 30u, 500u}) compare(*run.session, trails, all, wake + on, 0, 64);
}

TEST_CASE("a trail is of one processor, also where another one has its turn", "[debugger][trail]") {
  loader::MachineConfig config;
  config.processors = 2;
  config.quantum = GENERATE(700u, 50'000u);
  Run run{config};
  const Instant second = run.first(milestone("VTL 1 runs on processor 1"));
  const Instant from{second.ticks - 160'000}, to = second + 160'000;
  (void)run.session->timeline().seek(to);
  const std::vector<TrailStep> all = all_steps(config, from, to);
  Trails trails{*run.session};
  for (uint64_t at = second.ticks - 20'000; at < second.ticks + 30'000; at += 4'733)
    for (const uint32_t vp : {0u, 1u}) compare(*run.session, trails, all, {at}, vp, 64);
  for (uint64_t at = second.ticks - 30; at < second.ticks + 30; at += 3)
    for (const uint32_t vp : {1u, 0u}) compare(*run.session, trails, all, {at}, vp, 64);
}

TEST_CASE("at the beginning of a run there is no past, and at the end of what is known no future", "[debugger][trail]") {
  Run run{{}};
  Trails trails{*run.session};
  const auto at = [&](uint64_t instant) {
    const Focus focus{.at = {instant}, .vp = 0, .vtl = Vtl::Vtl0, .frame = 0, .address = {}};
    REQUIRE(run.session->look(focus).ok());
    return trails.around(focus, 8, 8);
  };
  EXPECT((at(0).past.empty() && at(0).future.empty()));
  (void)run.session->timeline().seek({20});
  EXPECT((at(20).past.size() == 8 && at(20).future.empty()));
  EXPECT((at(0).past.empty() && at(0).future.size() == 8));
  EXPECT((at(17).past.size() == 8 && at(17).future.size() == 3));
  EXPECT(run.session->timeline().end() == Instant{20});
}

TEST_CASE("in a branch a trail is that of the changed run", "[debugger][trail]") {
  Run run{{}};
  Session& session = *run.session;
  Trails trails{session};
  REQUIRE(session.move({.at = Instant{100}}).ok());
  (void)session.timeline().seek({200});
  const Focus before{.at = {100}, .vp = 0, .vtl = session.focus().vtl, .frame = 0, .address = {}};
  REQUIRE(session.look(before).ok());
  const Trail plain = trails.around(before, 8, 8);
  REQUIRE(session.begin_branch("elsewhere").ok());
  const uint64_t other = plain.past.front().address;
  REQUIRE(session.write_register(*find_register("rip"), 0, before.vtl, {other, 0}).ok());
  REQUIRE(session.step({.kind = StepKind::Into, .count = 3}).ok());
  REQUIRE(session.look(before).ok());
  const Trail changed = trails.around(before, 8, 8);
  REQUIRE(changed.future.size() == 3);
  EXPECT(changed.future[0].address == other);
  EXPECT(changed.past.empty());  // a branch begins where it was begun
  REQUIRE(session.end_branch().ok());
  REQUIRE(session.look(before).ok());
  EXPECT(trails.around(before, 8, 8).future == plain.future);
}
