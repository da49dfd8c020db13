#include <string.h>

#include "abi/x64/paging.h"
#include "rt/panic.h"
#include "state.h"

namespace kernel {

using namespace abi::x64;

static constexpr std::uint64_t page_bytes = 4096;

namespace {

// Above image, handoff and the machine's first tables.
constexpr std::uint64_t first_page = 8 << 20;
// Nothing is mapped there at reset: the machine's tables end at 4 GiB.
constexpr std::uint64_t first_window = std::uint64_t{1} << 40;

std::uint64_t next_page, size_of_memory, next_window = first_window;

std::uint64_t* table_at(std::uint64_t address) { return reinterpret_cast<std::uint64_t*>(address & pte::address_mask); }

// 2 MiB and 1 GiB pages become tables that say the same.
void split(std::uint64_t& entry, int level) {
  const std::uint64_t below = allocate_page();
  const std::uint64_t step = level_size(level - 1);
  const std::uint64_t large = level - 1 > page_table_level ? pte::large_page : 0;
  const std::uint64_t bits = entry & ~pte::address_mask & ~pte::large_page;
  for (std::uint64_t i = 0; i < entries_per_table; ++i)
    table_at(below)[i] = ((entry & pte::address_mask) + i * step) | bits | large;
  entry = below | pte::present | pte::writable | pte::user;
}

}  // namespace

void initialize_memory(std::uint64_t size) {
  size_of_memory = size;
  next_page = first_page;
}

std::uint64_t memory_size() { return size_of_memory; }

std::uint64_t allocate_page() {
  if (next_page + page_bytes > size_of_memory) rt::panic("the micro-kernel is out of memory");
  const std::uint64_t page = next_page;
  next_page += page_bytes;
  memset(reinterpret_cast<void*>(page), 0, page_bytes);
  return page;
}

std::uint64_t& leaf_entry(std::uint64_t address) {
  std::uint64_t table = arch::read_cr3();
  for (int level = pml4_level; level > page_table_level; --level) {
    std::uint64_t& entry = table_at(table)[level_index(address, level)];
    if ((entry & pte::present) == 0) entry = allocate_page() | pte::present | pte::writable | pte::user;
    else if ((entry & pte::large_page) != 0) split(entry, level);
    // What may be done is decided by the leaf.
    entry |= pte::user | pte::writable;
    table = entry;
  }
  return table_at(table)[level_index(address, page_table_level)];
}

std::uint64_t map_somewhere(std::uint64_t physical, std::uint64_t bits) {
  const std::uint64_t address = next_window;
  next_window += 2 * page_bytes;  // a hole behind each
  leaf_entry(address) = physical | bits;
  arch::invalidate_page(reinterpret_cast<void*>(address));
  return address;
}

}  // namespace kernel
