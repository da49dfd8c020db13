#include "skmm/pfn.h"

#include <string.h>

#include "ke/bugcheck.h"
#include "rtl/wipe.h"
#include "skmm/boot_memory.h"

namespace sk {

static Pfn* database;
static uint64_t database_pages;
static uint64_t search_from;  // page frame where the next search starts: below it little is free
static uint64_t own_begin, own_end, free_pages;
static PageAccess default_access = PageAccess::All;

bool SkmmPfnDatabaseExists() { return database != nullptr; }
uint64_t SkmmMemoryPages() { return database_pages; }
uint64_t SkmmFreePageCount() { return free_pages; }
PageAccess SkmmDefaultAccess() { return default_access; }
void SkmmSetDefaultAccess(PageAccess access) { default_access = access; }

Pfn* SkmmPfn(uint64_t pfn) { return pfn < database_pages ? &database[pfn] : nullptr; }

void SkmiInitPfnDatabase(uint64_t memory_pages, uint64_t vsm_base, uint64_t vsm_end) {
  const uint64_t pages = pages_for(memory_pages * sizeof(Pfn));
  auto* entries = SkmmFromPhysical<Pfn>(SkmiTakeBootPages(pages));
  database_pages = memory_pages;
  own_begin = vsm_base / page_size;
  own_end = vsm_end / page_size;
  const uint64_t first_free = SkmiBootPagesEnd() / page_size;
  for (uint64_t pfn = own_begin; pfn < first_free; ++pfn) entries[pfn].state = PfnState::Secured;
  for (uint64_t pfn = first_free; pfn < own_end; ++pfn) entries[pfn].state = PfnState::Free;
  free_pages = own_end - first_free;
  search_from = first_free;
  database = entries;
}

static bool is_free_run(uint64_t first, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i)
    if (database[first + i].state != PfnState::Free) return false;
  return true;
}

static void take(uint64_t pfn) {
  if (database[pfn].zeroed == 0) memset(SkmmFromPhysical(pfn * page_size), 0, page_size);
  database[pfn] = {PfnState::Secured, 0, 0, 0};
}

uint64_t SkmmAllocatePages(uint64_t count) {
  if (count == 0 || count > free_pages) return 0;
  for (uint64_t first = search_from; first + count <= own_end; ++first) {
    if (!is_free_run(first, count)) continue;
    for (uint64_t i = 0; i < count; ++i) take(first + i);
    database[first].run = static_cast<uint32_t>(count);
    free_pages -= count;
    if (first == search_from) search_from = first + count;
    return first * page_size;
  }
  return 0;
}

uint64_t SkmmAllocatePage() {
  if (!SkmmPfnDatabaseExists()) return SkmiTakeBootPage();
  return SkmmAllocatePages(1);
}

void SkmmFreePages(uint64_t physical) {
  const uint64_t first = physical / page_size;
  if (first < own_begin || first >= own_end || database[first].state != PfnState::Secured || database[first].run == 0)
    SkeBugCheck("a page that was not allocated is freed");
  const uint64_t count = database[first].run;
  RtlSecureZero(SkmmFromPhysical(physical), count * page_size);
  for (uint64_t i = 0; i < count; ++i) database[first + i] = {PfnState::Free, 1, 0, 0};
  free_pages += count;
  if (first < search_from) search_from = first;
}

void SkmmFreePage(uint64_t physical) { SkmmFreePages(physical); }

void SkmmReserveTransferPages(uint64_t first_pfn, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    Pfn* page = SkmmPfn(first_pfn + i);
    if (page == nullptr || page->state != PfnState::Shared) SkeBugCheck("the shared buffer is not VTL 0's memory");
    page->state = PfnState::Transfer;
  }
}

static void set_states(const uint64_t* pfns, uint64_t count, PfnState state) {
  for (uint64_t i = 0; i < count; ++i) database[pfns[i]].state = state;
}

NtStatus SkmmClaimPages(const uint64_t* pfns, uint64_t count) {
  // NTOS chose the pages: none may be ours, be claimed already or be named twice.
  for (uint64_t i = 0; i < count; ++i) {
    Pfn* page = SkmmPfn(pfns[i]);
    if (page == nullptr || page->state != PfnState::Shared) {
      set_states(pfns, i, PfnState::Shared);
      return NtStatus::AccessDenied;
    }
    page->state = PfnState::Secured;
  }
  if (NtStatus status = ShvlProtectPages({pfns, count}, PageAccess::None); !succeeded(status)) {
    set_states(pfns, count, PfnState::Shared);
    return status;
  }
  // Only now, when VTL 0 can no longer change them, do the contents mean anything.
  for (uint64_t i = 0; i < count; ++i) memset(SkmmFromPhysical(pfns[i] * page_size), 0, page_size);
  return NtStatus::Success;
}

void SkmmReleasePages(const uint64_t* pfns, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) RtlSecureZero(SkmmFromPhysical(pfns[i] * page_size), page_size);
  if (!succeeded(ShvlProtectPages({pfns, count}, default_access))) SkeBugCheck("pages cannot be given back");
  set_states(pfns, count, PfnState::Shared);
}

}  // namespace sk
