#pragma once
// A run as a place to walk in, forwards and backwards.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "sim/debugger/condition.h"
#include "sim/debugger/history.h"
#include "sim/debugger/intervals.h"
#include "sim/debugger/twin.h"
#include "sim/loader/machine_config.h"
#include "sim/machine/checkpoint.h"
#include "sim/machine/event_fanout.h"
#include "sim/machine/machine.h"
#include "sim/replay/recording.h"
#include "sim/trace/disassembler.h"

namespace debugger {

struct TimelineOptions {
  uint64_t interval{1'000'000};  ///< instructions between checkpoints over the whole run
  uint64_t focus{4'096};         ///< between the closest ones, just before where one looks
  size_t budget{machine::Checkpoints::default_budget};  ///< bytes of all checkpoints
  bool keyframes{true};          ///< begin at those of the recording, if it has any
};

/// How a move ended.
enum class Arrival : uint8_t {
  There,      ///< where was asked
  Beginning,  ///< the run begins here
  End,        ///< the run ends here
  Hit,        ///< a condition was met
  Interrupted,  ///< somebody asked to stop: on the way
};

/// A machine with its past, and with its future as far as it was or can be run.
///
/// A position is an instant: the machine has stopped before what happens there. Executing is needed to arrive, from the
/// nearest checkpoint; these are taken while a part of the run is executed for the first time, and more closely just before
/// every position that was moved to. Events need none: the history has them. Looking never changes what happens.
/// A recording with keyframes is known up to the last one without executing: which pages were written between two of them
/// stands in the file, and the machine can be put to each.
class Timeline {
 public:
  /// A live machine in its reset state: its future is made by running it.
  [[nodiscard]] static support::Result<std::unique_ptr<Timeline>> over(const loader::MachineConfig& config,
                                                                       machine::MachineParts parts,
                                                                       const TimelineOptions& options = {});
  /// A recorded run, whose events are known without running. `recording` must outlive the timeline; `parts` are the images
  /// that it was made with. Refuses what this program cannot replay.
  [[nodiscard]] static support::Result<std::unique_ptr<Timeline>> over(const replay::Recording& recording,
                                                                       machine::MachineParts parts,
                                                                       const TimelineOptions& options = {});
  /// A run of its own that begins here: its past is this one's, which it cannot go back to; its future is made by running
  /// it. Inputs that were to arrive arrive there too. This must outlive it.
  [[nodiscard]] support::Result<std::unique_ptr<Timeline>> fork();
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  /// For looking at, not for running.
  [[nodiscard]] machine::Machine& machine() { return *machine_; }
  [[nodiscard]] const machine::Machine& machine() const { return *machine_; }
  [[nodiscard]] Instant now() const { return machine_->now(); }
  /// Instructions executed up to here; now() counts idle ticks too.
  [[nodiscard]] uint64_t instructions() const { return machine_->now().ticks - machine_->idle_ticks(); }
  [[nodiscard]] History& history() { return *history_; }
  /// Also hears of what happens, once, when it happens for the first time; the twin's runs and repetitions are not heard.
  void listen(support::EventSink& listener) { events_.add(listener); }

  /// Events that happened while the machine was made, before anybody could listen: they are the first of the history. A machine
  /// that begins with its hypervisor running has one.
  [[nodiscard]] uint64_t events_at_creation() const;

  /// Moves end early, with Arrival::Interrupted, while this is true; looked at every few milliseconds. Must outlive this.
  void interrupt_with(const std::atomic<bool>& flag) { interrupt_ = &flag; }

  Arrival seek(Instant target);
  /// An instruction that waits takes the time with it until something wakes the processor.
  Arrival step_forward(uint64_t instructions = 1);
  Arrival reverse_step(uint64_t instructions = 1);

