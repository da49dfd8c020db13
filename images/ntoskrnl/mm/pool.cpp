// The non-paged pool: power-of-two blocks cut from pages of the direct map, whole pages for what is
// larger.
#include <string.h>

#include "ke/ke.h"
#include "mm/mm.h"

namespace {

struct POOL_HEADER {
  uint32_t tag;
  uint32_t bucket;  ///< log2 of the block, or whole_pages
  uint64_t pages;
};
static_assert(sizeof(POOL_HEADER) == 16);

struct FreeBlock {
  FreeBlock* next;
};
constexpr uint32_t smallest = 5, largest = 11;  // 32 .. 2048 bytes
constexpr uint32_t whole_pages = 0xFFFF;
constexpr uint32_t freed_tag = 0x65657246;  // "Free"
FreeBlock* free_lists[largest + 1];

void refill(uint32_t bucket) {
  const uint64_t page = MiDirectMap(MiAllocatePage() * PAGE_SIZE);
  for (uint64_t at = page; at < page + PAGE_SIZE; at += 1ull << bucket) {
    auto block = reinterpret_cast<FreeBlock*>(at);
    block->next = free_lists[bucket];
    free_lists[bucket] = block;
  }
}

POOL_HEADER* take(uint64_t bytes) {
  uint32_t bucket = smallest;
  while (bucket <= largest && bytes > 1ull << bucket)
    ++bucket;
  if (bucket > largest) {
    const uint64_t pages = pages_for(bytes);
    auto header = MiPhysicalToVirtual<POOL_HEADER>(MiAllocateContiguousPages(pages) * PAGE_SIZE);
    *header = {0, whole_pages, pages};
    return header;
  }
  if (free_lists[bucket] == nullptr) refill(bucket);
  FreeBlock* block = free_lists[bucket];
  free_lists[bucket] = block->next;
  memset(block, 0, 1ull << bucket);
  auto header = reinterpret_cast<POOL_HEADER*>(block);
  header->bucket = bucket;
  return header;
}

}  // namespace

void* ExAllocatePoolWithTag(uint32_t, uint64_t bytes, uint32_t tag) {
  if (bytes > 16 << 20) return nullptr;
  DispatcherLock lock;
  POOL_HEADER* header = take(bytes + sizeof(POOL_HEADER));
  header->tag = tag;
  return header + 1;
}

void ExFreePoolWithTag(void* p, uint32_t tag) {
  DispatcherLock lock;
  auto header = static_cast<POOL_HEADER*>(p) - 1;
  if (header->tag != tag)
    KeBugCheckEx(0xC2, 0xA, reinterpret_cast<uint64_t>(p), header->tag, tag);  // BAD_POOL_CALLER
  header->tag = freed_tag;
  if (header->bucket == whole_pages) {
    MiFreePages(page_of(reinterpret_cast<uint64_t>(header) - abi::boot::direct_map_base),
                header->pages);
    return;
  }
  const uint32_t bucket = header->bucket;
  auto block = reinterpret_cast<FreeBlock*>(header);
  block->next = free_lists[bucket];
  free_lists[bucket] = block;
}
