#include "skmm/page_tables.h"

#include <string.h>

#include "rt/arch.h"
#include "skmm/boot_memory.h"
#include "skmm/pfn.h"

namespace sk {

using namespace abi::x64;

uint64_t SkmmKernelRoot;

static uint64_t* table_at(uint64_t entry) { return SkmmFromPhysical<uint64_t>(entry & pte::address_mask); }

// The entry of `level` that decides about `address`; missing tables above it are made if `create`.
static uint64_t* find_entry(uint64_t root, uint64_t address, int level, bool create) {
  uint64_t* table = table_at(root);
  for (int at = pml4_level; at > level; --at) {
    uint64_t& entry = table[level_index(address, at)];
    if ((entry & pte::present) == 0) {
      if (!create) return nullptr;
      const uint64_t page = SkmmAllocatePage();
      if (page == 0) return nullptr;
      // Rights narrow at the leaf: upper levels allow all, but for the user half bit that keeps ring 3 out of ours.
      entry = page | pte::present | pte::writable | (address < (uint64_t{1} << 47) ? pte::user : 0);
    } else if ((entry & pte::large_page) != 0) {
      return nullptr;
    }
    table = table_at(entry);
  }
  return &table[level_index(address, level)];
}

static uint64_t leaf_bits(Protection protection, bool user) {
  uint64_t bits = pte::present | pte::accessed | pte::dirty | (user ? pte::user : pte::global);
  if (protection == Protection::ReadWrite) bits |= pte::writable;
  if (protection != Protection::ReadExecute) bits |= pte::no_execute;
  return bits;
}

NtStatus SkmmMapPage(uint64_t root, uint64_t address, uint64_t physical, Protection protection, bool user) {
  uint64_t* entry = find_entry(root, address, page_table_level, true);
  if (entry == nullptr) return NtStatus::NoMemory;
  if ((*entry & pte::present) != 0) return NtStatus::ConflictingAddresses;
  *entry = physical | leaf_bits(protection, user);
  return NtStatus::Success;
}

NtStatus SkmmMapLargePage(uint64_t root, uint64_t address, uint64_t physical) {
  uint64_t* entry = find_entry(root, address, page_directory_level, true);
  if (entry == nullptr) return NtStatus::NoMemory;
  *entry = physical | leaf_bits(Protection::ReadWrite, false) | pte::large_page;
  return NtStatus::Success;
}

NtStatus SkmmProtectPage(uint64_t root, uint64_t address, Protection protection) {
  uint64_t* entry = find_entry(root, address, page_table_level, false);
  if (entry == nullptr || (*entry & pte::present) == 0) return NtStatus::NotFound;
  *entry = (*entry & pte::address_mask) | leaf_bits(protection, (*entry & pte::user) != 0);
  arch::invalidate_page(reinterpret_cast<const void*>(address));
  return NtStatus::Success;
}

uint64_t SkmmUnmapPage(uint64_t root, uint64_t address) {
  uint64_t* entry = find_entry(root, address, page_table_level, false);
  if (entry == nullptr || (*entry & pte::present) == 0) return ~uint64_t{0};
  const uint64_t physical = *entry & pte::address_mask;
  *entry = 0;
  arch::invalidate_page(reinterpret_cast<const void*>(address));
  return physical;
}

uint64_t SkmmQueryPage(uint64_t root, uint64_t address) {
  const uint64_t* entry = find_entry(root, address, page_table_level, false);
  return entry == nullptr ? 0 : *entry;
}

uint64_t SkmmCreateRoot() {
  const uint64_t root = SkmmAllocatePage();
  if (root == 0) return 0;
  constexpr size_t half = entries_per_table / 2;
  memcpy(table_at(root) + half, table_at(SkmmKernelRoot) + half, half * sizeof(uint64_t));
  return root;
}

static void delete_tables(uint64_t* table, int level, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if ((table[i] & pte::present) == 0) continue;
    if (level > page_directory_level) delete_tables(table_at(table[i]), level - 1, entries_per_table);
    SkmmFreePage(table[i] & pte::address_mask);
  }
}

void SkmmDeleteRoot(uint64_t root) {
  delete_tables(table_at(root), pml4_level, entries_per_table / 2);
  SkmmFreePage(root);
}

}  // namespace sk
