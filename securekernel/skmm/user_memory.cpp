#include "skmm/user_memory.h"

#include <string.h>

#include "dbg/debug_port.h"
#include "nk/normal_calls.h"
#include "rt/arch.h"
#include "rtl/wipe.h"
#include "ske/thread.h"
#include "skmm/boot_memory.h"
#include "skmm/pfn.h"
#include "skmm/pool.h"

namespace sk {

static bool overlaps(const SkProcess& process, uint64_t base, uint64_t pages) {
  for (const SecureRange* range = process.ranges; range != nullptr; range = range->next)
    if (base < range->base + range->pages * page_size && range->base < base + pages * page_size) return true;
  return false;
}

static bool is_user_range(uint64_t base, uint64_t pages) {
  return base % page_size == 0 && base >= lowest_user_address && base < user_space_end && pages != 0 &&
         pages <= maximum_range_pages && pages * page_size <= user_space_end - base;
}

static void free_record(SecureRange* range) {
  if (range != nullptr) SkFreePool(range->pfns);
  SkFreePool(range);
}

static SecureRange* make_record(uint64_t base, uint64_t pages) {
  auto* range = static_cast<SecureRange*>(SkAllocatePool(0, sizeof(SecureRange), pool_tag("SkRa")));
  if (range == nullptr) return nullptr;
  *range = {nullptr, base, pages, nullptr};
  range->pfns = static_cast<uint64_t*>(SkAllocatePool(0, pages * sizeof(uint64_t), pool_tag("SkRp")));
  if (range->pfns != nullptr) return range;
  free_record(range);
  return nullptr;
}

// Asks NTOS which pages it put there, and takes them: claimed before anything is written (row 42).
static NtStatus claim(const SkProcess& process, SecureRange& range) {
  for (uint64_t done = 0; done < range.pages; done += pages_per_query) {
    const uint64_t count = range.pages - done < pages_per_query ? range.pages - done : pages_per_query;
    SK_TRY(NkGetPhysicalPages(process.normal_process, range.base + done * page_size, count, range.pfns + done));
  }
  if (NtStatus status = SkmmClaimPages(range.pfns, range.pages); !succeeded(status)) {
    ++SkCounters.answers_refused;
    return NtStatus::DataError;
  }
  return NtStatus::Success;
}

static void unmap(const SkProcess& process, const SecureRange& range, uint64_t pages) {
  for (uint64_t i = 0; i < pages; ++i) SkmmUnmapPage(process.root, range.base + i * page_size);
}

static NtStatus map(SkProcess& process, SecureRange& range) {
  for (uint64_t i = 0; i < range.pages; ++i) {
    const NtStatus status = SkmmMapPage(process.root, range.base + i * page_size, range.pfns[i] * page_size,
                                        Protection::ReadWrite, true);
    if (succeeded(status)) continue;
    unmap(process, range, i);
    return status;
  }
  range.next = process.ranges;
  process.ranges = &range;
  return NtStatus::Success;
}

NtStatus SkmmAllocateUserMemory(SkProcess& process, uint64_t& base, uint64_t pages) {
  if (base == 0) {
    base = process.next_address;
    process.next_address += (pages + 1) * page_size;
  }
  if (!is_user_range(base, pages)) return NtStatus::InvalidParameter;
  if (overlaps(process, base, pages)) return NtStatus::ConflictingAddresses;
  SK_TRY(NkAllocateVirtualMemory(process.normal_process, base, pages));
  // The thread was away: what was true before the call is asked again.
  if (process.terminating || overlaps(process, base, pages)) return NtStatus::ConflictingAddresses;
  SecureRange* range = make_record(base, pages);
  if (range == nullptr) return NtStatus::NoMemory;
  NtStatus status = claim(process, *range);
  if (succeeded(status)) {
    status = map(process, *range);
    if (!succeeded(status)) SkmmReleasePages(range->pfns, range->pages);
  }
  if (!succeeded(status)) free_record(range);
  return status;
}

static void release(SkProcess& process, SecureRange* range) {
  unmap(process, *range, range->pages);
  SkmmReleasePages(range->pfns, range->pages);
  free_record(range);
}

NtStatus SkmmFreeUserMemory(SkProcess& process, uint64_t base) {
  for (SecureRange** link = &process.ranges; *link != nullptr; link = &(*link)->next) {
    SecureRange* range = *link;
    if (range->base != base) continue;
    const uint64_t pages = range->pages;
    *link = range->next;
    release(process, range);
    return NkFreeVirtualMemory(process.normal_process, base, pages);
  }
  return NtStatus::InvalidParameter;
}

void SkmmDeleteUserMemory(SkProcess& process) {
  while (process.ranges != nullptr) {
    SecureRange* range = process.ranges;
    process.ranges = range->next;
    release(process, range);
  }
}

void SkmmWipeUserMemory(const SkProcess& process) {
  for (const SecureRange* range = process.ranges; range != nullptr; range = range->next)
    for (uint64_t i = 0; i < range->pages; ++i)
      RtlSecureZero(SkmmFromPhysical(range->pfns[i] * page_size), page_size);
}

SecureRange* SkmmFindRange(const SkProcess& process, uint64_t address, uint64_t bytes) {
  for (SecureRange* range = process.ranges; range != nullptr; range = range->next) {
    if (address < range->base) continue;
    const uint64_t offset = address - range->base, size = range->pages * page_size;
    if (offset < size && bytes <= size - offset) return range;
  }
  return nullptr;
}

NtStatus SkmmProtectUserMemory(SkProcess& process, uint64_t address, uint64_t pages, Protection protection) {
  if (address % page_size != 0 || pages == 0 || pages > maximum_range_pages ||
      SkmmFindRange(process, address, pages * page_size) == nullptr)
    return NtStatus::InvalidParameter;
  for (uint64_t i = 0; i < pages; ++i)
    SK_TRY(SkmmProtectPage(process.root, address + i * page_size, protection));
  return NtStatus::Success;
}

NtStatus SkmmCopyFromUser(void* to, uint64_t from, uint64_t bytes) {
  if (bytes == 0) return NtStatus::Success;
  const SkProcess* process = SkiCurrentPcr()->current_process;
  if (process == nullptr || SkmmFindRange(*process, from, bytes) == nullptr) return NtStatus::AccessViolation;
  memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return NtStatus::Success;
}

static bool is_writable(const SkProcess& process, uint64_t address, uint64_t bytes) {
  for (uint64_t at = address / page_size * page_size; at < address + bytes; at += page_size)
    if ((SkmmQueryPage(process.root, at) & abi::x64::pte::writable) == 0) return false;
  return true;
}

NtStatus SkmmCopyToUser(uint64_t to, const void* from, uint64_t bytes) {
  if (bytes == 0) return NtStatus::Success;
  const SkProcess* process = SkiCurrentPcr()->current_process;
  if (process == nullptr || SkmmFindRange(*process, to, bytes) == nullptr || !is_writable(*process, to, bytes))
    return NtStatus::AccessViolation;
  memcpy(reinterpret_cast<void*>(to), from, bytes);
  return NtStatus::Success;
}

}  // namespace sk
