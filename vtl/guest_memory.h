#pragma once
// What the VTLs of one partition see of memory: one SLAT each, made of RAM, overlay pages, devices,
// and the restrictions that higher VTLs put on lower ones (TLFS 5.2.1, 15.9).
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

class GuestMemory {
 public:
  /// The guest owns [0, guest_bytes); the rest of `memory` is the hypervisor's and mapped nowhere.
  GuestMemory(mmu::PhysicalMemory& memory, mmu::Translator& translator, uint8_t partition,
              uint64_t guest_bytes);

  [[nodiscard]] bool is_ram(Gpa gpa) const { return gpa.value() < guest_bytes_; }
  [[nodiscard]] uint64_t page_count() const { return guest_bytes_ / abi::page_size; }

  /// Builds the SLAT of a VTL: identity for RAM, device space up to 4 GiB, restrictions of higher
  /// VTLs. False when the hypervisor's memory is used up.
  [[nodiscard]] bool create(Vtl vtl);
  [[nodiscard]] bool exists(Vtl vtl) const { return slats_[vtl] != nullptr; }
  /// Null before create().
  [[nodiscard]] const mmu::Slat* slat(Vtl vtl) const { return slats_[vtl].get(); }

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
    auto& [memory_, translator_, partition_, guest_bytes_, allocator_, slats_, masks_, overlays_] = self;
    visit.host(memory_, translator_, partition_, guest_bytes_)("allocator", allocator_);
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
  [[nodiscard]] mmu::Rights allowed(Vtl vtl, Gpa gpa) const;
  [[nodiscard]] bool apply(Vtl vtl, Gpa gpa);
  [[nodiscard]] const Overlay* overlay_at(Vtl vtl, Gpa gpa) const;

  mmu::PhysicalMemory& memory_;
  mmu::Translator& translator_;
  uint8_t partition_;
  uint64_t guest_bytes_;
  mmu::SlatPageAllocator allocator_;
  VtlArray<std::unique_ptr<mmu::Slat>> slats_;
  VtlArray<std::vector<uint8_t>> masks_;  ///< per setter: a mask per page; empty = off
  std::vector<Overlay> overlays_;         ///< in the order in which they were put
};

}  // namespace vtl
