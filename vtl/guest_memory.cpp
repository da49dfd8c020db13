#include "vtl/guest_memory.h"

#include <algorithm>
#include <iterator>

#include "sim/support/check.h"
#include "vtl/local_apic.h"

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

GuestMemory::GuestMemory(mmu::PhysicalMemory& memory, mmu::Translator& translator, uint8_t tag,
                         uint64_t guest_bytes)
    : memory_{memory},
      translator_{translator},
      tag_{tag},
      guest_bytes_{guest_bytes},
      root_{nullptr},
      allocator_{memory, Spa{guest_bytes}, memory.size() - guest_bytes} {
  CHECK(guest_bytes % abi::page_size == 0 && guest_bytes < memory.size());
}

GuestMemory::GuestMemory(mmu::PhysicalMemory& memory, mmu::Translator& translator, uint8_t tag,
                         const std::unique_ptr<GuestMemory>& root, uint64_t root_bytes)
    : memory_{memory},
      translator_{translator},
      tag_{tag},
      guest_bytes_{0},
      root_{&root},
      allocator_{memory, Spa{root_bytes}, 0} {}

bool GuestMemory::is_ram(Gpa gpa) const {
  if (root_ != nullptr) return mapping_at(gpa.page_number()) != nullptr;
  return gpa.value() < guest_bytes_ &&
         (given_.empty() || !std::binary_search(given_.begin(), given_.end(), gpa.page_number()));
}

const GuestMemory::Mapping* GuestMemory::mapping_at(uint64_t page) const {
  const auto found =
      std::lower_bound(mappings_.begin(), mappings_.end(), page,
                       [](const Mapping& mapping, uint64_t wanted) { return mapping.page < wanted; });
  return found != mappings_.end() && found->page == page ? &*found : nullptr;
}

GuestMemory::Mapping* GuestMemory::mapping_at(uint64_t page) {
  return const_cast<Mapping*>(static_cast<const GuestMemory*>(this)->mapping_at(page));
}

Spa GuestMemory::backing(Gpa gpa) const {
  if (root_ == nullptr) return Spa{gpa.page_base().value()};
  return Spa{mapping_at(gpa.page_number())->root_page * abi::page_size};
}

template <class Body>
bool GuestMemory::for_each_page(Body body) const {
  if (root_ != nullptr) {
    for (const Mapping& mapping : mappings_) {
      if (!body(Gpa{mapping.page * abi::page_size})) return false;
    }
    return true;
  }
  for (uint64_t page = 0; page < page_count(); ++page) {
    const Gpa gpa{page * abi::page_size};
    if (is_ram(gpa) && !body(gpa)) return false;
  }
  return true;
}

bool GuestMemory::map_root_space(mmu::Slat& slat) {
  const uint64_t devices = align_up(memory_.size(), abi::large_page_size);
  if (slat.map_range(Gpa{0}, Spa{0}, guest_bytes_, mmu::all_rights) != mmu::SlatStatus::Ok)
    return false;
  for (const uint64_t page : given_) {
    if (slat.unmap(Gpa{page * abi::page_size}) != mmu::SlatStatus::Ok) return false;
  }
  return devices >= device_space_end ||
         slat.map_range(Gpa{devices}, Spa{devices}, device_space_end - devices, device_rights) ==
             mmu::SlatStatus::Ok;
}

bool GuestMemory::create(Vtl vtl) {
  CHECK(!exists(vtl));
  auto slat = std::make_unique<mmu::Slat>(memory_, allocator_);
  if (root_ == nullptr) {
    if (!map_root_space(*slat)) return false;
  } else if (local_apic_) {
    constexpr uint64_t page = apic::mmio_base;
    if (slat->map(Gpa{page}, Spa{page}, device_rights) != mmu::SlatStatus::Ok) return false;
  }
  slats_[vtl] = std::move(slat);
  bool restricted = root_ != nullptr;
  for (const Vtl setter : all_vtls)
    restricted = restricted || (setter > vtl && protection_enabled(setter));
  const bool done = !restricted || for_each_page([&](Gpa gpa) { return apply(vtl, gpa); });
  if (!done) slats_[vtl].reset();
  return done;
}

bool GuestMemory::can_give(Gpa gpa) const {
  if (root_ != nullptr || !is_ram(gpa)) return false;
  return std::none_of(std::begin(all_vtls), std::end(all_vtls),
                      [&](Vtl vtl) { return is_overlay(vtl, gpa); });
}

