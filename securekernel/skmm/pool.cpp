// Blocks up to 2 KiB come from pages that hold one size each; larger ones are page runs. A page knows its size through
// the page frame database, so blocks need no headers that an overrun could change.
#include "skmm/pool.h"

#include <string.h>

#include "ke/bugcheck.h"
#include "rtl/wipe.h"
#include "skmm/boot_memory.h"
#include "skmm/pfn.h"

namespace sk {

static constexpr size_t smallest = 32, largest = 2048;
static constexpr int size_classes = 7;  // 32, 64, ... 2048

struct FreeBlock {
  FreeBlock* next;
};
static FreeBlock* free_lists[size_classes];

static int class_of(size_t bytes) {
  int index = 0;
  for (size_t size = smallest; size < bytes; size *= 2) ++index;
  return index;
}

static bool refill(int index) {
  const uint64_t page = SkmmAllocatePage();
  if (page == 0) return false;
  SkmmPfn(page / page_size)->size_class = static_cast<uint16_t>(smallest << index);
  auto* bytes = SkmmFromPhysical<uint8_t>(page);
  const size_t size = smallest << index;
  for (size_t at = page_size; at >= size; at -= size) {
    auto* block = reinterpret_cast<FreeBlock*>(bytes + at - size);
    block->next = free_lists[index];
    free_lists[index] = block;
  }
  return true;
}

extern "C" void* SkAllocatePool(uint32_t, size_t bytes, uint32_t) {
  if (bytes == 0) bytes = 1;
  if (bytes > largest) {
    const uint64_t run = SkmmAllocatePages(pages_for(bytes));
    return run == 0 ? nullptr : SkmmFromPhysical(run);
  }
  const int index = class_of(bytes);
  if (free_lists[index] == nullptr && !refill(index)) return nullptr;
  FreeBlock* block = free_lists[index];
  free_lists[index] = block->next;
  block->next = nullptr;  // the rest of a free block is zero
  return block;
}

extern "C" void SkFreePool(void* address) {
  if (address == nullptr) return;
  const uint64_t physical = SkmmToPhysical(address);
  const Pfn* page = SkmmPfn(physical / page_size);
  if (page == nullptr || page->state != PfnState::Secured) SkeBugCheck("a foreign block is freed");
  if (page->size_class == 0) return SkmmFreePages(physical);
  const size_t size = page->size_class;
  if (physical % size != 0) SkeBugCheck("a pool block is freed in its middle");
  RtlSecureZero(address, size);
  auto* block = static_cast<FreeBlock*>(address);
  const int index = class_of(size);
  block->next = free_lists[index];
  free_lists[index] = block;
}

}  // namespace sk
