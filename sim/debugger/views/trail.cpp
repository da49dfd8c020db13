#include "sim/debugger/views/trail.h"

#include <algorithm>
#include <iterator>

#include "vtl/instruction_observer.h"

namespace debugger::views {
namespace {

using support::Instant;

/// The stretch that is known grows by so many instructions, and is begun anew when it has become this long.
constexpr uint64_t chunk = 1024;
constexpr size_t longest_stretch = 64 * chunk;
/// A processor that waits for others is looked for in pieces of this length, so far away, and in so many at most.
constexpr uint64_t piece = 4096, nearest = 4 * piece, farthest = 1024 * piece;
constexpr size_t most_pieces = 64;

std::vector<TrailStep>::const_iterator first_at(const std::vector<TrailStep>& steps, Instant at) {
  return std::lower_bound(steps.begin(), steps.end(), at, [](const TrailStep& step, Instant from) { return step.at < from; });
}

}  // namespace

/// Notes what is executed, an instruction that is tried again once.
struct Trails::Collector final : vtl::InstructionObserver {
  explicit Collector(std::vector<TrailStep>& list) : steps{list} {}
  void before_instruction(Instant now, const vtl::VirtualProcessor& vp) override {
    const TrailStep step{now, vp.number, vp.active, vp.context().rip};
    if (steps.empty() || steps.back() != step) steps.push_back(step);
  }
  [[nodiscard]] bool needs_floating_point() const override { return false; }
  std::vector<TrailStep>& steps;
};

/// What is known is of another run, or far from here: it begins anew.
void Trails::forget_unless_same(Instant at) {
  const Timeline& run = session_.timeline();
  if (run_ == run.epoch() && from_ <= at && at <= to_ && steps_.size() <= longest_stretch) return;
  run_ = run.epoch();
  from_ = to_ = at;
  steps_.clear();
  past_.clear();
  future_.clear();
}

std::vector<TrailStep> Trails::known_before(const Focus& focus, size_t wanted) const {
  std::vector<TrailStep> found;
  for (auto step = first_at(steps_, focus.at); step != steps_.begin() && found.size() < wanted;)
    if ((--step)->vp == focus.vp) found.push_back(*step);
  std::reverse(found.begin(), found.end());
  return found;
}

std::vector<TrailStep> Trails::known_after(const Focus& focus, size_t wanted) const {
  std::vector<TrailStep> found;
  for (auto step = first_at(steps_, focus.at); step != steps_.end() && found.size() < wanted; ++step)
    if (step->vp == focus.vp) found.push_back(*step);
  return found;
}

void Trails::extend_back() {
  Timeline& run = session_.timeline();
  (void)run.seek(from_);
  (void)run.reverse_step(chunk);
  const Instant begin = run.now();
  std::vector<TrailStep> earlier;
  Collector collector{earlier};
  run.show(begin, from_, collector);
  looked_at_ += earlier.size();
  steps_.insert(steps_.begin(), earlier.begin(), earlier.end());
  from_ = begin;
}

void Trails::extend_on() {
  Timeline& run = session_.timeline();
  const Instant end = some_instructions_after(to_, chunk, run.end());
  const size_t before = steps_.size();
  Collector collector{steps_};
  run.show(to_, end, collector);
  looked_at_ += steps_.size() - before;
  to_ = end;
}

/// The machine goes there. What waits takes the time with it, but not beyond `limit`: that may not be known.
Instant Trails::some_instructions_after(Instant from, uint64_t count, Instant limit) {
  Timeline& run = session_.timeline();
  (void)run.seek(std::min(from, limit));
  const uint64_t target = run.instructions() + count;
  while (run.now() < limit && run.instructions() < target) {
    const Instant was = run.now(), next = run.machine().next_event();
    Instant goal = was + (target - run.instructions());
    if (run.machine().waits() && next > was) goal = next;
    if (run.seek(std::min(goal, limit)) != Arrival::There || run.now() <= was) break;
  }
  return run.now();
}

/// [from, to) in pieces, executed quickly.
std::vector<Trails::Piece> Trails::pieces(uint32_t vp, Instant from, Instant to) {
  Timeline& run = session_.timeline();
  std::vector<Piece> out;
  (void)run.seek(from);
  while (run.now() < to && out.size() < farthest / piece) {
    const Instant begin = run.now();
    const uint64_t ticks = run.machine().processor(vp).run_ticks;
    const Instant end = some_instructions_after(begin, piece, to);
    if (end <= begin) break;
    out.push_back({begin, end, run.machine().processor(vp).run_ticks != ticks});
  }
  return out;
}

std::vector<TrailStep> Trails::steps_in(uint32_t vp, const Piece& where) {
  std::vector<TrailStep> steps;
  Collector collector{steps};
  session_.timeline().show(where.from, where.to, collector);
  looked_at_ += steps.size();
  std::erase_if(steps, [vp](const TrailStep& step) { return step.vp != vp; });
  return steps;
}

/// The last `wanted` before the stretch that is known.
const std::vector<TrailStep>& Trails::far_past(uint32_t vp, size_t wanted) {
  Far& far = past_[vp];
  if (far.border == from_ && far.wanted >= wanted) return far.steps;
  far = {from_, wanted, {}};
  Timeline& run = session_.timeline();
  size_t looked = 0;
  Instant until = from_;
  for (uint64_t distance = nearest; distance <= farthest && looked < most_pieces && until > run.beginning(); distance *= 4) {
    (void)run.seek(from_);
    (void)run.reverse_step(distance);
    const Instant begin = run.now();
    const std::vector<Piece> all = pieces(vp, begin, until);
    for (auto one = all.rbegin(); one != all.rend() && looked < most_pieces; ++one) {
      if (!one->ran) continue;
      const std::vector<TrailStep> steps = steps_in(vp, *one);
      far.steps.insert(far.steps.begin(), steps.begin(), steps.end());
      ++looked;
      if (far.steps.size() < wanted) continue;
      far.steps.erase(far.steps.begin(), far.steps.end() - static_cast<ptrdiff_t>(wanted));
      return far.steps;
    }
    until = begin;
  }
  return far.steps;
}

/// The first `wanted` after it.
const std::vector<TrailStep>& Trails::far_future(uint32_t vp, size_t wanted) {
  Far& far = future_[vp];
  if (far.border == to_ && far.wanted >= wanted) return far.steps;
  far = {to_, wanted, {}};
  size_t looked = 0, done = 0;
  for (uint64_t distance = nearest; distance <= farthest && looked < most_pieces; distance *= 4) {
    const Instant end = some_instructions_after(to_, distance, session_.timeline().end());
    const std::vector<Piece> all = pieces(vp, to_, end);
    for (size_t i = done; i < all.size() && looked < most_pieces; ++i) {
      if (!all[i].ran) continue;
      const std::vector<TrailStep> steps = steps_in(vp, all[i]);
      far.steps.insert(far.steps.end(), steps.begin(), steps.end());
      ++looked;
      if (far.steps.size() < wanted) continue;
      far.steps.resize(wanted);
      return far.steps;
    }
    done = all.size();
    if (end >= session_.timeline().end()) break;
  }
  return far.steps;
}

Trail Trails::around(const Focus& focus, size_t before, size_t after) {
  Timeline& run = session_.timeline();
  forget_unless_same(focus.at);
  Trail trail{known_before(focus, before), known_after(focus, after)};
  if (trail.past.size() < before && from_ > run.beginning()) {
    extend_back();
    trail.past = known_before(focus, before);
  }
  if (trail.future.size() < after && to_ < run.end()) {
    extend_on();
    trail.future = known_after(focus, after);
  }
  if (const size_t missing = before - trail.past.size(); missing != 0 && from_ > run.beginning()) {
    const std::vector<TrailStep>& far = far_past(focus.vp, before);
    trail.past.insert(trail.past.begin(), far.end() - static_cast<ptrdiff_t>(std::min(missing, far.size())), far.end());
  }
  if (const size_t missing = after - trail.future.size(); missing != 0 && to_ < run.end()) {
    const std::vector<TrailStep>& far = far_future(focus.vp, after);
    trail.future.insert(trail.future.end(), far.begin(), far.begin() + static_cast<ptrdiff_t>(std::min(missing, far.size())));
  }
  return trail;
}

}  // namespace debugger::views
