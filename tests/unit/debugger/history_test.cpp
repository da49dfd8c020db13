// The history by rows and by time, and the sums over stretches of it, against a plain list that is counted from end to end.
#include "tests/support/catch.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/debugger/history.h"
#include "sim/support/prng.h"

using namespace debugger;
using support::Event;
using support::EventKind;
using support::Instant;
using support::Prng;
using abi::hv::Vtl;

namespace {

constexpr uint32_t processors = 3;

struct Model {
  std::vector<Event> events;
  uint64_t end{};

  /// Goes on by one event. Time may stand, go a little, or make a leap that 32 bits do not hold.
  Event next(Prng& prng) {
    end += prng.one_in(5000) ? uint64_t{5'000'000'000} : prng.below(prng.one_in(3) ? 1 : 200);
    Event event{.at = {end}, .vp = static_cast<uint32_t>(prng.below(processors)), .vtl = static_cast<Vtl>(prng.below(3)),
                .kind = static_cast<EventKind>(prng.below(kind_count)), .a = prng.below(9), .rip = events.size()};
    events.push_back(event);
    return event;
  }
  void forget_from(Instant at) {
    std::erase_if(events, [&](const Event& event) { return event.at >= at; });
    end = events.empty() ? 0 : events.back().at.ticks;
  }
  uint64_t before(Instant at) const {
    return static_cast<uint64_t>(std::count_if(events.begin(), events.end(), [&](const Event& event) { return event.at < at; }));
  }
  KindCounts counts_of_first(uint64_t rows) const {
    KindCounts counts{};
    for (uint64_t row = 0; row < std::min<uint64_t>(rows, events.size()); ++row) ++counts[static_cast<size_t>(events[row].kind)];
    return counts;
  }
  KindCounts counts(Instant at) const {
    KindCounts counts{};
    for (const Event& event : events)
      if (event.at < at) ++counts[static_cast<size_t>(event.kind)];
    return counts;
  }
  VtlTrack::Ticks lanes(Instant at, uint32_t vp) const {
    VtlTrack::Ticks ticks{};
    uint64_t since = 0;
    Vtl vtl = Vtl::Vtl0;
    for (const Event& event : events) {
      if (event.vp != vp || event.at >= at) continue;
      ticks[static_cast<size_t>(vtl)] += event.at.ticks - since;
      since = event.at.ticks;
      vtl = vtl_after(event);
    }
    ticks[static_cast<size_t>(vtl)] += at.ticks - since;
    return ticks;
  }
};

void learn_all(History& history) {
  while (!history.learn(700)) {}
}

void compare_at(History& history, const Model& model, Instant at) {
  INFO("at " << at.ticks);
  EXPECT(history.row_at(at) == model.before(at));
  EXPECT(history.rows_before(at) == model.before(at));
  EXPECT(history.counts_before(at) == model.counts(at));
  for (uint32_t vp = 0; vp <= processors; ++vp) {
    INFO("vp " << vp);
    EXPECT(history.lanes_before(at, vp) == model.lanes(at, vp));
  }
}

void compare(History& history, const Model& model, Prng& prng) {
  REQUIRE(history.size() == model.events.size());
  learn_all(history);
  EXPECT(history.learnt() == history.size());
  for (int i = 0; i < 20; ++i) compare_at(history, model, {prng.below(model.end + 2)});
  if (model.events.empty()) return;
  for (int i = 0; i < 20; ++i) {
    const Event& event = model.events[prng.below(model.events.size())];
    compare_at(history, model, event.at);
    compare_at(history, model, event.at + 1);
  }
  uint64_t next = prng.below(model.events.size());
  const uint64_t last = next + prng.below(model.events.size() - next + 1);
  bool same = true;
  history.read(next, last, [&](uint64_t row, const Event& event) {
    same = same && row == next && event.rip == model.events[row].rip && event.at == model.events[row].at;
    ++next;
    return true;
  });
  EXPECT((same && next == last));
}

void compare_rows(History& history, const Model& model, Prng& prng) {
  for (int i = 0; i < 50 && !model.events.empty(); ++i) {
    const uint64_t row = prng.below(model.events.size());
    const auto record = history.event(row);
    REQUIRE(record.has_value());
    EXPECT((record->event.rip == model.events[row].rip && record->event.at == model.events[row].at && record->event.a == model.events[row].a));
  }
  EXPECT(!history.event(model.events.size()));
  learn_all(history);
  EXPECT(!history.instant_of(model.events.size()));
  for (int i = 0; i < 50 && !model.events.empty(); ++i) {
    const uint64_t row = prng.below(model.events.size() + 1);
    EXPECT(history.counts_of_first(row) == model.counts_of_first(row));
    if (row < model.events.size()) EXPECT(history.instant_of(row) == model.events[row].at);
  }
}

void each_is_complete(History& history, const Model& model, Prng& prng) {
  const Instant from{prng.below(model.end + 2)}, to{from.ticks + prng.below(model.end + 2)};
  const auto kind = static_cast<EventKind>(prng.below(kind_count));
  std::vector<uint64_t> seen, wanted;
  history.each(from, to, set_of(kind), [&](const Event& event) { seen.push_back(event.rip); });
  for (const Event& event : model.events)
    if (event.kind == kind && event.at >= from && event.at < to) wanted.push_back(event.rip);
  EXPECT(seen == wanted);
}

void grow(ObservedHistory& history, Model& model, Prng& prng, uint64_t events) {
  for (uint64_t i = 0; i < events; ++i) history.on(model.next(prng));
}

}  // namespace

TEST_CASE("rows, counts and lanes are those of a plain list, while a run goes on and becomes another", "[debugger][history]") {
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  Prng prng{seed, "history"};
  ObservedHistory history;
  history.listen(true);
  Model model;
  compare(history, model, prng);
  for (int round = 0; round < 12; ++round) {
    grow(history, model, prng, prng.below(9000));
    if (prng.one_in(2)) compare(history, model, prng);  // sometimes only after it was cut
    if (prng.one_in(3)) {
      const Instant at{prng.below(model.end + 1)};
      history.forget_from(at);
      model.forget_from(at);
    }
    compare(history, model, prng);
    compare_rows(history, model, prng);
    each_is_complete(history, model, prng);
  }
}

TEST_CASE("a branch has the rows of the run up to where it began, and its own", "[debugger][history]") {
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  Prng prng{seed, "branch"};
  for (int round = 0; round < 4; ++round) {
    ObservedHistory trunk;
    trunk.listen(true);
    Model run;
    grow(trunk, run, prng, prng.below(20'000));
    const Instant since{prng.below(run.end + 1)};
    if (round % 2 == 0) learn_all(trunk);
    ObservedHistory branch{&trunk, since};
    branch.listen(true);
    Model model = run;
    model.forget_from(since);
    model.end = since.ticks;
    compare(branch, model, prng);
    grow(branch, model, prng, prng.below(12'000));
    compare(branch, model, prng);
    compare_rows(branch, model, prng);
    each_is_complete(branch, model, prng);
    compare(trunk, run, prng);
  }
}

TEST_CASE("an event that is announced late takes its place, and what was counted is counted again", "[debugger][history]") {
  Prng prng{1, "late"};
  ObservedHistory history;
  history.listen(true);
  Model model;
  grow(history, model, prng, 1000);
  learn_all(history);
  Event late = model.events[900];
  late.at.ticks -= 1;
  late.kind = EventKind::Milestone;
  history.on(late);
  const auto place = std::upper_bound(model.events.begin(), model.events.end(), late.at, [](Instant at, const Event& event) { return at < event.at; });
  model.events.insert(place, late);
  compare(history, model, prng);
  compare_rows(history, model, prng);
}
