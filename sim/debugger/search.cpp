// Where a condition was met last, or will be next: by the history where events say it, else by looking at pieces of the run,
// each at most once for a question, and only at those that can hold the answer.
#include <algorithm>
#include <iterator>

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

/// Of two hits the one that a motion comes to first; those that end it at one position belong together.
void join(std::optional<Hit>& best, std::optional<Hit>&& other, const Conditions& conditions, bool want_last) {
  if (!other) return;
  const auto position = [&](const Hit& hit) { return want_last ? hit.at : position_after(hit, conditions); };
  if (best && position(*best) == position(*other)) {
    best->also.push_back(other->condition);
    best->also.insert(best->also.end(), other->also.begin(), other->also.end());
    if (!other->before.empty()) {
      best->before = std::move(other->before);
      best->after = std::move(other->after);
    }
    if (other->event) best->event = std::move(other->event);
  } else if (!best || (want_last ? position(*other) > position(*best) : position(*other) < position(*best))) {
    best = std::move(other);
  }
}

/// Where the machine is about to do it. SYSCALL is announced behind itself.
Instant position_of(const support::Event& event) {
  const bool behind = event.kind == support::EventKind::SystemCall && event.at != Instant{};
  return behind ? Instant{event.at.ticks - 1} : event.at;
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
  if (std::holds_alternative<AccessWatch>(condition)) return interval.instructions != 0;
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
    return std::holds_alternative<MemoryWatch>(condition) || std::holds_alternative<EventBreak>(condition) ||
           std::holds_alternative<AddressBreak>(condition);
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

bool Timeline::show_past(vtl::InstructionObserver& observer) {
  const Instant here = now();
  for (size_t i = 0; i < intervals_.size() && intervals_[i].begin < here && !interrupted(); ++i) {
    go_to(intervals_[i].begin);
    twin().catch_up();
    machine::Machine& exact = twin().machine();
    exact.observe(&observer);
    (void)exact.run(std::min(intervals_[i].end, here));
    exact.observe(nullptr);
  }
  const bool whole = !interrupted();
  go_to(here);
  return whole;
}

void Timeline::show(Instant from, Instant to, vtl::InstructionObserver& observer) {
  to = std::min(to, end());
  while (from < to) {
    go_to(from);
    if (now() != from) return;  // somebody wants to stop
    // The second machine knows nothing of what was changed on the way.
    const auto next = std::find_if(edits_.begin(), edits_.end(), [&](const Edit& edit) { return edit.at > from; });
    const Instant stop = next == edits_.end() ? to : std::min(to, next->at);
    twin().catch_up();
    machine::Machine& exact = twin().machine();
    exact.observe(&observer);
    (void)exact.run(stop);
    exact.observe(nullptr);
    from = stop;
  }
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

/// The last event before `instant`, from `bound` on; or the first at or after `instant`, up to `bound`. Where a condition wants
/// to see the machine, it is put there.
std::optional<Hit> Timeline::event_hit(const Conditions& conditions, Instant instant, bool want_last, Instant bound) {
  std::vector<size_t> met;
  const EventFilter any = [&](const support::Event& event) {
    if (!want_last && bound != support::never && event.at > bound + 1) return true;
    const Instant position = position_of(event);
    if (want_last ? position >= instant || position < bound : position < instant || position > bound) return false;
    for (size_t i = 0; i < conditions.size(); ++i) {
      const auto* wanted = std::get_if<EventBreak>(&conditions[i]);
      if (wanted != nullptr && wanted->filter(event)) met.push_back(i);
    }
    return !met.empty();
  };
  for (;;) {
    met.clear();
    std::optional<trace::EventRecord> event =
        want_last ? history_->last(instant == support::never ? instant : instant + 1, any, bound) : history_->first(instant, any);
    if (!event || met.empty() || interrupted()) return std::nullopt;
    const support::Event& what = event->event;
    const Instant at = position_of(what);
    Hit hit{.at = at, .condition = met.front(), .also = {}, .vp = what.vp, .vtl = what.vtl, .cpl = 0, .rip = what.rip,
            .cr3 = 0, .between = false, .seen = at, .before = {}, .after = {}, .event = std::move(event)};
    std::erase_if(met, [&](size_t i) {
      const Check& check = check_of(conditions[i]);
      if (!check) return false;
      go_to(hit.at);
      return !check(*machine_, hit);
    });
    if (!met.empty()) {
      hit.condition = met.front();
      hit.also.assign(met.begin() + 1, met.end());
      return hit;
    }
    instant = want_last ? hit.at : hit.at + 1;  // others at that instant were asked with it
  }
}

// --- Addresses: the machine stops there by itself while it runs quickly.

struct Timeline::Sweep {
  const Conditions& conditions;
  Instant earliest, before;
  bool want_last{};
  std::vector<uint64_t> addresses;
  std::optional<Hit> hit;

  [[nodiscard]] bool satisfied() const { return hit.has_value() && !want_last; }
};

std::vector<uint64_t> Timeline::addresses_of(const Conditions& conditions) {
  std::vector<uint64_t> addresses;
  for (const Condition& condition : conditions)
    if (const auto* address = std::get_if<AddressBreak>(&condition)) addresses.push_back(address->rip);
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

/// One of them may be executed in the interval.
bool Timeline::may_execute(const Interval& interval, const std::vector<uint64_t>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(), [&](uint64_t address) {
    if (holds(interval.without, address)) return false;
    return !interval.code_known || holds(interval.code_pages, address / abi::page_size);
  });
}

/// The machine has stopped before an instruction: which conditions does it meet?
std::optional<Hit> Timeline::address_hit(const Conditions& conditions) const {
  const vtl::VirtualProcessor& vp = machine_->processor();
  const vtl::VtlContext& context = vp.context();
  Hit hit{.at = now(), .condition = 0, .also = {}, .vp = vp.number, .vtl = vp.active, .cpl = vp.cpl(), .rip = context.rip,
          .cr3 = context.cr3, .between = false, .seen = now(), .before = {}, .after = {}, .event = {}};
  std::vector<size_t> met;
  for (size_t i = 0; i < conditions.size(); ++i) {
    const auto* address = std::get_if<AddressBreak>(&conditions[i]);
    if (address == nullptr || address->rip != context.rip) continue;
    if (address->vtl.value_or(vp.active) != vp.active || address->cr3.value_or(context.cr3) != context.cr3) continue;
    if (address->vp.value_or(vp.number) != vp.number || address->rsp.value_or(context.rsp) != context.rsp) continue;
    if (!address->check || address->check(*machine_, hit)) met.push_back(i);
  }
  if (met.empty()) return std::nullopt;
  hit.condition = met.front();
  hit.also.assign(met.begin() + 1, met.end());
  return hit;
}

/// Runs to `target` and stops at the hit, or after the last one.
machine::StopReason Timeline::sweep_to(Instant target, Sweep& sweep) {
  for (;;) {
    machine_->stop_before(sweep.addresses, sweep.earliest);
    const machine::StopReason reason = run_in_slices(target);
    if (!machine_->stopped_before_address()) {
      machine_->stop_before(sweep.addresses, support::never);
      return reason;
    }
    sweep.earliest = now() + 1;
    if (std::optional<Hit> hit = address_hit(sweep.conditions)) sweep.hit = std::move(hit);
    if (!sweep.satisfied() && !interrupted()) continue;
    machine_->stop_before(sweep.addresses, support::never);
    return machine::StopReason::Requested;
  }
}

/// A sweep that begins in the middle of a string instruction takes its next iteration for the first.
bool Timeline::begins_there(const Hit& hit) {
  if (hit.at == beginning_) return true;
  go_to({hit.at.ticks - 1});
  const vtl::VirtualProcessor& vp = machine_->processor();
  if (vp.number != hit.vp || vp.active != hit.vtl || vp.context().rip != hit.rip) return true;
  trace::InstructionRecord record = trace::capture(now(), vp);
  const uint64_t count = mmu::read_gva(machine_->translator(), machine_->view(vp.active), Gva{hit.rip}, record.bytes,
                                       vp.cpl() == 3);
  const trace::Instruction instruction = disassembler_.decode(record.code_bits, hit.rip, {record.bytes.data(), count});
  return !instruction.mnemonic.starts_with("rep");
}

/// Sweeps an interval that was executed before.
void Timeline::scan(size_t index, Sweep& sweep) {
  const Interval& interval = intervals_[index];
  const Instant end = std::min(interval.end, sweep.before);
  const Instant start = std::max(interval.begin, Instant{sweep.earliest.ticks - std::min<uint64_t>(sweep.earliest.ticks, 1)});
  if (start >= end || !may_execute(interval, sweep.addresses)) return;
  go_to(start);
  const bool whole = start == interval.begin && end == interval.end && sweep.earliest <= start;
  const Instant earliest = sweep.earliest;
  const machine::StopReason reason = sweep_to(end, sweep);
  sweep.earliest = earliest;
  if (sweep.hit && (sweep.hit->at == start || sweep.hit->at == start + 1) && !begins_there(*sweep.hit)) {
    const Instant at = sweep.hit->at;
    sweep.hit.reset();
    go_to(at);
    sweep.earliest = at + 1;
    (void)sweep_to(end, sweep);
    sweep.earliest = earliest;
  }
  if (whole && !sweep.hit && reason == machine::StopReason::Deadline) {
    std::vector<uint64_t> both;
    std::set_union(interval.without.begin(), interval.without.end(), sweep.addresses.begin(), sweep.addresses.end(),
                   std::back_inserter(both));
    intervals_[index].without = std::move(both);
  }
}

// --- Searches.

std::optional<Hit> Timeline::find_previous(const Conditions& conditions, Instant before, Instant floor) {
  floor = std::max(floor, beginning_);
  if (before <= floor) return std::nullopt;
  if (before > frontier_ && !only_events(conditions)) go_to(std::min(before, limit_));
  std::optional<Hit> best = event_hit(conditions, before, true, floor);
  if (only_events(conditions)) return best;
  const std::vector<uint64_t> addresses = addresses_of(conditions);
  for (size_t i = find_interval(intervals_, {before.ticks - 1}); !interrupted();) {
    const Interval& interval = intervals_[i];
    if (best && interval.end <= best->at) break;
    if (interval.end <= floor) break;
    const bool possible = may_hit(interval, conditions);
    if (possible && interval.instructions > closely(conditions)) {
      const Instant last{std::min(before, interval.end).ticks - 1};
      refine(i);
      i = find_interval(intervals_, last);
      continue;
    }
    Sweep sweep{.conditions = conditions, .earliest = floor, .before = before, .want_last = true,
                .addresses = addresses, .hit = {}};
    scan(i, sweep);
    std::optional<Hit> found = std::move(sweep.hit);
    if (possible) {
      std::optional<Hit> hit = look(i, conditions, floor, before, true);
      if (hit) settle(*hit, conditions);
      if (hit && hit->at >= floor) join(found, std::move(hit), conditions, true);
    }
    if (found && (!best || found->at >= best->at)) {
      join(best, std::move(found), conditions, true);
      return best;
    }
    if (i-- == 0) break;
  }
  return interrupted() ? std::nullopt : best;
}

std::optional<Hit> Timeline::find_next(const Conditions& conditions, Instant from, Instant to) {
  const bool foreseen = end_.has_value() && only_events(conditions);  // no need to run for it
  if (foreseen) return event_hit(conditions, from + 1, false, to);
  Sweep sweep{.conditions = conditions, .earliest = from + 1, .before = support::never, .want_last = false,
              .addresses = addresses_of(conditions), .hit = {}};
  Instant swept = from;
  for (size_t i = find_interval(intervals_, from); !interrupted();) {
    const bool known = intervals_[i].end > intervals_[i].begin && intervals_[i].end > from;
    if (known) {
      if (intervals_[i].begin > to) return std::nullopt;
      if (swept < intervals_[i].end && !sweep.hit) scan(i, sweep);
      swept = std::max(swept, intervals_[i].end);
      const bool possible = may_hit(intervals_[i], conditions);
      if (possible && intervals_[i].instructions > closely(conditions)) {
        const Instant start = std::max(from, intervals_[i].begin);
        refine(i);
        i = find_interval(intervals_, start);
        continue;
      }
      std::optional<Hit> best = event_hit(conditions, from + 1, false, std::min(to, intervals_[i].end));
      if (sweep.hit && sweep.hit->at <= intervals_[i].end) {
        std::optional<Hit> address = sweep.hit;
        join(best, std::move(address), conditions, false);
      }
      if (possible) {
        std::optional<Hit> hit = look(i, conditions, from, support::never, false);
        if (hit) settle(*hit, conditions);
        join(best, std::move(hit), conditions, false);
      }
      if (best) return best->at <= to ? best : std::nullopt;
      if (intervals_[i].end >= limit_ || (ending_ && intervals_[i].end >= frontier_)) return std::nullopt;
      if (i + 1 < intervals_.size()) {
        ++i;
        continue;
      }
    }
    const Instant was = frontier_;
    go_to(frontier_);
    if (now() >= limit_ || at_end() || was > to) return std::nullopt;
    explore(limit_, &sweep);
    if (sweep.hit && frontier_ == was) return sweep.hit;
    swept = frontier_;
    i = find_interval(intervals_, was);
  }
  return std::nullopt;
}

std::optional<Hit> Timeline::last(const Conditions& conditions, Instant before) {
  const Instant here = now();
  std::optional<Hit> hit = find_previous(conditions, before);
  go_to(here);
  return hit;
}

std::optional<Hit> Timeline::first(const Conditions& conditions, Instant from) {
  const Instant here = now();
  std::optional<Hit> hit = find_next(conditions, from);
  go_to(here);
  return hit;
}

Timeline::Move Timeline::reverse_continue(const Conditions& conditions) {
  const Instant here = now();
  std::optional<Hit> hit = find_previous(conditions, here);
  if (!hit && interrupted()) {
    go_to(here);
    return {Arrival::Interrupted, std::nullopt};
  }
  if (!hit) {
    (void)seek(beginning_);
    return {Arrival::Beginning, std::nullopt};
  }
  (void)seek(hit->at);
  return {Arrival::Hit, std::move(hit)};
}

Timeline::Move Timeline::run_to(const Conditions& conditions) {
  const Instant here = now();
  std::optional<Hit> hit = find_next(conditions, here);
  if (!hit && interrupted()) {
    if (now() < here) go_to(here);
    return {Arrival::Interrupted, std::nullopt};
  }
  if (!hit) {
    (void)seek(support::never);
    return {Arrival::End, std::nullopt};
  }
  (void)seek(position_after(*hit, conditions));
  return {Arrival::Hit, std::move(hit)};
}

}  // namespace debugger
