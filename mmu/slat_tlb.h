#pragma once
// The bounded cache of combined translations (GVA to SPA). Its content is state: it changes only
// when it is filled after one of its own misses, and when something is invalidated. What a look-up
// does, nobody can see.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "abi/x64/paging.h"
#include "mmu/access.h"
#include "mmu/address_space.h"
#include "sim/support/state_fields.h"
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

/// One 4 KiB page of a combined translation. Rights are kept apart by stage, because CR0.WP, SMEP,
/// SMAP, AC and MBEC apply at the time of the access.
class TlbEntry {
 public:
  enum Attribute : uint64_t {
    Writable = 1 << 0,   ///< stage 1: R/W in every level
    User = 1 << 1,       ///< stage 1: U/S in every level
    NoExecute = 1 << 2,  ///< stage 1: XD in some level
    Global = 1 << 3,     ///< stage 1: G in the leaf and CR4.PGE
    Dirty = 1 << 4,      ///< stage 1: D in the leaf
    SlatRead = 1 << 5,
    SlatWrite = 1 << 6,
    SlatKernelExecute = 1 << 7,
    SlatUserExecute = 1 << 8,
    Ram = 1 << 9,
    PartOf2M = 1 << 10,  ///< of a 2 MiB page of stage 1: INVLPG anywhere in it concerns this entry
    PartOf1G = 1 << 11,
    PartOf4M = PartOf2M | PartOf1G,  ///< of a 4 MiB page of 32-bit paging
  };

  TlbEntry() = default;
  TlbEntry(uint64_t key, uint64_t stamp, uint16_t pcid, Spa spa, Gpa gpa, uint64_t attributes)
      : key_{key},
        stamp_{stamp},
        spa_and_attributes_{spa.page_base().value() | attributes},
        gpa_and_pcid_{gpa.page_base().value() | pcid} {}

  [[nodiscard]] Spa spa() const { return Spa{spa_and_attributes_}.page_base(); }  ///< of the page
  [[nodiscard]] Gpa gpa() const { return Gpa{gpa_and_pcid_}.page_base(); }        ///< of the page
  [[nodiscard]] bool has(Attribute attribute) const {
    return (spa_and_attributes_ & attribute) != 0;
  }
  [[nodiscard]] uint64_t attributes() const { return spa_and_attributes_ & 0xfff; }
  [[nodiscard]] uint16_t pcid() const { return gpa_and_pcid_ & 0xfff; }
  /// Where it applies: linear page number, partition, VP, VTL, paging on or off.
  [[nodiscard]] uint64_t key() const { return key_; }
  /// When it was filled, on the TLB's own clock.
  [[nodiscard]] uint64_t stamp() const { return stamp_; }

 private:
  uint64_t key_{};
  uint64_t stamp_{};
  uint64_t spa_and_attributes_{};
  uint64_t gpa_and_pcid_{};
};

/// What `entry` permits an access of this privilege: a mask of grant::read, write, execute.
[[nodiscard]] inline uint8_t granted(const AddressSpace& space, const TlbEntry& entry, bool user,
                                     bool implicit_supervisor = false) {
  const Stage1Registers& registers = space.stage1;
  const bool user_page = entry.has(TlbEntry::User);
  const bool no_execute = entry.has(TlbEntry::NoExecute);
  unsigned stage1 = grant::read | grant::write | grant::execute;
  if (!paging_enabled(space)) {
    // Without paging, stage 1 refuses nothing.
  } else if (user && !implicit_supervisor) {
    if (!entry.has(TlbEntry::Writable)) stage1 &= ~unsigned{grant::write};
    if (no_execute) stage1 &= ~unsigned{grant::execute};
    if (!user_page) stage1 = 0;
  } else {
    const bool read_only =
        !entry.has(TlbEntry::Writable) && (registers.cr0 & control::cr0_write_protect) != 0;
    if (read_only) stage1 &= ~unsigned{grant::write};
    if (user_page) {
      const bool smap = (registers.cr4 & control::cr4_smap) != 0;
      if (smap && (implicit_supervisor || !registers.alignment_check)) stage1 &= grant::execute;
      if ((registers.cr4 & control::cr4_smep) != 0) stage1 &= ~unsigned{grant::execute};
    }
    if (no_execute) stage1 &= ~unsigned{grant::execute};
  }
  const auto execute_right = user_page && user_execute_governs(space) ? TlbEntry::SlatUserExecute
                                                                      : TlbEntry::SlatKernelExecute;
  unsigned stage2 = 0;
  if (entry.has(TlbEntry::SlatRead)) stage2 |= grant::read;
  if (entry.has(TlbEntry::SlatWrite) && entry.has(TlbEntry::Dirty)) stage2 |= grant::write;
  if (entry.has(execute_right)) stage2 |= grant::execute;
  return static_cast<uint8_t>(stage1 & stage2);
}