  struct Move {
    Arrival arrival{};
    std::optional<Hit> hit;
  };
  /// On to the first time that one of `conditions` is met after now: before what it breaks on, after what it watches.
  Move run_to(const Conditions& conditions);
  /// Back to the last time before now, before what was looked for.
  Move reverse_continue(const Conditions& conditions);
  /// The same without moving.
  [[nodiscard]] std::optional<Hit> last(const Conditions& conditions, Instant before);
  [[nodiscard]] std::optional<Hit> first(const Conditions& conditions, Instant from);

  /// The first after `from`, looked for up to `to`; the machine stands anywhere afterwards.
  [[nodiscard]] std::optional<Hit> find_next(const Conditions& conditions, Instant from, Instant to = support::never);
  /// The last before `before`, looked for down to `floor`; the machine stands anywhere afterwards.
  [[nodiscard]] std::optional<Hit> find_previous(const Conditions& conditions, Instant before, Instant floor = {});

  /// Changes the machine here, which makes another future: what was known of it is forgotten. The change belongs to the
  /// run from now on: whoever comes by again finds it done. `change` writes memory and registers, the same at every call;
  /// its error is handed on and must mean that nothing changed. Refused in a recording.
  using Change = std::function<support::Status(machine::Machine&)>;
  [[nodiscard]] support::Status edit(const Change& change);

  /// Shows `observer` each instruction from the beginning of the run, or of the branch, to the present, in a second machine. The
  /// position stays. False: it was interrupted.
  [[nodiscard]] bool show_past(vtl::InstructionObserver& observer);

  /// Shows `observer` each instruction from `from` up to before `to`, in a second machine, as far as the run is known: `to` may be
  /// at most end(). The machine stands at or before `to` afterwards.
  void show(Instant from, Instant to, vtl::InstructionObserver& observer);
  /// Executes [from, to) once more in a machine of its own that counts each instruction. `begin` is given it when it stands at
  /// `from`, and says who observes it; `events` hears what happens there. The position stays. Errors: interrupted; that
  /// part of the run is not known.
  using Begin = std::function<vtl::InstructionObserver*(machine::Machine&)>;
  [[nodiscard]] support::Status rerun(Instant from, Instant to, support::EventSink& events, const Begin& begin);
  /// Another one as soon as an edit makes this another run, and of no other timeline: what was learned of a run holds as long
  /// as this is the same.
  [[nodiscard]] const std::shared_ptr<const char>& epoch() const { return epoch_; }

  /// Runs what was not run yet; the checkpoints of the whole run are there afterwards. The position stays.
  void explore_all();
  /// The first instant: 0, or where this was forked.
  [[nodiscard]] Instant beginning() const { return beginning_; }
  /// The last instant of the run that is known by now: of the recording, or of what was run.
  [[nodiscard]] Instant end() const { return end_ ? *end_ : frontier_; }
  /// Why keyframes of the recording were passed over; empty if none was.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }
  /// Why the run ends there; nothing as long as it can go on.
  [[nodiscard]] std::optional<machine::StopReason> ending() const { return ending_; }

  [[nodiscard]] const machine::Checkpoints& checkpoints() const { return checkpoints_; }
  [[nodiscard]] const Intervals& intervals() const { return intervals_; }
  /// Instructions that were looked at one by one so far: what questions have cost.
  [[nodiscard]] uint64_t looked_at() const { return looked_at_; }

 private:
  struct FirstTime;  // hands events to history and listeners
  struct Sweep;      // looks for addresses while the machine runs

  Timeline(const loader::MachineConfig& config, machine::MachineParts parts, const TimelineOptions& options,
           std::unique_ptr<FirstTime> first_time, std::unique_ptr<History> history,
           std::unique_ptr<machine::Machine> machine);
  static support::Result<std::unique_ptr<Timeline>> make(const loader::MachineConfig& config, machine::MachineParts parts,
                                                         const TimelineOptions& options,
                                                         const replay::Recording* recording);

