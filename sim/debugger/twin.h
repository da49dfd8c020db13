#pragma once
#include <memory>
#include <vector>

#include "sim/machine/machine.h"

namespace debugger {

/// A second machine of the same configuration that counts each instruction, to look closely at a piece of the run while
/// the first one stays quick and where it is.
class Twin {
 public:
  /// `original` must outlive this; `exact` was created with GearSetting::Exact.
  Twin(machine::Machine& original, std::unique_ptr<machine::Machine> exact);
  ~Twin();
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;

  /// Puts the second machine into the present of the first. Copies the pages that either has written since.
  void catch_up();
  [[nodiscard]] machine::Machine& machine() { return *exact_; }

 private:
  machine::Machine& original_;
  std::unique_ptr<machine::Machine> exact_;
  mmu::PhysicalMemory::DirtyConsumer in_original_, in_exact_;
  std::vector<uint64_t> dirty_original_, dirty_exact_, pages_;
  std::vector<uint8_t> fields_;
  bool equal_once_{};
};

}  // namespace debugger
