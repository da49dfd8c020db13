#include "vtl/guest_memory.h"

#include <algorithm>

#include "sim/support/check.h"

namespace vtl {
namespace {

constexpr uint64_t device_space_end = 4 * abi::huge_page_size;
/// Devices are never executable, for no VTL (decisions 6).
constexpr mmu::Rights device_rights{true, true, false, false};

mmu::Rights both(mmu::Rights a, mmu::Rights b) {
  return {a.read && b.read, a.write && b.write, a.kernel_execute && b.kernel_execute,
          a.user_execute && b.user_execute};
}

/// Restrictions of several VTLs and of an overlay can meet in a set that no SLAT entry can say; it
/// is lowered.
mmu::Rights representable(mmu::Rights rights) {
  if (!rights.read) return {};
  if (!rights.user_execute) rights.kernel_execute = false;
  return rights;
}

uint64_t align_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

constexpr Vtl all_vtls[] = {Vtl::Vtl0, Vtl::Vtl1, Vtl::Vtl2};

}  // namespace

mmu::Rights rights_of(uint32_t map_flags) {
  using namespace abi::hv;
  return {(map_flags & map_gpa::readable) != 0, (map_flags & map_gpa::writable) != 0,
          (map_flags & map_gpa::kernel_executable) != 0,
          (map_flags & map_gpa::user_executable) != 0};
}

bool valid_protection(uint32_t map_flags, bool mbec) {
  if ((map_flags & ~abi::hv::map_gpa::all_access) != 0) return false;
  const mmu::Rights rights = rights_of(map_flags);
  return mmu::Slat::valid(rights) && (mbec || rights.kernel_execute == rights.user_execute);
}

GuestMemory::GuestMemory(mmu::PhysicalMemory& memory, mmu::Translator& translator,
                         uint8_t partition, uint64_t guest_bytes)
    : memory_{memory},
      translator_{translator},
      partition_{partition},
      guest_bytes_{guest_bytes},
      allocator_{memory, Spa{guest_bytes}, memory.size() - guest_bytes} {
  CHECK(guest_bytes % abi::page_size == 0 && guest_bytes < memory.size());
}

bool GuestMemory::create(Vtl vtl) {
  CHECK(!exists(vtl));
  auto slat = std::make_unique<mmu::Slat>(memory_, allocator_);
  const uint64_t devices = align_up(memory_.size(), abi::large_page_size);
  if (slat->map_range(Gpa{0}, Spa{0}, guest_bytes_, mmu::all_rights) != mmu::SlatStatus::Ok)
    return false;
  if (devices < device_space_end &&
      slat->map_range(Gpa{devices}, Spa{devices}, device_space_end - devices, device_rights) !=
          mmu::SlatStatus::Ok) {
    return false;
  }
  slats_[vtl] = std::move(slat);
  for (const Vtl setter : all_vtls) {
    if (setter <= vtl || !protection_enabled(setter)) continue;
    for (uint64_t page = 0; page < page_count(); ++page) {
      if (!apply(vtl, Gpa{page * abi::page_size})) return false;
    }
  }
  return true;
}

Spa GuestMemory::allocate_page() {
  Spa page;
  return allocator_.allocate(page) ? page : Spa{0};
}

const GuestMemory::Overlay* GuestMemory::overlay_at(Vtl vtl, Gpa gpa) const {
  for (auto overlay = overlays_.rbegin(); overlay != overlays_.rend(); ++overlay) {
    if (overlay->vtl == vtl && overlay->gpa == gpa.page_base()) return &*overlay;
  }
  return nullptr;
}

bool GuestMemory::is_overlay(Vtl vtl, Gpa gpa) const {
  return overlay_at(vtl, gpa) != nullptr;
}

bool GuestMemory::add_overlay(Vtl vtl, Gpa gpa, Spa page, mmu::Rights rights) {
  CHECK(is_ram(gpa) && gpa.page_offset() == 0 && exists(vtl));
  overlays_.push_back({vtl, gpa, page, rights});
  const bool done = apply(vtl, gpa);
  if (!done) overlays_.pop_back();
  translator_.invalidate_guest_physical(partition_, vtl);
  return done;
}

void GuestMemory::remove_overlay(Vtl vtl, Spa page) {
  const auto found = std::find_if(overlays_.begin(), overlays_.end(), [&](const Overlay& overlay) {
    return overlay.vtl == vtl && overlay.page == page;
  });
  if (found == overlays_.end()) return;
  const Gpa gpa = found->gpa;
  overlays_.erase(found);
  CHECK(apply(vtl, gpa));  // the 4 KiB entry exists already
  translator_.invalidate_guest_physical(partition_, vtl);
}

mmu::Rights GuestMemory::allowed(Vtl vtl, Gpa gpa) const {
  mmu::Rights rights = mmu::all_rights;
  for (const Vtl setter : all_vtls) {
    if (setter > vtl && protection_enabled(setter))
      rights = both(rights, rights_of(protection(setter, gpa)));
  }
  return rights;
}

/// Writes what stage 2 says about one page of RAM: overlay or RAM, within what higher VTLs allow.
bool GuestMemory::apply(Vtl vtl, Gpa gpa) {
  mmu::Slat& slat = *slats_[vtl];
  const mmu::Rights rights = allowed(vtl, gpa);
  if (const Overlay* overlay = overlay_at(vtl, gpa)) {
    return slat.map(gpa, overlay->page, representable(both(rights, overlay->rights))) ==
           mmu::SlatStatus::Ok;
  }
  if (slat.lookup(gpa).spa.value() == gpa.value()) {
    return slat.protect(gpa, representable(rights)) == mmu::SlatStatus::Ok;
  }
  return slat.map(gpa, Spa{gpa.value()}, representable(rights)) == mmu::SlatStatus::Ok;
}

uint8_t GuestMemory::protection(Vtl setter, Gpa gpa) const {
  return protection_enabled(setter) && is_ram(gpa)
             ? masks_[setter][gpa.page_number()]
             : static_cast<uint8_t>(abi::hv::map_gpa::all_access);
}

bool GuestMemory::enable_protection(Vtl setter, uint8_t default_mask) {
  CHECK(!protection_enabled(setter));
  masks_[setter].assign(page_count(), default_mask);
  if (default_mask == abi::hv::map_gpa::all_access) return true;
  for (const Vtl vtl : all_vtls) {
    if (vtl >= setter || !exists(vtl)) continue;
    for (uint64_t page = 0; page < page_count(); ++page) {
      if (!apply(vtl, Gpa{page * abi::page_size})) return false;
    }
  }
  flush_lower(setter);
  return true;
}

bool GuestMemory::protect(Vtl setter, Gpa gpa, uint8_t mask) {
  CHECK(protection_enabled(setter) && is_ram(gpa));
  uint8_t& stored = masks_[setter][gpa.page_number()];
  const uint8_t before = stored;
  stored = mask;
  for (const Vtl vtl : all_vtls) {
    if (vtl < setter && exists(vtl) && !apply(vtl, gpa)) {
      stored = before;
      return false;
    }
  }
  return true;
}

void GuestMemory::flush_lower(Vtl setter) {
  for (const Vtl vtl : all_vtls) {
    if (vtl < setter && exists(vtl)) translator_.invalidate_guest_physical(partition_, vtl);
  }
}

std::optional<Vtl> GuestMemory::who_denies(Vtl accessor, Gpa gpa, uint32_t rights) const {
  for (const Vtl setter : all_vtls) {
    if (setter > accessor && (protection(setter, gpa) & rights) != rights) return setter;
  }
  return std::nullopt;
}

void GuestMemory::abandon() {
  for (auto& slat : slats_.values) {
    if (slat != nullptr) slat->abandon();
  }
}

const char* GuestMemory::what_is_unsound() const {
  std::set<Spa> tables;
  for (const auto& slat : slats_.values) {
    if (slat != nullptr && !slat->tables_are_sound(tables))
      return "a SLAT table is not a page of its own of the hypervisor";
  }
  for (const std::vector<uint8_t>& masks : masks_.values) {
    if (!masks.empty() && masks.size() != page_count()) return "protection masks of another number of pages";
    const auto valid = [](uint8_t mask) { return (mask & ~abi::hv::map_gpa::all_access) == 0; };
    if (!std::all_of(masks.begin(), masks.end(), valid)) return "a protection mask has unknown bits";
  }
  for (const Overlay& overlay : overlays_) {
    if (static_cast<uint8_t>(overlay.vtl) >= abi::hv::implemented_vtls || !exists(overlay.vtl))
      return "an overlay in a VTL that has no SLAT";
    if (!is_ram(overlay.gpa) || overlay.gpa.page_offset() != 0) return "an overlay where no RAM is";
    if (!owns(overlay.page) || tables.contains(overlay.page)) return "an overlay page is not the hypervisor's";
  }
  return "";
}

}  // namespace vtl