/// Entries are tagged by partition, VTL, VP, and PCID or global. When `capacity` entries were
/// filled, the whole generation is dropped (engine.md 11): no entry is ever evicted alone, so that
/// engines need one flush for all.
///
/// Open addressing; each entry carries the time at which it was filled, and invalidating many
/// entries is setting the time before which entries of that kind are dead.
class SlatTlb {
 public:
  /// `capacity` > 0 entries.
  explicit SlatTlb(uint32_t capacity);

  /// The valid entry of the page in this space, whatever it permits; null if there is none.
  [[nodiscard]] const TlbEntry* find(const AddressSpace& space, Gva address) const {
    const uint32_t index = domain_index(space.partition, space.vp, space.vtl);
    if (index >= domains_.size() || domains_[index] == nullptr) return nullptr;
    if (!canonical(space, address)) return nullptr;
    const Domain& domain = *domains_[index];
    const uint64_t key = key_of(space, address);
    const uint16_t pcid = current_pcid(space);
    for (uint64_t slot = slot_of(key);; slot = (slot + 1) & slot_mask_) {
      const TlbEntry& entry = slots_[slot];
      if (entry.stamp() < generation_start_) return nullptr;
      if (entry.key() == key && visible(domain, entry, pcid)) return &entry;
    }
  }

  /// Adds or replaces the entry of the page. `attributes` is a mask of TlbEntry::Attribute.
  void fill(const AddressSpace& space, Gva address, Spa spa, Gpa gpa, uint64_t attributes);

  /// The page of `address`, of whatever size, in one PCID, with or without global entries.
  void invalidate_address(const AddressSpace& space, uint16_t pcid, Gva address, bool keep_globals);
  /// The non-global entries of one PCID.
  void invalidate_pcid(const AddressSpace& space, uint16_t pcid);
  /// All PCIDs of this VP and VTL.
  void invalidate_all(const AddressSpace& space, bool keep_globals);
  /// Everything that the SLAT of this partition and VTL took part in, on all VPs.
  void invalidate_guest_physical(uint8_t partition, abi::hv::Vtl vtl);
  void drop_generation();

  /// Moves whenever an entry of this partition and VTL that an engine may have copied is gone or
  /// permits less. An engine compares it before it runs, and flushes its own TLB if it moved.
  [[nodiscard]] uint64_t epoch(uint8_t partition, abi::hv::Vtl vtl) const {
    return everywhere_epoch_ + epochs_[epoch_index(partition, vtl)];
  }

  /// A valid entry, and where it applies.
  struct Listed {
    Gva page;
    uint8_t partition{}, vp{};
    abi::hv::Vtl vtl{};
    TlbEntry entry;
  };
  /// All that are valid, ascending by place and page: for people.
  [[nodiscard]] std::vector<Listed> list() const;