bool GuestMemory::give(Gpa gpa) {
  CHECK(can_give(gpa));
  for (const Vtl vtl : all_vtls) {
    if (!exists(vtl) || slats_[vtl]->unmap(gpa) == mmu::SlatStatus::Ok) continue;
    (void)apply_everywhere(gpa);  // out of tables: nothing is given
    return false;
  }
  given_.insert(std::lower_bound(given_.begin(), given_.end(), gpa.page_number()),
                gpa.page_number());
  flush_all();
  return true;
}

bool GuestMemory::take_back(Gpa gpa) {
  const auto found = std::lower_bound(given_.begin(), given_.end(), gpa.page_number());
  CHECK(found != given_.end() && *found == gpa.page_number());
  given_.erase(found);
  return apply_everywhere(gpa);
}

bool GuestMemory::apply_everywhere(Gpa gpa) {
  bool done = true;
  for (const Vtl vtl : all_vtls) {
    if (exists(vtl)) done = apply(vtl, gpa) && done;
  }
  return done;
}

bool GuestMemory::map_page(Gpa gpa, Gpa root_gpa, uint8_t rights, Vtl root_vtl) {
  CHECK(root_ != nullptr && gpa.value() < child_space_end && root().is_ram(root_gpa));
  const uint64_t page = gpa.page_number();
  Mapping* mapping = mapping_at(page);
  const bool added = mapping == nullptr;
  if (added) {
    const auto place =
        std::lower_bound(mappings_.begin(), mappings_.end(), page,
                         [](const Mapping& other, uint64_t wanted) { return other.page < wanted; });
    mapping = &*mappings_.insert(place, Mapping{});
    mapping->page = page;
    for (const Vtl setter : all_vtls) {
      mapping->masks[static_cast<size_t>(setter)] =
          protection_enabled(setter) ? masks_[setter][0]
                                     : static_cast<uint8_t>(abi::hv::map_gpa::all_access);
    }
  }
  mapping->root_page = root_gpa.page_number();
  mapping->rights = rights;
  mapping->root_vtl = root_vtl;
  const bool done = apply_everywhere(gpa);
  if (!done) {
    for (const Vtl vtl : all_vtls) {
      if (exists(vtl) && overlay_at(vtl, gpa) == nullptr) (void)slats_[vtl]->unmap(gpa);
    }
    mappings_.erase(mappings_.begin() + (mapping_at(page) - mappings_.data()));
  }
  flush_all();
  return done;
}

bool GuestMemory::unmap_page(Gpa gpa) {
  const Mapping* const mapping = mapping_at(gpa.page_number());
  if (mapping == nullptr) return false;
  for (const Vtl vtl : all_vtls) {
    if (is_overlay(vtl, gpa)) return false;
  }
  for (const Vtl vtl : all_vtls) {
    // The 4 KiB entry exists: nothing has to be split.
    if (exists(vtl)) CHECK(slats_[vtl]->unmap(gpa) == mmu::SlatStatus::Ok);
  }
  mappings_.erase(mappings_.begin() + (mapping - mappings_.data()));
  flush_all();
  return true;
}

bool GuestMemory::maps_root_page(uint64_t root_page) const {
  return std::any_of(mappings_.begin(), mappings_.end(),
                     [&](const Mapping& mapping) { return mapping.root_page == root_page; });
}

bool GuestMemory::root_changed(std::optional<uint64_t> root_page) {
  bool done = true, found = false;
  for (const Mapping& mapping : mappings_) {
    if (root_page && mapping.root_page != *root_page) continue;
    done = apply_everywhere(Gpa{mapping.page * abi::page_size}) && done;
    found = true;
  }
  if (found) flush_all();
  return done;
}

void GuestMemory::flush_all() {
  for (const Vtl vtl : all_vtls) {
    if (exists(vtl)) translator_.invalidate_guest_physical(tag_, vtl);
  }
}

void GuestMemory::destroy_tables() {
  flush_all();
  for (auto& slat : slats_.values)
    slat.reset();
  mappings_.clear();
  overlays_.clear();
  for (const Spa page : allocator_.deposited()) {
    if (allocator_.in_use(page)) allocator_.free(page);
  }
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
  translator_.invalidate_guest_physical(tag_, vtl);
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
  translator_.invalidate_guest_physical(tag_, vtl);
}

