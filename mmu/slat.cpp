#include "mmu/slat.h"

#include <algorithm>

#include "abi/x64/paging.h"
#include "mmu/slat_entry.h"

namespace mmu {

namespace ept = abi::x64::ept;
using abi::x64::entry_offset;
using abi::x64::level_size;

SlatPageAllocator::SlatPageAllocator(PhysicalMemory& memory, Spa first, uint64_t bytes)
    : memory_{memory}, first_{first}, next_{first}, end_{first + bytes} {
  CHECK(first != Spa{});  // 0 stands for "no table yet"
  CHECK(first.page_offset() == 0 && bytes % abi::page_size == 0 && memory.contains(first, bytes));
}

bool SlatPageAllocator::allocate(Spa& page) {
  if (!freed_.empty()) {
    page = freed_.back();
    freed_.pop_back();
  } else {
    if (next_ == end_) return false;
    page = next_;
    next_ = next_ + abi::page_size;
  }
  return memory_.fill(page, abi::page_size, 0);
}

void SlatPageAllocator::free(Spa page) {
  CHECK(was_given_out(page));
  freed_.push_back(page);
}

void SlatPageAllocator::deposit(Spa page) {
  CHECK(page.page_offset() == 0 && (page < first_ || page >= end_) &&
        memory_.contains(page, abi::page_size));
  const auto place = std::lower_bound(deposited_.begin(), deposited_.end(), page);
  CHECK(place == deposited_.end() || *place != page);
  deposited_.insert(place, page);
  freed_.push_back(page);
}

bool SlatPageAllocator::withdraw(Spa& page) {
  for (auto candidate = freed_.rbegin(); candidate != freed_.rend(); ++candidate) {
    const auto place = std::lower_bound(deposited_.begin(), deposited_.end(), *candidate);
    if (place == deposited_.end() || *place != *candidate) continue;
    page = *candidate;
    deposited_.erase(place);
    freed_.erase(std::next(candidate).base());
    return memory_.fill(page, abi::page_size, 0);
  }
  return false;
}

/// From the region or from a deposit; it may have been freed since.
bool SlatPageAllocator::was_given_out(Spa page) const {
  if (page.page_offset() != 0) return false;
  return (page >= first_ && page < next_) ||
         std::binary_search(deposited_.begin(), deposited_.end(), page);
}

bool SlatPageAllocator::in_use(Spa page) const {
  return was_given_out(page) &&
         std::find(freed_.begin(), freed_.end(), page) == freed_.end();
}

const char* SlatPageAllocator::state_error() const {
  if (next_ < first_ || next_ > end_ || next_.page_offset() != 0) return "the next page is none of the region";
  std::vector<Spa> sorted = freed_;
  std::sort(sorted.begin(), sorted.end());
  const bool twice = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  if (twice) return "a page was freed twice";
  for (size_t i = 0; i < deposited_.size(); ++i) {
    const Spa page = deposited_[i];
    const bool outside = page < first_ || page >= end_;
    if (page.page_offset() != 0 || page == Spa{} || !outside ||
        !memory_.contains(page, abi::page_size))
      return "a deposited page is none, or of the region";
    if (i != 0 && page <= deposited_[i - 1]) return "deposited pages are not in order";
  }
  const bool ours = std::all_of(sorted.begin(), sorted.end(),
                                [&](Spa page) { return was_given_out(page); });
  return ours ? "" : "a page was freed that was never given out";
}

uint64_t SlatPageAllocator::available_pages() const {
  return (end_ - next_) / abi::page_size + freed_.size();
}

Slat::Slat(PhysicalMemory& memory, SlatPageAllocator& allocator)
    : memory_{memory}, allocator_{allocator} {}

Slat::~Slat() {
  if (root_ != Spa{}) free_table(root_, abi::x64::pml4_level);
}

bool Slat::valid(Rights rights) {
  const bool any_other = rights.write || rights.kernel_execute || rights.user_execute;
  return (rights.read || !any_other) && (rights.user_execute || !rights.kernel_execute);
}

uint64_t Slat::leaf(Spa spa, Rights rights, int level) const {
  uint64_t entry = spa.value() | slat_entry::mapped | slat_entry::rights_bits(rights);
  if (level > abi::x64::page_table_level) entry |= ept::large_page;
  if (memory_.contains(spa, 1)) entry |= ept::write_back;
  return entry;
}

SlatStatus Slat::map(Gpa gpa, Spa spa, Rights rights, PageSize size) {
  const uint64_t offset_mask = bytes_of(size) - 1;
  if (((gpa.value() | spa.value()) & offset_mask) != 0) return SlatStatus::Misaligned;
  if (((gpa.value() | spa.value()) >> slat_entry::address_bits) != 0) return SlatStatus::Misaligned;
  if (!valid(rights)) return SlatStatus::InvalidRights;
  const int level = static_cast<int>(size);
  Spa address;
  if (const SlatStatus status = descend(gpa, level, address); status != SlatStatus::Ok)
    return status;
  const auto old = memory_.read<uint64_t>(address);
  memory_.write(address, leaf(spa, rights, level));
  if (slat_entry::is_table(old, level)) free_table(Spa{old & ept::address_mask}, level - 1);
  return SlatStatus::Ok;
}

SlatStatus Slat::map_range(Gpa gpa, Spa spa, uint64_t bytes, Rights rights) {
  if (bytes % abi::page_size != 0) return SlatStatus::Misaligned;
  while (bytes != 0) {
    PageSize size = PageSize::Size1G;
    while (size != PageSize::Size4K &&
           (bytes_of(size) > bytes || ((gpa.value() | spa.value()) & (bytes_of(size) - 1)) != 0)) {
      size = static_cast<PageSize>(static_cast<uint8_t>(size) - 1);
    }
    if (const SlatStatus status = map(gpa, spa, rights, size); status != SlatStatus::Ok) {
      return status;
    }
    gpa = gpa + bytes_of(size);
    spa = spa + bytes_of(size);
    bytes -= bytes_of(size);
  }
  return SlatStatus::Ok;
}

SlatStatus Slat::unmap(Gpa gpa) {
  if (gpa.page_offset() != 0) return SlatStatus::Misaligned;
  if (!lookup(gpa).mapped) return SlatStatus::NotMapped;
  Spa address;
  const SlatStatus status = descend(gpa, abi::x64::page_table_level, address);
  if (status == SlatStatus::Ok) memory_.write(address, uint64_t{0});
  return status;
}

SlatStatus Slat::protect(Gpa gpa, Rights rights) {
  if (gpa.page_offset() != 0) return SlatStatus::Misaligned;
  if (!valid(rights)) return SlatStatus::InvalidRights;
  const SlatMapping now = lookup(gpa);
  if (!now.mapped) return SlatStatus::NotMapped;
  if (now.rights == rights) return SlatStatus::Ok;
  return map(gpa, now.spa, rights);
}

SlatMapping Slat::lookup(Gpa gpa) const {
  if (root_ == Spa{} || (gpa.value() >> slat_entry::address_bits) != 0) return {};
  Spa table = root_;
  for (int level = abi::x64::pml4_level;; --level) {
    const auto entry = memory_.read<uint64_t>(table + entry_offset(gpa.value(), level));
    if (slat_entry::is_table(entry, level)) {
      table = Spa{entry & ept::address_mask};
      continue;
    }
    if ((entry & slat_entry::mapped) == 0) return {};
    const uint64_t offset = gpa.value() & (level_size(level) - 1);
    return {true, Spa{(entry & ept::address_mask) + offset}, slat_entry::rights_of(entry),
            static_cast<PageSize>(level)};
  }
}

// Finds the entry of `leaf_level` for `gpa`; on the way makes the tables that are missing and
// splits larger pages.
SlatStatus Slat::descend(Gpa gpa, int leaf_level, Spa& entry_address) {
  if (root_ == Spa{} && !allocator_.allocate(root_)) return SlatStatus::OutOfTables;
  Spa table = root_;
  for (int level = abi::x64::pml4_level;; --level) {
    entry_address = table + entry_offset(gpa.value(), level);
    if (level == leaf_level) return SlatStatus::Ok;
    auto entry = memory_.read<uint64_t>(entry_address);
    if (!slat_entry::is_table(entry, level)) {
      Spa below;
      if (!allocator_.allocate(below)) return SlatStatus::OutOfTables;
      if ((entry & slat_entry::mapped) != 0) split(entry, level, below);
      entry = below.value() | slat_entry::rights_bits(all_rights);
      memory_.write(entry_address, entry);
    }
    table = Spa{entry & ept::address_mask};
  }
}

// Fills the table `below` with 512 leaves that say together what the leaf `entry` of `level` said.
void Slat::split(uint64_t entry, int level, Spa below) {
  const Rights rights = slat_entry::rights_of(entry);
  Spa spa{entry & ept::address_mask};
  for (uint32_t index = 0; index < abi::x64::entries_per_table; ++index) {
    memory_.write(below + uint64_t{8} * index, leaf(spa, rights, level - 1));
    spa = spa + level_size(level - 1);
  }
}

bool Slat::tables_are_sound(std::set<Spa>& tables) const {
  return root_ == Spa{} || table_is_sound(root_, abi::x64::pml4_level, tables);
}

bool Slat::table_is_sound(Spa table, int level, std::set<Spa>& tables) const {
  if (!allocator_.in_use(table) || !tables.insert(table).second) return false;
  if (level == abi::x64::page_table_level) return true;
  for (uint32_t index = 0; index < abi::x64::entries_per_table; ++index) {
    const auto entry = memory_.read<uint64_t>(table + uint64_t{8} * index);
    if (slat_entry::is_table(entry, level) &&
        !table_is_sound(Spa{entry & ept::address_mask}, level - 1, tables)) {
      return false;
    }
  }
  return true;
}

void Slat::free_table(Spa table, int level) {
  if (level > abi::x64::page_table_level) {
    for (uint32_t index = 0; index < abi::x64::entries_per_table; ++index) {
      const auto entry = memory_.read<uint64_t>(table + uint64_t{8} * index);
      if (slat_entry::is_table(entry, level)) free_table(Spa{entry & ept::address_mask}, level - 1);
    }
  }
  allocator_.free(table);
}

}  // namespace mmu