  [[nodiscard]] uint32_t capacity() const { return capacity_; }
  /// Slots taken since the generation began, those of dead entries included.
  [[nodiscard]] uint32_t used() const { return used_; }
  [[nodiscard]] uint64_t generations_dropped() const { return generations_dropped_; }
  /// Of the state below.
  [[nodiscard]] support::StateHash hash() const;
  /// State is what future look-ups and drops depend on: the slots that were filled since the generation began, which of
  /// them are valid, and where they lie. Times and floors have no meaning of their own. Reading moves every epoch.
  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [capacity_, slot_shift_, slot_mask_, slots_, domains_, clock_, generation_start_, used_,
           generations_dropped_, epochs_, everywhere_epoch_, large_pages_, taken_, remembered_] = self;
    visit.host(capacity_, slot_shift_, slot_mask_, slots_, domains_, clock_, generation_start_, used_, epochs_,
               everywhere_epoch_, large_pages_, taken_, remembered_);
    visit("generations_dropped", generations_dropped_);
    std::vector<SavedSlot> saved;
    if constexpr (!Visitor::reads) saved = self.saved_slots();
    visit("slots", saved);
    if constexpr (Visitor::reads) {
      if (visit.ok()) visit.require(self.restore_slots(saved), "no slots of this TLB");
    }
  }
  /// The present becomes what put_back() returns to, as often as it is called. From then on changes are noted.
  void remember();
  /// CHECK: something is remembered. True if anything had changed; then every epoch has moved.
  bool put_back();
  /// After a restore from bytes that nobody vouches for: entries of RAM lie inside [0, memory_bytes), all below
  /// 2^physical_address_bits.
  [[nodiscard]] bool addresses_are_sound(uint64_t memory_bytes, uint8_t physical_address_bits) const;

 private:
  /// A slot as it is saved: words as in TlbEntry; `slot` is the position, bit 63 set while the entry is valid.
  struct SavedSlot {
    uint64_t slot{}, key{}, spa_and_attributes{}, gpa_and_pcid{};
    static constexpr bool state_is_plain = true;
    STATE_FIELDS(slot, key, spa_and_attributes, gpa_and_pcid)
  };
  [[nodiscard]] std::vector<SavedSlot> saved_slots() const;
  [[nodiscard]] bool restore_slots(const std::vector<SavedSlot>& saved);
  /// One VP in one VTL. Entries stamped before these times are dead.
  struct Domain {
    uint64_t all_floor{1};
    uint64_t non_global_floor{1};
    uint64_t pcid0_floor{1};
    std::vector<uint64_t> pcid_floors;  ///< 4096, once a PCID other than 0 was invalidated
  };

  static constexpr unsigned linear_page_bits = 45;
  static constexpr uint64_t unpaged_key = uint64_t{1} << 63;
  static constexpr uint64_t valid_slot = uint64_t{1} << 63;
  static constexpr uint64_t removed_key =
      ~uint64_t{0};  ///< no look-up has it: there is no VTL 3

  static bool canonical(const AddressSpace& space, Gva address) {
    return abi::x64::is_canonical(address.value(), abi::x64::linear_address_bits(space.stage1.cr4));
  }
  static constexpr uint32_t domain_index(uint8_t partition, uint8_t vp, abi::hv::Vtl vtl) {
    return uint32_t{partition} << 10 | uint32_t{vp} << 2 | static_cast<uint32_t>(vtl);
  }
  static constexpr uint32_t epoch_index(uint8_t partition, abi::hv::Vtl vtl) {
    return uint32_t{partition} << 2 | static_cast<uint32_t>(vtl);
  }
  static uint64_t key_of(const AddressSpace& space, Gva address) {
    const uint64_t page = address.page_number() & ((uint64_t{1} << linear_page_bits) - 1);
    const uint64_t domain = domain_index(space.partition, space.vp, space.vtl);
    return page | domain << linear_page_bits | (paging_enabled(space) ? 0 : unpaged_key);
  }
  [[nodiscard]] uint64_t slot_of(uint64_t key) const {
    return (key * 0x9e3779b97f4a7c15) >> slot_shift_;
  }
  static bool alive(const Domain& domain, const TlbEntry& entry) {
    if (entry.stamp() < domain.all_floor) return false;
    if (entry.has(TlbEntry::Global)) return true;
    return entry.stamp() >= domain.non_global_floor &&
           entry.stamp() >= pcid_floor(domain, entry.pcid());
  }
  static uint64_t pcid_floor(const Domain& domain, uint16_t pcid) {
    if (pcid == 0) return domain.pcid0_floor;
    return domain.pcid_floors.empty() ? 0 : domain.pcid_floors[pcid];
  }
  static bool visible(const Domain& domain, const TlbEntry& entry, uint16_t pcid) {
    return (entry.pcid() == pcid || entry.has(TlbEntry::Global)) && alive(domain, entry);
  }

  Domain& domain_of(const AddressSpace& space);
  Domain& domain_at(uint32_t index, uint64_t floor);
  const Domain* domain_of_key(uint64_t key) const;
  void note_large_page(uint64_t key, uint64_t attributes);
  [[nodiscard]] bool may_hold_part_of_large_page(uint64_t key) const;
  bool remove_page(uint64_t key, uint16_t pcid, bool keep_globals);
  bool remove_large_page(uint64_t key, uint16_t pcid, bool keep_globals);
  bool remove_part(const Domain& domain, TlbEntry& entry, uint64_t key, uint16_t pcid, bool keep_globals);
  void move_epoch(uint8_t partition, abi::hv::Vtl vtl) { ++epochs_[epoch_index(partition, vtl)]; }

  uint32_t capacity_;
  unsigned slot_shift_;
  uint64_t slot_mask_;
  std::unique_ptr<TlbEntry[]> slots_;
  std::vector<std::unique_ptr<Domain>> domains_;
  uint64_t clock_{1};             ///< moves with each invalidation of many
  uint64_t generation_start_{1};  ///< a slot stamped before is empty
  uint32_t used_{};
  uint64_t generations_dropped_{};
  std::vector<uint64_t> epochs_;
  uint64_t everywhere_epoch_{};  ///< added to all of them; like them it never goes back
  /// Which large pages may have parts here, by a hash of their number: saves INVLPG from searching
  /// for nothing.
  std::array<uint64_t, 64> large_pages_{};
  std::vector<uint32_t> taken_;  ///< the slots that were filled since the generation began

  /// All of the above but the epochs, and what may differ from it now.
  struct Remembered {
    std::vector<TlbEntry> slots;
    std::vector<Domain> domains;
    uint64_t clock{}, generation_start{}, generations_dropped{};
    uint32_t used{};
    std::array<uint64_t, 64> large_pages{};
    std::vector<uint32_t> taken;
    std::vector<uint32_t> touched;  ///< slots that were written since
    bool all_touched{};             ///< the generation was dropped since
  };
  void note_touched(const TlbEntry& entry) {
    if (remembered_ != nullptr) remembered_->touched.push_back(static_cast<uint32_t>(&entry - slots_.get()));
  }
  std::unique_ptr<Remembered> remembered_;
};

}  // namespace mmu
