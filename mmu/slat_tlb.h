#pragma once
// The bounded cache of combined translations (GVA to SPA). Its content is state: it changes only when it is filled after
// one of its own misses, and when something is invalidated. What a look-up does, nobody can see.
#include <cstdint>
#include <memory>
#include <vector>

#include "mmu/access.h"
#include "mmu/address_space.h"
#include "sim/support/state_hash.h"

namespace mmu {

/// What an engine may grant for a page at once, without asking again.
namespace grant {
inline constexpr uint8_t read = 1;
inline constexpr uint8_t write = 2;  ///< only while the leaf's D bit is set
inline constexpr uint8_t execute = 4;
[[nodiscard]] constexpr uint8_t of(AccessKind kind) {
  return static_cast<uint8_t>(1u << static_cast<unsigned>(kind));
}
}  // namespace grant

/// One 4 KiB page of a combined translation. Rights are kept apart by stage, because CR0.WP, SMEP, SMAP, AC and MBEC
/// apply at the time of the access.
class TlbEntry {
 public:
  enum Attribute : uint64_t {
    Writable = 1 << 0,    ///< stage 1: R/W in every level
    User = 1 << 1,        ///< stage 1: U/S in every level
    NoExecute = 1 << 2,   ///< stage 1: XD in some level
    Global = 1 << 3,      ///< stage 1: G in the leaf and CR4.PGE
    Dirty = 1 << 4,       ///< stage 1: D in the leaf
    Fragment = 1 << 5,    ///< stage 1: part of a 2 MiB or 1 GiB page
    SlatRead = 1 << 6,
    SlatWrite = 1 << 7,
    SlatKernelExecute = 1 << 8,
    SlatUserExecute = 1 << 9,
    Ram = 1 << 10,
  };

  TlbEntry() = default;
  TlbEntry(uint64_t key, uint16_t pcid, Spa spa, Gpa gpa, uint64_t attributes, uint64_t stamp)
      : key_{key},
        stamp_{stamp},
        spa_and_attributes_{spa.page_base().value() | attributes},
        gpa_and_pcid_{gpa.page_base().value() | pcid} {}

  [[nodiscard]] Spa spa() const { return Spa{spa_and_attributes_}.page_base(); }  ///< of the page
  [[nodiscard]] Gpa gpa() const { return Gpa{gpa_and_pcid_}.page_base(); }        ///< of the page
  [[nodiscard]] bool has(Attribute attribute) const { return (spa_and_attributes_ & attribute) != 0; }
  [[nodiscard]] uint64_t attributes() const { return spa_and_attributes_ & 0xfff; }
  [[nodiscard]] uint64_t key() const { return key_; }
  [[nodiscard]] uint16_t pcid() const { return gpa_and_pcid_ & 0xfff; }
  [[nodiscard]] uint64_t stamp() const { return stamp_; }

 private:
  uint64_t key_{};
  uint64_t stamp_{};
  uint64_t spa_and_attributes_{};
  uint64_t gpa_and_pcid_{};
};

/// What `entry` permits an access of this privilege: a mask of grant::read, write, execute. Order and reasons of refusals
/// are the walker's.
[[nodiscard]] uint8_t granted(const AddressSpace& space, const TlbEntry& entry, bool user,
                              bool implicit_supervisor = false);

/// Entries are tagged by partition, VTL, VP, and PCID or global. When `capacity` entries were filled, the whole
/// generation is dropped (engine.md 11): no entry is ever replaced alone.
class SlatTlb {
 public:
  explicit SlatTlb(uint32_t capacity);

  /// The valid entry of the page in this space, whatever it permits; null if there is none.
  [[nodiscard]] const TlbEntry* find(const AddressSpace& space, Gva address) const;

  /// Adds or replaces the entry of a page.
  void fill(const AddressSpace& space, Gva address, Spa spa, Gpa gpa, uint64_t attributes, int level);

  /// INVLPG, INVPCID type 0 (which spares globals), and what a fault does to its own page.
  void invalidate_address(const AddressSpace& space, uint16_t pcid, Gva address, bool keep_globals);
  /// MOV CR3, INVPCID type 1: the non-global entries of one PCID.
  void invalidate_pcid(const AddressSpace& space, uint16_t pcid);
  /// INVPCID types 2 and 3, INVVPID: all PCIDs of this VP and VTL.
  void invalidate_all(const AddressSpace& space, bool keep_globals);
  /// INVEPT type 1: everything that the SLAT of this partition and VTL took part in, on all VPs.
  void invalidate_guest_physical(uint8_t partition, abi::hv::Vtl vtl);
  void drop_generation();

  /// Moves whenever an entry of this partition and VTL that an engine may have copied is gone or grants less. An engine
  /// compares it before it runs, and flushes its own TLB if it moved.
  [[nodiscard]] uint64_t epoch(uint8_t partition, abi::hv::Vtl vtl) const {
    return epochs_[partition * 4u + static_cast<unsigned>(vtl)];
  }

  [[nodiscard]] uint32_t capacity() const { return capacity_; }
  [[nodiscard]] uint32_t used() const { return used_; }  ///< since the last drop, dead entries included
  [[nodiscard]] uint64_t generations_dropped() const { return generations_dropped_; }
  /// Of the valid entries and their tags; part of the machine's state.
  [[nodiscard]] support::StateHash hash() const;

 private:
  /// Entries stamped before these are dead. One per VP, VTL and partition.
  struct Domain {
    uint64_t floor_all{};
    uint64_t floor_non_global{};
    std::vector<uint64_t> floor_pcid;  ///< empty until a PCID other than 0 is used; then 4096
    uint64_t floor_pcid0{};
  };

  uint32_t capacity_;
  uint64_t slot_mask_;
  std::unique_ptr<TlbEntry[]> slots_;
  std::vector<std::unique_ptr<Domain>> domains_;
  uint64_t clock_{1};             ///< stamps; moves with each invalidation
  uint64_t generation_start_{1};  ///< a slot stamped before is empty
  uint32_t used_{};
  uint64_t generations_dropped_{};
  std::vector<uint64_t> epochs_;
};

}  // namespace mmu
