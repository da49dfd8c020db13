#include "sim/debugger/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>

#include "sim/replay/replayer.h"
#include "sim/support/check.h"

namespace debugger {

using machine::StopReason;

/// The machine's listener: hands on what happens for the first time.
struct Timeline::FirstTime final : support::EventSink {
  void on(const support::Event& event) override {
    if (open && listeners != nullptr) listeners->on(event);
  }
  bool open{};
  machine::EventFanout* listeners{};
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
      limit_{config.instruction_limit != 0 ? Instant{config.instruction_limit} : support::never} {
  first_time_->listeners = &events_;
  intervals_.push_back({.begin = now(), .end = now(), .instructions = 0, .dirty = {}, .code_pages = {}, .changed = {}});
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
  if (observed != nullptr) {
    observed->listen(true);
    timeline->listen(*observed);
  }
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
                        .dirty = span.value().dirty, .code_pages = {}, .changed = {}};
      intervals_.back() = std::move(interval);
      intervals_.push_back({.begin = keyframe.at, .end = keyframe.at, .instructions = 0, .dirty = {}, .code_pages = {},
                            .changed = {}});
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
  if (checkpoints_.restore(start)) return;
  const support::Status status = replay::restore_keyframe(*recording_, *recording_->keyframe_before(start), *machine_);
  if (status.ok()) return remember_place();
  if (complaint_.empty()) complaint_ = status.error().message;
  keyframes_.erase(std::remove(keyframes_.begin(), keyframes_.end(), start), keyframes_.end());
  restore_before(start);
}

/// A checkpoint here, if the instant names this state: the caller has arrived by a deadline, not at the run's end.
void Timeline::remember_place() {
  if (at_end()) return;
  checkpoints_.take();
  places_.emplace(instructions(), now().ticks);
}

/// When a processor that waits is woken; `otherwise` if it does not wait.
Instant Timeline::wake(Instant otherwise) const {
  if (!machine_->waits()) return otherwise;
  const Instant next = machine_->next_event();
  return next == support::never || next <= now() ? otherwise : next;
}

/// Executes a new part of the run, up to the end of its interval or `limit`.
void Timeline::explore(Instant limit) {
  const uint64_t before = instructions();
  const uint64_t left = options_.interval - std::min(options_.interval - 1, intervals_.back().instructions);
  machine_->memory().drain_dirty(dirty_consumer_, dirty_);
  first_time_->open = true;
  const StopReason reason = machine_->run(std::min(limit, wake(now() + left)));
  first_time_->open = false;
  machine_->memory().drain_dirty(dirty_consumer_, dirty_);
  Interval& interval = intervals_.back();
  merge_pages(interval.dirty, dirty_);
  interval.instructions += instructions() - before;
  interval.end = frontier_ = now();
  interval.code_known = interval.registers_known = false;  // there is more of it now
  if (reason != StopReason::Deadline) return arrive_at_end(reason);
  if (interval.instructions >= options_.interval) close_interval();
}

void Timeline::close_interval() {
  remember_place();
  intervals_.push_back({.begin = now(), .end = now(), .instructions = 0, .dirty = {}, .code_pages = {}, .changed = {}});
}

void Timeline::arrive_at_end(StopReason reason) {
  ending_ = reason;
  end_ = limit_ = frontier_;
  // The instant names the state before whatever ended the run without taking time, such as a triple fault.
  restore_before(frontier_);
  (void)machine_->run(frontier_);
}

/// Forwards, into what was not executed yet if need be.
void Timeline::run_to_instant(Instant target) {
  if (now() < frontier_) (void)machine_->run(std::min(target, frontier_));
  while (now() < std::min(target, limit_) && !at_end()) explore(std::min(target, limit_));
}

void Timeline::run_to_count(uint64_t count) {
  while (instructions() < count && now() < limit_ && !at_end())
    run_to_instant(std::min(wake(now() + (count - instructions())), limit_));
}

void Timeline::restore_before(Instant target) {
  restore(start_before(target));
}

/// To `target` by the shortest way, and nothing else.
void Timeline::go_to(Instant target) {
  const Instant start = start_before(std::min(target, frontier_));
  if (now() > target || start > now()) restore(start);
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
  const Instant wanted = std::min(target, limit_);
  if (wanted > frontier_) {
    go_to(wanted);
  } else if (wanted != now()) {
    if (now() > wanted || start_before(wanted) > now()) restore_before(wanted);
    approach(wanted - now(), [&](uint64_t before) { run_to_instant({wanted.ticks - before}); });
  }
  return now() == target ? Arrival::There : Arrival::End;
}

Arrival Timeline::step_forward(uint64_t count) {
  const uint64_t target = instructions() + count;
  run_to_count(target);
  return instructions() == target ? Arrival::There : Arrival::End;
}

Arrival Timeline::reverse_step(uint64_t count) {
  if (count > instructions()) {
    (void)seek({});
    return Arrival::Beginning;
  }
  const uint64_t target = instructions() - count;
  // The first instant with that many instructions: from a place where there were fewer.
  const auto after = places_.lower_bound(target);
  restore_before(after == places_.begin() ? Instant{} : Instant{std::prev(after)->second});
  approach(target - instructions(), [&](uint64_t before) { run_to_count(target - before); });
  return Arrival::There;
}

void Timeline::explore_all() {
  const Instant here = now();
  go_to(frontier_);
  while (now() < limit_ && !at_end()) explore(limit_);
  (void)seek(here);
}

}  // namespace debugger
