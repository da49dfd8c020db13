#pragma once
// The processes that guests announced.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/support/events.h"

namespace debugger {

/// Remembers the processes that guests announce: NTOS with their VTL 0 tables, the secure kernel with those of VTL 1.
class ProcessList : public support::EventSink {
 public:
  struct Process {
    std::string name;
    abi::hv::Vtl vtl{};
    uint64_t pid{}, cr3{}, secure_handle{};
    bool exited{};
  };

  void on(const support::Event& event) override;
  void clear() { processes_.clear(); }
  /// The latest process of this name as `vtl` knows it, or null. Names compare without case.
  [[nodiscard]] const Process* find(std::string_view name, abi::hv::Vtl vtl) const;
  /// The process whose tables `vtl` uses with this CR3 (bits 12 and up count), or null. One that has exited is found as long
  /// as no other took its tables.
  [[nodiscard]] const Process* with_cr3(uint64_t cr3, abi::hv::Vtl vtl) const;
  /// In the order in which they were announced; those that exited too.
  [[nodiscard]] const std::vector<Process>& all() const { return processes_; }

 private:
  std::vector<Process> processes_;
};

}  // namespace debugger
