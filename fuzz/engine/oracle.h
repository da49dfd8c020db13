#pragma once
// Who recognises that isolation broke. Oracles see the machine and never change it.
#include <string_view>
#include <vector>

#include "fuzz/engine/execution.h"
#include "sim/machine/machine.h"
#include "sim/support/events.h"
#include "vtl/instruction_observer.h"

namespace fuzzing {

/// What an oracle needs to see: each more costs speed.
struct OracleNeeds {
  bool events{true};        ///< support::Event of the hypervisor and processor
  bool accesses{};          ///< every memory access of VTL 1, by address, size and value
  bool instructions{};      ///< every instruction, in gear Exact
};

/// A memory access of the guest, translated.
struct Access {
  uint64_t gva{}, gpa{};
  uint32_t size{};
  bool write{};
  abi::hv::Vtl vtl{};
  uint8_t ring{};
  uint64_t rip{};
  support::Instant at{};
};

class Oracle {
 public:
  virtual ~Oracle() = default;
  /// As Violation::oracle: letters, digits, '-'.
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// One sentence: what it recognises.
  [[nodiscard]] virtual std::string_view description() const = 0;
  [[nodiscard]] virtual OracleNeeds needs() const { return {}; }

  /// The machine stands at the boundary: what must be known of it is learned once, here.
  virtual void learn(machine::Machine& /*machine*/) {}
  /// Before each execution: everything seen in the last one is forgotten.
  virtual void begin() = 0;
  virtual void on_event(const support::Event& /*event*/) {}
  virtual void on_access(const Access& /*access*/) {}
  virtual void before_instruction(support::Instant /*now*/, const vtl::VirtualProcessor& /*vp*/) {}
  /// The execution is over, and the machine as it left it.
  virtual void end(machine::Machine& /*machine*/, const Execution& /*execution*/) {}
  /// What was seen since begin(), in the order of time.
  [[nodiscard]] virtual const std::vector<Violation>& violations() const = 0;
};

}  // namespace fuzzing
