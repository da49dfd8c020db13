#include "fuzz/engine/session.h"

#include <algorithm>

namespace fuzzing {

using machine::StopReason;
using support::Instant;

/// Events of the machine to the oracles that want them, while an input runs; before that, images are noted.
class Session::Router final : public support::EventSink {
 public:
  void on(const support::Event& event) override {
    if (!active) return images.on(event);
    for (Oracle* const oracle : listeners) oracle->on_event(event);
  }
  std::vector<Oracle*> listeners;
  ImageMap images;
  bool active{};
};

class Session::Observer final : public vtl::InstructionObserver {
 public:
  void before_instruction(Instant now, const vtl::VirtualProcessor& vp) override {
    for (Oracle* const oracle : listeners) oracle->before_instruction(now, vp);
  }
  std::vector<Oracle*> listeners;
};

Session::Session(Target& target, std::vector<Oracle*> oracles, SessionOptions options)
    : target_{target},
      oracles_{std::move(oracles)},
      options_{options},
      router_{std::make_unique<Router>()},
      observer_{std::make_unique<Observer>()} {}

Session::~Session() {
  if (machine_ == nullptr) return;
  machine_->cover(nullptr);
  machine_->observe(nullptr);
}

support::Result<std::unique_ptr<Session>> Session::open(Target& target, std::vector<Oracle*> oracles, SessionOptions options) {
  std::unique_ptr<Session> session{new Session{target, std::move(oracles), options}};
  TRY(session->prepare());
  return session;
}

support::Status Session::prepare() {
  for (Oracle* const oracle : oracles_) {
    const OracleNeeds needs = oracle->needs();
    if (needs.accesses) return support::Error{std::string{oracle->name()} + ": oracles that see accesses are not implemented"};
    if (needs.events) router_->listeners.push_back(oracle);
    if (needs.instructions) observer_->listeners.push_back(oracle);
  }
  auto machine = target_.prepare(*router_);
  if (!machine.ok()) return machine.error();
  machine_ = std::move(machine.value());
  if (!observer_->listeners.empty()) {
    if (machine_->config().gear != loader::GearSetting::Exact)
      return support::Error{"an oracle needs instructions, and the target's machine is not in gear Exact"};
    machine_->observe(observer_.get());
  }
  boundary_ = target_.boundary();
  for (Oracle* const oracle : oracles_) oracle->learn(*machine_);
  if (options_.coverage) machine_->cover(&coverage_);
  snapshot_ = std::make_unique<Snapshot>(*machine_);
  begin_ = machine_->now();
  idle_at_begin_ = machine_->idle_ticks();
  return support::Unit{};
}

const ImageMap& Session::images() const { return router_->images; }

void Session::go_back() {
  if (away_) (void)snapshot_->restore();
  away_ = false;
}

/// False: the execution is over.
bool Session::run_action(Instant deadline) {
  for (;;) {
    // The instruction at the boundary that the machine stands before is not met again.
    machine_->stop_before(boundary_, machine_->now() + 1);
    const StopReason reason = machine_->run(deadline);
    if (reason == StopReason::Requested) {
      if (target_.answered(*machine_)) return true;
      continue;
    }
    execution_.ending = reason == StopReason::Deadline ? Ending::Budget : Ending::Stopped;
    execution_.stop = reason;
    return false;
  }
}

void Session::run_input() {
  const Instant deadline = begin_ + target_.budget();
  while (target_.next(*machine_) == Turn::Runs) {
    ++execution_.actions;
    if (!run_action(deadline)) return;
  }
}

const Execution& Session::execute(std::span<const uint8_t> input) {
  go_back();
  execution_ = {};
  if (options_.coverage) coverage_.clear();
  for (Oracle* const oracle : oracles_) oracle->begin();
  away_ = true;
  router_->active = true;
  target_.begin(*machine_, input);
  run_input();
  router_->active = false;
  detail_ = machine_->detail();
  execution_.instructions = machine_->now() - begin_ - (machine_->idle_ticks() - idle_at_begin_);
  judge();
  if (options_.stay) {
    execution_.dirty_pages = snapshot_->dirty_pages();
  } else {
    execution_.dirty_pages = snapshot_->restore();
    away_ = false;
  }
  return execution_;
}

void Session::judge() {
  for (Oracle* const oracle : oracles_) {
    oracle->end(*machine_, execution_);
    for (const Violation& violation : oracle->violations()) {
      std::vector<Violation>& all = execution_.violations;
      all.insert(std::upper_bound(all.begin(), all.end(), violation, [](const Violation& a, const Violation& b) { return a.at < b.at; }),
                 violation);
    }
  }
}

}  // namespace fuzzing