mmu::Rights GuestMemory::allowed(Vtl vtl, Gpa gpa) const {
  mmu::Rights rights = mmu::all_rights;
  if (root_ != nullptr) {
    const Mapping& mapping = *mapping_at(gpa.page_number());
    rights = both(rights_of(mapping.rights),
                  root().allowed(mapping.root_vtl, Gpa{mapping.root_page * abi::page_size}));
  }
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
  const Spa page = backing(gpa);
  const mmu::SlatMapping before = slat.lookup(gpa);
  if (before.mapped && before.spa == page) {
    return slat.protect(gpa, representable(rights)) == mmu::SlatStatus::Ok;
  }
  return slat.map(gpa, page, representable(rights)) == mmu::SlatStatus::Ok;
}

uint8_t GuestMemory::protection(Vtl setter, Gpa gpa) const {
  constexpr auto everything = static_cast<uint8_t>(abi::hv::map_gpa::all_access);
  if (!protection_enabled(setter)) return everything;
  if (root_ == nullptr) return is_ram(gpa) ? masks_[setter][gpa.page_number()] : everything;
  const Mapping* const mapping = mapping_at(gpa.page_number());
  return mapping != nullptr ? mapping->masks[static_cast<size_t>(setter)] : everything;
}

bool GuestMemory::enable_protection(Vtl setter, uint8_t default_mask) {
  CHECK(!protection_enabled(setter));
  masks_[setter].assign(root_ == nullptr ? page_count() : 1, default_mask);
  for (Mapping& mapping : mappings_) mapping.masks[static_cast<size_t>(setter)] = default_mask;
  if (default_mask == abi::hv::map_gpa::all_access) return true;
  for (const Vtl vtl : all_vtls) {
    if (vtl >= setter || !exists(vtl)) continue;
    if (!for_each_page([&](Gpa gpa) { return apply(vtl, gpa); })) return false;
  }
  flush_lower(setter);
  return true;
}

bool GuestMemory::protect(Vtl setter, Gpa gpa, uint8_t mask) {
  CHECK(protection_enabled(setter) && is_ram(gpa));
  uint8_t& stored = root_ == nullptr
                        ? masks_[setter][gpa.page_number()]
                        : mapping_at(gpa.page_number())->masks[static_cast<size_t>(setter)];
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
    if (vtl < setter && exists(vtl)) translator_.invalidate_guest_physical(tag_, vtl);
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

/// Which of the root's pages are whose; a child's are sound only if the root's are.
const char* GuestMemory::unsound_root_pages() const {
  for (size_t i = 0; i < given_.size(); ++i) {
    if (root_ != nullptr || given_[i] >= page_count()) return "a page was given away that is none of the root's";
    if (i != 0 && given_[i] <= given_[i - 1]) return "pages given away are not in order";
  }
  if (root_ != nullptr && *root_ == nullptr) return "a child of a bare machine";
  for (size_t i = 0; i < mappings_.size(); ++i) {
    const Mapping& mapping = mappings_[i];
    if (root_ == nullptr) return "the root maps pages of the root";
    if (i != 0 && mapping.page <= mappings_[i - 1].page) return "pages of a child are not in order";
    if (mapping.page >= child_space_end / abi::page_size ||
        mapping.root_page >= root().page_count() || !root().is_ram(Gpa{mapping.root_page * abi::page_size}))
      return "a child's page is none of the root's";
    if (static_cast<uint8_t>(mapping.root_vtl) >= abi::hv::implemented_vtls ||
        !valid_protection(mapping.rights, true))
      return "a child's page has rights that cannot be";
    for (const uint8_t mask : mapping.masks) {
      if ((mask & ~abi::hv::map_gpa::all_access) != 0) return "a protection mask has unknown bits";
    }
  }
  if (root_ == nullptr) {
    if (!allocator_.deposited().empty()) return "the root deposited pages to itself";
    return "";
  }
  for (const Spa page : allocator_.deposited()) {
    if (page.value() >= root().guest_bytes_ || root().is_ram(Gpa{page.value()}))
      return "a deposited page is still the root's";
  }
  return "";
}

const char* GuestMemory::what_is_unsound() const {
  std::set<Spa> tables;
  for (const auto& slat : slats_.values) {
    if (slat != nullptr && !slat->tables_are_sound(tables))
      return "a SLAT table is not a page of its own of the hypervisor";
  }
  const char* const pages = unsound_root_pages();
  if (*pages != '\0') return pages;
  const uint64_t masks_wanted = root_ == nullptr ? page_count() : 1;
  for (const std::vector<uint8_t>& masks : masks_.values) {
    if (!masks.empty() && masks.size() != masks_wanted) return "protection masks of another number of pages";
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
