#include "mmu/slat_tlb.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "sim/support/check.h"
#include "sim/support/state.h"

namespace mmu {
namespace {

constexpr uint64_t last_vtl = abi::hv::implemented_vtls - 1;  // the lowest two bits of a domain's index
static_assert(last_vtl < 3, "removed entries have the key of VTL 3");

constexpr unsigned pages_2m_shift = 9;  // from a 4 KiB page number to its 2 MiB page number
constexpr unsigned pages_4m_shift = 10;
constexpr unsigned pages_1g_shift = 18;

/// From a 4 KiB page number to that of the page of stage 1 which the entry is part of.
unsigned page_shift(const TlbEntry& entry) {
  const uint64_t size = entry.attributes() & TlbEntry::PartOf4M;
  if (size == TlbEntry::PartOf4M) return pages_4m_shift;
  return size == TlbEntry::PartOf1G ? pages_1g_shift : size == TlbEntry::PartOf2M ? pages_2m_shift : 0;
}

unsigned filter_bit(uint64_t key, unsigned shift) {
  return static_cast<unsigned>(((key >> shift) * 0xd6e8feb86659fd93 + shift) >> 52);
}

/// Whether an engine that copied `old` may now do more than the TLB says.
bool takes_away(const TlbEntry& old, const TlbEntry& next) {
  constexpr uint64_t rights = TlbEntry::Writable | TlbEntry::Dirty | TlbEntry::SlatRead |
                              TlbEntry::SlatWrite | TlbEntry::SlatKernelExecute |
                              TlbEntry::SlatUserExecute;
  return old.spa() != next.spa() || (old.attributes() & ~next.attributes() & rights) != 0 ||
         (next.attributes() & ~old.attributes() & TlbEntry::NoExecute) != 0 ||
         // U/S takes from one privilege what it gives to the other.
         ((old.attributes() ^ next.attributes()) & TlbEntry::User) != 0;
}

}  // namespace

SlatTlb::SlatTlb(uint32_t capacity) : capacity_{capacity}, epochs_(size_t{256} * 4) {
  CHECK(capacity > 0 && capacity <= 1u << 24);
  // At most 3/8 full, so that a look-up ends after a slot or two.
  const uint64_t slots = std::bit_ceil((uint64_t{capacity} * 8 + 2) / 3);
  slot_mask_ = slots - 1;
  slot_shift_ = 64u - static_cast<unsigned>(std::bit_width(slot_mask_));
  slots_ = std::make_unique<TlbEntry[]>(slots);
}

SlatTlb::Domain& SlatTlb::domain_of(const AddressSpace& space) {
  return domain_at(domain_index(space.partition, space.vp, space.vtl), 1);
}

/// `floor`: the time before which entries of a domain that is made now are dead.
SlatTlb::Domain& SlatTlb::domain_at(uint32_t index, uint64_t floor) {
  if (index >= domains_.size()) domains_.resize(index + 1);
  if (domains_[index] == nullptr)
    domains_[index] = std::make_unique<Domain>(Domain{floor, floor, floor, {}});
  return *domains_[index];
}

// Null if the domain never had an entry.
const SlatTlb::Domain* SlatTlb::domain_of_key(uint64_t key) const {
  const uint64_t index = (key & ~unpaged_key) >> linear_page_bits;
  return index < domains_.size() ? domains_[index].get() : nullptr;
}

void SlatTlb::fill(const AddressSpace& space, Gva address, Spa spa, Gpa gpa, uint64_t attributes) {
  const Domain& domain = domain_of(space);
  const uint64_t key = key_of(space, address);
  const uint16_t pcid = current_pcid(space);
  const TlbEntry next{key, clock_, pcid, spa, gpa, attributes};
  TlbEntry* reusable = nullptr;
  uint64_t slot = slot_of(key);
  for (; slots_[slot].stamp() >= generation_start_; slot = (slot + 1) & slot_mask_) {
    TlbEntry& entry = slots_[slot];
    if (entry.key() == key && visible(domain, entry, pcid)) {
      if (takes_away(entry, next)) move_epoch(space.partition, space.vtl);
      note_large_page(key, attributes);
      note_touched(entry);
      entry = next;
      return;
    }
    const bool dead = entry.key() == removed_key || (entry.key() == key && !alive(domain, entry));
    if (dead && reusable == nullptr) reusable = &entry;
  }
  if (reusable == nullptr) {
    if (used_ == capacity_) {
      drop_generation();
      slot = slot_of(key);
    }
    ++used_;
    taken_.push_back(static_cast<uint32_t>(slot));
    reusable = &slots_[slot];
  }
  note_large_page(key, attributes);
  note_touched(*reusable);
  *reusable = {key, clock_, pcid, spa, gpa, attributes};
}

void SlatTlb::note_large_page(uint64_t key, uint64_t attributes) {
  if ((attributes & (TlbEntry::PartOf2M | TlbEntry::PartOf1G)) == 0) return;
  const bool huge = (attributes & TlbEntry::PartOf1G) != 0;  // or of 4 MiB, which is two pages of 2 MiB
  const unsigned bit = filter_bit(key, huge ? pages_1g_shift : pages_2m_shift);
  large_pages_[bit / 64] |= uint64_t{1} << (bit % 64);
}

bool SlatTlb::may_hold_part_of_large_page(uint64_t key) const {
  const unsigned bit_2m = filter_bit(key, pages_2m_shift);
  const unsigned bit_1g = filter_bit(key, pages_1g_shift);
  return (((large_pages_[bit_2m / 64] >> (bit_2m % 64)) |
           (large_pages_[bit_1g / 64] >> (bit_1g % 64))) &
          1) != 0;
}

void SlatTlb::invalidate_address(const AddressSpace& space, uint16_t pcid, Gva address,
                                 bool keep_globals) {
  if (!canonical(space, address)) return;
  const uint64_t key = key_of(space, address);
  if (domain_of_key(key) == nullptr) return;
  bool removed = remove_page(key, pcid, keep_globals);
  if (may_hold_part_of_large_page(key)) removed |= remove_large_page(key, pcid, keep_globals);
  if (removed) move_epoch(space.partition, space.vtl);
}

bool SlatTlb::remove_page(uint64_t key, uint16_t pcid, bool keep_globals) {
  const Domain& domain = *domain_of_key(key);
  bool removed = false;
  for (uint64_t slot = slot_of(key); slots_[slot].stamp() >= generation_start_;
       slot = (slot + 1) & slot_mask_) {
    TlbEntry& entry = slots_[slot];
    if (entry.key() != key || !visible(domain, entry, pcid)) continue;
    if (keep_globals && entry.has(TlbEntry::Global)) continue;
    note_touched(entry);
    entry = {removed_key, entry.stamp(), 0, {}, {}, 0};
    removed = true;
  }
  return removed;
}

/// Removes `entry` if it is a part of the large page that the page of `key` is part of.
bool SlatTlb::remove_part(const Domain& domain, TlbEntry& entry, uint64_t key, uint16_t pcid,
                          bool keep_globals) {
  if (entry.stamp() < generation_start_ || entry.key() == removed_key) return false;
  const unsigned shift = page_shift(entry);
  if (shift == 0 || (entry.key() ^ key) >> shift != 0 || !visible(domain, entry, pcid)) return false;
  if (keep_globals && entry.has(TlbEntry::Global)) return false;
  note_touched(entry);
  entry = {removed_key, entry.stamp(), 0, {}, {}, 0};
  return true;
}

// A large page is cached in parts of 4 KiB; invalidating it concerns all of them (SDM vol.
// 3, 4.10.2.3). They are looked for among the slots that are taken, or, if that is less, by their names.
bool SlatTlb::remove_large_page(uint64_t key, uint16_t pcid, bool keep_globals) {
  const Domain& domain = *domain_of_key(key);
  bool removed = false;
  constexpr uint64_t parts = uint64_t{1} << pages_2m_shift;
  const unsigned huge = filter_bit(key, pages_1g_shift);
  const bool only_2m = ((large_pages_[huge / 64] >> (huge % 64)) & 1) == 0;
  if (taken_.size() <= parts || !only_2m) {
    for (const uint32_t slot : taken_)
      removed |= remove_part(domain, slots_[slot], key, pcid, keep_globals);
    return removed;
  }
  for (uint64_t part = key & ~(parts - 1), i = 0; i < parts; ++i, ++part) {
    for (uint64_t slot = slot_of(part); slots_[slot].stamp() >= generation_start_;
         slot = (slot + 1) & slot_mask_) {
      if (slots_[slot].key() == part)
        removed |= remove_part(domain, slots_[slot], key, pcid, keep_globals);
    }
  }
  return removed;
}

void SlatTlb::invalidate_pcid(const AddressSpace& space, uint16_t pcid) {
  Domain& domain = domain_of(space);
  ++clock_;
  if (pcid == 0) {
    domain.pcid0_floor = clock_;
  } else {
    if (domain.pcid_floors.empty()) domain.pcid_floors.assign(control::cr3_pcid_mask + 1, 1);
    domain.pcid_floors[pcid & control::cr3_pcid_mask] = clock_;
  }
  move_epoch(space.partition, space.vtl);
}

void SlatTlb::invalidate_all(const AddressSpace& space, bool keep_globals) {
  Domain& domain = domain_of(space);
  ++clock_;
  (keep_globals ? domain.non_global_floor : domain.all_floor) = clock_;
  move_epoch(space.partition, space.vtl);
}

void SlatTlb::invalidate_guest_physical(uint8_t partition, abi::hv::Vtl vtl) {
  ++clock_;
  for (uint32_t vp = 0; vp < 256; ++vp) {
    const uint32_t index = domain_index(partition, static_cast<uint8_t>(vp), vtl);
    if (index >= domains_.size()) break;
    if (domains_[index] != nullptr) domains_[index]->all_floor = clock_;
  }
  move_epoch(partition, vtl);
}

void SlatTlb::drop_generation() {
  generation_start_ = ++clock_;
  used_ = 0;
  ++generations_dropped_;
  ++everywhere_epoch_;
  large_pages_ = {};
  taken_.clear();
  if (remembered_ != nullptr) remembered_->all_touched = true;
}

void SlatTlb::remember() {
  remembered_ = std::make_unique<Remembered>();
  Remembered& to = *remembered_;
  to.slots.assign(slots_.get(), slots_.get() + slot_mask_ + 1);
  for (const auto& domain : domains_) to.domains.push_back(domain != nullptr ? *domain : Domain{});
  to.clock = clock_;
  to.generation_start = generation_start_;
  to.generations_dropped = generations_dropped_;
  to.used = used_;
  to.large_pages = large_pages_;
  to.taken = taken_;
}

bool SlatTlb::put_back() {
  CHECK(remembered_ != nullptr);
  Remembered& from = *remembered_;
  const bool times_changed = clock_ != from.clock;
  if (!times_changed && !from.all_touched && from.touched.empty()) return false;
  if (from.all_touched) {
    std::copy(from.slots.begin(), from.slots.end(), slots_.get());
    taken_ = from.taken;
  } else {
    for (const uint32_t slot : from.touched) slots_[slot] = from.slots[slot];
    taken_.resize(from.taken.size());
  }
  // A domain that was made since is as good as none: nothing is in it, and its floors are where they begin.
  for (size_t i = 0; times_changed && i < domains_.size(); ++i) {
    if (domains_[i] != nullptr) *domains_[i] = i < from.domains.size() ? from.domains[i] : Domain{};
  }
  clock_ = from.clock;
  generation_start_ = from.generation_start;
  generations_dropped_ = from.generations_dropped;
  used_ = from.used;
  large_pages_ = from.large_pages;
  from.touched.clear();
  from.all_touched = false;
  ++everywhere_epoch_;
  return true;
}

support::StateHash SlatTlb::hash() const {
  return support::hash_of(*this);
}

std::vector<SlatTlb::Listed> SlatTlb::list() const {
  std::vector<const TlbEntry*> valid;
  for (uint64_t slot = 0; slot <= slot_mask_; ++slot) {
    const TlbEntry& entry = slots_[slot];
    const bool filled = entry.stamp() >= generation_start_ && entry.key() != removed_key;
    if (filled && alive(*domain_of_key(entry.key()), entry)) valid.push_back(&entry);
  }
  std::sort(valid.begin(), valid.end(), [](const TlbEntry* a, const TlbEntry* b) {
    return std::pair{a->key() & ~unpaged_key, a->pcid()} < std::pair{b->key() & ~unpaged_key, b->pcid()};
  });
  std::vector<Listed> listed;
  for (const TlbEntry* entry : valid) {
    const uint64_t domain = (entry->key() & ~unpaged_key) >> linear_page_bits;
    const uint64_t page = entry->key() << (64 - linear_page_bits);  // its sign is what was cut off
    const auto address = static_cast<uint64_t>(static_cast<int64_t>(page) >> (64 - linear_page_bits - 12));
    listed.push_back({Gva{address}, static_cast<uint8_t>(domain >> 10), static_cast<uint8_t>(domain >> 2),
                      static_cast<abi::hv::Vtl>(domain & 3), *entry});
  }
  return listed;
}

std::vector<SlatTlb::SavedSlot> SlatTlb::saved_slots() const {
  std::vector<SavedSlot> saved;
  saved.reserve(used_);
  for (uint64_t slot = 0; slot <= slot_mask_; ++slot) {
    const TlbEntry& entry = slots_[slot];
    if (entry.stamp() < generation_start_) continue;
    const bool valid = entry.key() != removed_key && alive(*domain_of_key(entry.key()), entry);
    // Of a dead entry only the key matters: another entry of that page may take its slot.
    saved.push_back({valid ? slot | valid_slot : slot, entry.key(),
                     valid ? entry.spa().value() | entry.attributes() : 0,
                     valid ? entry.gpa().value() | entry.pcid() : 0});
  }
  return saved;
}

bool SlatTlb::restore_slots(const std::vector<SavedSlot>& saved) {
  drop_generation();
  --generations_dropped_;  // that was none of the guest's
  const uint64_t dead_stamp = generation_start_, valid_stamp = ++clock_;
  for (const auto& domain : domains_) {
    if (domain != nullptr) *domain = {valid_stamp, valid_stamp, valid_stamp, {}};
  }
  if (saved.size() > capacity_) return false;
  uint64_t next = 0, domain_made = ~uint64_t{0};
  for (const SavedSlot& from : saved) {
    const uint64_t slot = from.slot & ~valid_slot;
    const bool valid = (from.slot & valid_slot) != 0;
    if (slot < next || slot > slot_mask_) return false;
    next = slot + 1;
    if (from.key == removed_key ? valid : (from.key >> linear_page_bits & 3) > last_vtl) return false;
    const uint64_t domain = (from.key & ~unpaged_key) >> linear_page_bits;
    if (from.key != removed_key && domain != domain_made) {
      (void)domain_at(static_cast<uint32_t>(domain), valid_stamp);
      domain_made = domain;
    }
    slots_[slot] = {from.key, valid ? valid_stamp : dead_stamp, static_cast<uint16_t>(from.gpa_and_pcid & 0xfff),
                    Spa{from.spa_and_attributes}, Gpa{from.gpa_and_pcid}, from.spa_and_attributes & 0xfff};
    note_large_page(from.key, from.spa_and_attributes);
    ++used_;
    taken_.push_back(static_cast<uint32_t>(slot));
  }
  return true;
}

bool SlatTlb::addresses_are_sound(uint64_t memory_bytes, uint8_t physical_address_bits) const {
  for (uint64_t slot = 0; slot <= slot_mask_; ++slot) {
    const TlbEntry& entry = slots_[slot];
    if (entry.stamp() < generation_start_) continue;
    if (entry.spa().value() >> physical_address_bits != 0) return false;
    if (entry.has(TlbEntry::Ram) != (entry.spa().value() < memory_bytes) && entry.attributes() != 0) return false;
  }
  return true;
}

}  // namespace mmu
