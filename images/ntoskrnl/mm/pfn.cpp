// The PFN database: one byte per page of RAM. Pages are found first-fit from a moving hint.
#include <string.h>

#include "ke/ke.h"
#include "mm/mm.h"

namespace {

enum class PageState : uint8_t { NotOurs, Free, InUse, Loader };

PageState* states;
uint64_t page_count;
uint64_t free_count;
uint64_t hint;

using abi::boot::MemoryDescriptor;
using abi::boot::MemoryType;

template <class Visit>
void for_each_descriptor(Visit visit) {
  const auto* head = &KeLoaderBlock->memory_descriptor_list;
  for (auto e = reinterpret_cast<const abi::boot::ListEntry*>(head->flink); e != head;
       e = reinterpret_cast<const abi::boot::ListEntry*>(e->flink))
    visit(*reinterpret_cast<const MemoryDescriptor*>(e));
}

PageState state_of(MemoryType type) {
  switch (type) {
    case MemoryType::Free:
      return PageState::Free;
    case MemoryType::LoaderHeap:
      return PageState::Loader;
    case MemoryType::LoadedProgram:
    case MemoryType::LoaderBlock:
    case MemoryType::BootFile:
    case MemoryType::PageTable:
    case MemoryType::KernelStack:
      return PageState::InUse;
    default:
      return PageState::NotOurs;  // firmware, and everything of VTL 1
  }
}

void set_range(PFN first, uint64_t count, PageState state) {
  for (uint64_t i = first; i < first + count && i < page_count; ++i)
    states[i] = state;
}

}  // namespace

void MiInitializePfnDatabase() {
  page_count = page_of(KeLoaderBlock->memory_size);
  const uint64_t database_pages = pages_for(page_count);
  // The database itself goes into the first free run that holds it.
  PFN home = 0;
  for_each_descriptor([&](const MemoryDescriptor& d) {
    if (home == 0 && d.type == MemoryType::Free && d.page_count >= database_pages)
      home = d.base_page;
  });
  if (home == 0) KeBugCheckEx(0x7D);  // INSTALL_MORE_MEMORY
  states = MiPhysicalToVirtual<PageState>(home * PAGE_SIZE);
  memset(states, 0, page_count);
  for_each_descriptor(
      [&](const MemoryDescriptor& d) { set_range(d.base_page, d.page_count, state_of(d.type)); });
  set_range(home, database_pages, PageState::InUse);
  set_range(0, 1, PageState::NotOurs);  // page 0 stays unused, so that PFN 0 can mean none
  for (uint64_t i = 0; i < page_count; ++i)
    free_count += states[i] == PageState::Free ? 1 : 0;
  hint = home;
}

PFN MiAllocateContiguousPages(uint64_t count) {
  DispatcherLock lock;
  uint64_t run = 0;
  // Twice round: from the hint to the end, then from the start.
  for (uint64_t i = hint, seen = 0; seen < 2 * page_count; ++seen, ++i) {
    if (i >= page_count) i = run = 0;
    run = states[i] == PageState::Free ? run + 1 : 0;
    if (run < count) continue;
    const PFN first = i + 1 - count;
    set_range(first, count, PageState::InUse);
    free_count -= count;
    hint = i + 1;
    memset(MiPhysicalToVirtual(first * PAGE_SIZE), 0, count * PAGE_SIZE);
    return first;
  }
  KeBugCheckEx(0x4D, count, free_count);  // NO_PAGES_AVAILABLE
}

PFN MiAllocatePage() {
  return MiAllocateContiguousPages(1);
}

void MiFreePages(PFN first, uint64_t count) {
  DispatcherLock lock;
  for (PFN p = first; p < first + count; ++p) {
    if (p >= page_count || states[p] != PageState::InUse)
      KeBugCheckEx(0x4E, 7, p);  // PFN_LIST_CORRUPT: freed twice
    states[p] = PageState::Free;
  }
  free_count += count;
}

uint64_t MmFreePageCount() {
  return free_count;
}

void MmFreeLoaderMemory() {
  DispatcherLock lock;
  for (uint64_t i = 0; i < page_count; ++i) {
    if (states[i] != PageState::Loader) continue;
    states[i] = PageState::Free;
    ++free_count;
  }
}
