#include "sim/debugger/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>

#include "sim/replay/replayer.h"
#include "sim/support/check.h"

namespace debugger {

using machine::StopReason;

namespace {

/// Between two looks at whether somebody wants to stop: a few milliseconds.
constexpr uint64_t slice = 500'000;

Interval empty_interval(Instant at) {
  return {.begin = at, .end = at, .instructions = 0, .dirty = {}, .code_pages = {}, .changed = {}, .without = {}};
}

}  // namespace

/// The machine's listener: hands on what happens for the first time.
struct Timeline::FirstTime final : support::EventSink {
  void on(const support::Event& event) override {
    if (listeners == nullptr) return at_creation.push_back(record_of(event));
    if (!open || heard_before(event)) return;
    if (!heard.empty() && heard.front().at != event.at) heard.clear();
    heard.push_back(event);
    heard.back().frame = nullptr;
    heard.back().text = {};
    listeners->on(event);
  }
  /// What was delivered at the frontier before a breakpoint there is announced again when that instant is run again.
  bool heard_before(const support::Event& event) {
    const auto same = std::find_if(again.begin(), again.end(), [&](const support::Event& other) {
      return other.at == event.at && other.kind == event.kind && other.vp == event.vp && other.a == event.a &&
             other.b == event.b && other.rip == event.rip;
    });
    if (same == again.end()) return false;
    again.erase(same);
    return true;
  }
  bool open{};
  machine::EventFanout* listeners{};     ///< null while the machine is made
  std::vector<trace::EventRecord> at_creation;
  std::vector<support::Event> heard;  ///< at the last instant of which anything was heard
  std::vector<support::Event> again;  ///< of them, those that will be announced again
};

Timeline::Timeline(const loader::MachineConfig& config, machine::MachineParts parts, const TimelineOptions& options,
                   std::unique_ptr<FirstTime> first_time, std::unique_ptr<History> history,
                   std::unique_ptr<machine::Machine> machine)
    : config_{config},
      parts_{std::move(parts)},
      options_{options},
      first_time_{std::move(first_time)},
      history_{std::move(history)},
      machine_{std::move(machine)},
      checkpoints_{*machine_, options.budget},
      dirty_consumer_{machine_->memory().add_dirty_consumer()},
      limit_{config.instruction_limit != 0 ? Instant{config.instruction_limit} : support::never},
      beginning_{machine_->now()},
      first_instructions_{instructions()} {
  frontier_ = beginning_;
  first_time_->listeners = &events_;
  intervals_.push_back(empty_interval(now()));
  remember_place();
}

Timeline::~Timeline() { machine_->memory().remove_dirty_consumer(dirty_consumer_); }

support::Result<std::unique_ptr<Timeline>> Timeline::make(const loader::MachineConfig& config, machine::MachineParts parts,
                                                          const TimelineOptions& options,
                                                          const replay::Recording* recording) {
  if (options.interval == 0 || options.focus == 0) return support::Error{"checkpoints need a distance of an instruction or more"};
  loader::MachineConfig quick = config;
  quick.gear = loader::GearSetting::Fast;
  auto first_time = std::make_unique<FirstTime>();
  std::unique_ptr<machine::Machine> machine = TRY(machine::Machine::create(quick, parts, first_time.get()));
  if (recording != nullptr) TRY(replay::Replayer::schedule(*recording, *machine));
  std::unique_ptr<History> history;
  ObservedHistory* observed = nullptr;
  if (recording != nullptr) {
    history = std::make_unique<RecordedHistory>(*recording);
  } else {
    auto own = std::make_unique<ObservedHistory>();
    observed = own.get();
    history = std::move(own);
  }
  std::unique_ptr<Timeline> timeline{new Timeline{quick, std::move(parts), options, std::move(first_time),
                                                  std::move(history), std::move(machine)}};
  if (observed != nullptr) timeline->observe(*observed);
  if (observed != nullptr)
    for (const trace::EventRecord& event : timeline->first_time_->at_creation) observed->on(event.view());
  if (recording != nullptr) timeline->end_ = timeline->limit_ = recording->end();
  if (recording != nullptr && options.keyframes) timeline->know_keyframes(*recording);
  return timeline;
}

support::Result<std::unique_ptr<Timeline>> Timeline::over(const loader::MachineConfig& config, machine::MachineParts parts,
                                                          const TimelineOptions& options) {
  return make(config, std::move(parts), options, nullptr);
}

support::Result<std::unique_ptr<Timeline>> Timeline::over(const replay::Recording& recording, machine::MachineParts parts,
                                                          const TimelineOptions& options) {
  for (const std::string& reason : {replay::mismatch(recording.facts()), replay::mismatch(recording.facts(), parts)})
    if (!reason.empty()) return support::Error{reason};
  return make(recording.facts().config, std::move(parts), options, &recording);
}

uint64_t Timeline::events_at_creation() const { return first_time_->at_creation.size(); }

void Timeline::observe(ObservedHistory& history) {
  observed_ = &history;
  history.listen(true);
  listen(history);
}

support::Result<std::unique_ptr<Timeline>> Timeline::fork() {
  if (inside()) go_to(now());
  auto first_time = std::make_unique<FirstTime>();
  std::unique_ptr<machine::Machine> machine = TRY(machine::Machine::create(config_, parts_, first_time.get()));
  TRY(machine->restore(machine_->save()));
  auto history = std::make_unique<ObservedHistory>(history_.get(), now());
  ObservedHistory& observed = *history;
  std::unique_ptr<Timeline> fork{new Timeline{config_, parts_, options_, std::move(first_time), std::move(history),
                                              std::move(machine)}};
  fork->observe(observed);
  return fork;
}

/// Takes over what the recording knows of itself: one interval from keyframe to keyframe, from the beginning on.
void Timeline::know_keyframes(const replay::Recording& recording) {
  recording_ = &recording;
  uint64_t before = 0;
  for (const replay::Keyframe& keyframe : recording.keyframes()) {
    if (keyframe.at != Instant{}) {
      const support::Result<replay::Span> span = recording.span_of(keyframe);
      const bool follows = keyframe.begin == frontier_ && !keyframes_.empty();
      if (!follows || !span || keyframe.instructions < before) break;
      Interval interval{.begin = frontier_, .end = keyframe.at, .instructions = keyframe.instructions - before,
                        .dirty = span.value().dirty, .code_pages = {}, .changed = {}, .without = {}};
      intervals_.back() = std::move(interval);
      intervals_.push_back(empty_interval(keyframe.at));
    }
    before = keyframe.instructions;
    frontier_ = keyframe.at;
    keyframes_.push_back(keyframe.at);
    places_.emplace(keyframe.instructions, keyframe.at.ticks);
  }
}

/// Where to start for `target`: from the last checkpoint, or from a keyframe if that saves more than an interval.
Instant Timeline::start_before(Instant target) const {
  Instant start = *checkpoints_.latest(target);
  const Instant reached = now() <= target ? std::max(start, now()) : start;
  const auto after = std::upper_bound(keyframes_.begin(), keyframes_.end(), target);
  if (after != keyframes_.begin() && *std::prev(after) > reached + options_.interval) start = *std::prev(after);
  return start;
}

/// To a checkpoint, or to a keyframe. One that is not what it should be is passed over from then on: the way is longer.
void Timeline::restore(Instant start) {
  inside_ = support::never;
  if (checkpoints_.restore(start)) return apply_edits();
  const support::Status status = replay::restore_keyframe(*recording_, *recording_->keyframe_before(start), *machine_);
  if (status.ok()) return remember_place();
  if (complaint_.empty()) complaint_ = status.error().message;
  keyframes_.erase(std::remove(keyframes_.begin(), keyframes_.end(), start), keyframes_.end());
  restore_before(start);
}

/// A checkpoint here, if the instant names this state: the caller has arrived by a deadline, not at the run's end.
void Timeline::remember_place() {
  if (at_end() || inside()) return;
  checkpoints_.take();
  places_.emplace(instructions(), now().ticks);
}

/// When a processor that waits is woken; `otherwise` if it does not wait.
Instant Timeline::wake(Instant otherwise) const {
  if (!machine_->waits()) return otherwise;
  const Instant next = machine_->next_event();
  return next == support::never || next <= now() ? otherwise : next;
}

/// The changes that were made at this instant. They are the same each time: done again they change nothing.
void Timeline::apply_edits() {
  for (const Edit& edit : edits_)
    if (edit.at == now()) CHECK(edit.change(*machine_).ok());
}

/// Runs on, through the changes that were made on the way.
StopReason Timeline::run_machine(Instant target) {
  for (;;) {
    const auto next = std::find_if(edits_.begin(), edits_.end(), [&](const Edit& edit) { return edit.at > now(); });
    const Instant stop = next == edits_.end() ? target : std::min(target, next->at);
    const StopReason reason = machine_->run(stop);
    if (machine_->stopped_before_address()) inside_ = now();
    if (reason != StopReason::Deadline) return reason;
    if (next != edits_.end() && now() == next->at) apply_edits();
    if (now() >= target) return reason;
  }
}

/// Ends early, with StopReason::Requested, when somebody wants to stop.
StopReason Timeline::run_in_slices(Instant target) {
  for (;;) {
    const Instant stop = target - now() > slice ? now() + slice : target;
    const StopReason reason = run_machine(stop);
    if (reason != StopReason::Deadline || stop == target) return reason;
    if (interrupted()) return StopReason::Requested;
  }
}

/// Executes a new part of the run, up to the end of its interval or `limit`, or to what `sweep` looks for.
void Timeline::explore(Instant limit, Sweep* sweep) {
  const uint64_t before = instructions();
  const uint64_t left = options_.interval - std::min(options_.interval - 1, intervals_.back().instructions);
  machine_->memory().drain_dirty(dirty_consumer_, dirty_);
  const Instant target = std::min(limit, wake(now() + left));
  first_time_->again.clear();
  if (left_inside_ && !inside()) first_time_->again = first_time_->heard;
  first_time_->open = true;
  const StopReason reason = sweep != nullptr ? sweep_to(target, *sweep) : run_in_slices(target);
  first_time_->open = false;
  left_inside_ = inside();
  machine_->memory().drain_dirty(dirty_consumer_, dirty_);
  Interval& interval = intervals_.back();
  merge_pages(interval.dirty, dirty_);
  interval.instructions += instructions() - before;
  interval.end = frontier_ = now();
  interval.code_known = interval.registers_known = false;  // there is more of it now
  interval.without.clear();
  if (reason == StopReason::Requested) return;  // somebody wants to stop here
  if (reason != StopReason::Deadline) return arrive_at_end(reason);
  if (interval.instructions >= options_.interval) close_interval();
}

void Timeline::close_interval() {
  remember_place();
  intervals_.push_back(empty_interval(now()));
}

void Timeline::arrive_at_end(StopReason reason) {
  ending_ = reason;
  end_ = limit_ = frontier_;
  // The instant names the state before whatever ended the run without taking time, such as a triple fault.
  restore_before(frontier_);
  (void)run_machine(frontier_);
}

/// Forwards, into what was not executed yet if need be.
void Timeline::run_to_instant(Instant target) {
  if (now() < frontier_) (void)run_machine(std::min(target, frontier_));
  while (now() < std::min(target, limit_) && !at_end() && !interrupted()) explore(std::min(target, limit_));
}

void Timeline::run_to_count(uint64_t count) {
  while (instructions() < count && now() < limit_ && !at_end() && !(interrupted() && now() >= frontier_))
    run_to_instant(std::min(wake(now() + (count - instructions())), limit_));
}

void Timeline::restore_before(Instant target) {
  restore(start_before(target));
}

/// To `target` by the shortest way, and nothing else.
void Timeline::go_to(Instant target) {
  const Instant start = start_before(std::min(target, frontier_));
  if (now() > target || start > now() || (inside() && now() == target)) restore(start);
  run_to_instant(target);
}

/// Calls run_to with ever smaller distances before a goal that is `distance` away, and takes a checkpoint there each time:
/// who moves here will move around here.
template <class RunTo>
void Timeline::approach(uint64_t distance, const RunTo& run_to) {
  uint64_t step = std::bit_floor(distance / options_.focus) * options_.focus;
  if (step == distance) step /= 2;  // the start has one
  for (; step >= options_.focus; step /= 2) {
    run_to(step);
    remember_place();
  }
  run_to(0);
}

Arrival Timeline::seek(Instant target) {
  const Instant wanted = std::clamp(target, beginning_, std::max(limit_, beginning_));
  if (wanted > frontier_) {
    go_to(wanted);
  } else if (wanted != now() || inside()) {
    if (now() >= wanted || start_before(wanted) > now()) restore_before(wanted);
    approach(wanted - now(), [&](uint64_t before) { run_to_instant({wanted.ticks - before}); });
  }
  if (now() == target) return Arrival::There;
  if (target < beginning_) return Arrival::Beginning;
  return now() < wanted && !at_end() && interrupted() ? Arrival::Interrupted : Arrival::End;
}

Arrival Timeline::step_forward(uint64_t count) {
  if (inside()) go_to(now());
  const uint64_t target = instructions() + count;
  run_to_count(target);
  if (instructions() == target) return Arrival::There;
  return !at_end() && now() < limit_ && interrupted() ? Arrival::Interrupted : Arrival::End;
}

Arrival Timeline::reverse_step(uint64_t count) {
  if (count > instructions() - first_instructions_) {
    (void)seek(beginning_);
    return Arrival::Beginning;
  }
  const uint64_t target = instructions() - count;
  // The first instant with that many instructions: from a place where there were fewer.
  const auto after = places_.lower_bound(target);
  restore_before(after == places_.begin() ? beginning_ : Instant{std::prev(after)->second});
  approach(target - instructions(), [&](uint64_t before) { run_to_count(target - before); });
  return Arrival::There;
}

support::Status Timeline::edit(const Change& change) {
  if (observed_ == nullptr) return support::Error{"a recording cannot be changed; begin a branch"};
  if (inside()) go_to(now());
  TRY(change(*machine_));
  forget_future();
  edits_.push_back({now(), change});
  epoch_ = std::make_shared<const char>();
  return support::Unit{};
}

/// Instructions executed before an interval: a checkpoint was taken at its begin.
uint64_t Timeline::instructions_at(const Interval& interval) const {
  const auto place = std::find_if(places_.begin(), places_.end(),
                                  [&](const auto& known) { return known.second == interval.begin.ticks; });
  return place != places_.end() ? place->first : instructions();
}

/// What comes after now will be another than it was. The checkpoint of now, if there is one, is of before the change;
/// whoever is put there makes the change again.
void Timeline::forget_future() {
  const Instant here = now();
  checkpoints_.forget_after(here);
  std::erase_if(places_, [&](const auto& place) { return place.second > here.ticks; });
  std::erase_if(edits_, [&](const Edit& edit) { return edit.at > here; });
  while (intervals_.back().begin > here) intervals_.pop_back();
  Interval& last = intervals_.back();
  last.end = here;
  last.instructions = instructions() - instructions_at(last);
  if (last.begin == here) last = empty_interval(here);
  frontier_ = here;
  limit_ = config_.instruction_limit != 0 ? Instant{config_.instruction_limit} : support::never;
  end_.reset();
  ending_.reset();
  first_time_->heard.clear();
  left_inside_ = false;
  observed_->forget_from(here);
  if (last.begin != here) {
    remember_place();
    intervals_.push_back(empty_interval(here));
  }
}

void Timeline::explore_all() {
  const Instant here = now();
  go_to(frontier_);
  while (now() < limit_ && !at_end() && !interrupted()) explore(limit_);
  (void)seek(here);
}

}  // namespace debugger
