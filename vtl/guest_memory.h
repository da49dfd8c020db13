#pragma once
// What the VTLs of one partition see of memory: one SLAT each, made of RAM, overlay pages, devices,
// and the restrictions that higher VTLs put on lower ones (TLFS 5.2.1, 15.9).
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "abi/hv/structs.h"
#include "mmu/slat.h"
#include "mmu/translator.h"
#include "vtl/virtual_processor.h"

namespace vtl {

using mmu::Gpa;
using mmu::Gva;
using mmu::Spa;

/// HV_MAP_GPA bits as rights of stage 2, and whether a set of them is meaningful (section 5.1).
[[nodiscard]] mmu::Rights rights_of(uint32_t map_flags);
[[nodiscard]] bool valid_protection(uint32_t map_flags, bool mbec);

/// The end of what a child can have mapped (our choice: no source names a limit below 48 bits).
inline constexpr uint64_t child_space_end = uint64_t{1} << 40;

class GuestMemory {
 public:
  /// Of the root, which owns [0, guest_bytes); the rest of `memory` is the hypervisor's and mapped
  /// nowhere.
  GuestMemory(mmu::PhysicalMemory& memory, mmu::Translator& translator, uint8_t tag,
              uint64_t guest_bytes);
  /// Of a child, which has what the root maps and pages for tables that are deposited. `root` is where the root's is
  /// kept, `root_bytes` the size of it.
  GuestMemory(mmu::PhysicalMemory& memory, mmu::Translator& translator, uint8_t tag,
              const std::unique_ptr<GuestMemory>& root, uint64_t root_bytes);

  [[nodiscard]] bool is_ram(Gpa gpa) const;
  /// Pages of the root's space, given away ones included.
  [[nodiscard]] uint64_t page_count() const { return guest_bytes_ / abi::page_size; }

  /// Builds the SLAT of a VTL: RAM, device space (the root's ends at 4 GiB, a child's is its local
  /// APIC), restrictions of higher VTLs. False when the hypervisor's memory is used up.
  [[nodiscard]] bool create(Vtl vtl);
  [[nodiscard]] bool exists(Vtl vtl) const { return slats_[vtl] != nullptr; }
  /// Null before create().
  [[nodiscard]] const mmu::Slat* slat(Vtl vtl) const { return slats_[vtl].get(); }

  // --- The root gives pages to the hypervisor, for children: nobody can reach them from then on.
  /// RAM that is no overlay and was not given away.
  [[nodiscard]] bool can_give(Gpa gpa) const;
  [[nodiscard]] bool give(Gpa gpa);
  [[nodiscard]] bool take_back(Gpa gpa);

  // --- What a child has: pages of the root, at most with the rights that the root's own VTL has.
  struct Mapping {
    uint64_t page{};        ///< of the child
    uint64_t root_page{};
    uint8_t rights{};       ///< HV_MAP_GPA bits that were asked for
    Vtl root_vtl{};         ///< whose view of the root's page the child shares
    std::array<uint8_t, abi::hv::implemented_vtls> masks{};  ///< per setter, as protection()
    STATE_FIELDS(page, root_page, rights, root_vtl, masks)
  };
  /// `gpa` must lie below child_space_end; what was there is replaced. False when memory is used up.
  [[nodiscard]] bool map_page(Gpa gpa, Gpa root_gpa, uint8_t rights, Vtl root_vtl);
  /// False: nothing was there, or an overlay covers it.
  [[nodiscard]] bool unmap_page(Gpa gpa);
  [[nodiscard]] bool maps_root_page(uint64_t root_page) const;
  /// The root's rights on a page, or on all, changed: the child's follow. Drops what was translated.
  [[nodiscard]] bool root_changed(std::optional<uint64_t> root_page);
  void set_local_apic(bool present) { local_apic_ = present; }
  /// Drops the translations of every VTL.
  void flush_all();

  // --- Pages for tables and overlays.
  void deposit(Spa page) { allocator_.deposit(page); }
  [[nodiscard]] bool withdraw(Spa& page) { return allocator_.withdraw(page); }
  [[nodiscard]] const std::vector<Spa>& deposited() const { return allocator_.deposited(); }
  /// Before the end: all tables go back to the pool. Overlay pages do not matter any more.
  void destroy_tables();

