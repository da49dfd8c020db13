// Where a condition was met last, or will be next: by the history where events say it, else by looking at pieces of the run,
// each at most once for a question, and only at those that can hold the answer.
#include <algorithm>

#include "sim/debugger/timeline.h"
#include "sim/debugger/watcher.h"
#include "sim/support/check.h"

namespace debugger {
namespace {

/// Into how many parts an interval is cut that may hold an answer.
constexpr uint64_t parts_of_an_interval = 16;
/// Pieces of this many instructions are looked at: where memory tells which of them matter, and where nothing does.
constexpr uint64_t close_in_memory = 8192, close_elsewhere = 65536;

bool only_events(const Conditions& conditions) {
  return std::all_of(conditions.begin(), conditions.end(),
                     [](const Condition& condition) { return std::holds_alternative<EventBreak>(condition); });
}

bool is_switch(const support::Event& event) {
  using enum support::EventKind;
  return event.kind == VtlCall || event.kind == VtlReturn || event.kind == VtlInterruptEntry || event.kind == Intercept;
}

bool holds(const std::vector<uint64_t>& ascending, uint64_t value) {
  return std::binary_search(ascending.begin(), ascending.end(), value);
}

}  // namespace

Twin& Timeline::twin() {
  if (!twin_) {
    loader::MachineConfig exact = config_;
    exact.gear = loader::GearSetting::Exact;
    auto machine = machine::Machine::create(exact, parts_, nullptr);
    CHECK(machine.ok());  // of the very parts that the first one was made of
    for (const machine::Input& input : machine_->inputs()) CHECK(machine.value()->schedule_input(input).ok());
    twin_ = std::make_unique<Twin>(*machine_, std::move(machine.value()));
  }
  return *twin_;
}

bool Timeline::may_hit(const Interval& interval, const Condition& condition) {
  if (const auto* memory = std::get_if<MemoryWatch>(&condition)) {
    const auto page = static_cast<uint32_t>(memory->first.page_number());
    return std::binary_search(interval.dirty.begin(), interval.dirty.end(), page);
  }
  if (const auto* address = std::get_if<AddressBreak>(&condition))
    return !interval.code_known || holds(interval.code_pages, address->rip / abi::page_size);
  if (const auto* watch = std::get_if<RegisterWatch>(&condition))
    return !interval.registers_known || contains(interval.changed[watch->vtl], watch->id);
  if (std::holds_alternative<Cr3Break>(condition)) {
    const RegisterId cr3 = *find_register("cr3");
    return !interval.registers_known || contains(interval.changed[Vtl::Vtl0], cr3) ||
           contains(interval.changed[Vtl::Vtl1], cr3) || may_hit(interval, Condition{VtlBreak{}});
  }
  if (std::holds_alternative<VtlBreak>(condition)) {
    const Instant floor{interval.begin.ticks - std::min<uint64_t>(interval.begin.ticks, 1)};
    return history_->last(interval.end + 1, is_switch, floor).has_value();
  }
  return false;
}

bool Timeline::may_hit(const Interval& interval, const Conditions& conditions) {
  return std::any_of(conditions.begin(), conditions.end(),
                     [&](const Condition& condition) { return may_hit(interval, condition); });
}

uint64_t Timeline::closely(const Conditions& conditions) const {
  const bool memory = std::all_of(conditions.begin(), conditions.end(), [](const Condition& condition) {
    return std::holds_alternative<MemoryWatch>(condition) || std::holds_alternative<EventBreak>(condition);
  });
  return memory ? close_in_memory : close_elsewhere;
}

/// Cuts an interval into parts, with a checkpoint before each and the pages that it writes.
void Timeline::refine(size_t index) {
  const Interval whole = intervals_[index];
  const uint64_t part = whole.instructions / parts_of_an_interval + 1;
  Intervals parts;
  go_to(whole.begin);
  const uint64_t first = instructions();
  for (uint64_t done = 0; now() < whole.end;) {
    Interval piece = whole;  // what was known of the whole holds for each part
    piece.begin = now();
    remember_place();
    machine_->memory().drain_dirty(dirty_consumer_, dirty_);
    done = std::min(done + part, whole.instructions);
    const uint64_t before = instructions();
    if (done < whole.instructions) run_to_count(first + done);
    else run_to_instant(whole.end);
    machine_->memory().drain_dirty(dirty_consumer_, dirty_);
    piece.dirty.clear();
    merge_pages(piece.dirty, dirty_);
    piece.end = now();
    piece.instructions = instructions() - before;
    parts.push_back(std::move(piece));
  }
  const auto place = intervals_.begin() + static_cast<ptrdiff_t>(index);
  intervals_.insert(intervals_.erase(place), parts.begin(), parts.end());
}

/// Looks at the interval's instructions one by one, up to `before`.
std::optional<Hit> Timeline::look(size_t index, const Conditions& conditions, Instant from, Instant before,
                                  bool want_last) {
  Interval& interval = intervals_[index];
  go_to(interval.begin);
  twin().catch_up();
  machine::Machine& exact = twin().machine();
  Watcher watcher{exact, disassembler_, conditions, want_last ? Watcher::Which::Last : Watcher::Which::First, from, before};
  exact.observe(&watcher);
  const uint64_t idle = exact.idle_ticks();
  (void)exact.run(std::min(interval.end, before));
  exact.observe(nullptr);
  watcher.finish();
  looked_at_ += exact.now() - interval.begin - (exact.idle_ticks() - idle);
  const std::optional<Hit> hit = watcher.hit();
  if (before >= interval.end) {
    Findings findings = std::move(watcher).findings();
    interval.code_known = true;
    interval.code_pages = std::move(findings.code_pages);
    if (findings.registers_known) {
      interval.registers_known = true;
      interval.changed = findings.changed;
    }
  }
  return hit;
}

/// A change that is not there when the next instruction has its turn came later: with the delivery of an interrupt.
void Timeline::settle(Hit& hit, const Conditions& conditions) {
  const Condition& condition = conditions[hit.condition];
  if (!is_watch(condition) || !differs(condition, hit.before, hit.after) || hit.seen <= hit.at) return;
  go_to(hit.at + 1);
  if (differs(condition, watched_value(*machine_, condition), hit.before)) return;
  go_to(hit.seen);
  if (differs(condition, watched_value(*machine_, condition), hit.before)) return;
  const vtl::VirtualProcessor& vp = machine_->processor();
  hit.at = hit.seen;
  hit.between = true;
  hit.vp = vp.number;
  hit.vtl = vp.active;
  hit.cpl = vp.cpl();
  hit.rip = vp.context().rip;
  hit.cr3 = vp.context().cr3;
}

std::optional<Hit> Timeline::event_hit(const Conditions& conditions, Instant instant, bool want_last, Instant floor) {
  size_t met = 0;
  const EventFilter any = [&](const support::Event& event) {
    for (size_t i = 0; i < conditions.size(); ++i) {
      const auto* wanted = std::get_if<EventBreak>(&conditions[i]);
      if (wanted == nullptr || !wanted->filter(event)) continue;
      met = i;
      return true;
    }
    return false;
  };
  std::optional<trace::EventRecord> event =
      want_last ? history_->last(instant, any, floor) : history_->first(instant, any);
  if (!event) return std::nullopt;
  const support::Event& what = event->event;
  Hit hit{.at = what.at, .condition = met, .vp = what.vp, .vtl = what.vtl, .cpl = 0, .rip = what.rip, .cr3 = 0,
          .between = false, .seen = what.at, .before = {}, .after = {}, .event = {}};
  hit.event = std::move(event);
  return hit;
}

std::optional<Hit> Timeline::find_last(const Conditions& conditions, Instant before) {
  if (before == Instant{}) return std::nullopt;
  if (before > frontier_ && !only_events(conditions)) go_to(std::min(before, limit_));
  std::optional<Hit> best = event_hit(conditions, before, true, {});
  if (only_events(conditions)) return best;
  for (size_t i = find_interval(intervals_, {before.ticks - 1});;) {
    const Interval& interval = intervals_[i];
    if (best && interval.end <= best->at) break;
    const bool possible = may_hit(interval, conditions);
    if (possible && interval.instructions > closely(conditions)) {
      const Instant last{std::min(before, interval.end).ticks - 1};
      refine(i);
      i = find_interval(intervals_, last);
      continue;
    }
    if (possible) {
      std::optional<Hit> hit = look(i, conditions, {}, before, true);
      if (hit) settle(*hit, conditions);
      if (hit && (!best || hit->at >= best->at)) return hit;
    }
    if (i-- == 0) break;
  }
  return best;
}

std::optional<Hit> Timeline::find_first(const Conditions& conditions, Instant from) {
  const bool foreseen = end_.has_value() && only_events(conditions);  // no need to run for it
  if (foreseen) return event_hit(conditions, from + 1, false, {});
  for (size_t i = find_interval(intervals_, from);;) {
    if (i + 1 == intervals_.size() && (intervals_[i].end == intervals_[i].begin || intervals_[i].end <= from)) {
      go_to(frontier_);
      if (now() >= limit_ || at_end()) return std::nullopt;
      explore(limit_);
      continue;
    }
    std::optional<Hit> best = event_hit(conditions, from + 1, false, {});
    if (best && best->at > intervals_[i].end) best.reset();
    const bool possible = may_hit(intervals_[i], conditions);
    if (possible && intervals_[i].instructions > closely(conditions)) {
      const Instant start = std::max(from, intervals_[i].begin);
      refine(i);
      i = find_interval(intervals_, start);
      continue;
    }
    if (possible) {
      std::optional<Hit> hit = look(i, conditions, from, support::never, false);
      if (hit) settle(*hit, conditions);
      if (hit && (!best || hit->at <= best->at)) return hit;
    }
    if (best) return best;
    if (intervals_[i].end >= limit_ || (ending_ && intervals_[i].end >= frontier_)) return std::nullopt;
    if (i + 1 < intervals_.size()) {
      ++i;
    } else {
      const Instant was = frontier_;
      go_to(frontier_);
      explore(limit_);
      i = find_interval(intervals_, was);
    }
  }
}

std::optional<Hit> Timeline::last(const Conditions& conditions, Instant before) {
  const Instant here = now();
  std::optional<Hit> hit = find_last(conditions, before);
  go_to(here);
  return hit;
}

std::optional<Hit> Timeline::first(const Conditions& conditions, Instant from) {
  const Instant here = now();
  std::optional<Hit> hit = find_first(conditions, from);
  go_to(here);
  return hit;
}

Timeline::Move Timeline::reverse_continue(const Conditions& conditions) {
  std::optional<Hit> hit = find_last(conditions, now());
  if (!hit) {
    (void)seek({});
    return {Arrival::Beginning, std::nullopt};
  }
  (void)seek(hit->at);
  return {Arrival::Hit, std::move(hit)};
}

Timeline::Move Timeline::run_to(const Conditions& conditions) {
  std::optional<Hit> hit = find_first(conditions, now());
  if (!hit) {
    (void)seek(support::never);
    return {Arrival::End, std::nullopt};
  }
  (void)seek(is_watch(conditions[hit->condition]) ? hit->at + 1 : hit->at);
  return {Arrival::Hit, std::move(hit)};
}

}  // namespace debugger
