#pragma once
// One instant of one machine, to which it goes back in microseconds (docs/decisions/0048-back-in-microseconds.md).
#include <cstdint>
#include <vector>

#include "mmu/zeroed_memory.h"
#include "sim/machine/machine.h"

namespace fuzzing {

/// The present of a machine when this was made. A machine has one Snapshot at a time: the latest.
class Snapshot {
 public:
  /// `machine` must outlive this. Between two calls of run().
  explicit Snapshot(machine::Machine& machine);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  /// The machine is as it was, by its fingerprint; what its engines translated stays. The pages that differed.
  uint32_t restore();
  /// What restore() would return.
  [[nodiscard]] uint32_t dirty_pages();

 private:
  void gather();
  [[nodiscard]] const uint8_t* original(uint64_t page) const;

  machine::Machine& machine_;
  mmu::PhysicalMemory::DirtyConsumer consumer_;
  mmu::ZeroedMemory memory_;      ///< as it was
  std::vector<uint8_t> fields_;
  uint64_t dirty_epoch_{};        ///< of the last restore
  std::vector<uint64_t> pages_;   ///< those that may differ
  std::vector<uint64_t> drained_;
};

}  // namespace fuzzing
