#pragma once
#include <functional>
#include <memory>

#include "sim/machine/machine.h"

namespace replay {

/// A machine under examination. Tests derive from it to make one that goes wrong.
class Subject {
 public:
  /// `machine` must outlive the subject.
  explicit Subject(machine::Machine& machine) : machine_{&machine} {}
  explicit Subject(std::unique_ptr<machine::Machine> machine) : machine_{machine.get()}, owned_{std::move(machine)} {}
  virtual ~Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  /// As Machine::run.
  virtual machine::StopReason run(support::Instant deadline) { return machine_->run(deadline); }
  [[nodiscard]] machine::Machine& machine() { return *machine_; }

 private:
  machine::Machine* machine_;
  std::unique_ptr<machine::Machine> owned_;
};

/// Makes the same subject anew, in its reset state, with these listeners.
using SubjectFactory = std::function<support::Result<std::unique_ptr<Subject>>(support::EventSink* events)>;

}  // namespace replay