  // --- travelling (timeline.cpp)
  void run_to_instant(Instant target);
  void run_to_count(uint64_t count);
  machine::StopReason run_machine(Instant target);
  machine::StopReason run_in_slices(Instant target);
  void apply_edits();
  void explore(Instant limit, Sweep* sweep = nullptr);
  [[nodiscard]] bool interrupted() const { return interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed); }
  [[nodiscard]] bool inside() const { return now() == inside_; }
  [[nodiscard]] uint64_t instructions_at(const Interval& interval) const;
  void forget_future();
  [[nodiscard]] support::Result<std::unique_ptr<machine::Machine>> copy_at(Instant at, support::EventSink& events);
  void close_interval();
  void arrive_at_end(machine::StopReason reason);
  void know_keyframes(const replay::Recording& recording);
  void observe(ObservedHistory& history);
  [[nodiscard]] Instant start_before(Instant target) const;
  void restore(Instant start);
  void restore_before(Instant target);
  void go_to(Instant target);
  template <class RunTo>
  void approach(uint64_t distance, const RunTo& run_to);
  void remember_place();
  [[nodiscard]] bool at_end() const { return ending_ && now() >= frontier_; }
  [[nodiscard]] Instant wake(Instant otherwise) const;

  // --- searching (search.cpp)
  [[nodiscard]] bool may_hit(const Interval& interval, const Conditions& conditions);
  [[nodiscard]] bool may_hit(const Interval& interval, const Condition& condition);
  [[nodiscard]] uint64_t closely(const Conditions& conditions) const;
  void refine(size_t index);
  [[nodiscard]] static std::vector<uint64_t> addresses_of(const Conditions& conditions);
  [[nodiscard]] static bool may_execute(const Interval& interval, const std::vector<uint64_t>& addresses);
  [[nodiscard]] std::optional<Hit> address_hit(const Conditions& conditions) const;
  machine::StopReason sweep_to(Instant target, Sweep& sweep);
  void scan(size_t index, Sweep& sweep);
  [[nodiscard]] bool begins_there(const Hit& hit);
  [[nodiscard]] std::optional<Hit> look(size_t index, const Conditions& conditions, Instant from, Instant before,
                                        bool want_last);
  void settle(Hit& hit, const Conditions& conditions);
  [[nodiscard]] std::optional<Hit> event_hit(const Conditions& conditions, Instant instant, bool want_last, Instant bound);
  [[nodiscard]] Twin& twin();

  loader::MachineConfig config_;
  machine::MachineParts parts_;
  TimelineOptions options_;
  std::unique_ptr<FirstTime> first_time_;
  machine::EventFanout events_;
  std::unique_ptr<History> history_;
  std::unique_ptr<machine::Machine> machine_;
  machine::Checkpoints checkpoints_;
  mmu::PhysicalMemory::DirtyConsumer dirty_consumer_;
  std::vector<uint64_t> dirty_;
  std::map<uint64_t, uint64_t> places_;  ///< instructions executed -> earliest instant known with that count
  Intervals intervals_;
  const replay::Recording* recording_{};
  std::vector<Instant> keyframes_;       ///< of the recording, where the machine can be put; ascending
  std::string complaint_;
  Instant frontier_;                     ///< up to here the run was executed, or is known from keyframes
  Instant limit_;                        ///< no further
  std::optional<Instant> end_;           ///< where the run ends, once that is known
  std::optional<machine::StopReason> ending_;
  std::unique_ptr<Twin> twin_;
  trace::Disassembler disassembler_;
  uint64_t looked_at_{};
  ObservedHistory* observed_{};          ///< history_, unless it is a recording's
  Instant beginning_;
  uint64_t first_instructions_{};        ///< executed before the beginning
  Instant inside_{support::never};       ///< the machine stands there after what was delivered, not as a deadline finds it
  bool left_inside_{};                   ///< the frontier was reached that way
  const std::atomic<bool>* interrupt_{};
  struct Edit {
    Instant at;
    Change change;
  };
  std::vector<Edit> edits_;              ///< ascending
  std::shared_ptr<const char> epoch_{std::make_shared<const char>()};
};

}  // namespace debugger
