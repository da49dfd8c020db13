#pragma once
// Guest physical pages as one VTL may read them, and virtual ones as its tables map them.
#include <cstdint>
#include <optional>
#include <vector>

#include "mmu/address_space.h"
#include "mmu/physical_memory.h"
#include "sim/dump/dump.h"

namespace dump {

/// What one may do with a guest physical page.
enum class PageView : uint8_t { Readable, Denied, Unmapped };

class PhysicalView {
 public:
  /// As `vtl` of the processor sees memory.
  PhysicalView(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl);

  [[nodiscard]] PageView view(uint64_t page) const;
  /// The system page behind guest page `page`, if RAM is; whatever the rights.
  [[nodiscard]] std::optional<uint64_t> system_page(uint64_t page) const;
  /// The bytes of a guest page, or null: where RAM is and, unless `privileged`, the VTL may read it.
  [[nodiscard]] const uint8_t* bytes(uint64_t page, bool privileged) const;
  /// Pages of RAM of the machine: guest pages are numbered up to there.
  [[nodiscard]] uint64_t pages() const { return pages_; }

 private:
  uint64_t pages_;  ///< what lies beyond is the hypervisor's own
  const mmu::PhysicalMemory& memory_;
  mmu::AddressSpace space_;
};

/// Virtual pages one after the other that are system pages one after the other, with equal rights.
struct MappedRun {
  uint64_t address{};  ///< GVA
  uint64_t page{};     ///< first system page
  uint64_t pages{};
  bool writable{}, executable{}, user{};
};

struct MappedSpace {
  std::vector<MappedRun> runs;  ///< ascending by address
  uint64_t left_out{};          ///< pages that are mapped and cannot be read: denied by the second stage, or no RAM
  bool whole{true};             ///< false: the tables map more than any machine needs, and the rest is not here
};

/// What the tables at CR3 of `vtl` map and the VTL may read. Refuses paging modes other than four levels and none.
[[nodiscard]] support::Result<MappedSpace> map_space(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl);

}  // namespace dump