  // --- Overlays: a page of the hypervisor that covers a guest page in one VTL's view.
  /// A page of zeros that no guest can reach until it is an overlay; 0 when memory is used up.
  [[nodiscard]] Spa allocate_page();
  /// Covers `gpa` (RAM) with `page`. An overlay that was put there later wins.
  [[nodiscard]] bool add_overlay(Vtl vtl, Gpa gpa, Spa page, mmu::Rights rights);
  void remove_overlay(Vtl vtl, Spa page);
  [[nodiscard]] bool is_overlay(Vtl vtl, Gpa gpa) const;

  // --- Restrictions: `setter` restricts every lower VTL.
  /// Switches the restrictions of `setter` on, with the same mask for every page. False when memory
  /// is used up.
  [[nodiscard]] bool enable_protection(Vtl setter, uint8_t default_mask);
  [[nodiscard]] bool protection_enabled(Vtl setter) const { return !masks_[setter].empty(); }
  /// Low four HV_MAP_GPA bits; all of them where nothing restricts.
  [[nodiscard]] uint8_t protection(Vtl setter, Gpa gpa) const;
  /// Sets the mask of one page of RAM. Does not invalidate: see flush_lower().
  [[nodiscard]] bool protect(Vtl setter, Gpa gpa, uint8_t mask);
  /// Drops the translations of every VTL below `setter` (section 8.5: before a lowering is reported
  /// as done).
  void flush_lower(Vtl setter);
  /// The lowest VTL above `accessor` that denies `rights` (HV_MAP_GPA bits, any of them) at `gpa`.
  [[nodiscard]] std::optional<Vtl> who_denies(Vtl accessor, Gpa gpa, uint32_t rights) const;

  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [memory_, translator_, tag_, guest_bytes_, root_, allocator_, local_apic_, given_, mappings_, slats_, masks_,
           overlays_] = self;
    visit.host(memory_, translator_, tag_, guest_bytes_, root_)("allocator", allocator_);
    visit("local_apic", local_apic_)("given", given_)("mappings", mappings_);
    visit.each("slats", slats_.values, [&](auto& slat) {
      visit.object("", slat, [&] { return std::make_unique<mmu::Slat>(memory_, allocator_); },
                   [](mmu::Slat& gone) { gone.abandon(); });
    });
    visit("masks", masks_)("overlays", overlays_);
  }
  /// Before it is destroyed because its state never was: leaves memory alone.
  void abandon();
  /// After a restore from bytes that nobody vouches for, memory included: empty, or what is wrong.
  [[nodiscard]] const char* what_is_unsound() const;
  [[nodiscard]] bool owns(Spa page) const { return allocator_.in_use(page); }

 private:
  struct Overlay {
    Vtl vtl{};
    Gpa gpa;
    Spa page;
    mmu::Rights rights;
    STATE_FIELDS(vtl, gpa, page, rights)
  };
  [[nodiscard]] const GuestMemory& root() const { return **root_; }
  /// Where the RAM of a page is.
  [[nodiscard]] Spa backing(Gpa gpa) const;
  [[nodiscard]] const Mapping* mapping_at(uint64_t page) const;
  [[nodiscard]] Mapping* mapping_at(uint64_t page);
  [[nodiscard]] bool map_root_space(mmu::Slat& slat);
  [[nodiscard]] bool apply_everywhere(Gpa gpa);
  template <class Body>
  [[nodiscard]] bool for_each_page(Body body) const;
  [[nodiscard]] const char* unsound_root_pages() const;
  [[nodiscard]] mmu::Rights allowed(Vtl vtl, Gpa gpa) const;
  [[nodiscard]] bool apply(Vtl vtl, Gpa gpa);
  [[nodiscard]] const Overlay* overlay_at(Vtl vtl, Gpa gpa) const;

  mmu::PhysicalMemory& memory_;
  mmu::Translator& translator_;
  uint8_t tag_;
  uint64_t guest_bytes_;     ///< 0 in a child
  const std::unique_ptr<GuestMemory>* root_;  ///< null in the root
  mmu::SlatPageAllocator allocator_;
  bool local_apic_{};             ///< a child sees its local APIC's page
  std::vector<uint64_t> given_;   ///< pages of the root that are the hypervisor's, ascending
  std::vector<Mapping> mappings_; ///< of a child, by page
  VtlArray<std::unique_ptr<mmu::Slat>> slats_;
  /// Per setter: a mask per page of the root, one byte (the default for new pages) in a child; empty = off.
  VtlArray<std::vector<uint8_t>> masks_;
  std::vector<Overlay> overlays_;         ///< in the order in which they were put
};

}  // namespace vtl
