// Page tables, reached through the direct map. NTOS keeps the tables that winload built as its
// system address space; every process shares their upper half by copying 256 root entries.
#include <string.h>

#include "hvl/hvl.h"
#include "ke/ke.h"
#include "mm/mm.h"

uint64_t MiSystemRoot;

namespace {

// Kernel addresses for drivers and I/O space: from the driver area of the layout, upwards, never
// reused.
uint64_t next_system_address = abi::boot::driver_image_base;
constexpr uint64_t system_address_end = abi::boot::secure_kernel_base;
constexpr uint64_t upper_bits = PteValid | PteWrite;

uint64_t* table_of(uint64_t entry) {
  return MiPhysicalToVirtual<uint64_t>(entry & PteFrameMask);
}
uint32_t index_at(uint64_t address, int level) {
  return static_cast<uint32_t>(address >> (12 + 9 * (level - 1)) & 511);
}
bool is_user(uint64_t address) {
  return address < 1ull << 47;
}

void free_table(uint64_t entry, int level) {
  uint64_t* table = table_of(entry);
  if (level > 1)
    for (int i = 0; i < 512; ++i)
      if ((table[i] & PteValid) != 0) free_table(table[i], level - 1);
  MiFreePages(page_of(entry & PteFrameMask), 1);
}

}  // namespace

uint64_t* MiGetPteAddress(uint64_t root, uint64_t address, bool create) {
  uint64_t* table = table_of(root);
  for (int level = 4; level > 1; --level) {
    uint64_t& entry = table[index_at(address, level)];
    if ((entry & PteLarge) != 0 && level < 4) return nullptr;
    if ((entry & PteValid) == 0) {
      if (!create) return nullptr;
      entry =
          MiAllocatePage() * PAGE_SIZE | upper_bits | (is_user(address) ? uint64_t{PteOwner} : 0);
    }
    table = table_of(entry);
  }
  return &table[index_at(address, 1)];
}

void MiMapPage(uint64_t root, uint64_t address, PFN pfn, uint64_t bits) {
  *MiGetPteAddress(root, address, true) = pfn * PAGE_SIZE | bits | PteValid;
  arch::invalidate_page(reinterpret_cast<const void*>(address));
}

// What a processor may still hold of an entry that lost rights.
void MiFlushAddress(uint64_t address) {
  arch::invalidate_page(reinterpret_cast<const void*>(address));
  if (KeNumberProcessors > 1) HvlFlushAllProcessors(address);
}

void MiUnmapPage(uint64_t root, uint64_t address) {
  if (uint64_t* pte = MiGetPteAddress(root, address, false); pte != nullptr) *pte = 0;
  MiFlushAddress(address);
}

uint64_t MiTranslate(uint64_t root, uint64_t address) {
  const uint64_t* table = table_of(root);
  for (int level = 4;; --level) {
    const uint64_t entry = table[index_at(address, level)];
    if ((entry & PteValid) == 0) return ~0ull;
    const uint64_t span = 1ull << (12 + 9 * (level - 1));
    if (level == 1 || ((entry & PteLarge) != 0 && level < 4))
      return (entry & PteFrameMask & ~(span - 1)) + (address & (span - 1));
    table = table_of(entry);
  }
}

uint64_t MmGetPhysicalAddress(const void* address) {
  return MiTranslate(arch::read_cr3(), reinterpret_cast<uint64_t>(address));
}

void* MmGetVirtualForPhysical(uint64_t physical) {
  return MiPhysicalToVirtual(physical);
}

void MiInitializeSystemAddressSpace() {
  MiSystemRoot = arch::read_cr3() & PteFrameMask;
  // The loader's identity map goes; the secure images' addresses are VTL 1's business now.
  uint64_t* root = table_of(MiSystemRoot);
  for (int i = 0; i < 256; ++i)
    root[i] = 0;
  for (uint64_t base : {abi::boot::secure_kernel_base, abi::boot::skci_base, abi::boot::cng_base})
    for (uint64_t page = 0; page < 0x1000000; page += PAGE_SIZE)
      if (uint64_t* pte = MiGetPteAddress(MiSystemRoot, base + page, false); pte != nullptr)
        *pte = 0;
  // Root entries that the kernel will use must exist before the first process copies them.
  MiGetPteAddress(MiSystemRoot, KUSER_SHARED_DATA_KERNEL, true);
  arch::write_cr3(MiSystemRoot);
}

uint64_t MiCreateAddressSpace() {
  const uint64_t root = MiAllocatePage() * PAGE_SIZE;
  memcpy(table_of(root) + 256, table_of(MiSystemRoot) + 256, 256 * sizeof(uint64_t));
  return root;
}

void MiDeleteAddressSpace(uint64_t root) {
  uint64_t* table = table_of(root);
  for (int i = 0; i < 256; ++i)
    if ((table[i] & PteValid) != 0) free_table(table[i], 3);
  MiFreePages(page_of(root), 1);
}

uint64_t MiReserveSystemPages(uint64_t count) {
  DispatcherLock lock;
  const uint64_t address = next_system_address;
  if (count > page_of(system_address_end - address))
    KeBugCheckEx(0xD8, count);                     // DRIVER_USED_EXCESSIVE_PTES
  next_system_address += (count + 1) * PAGE_SIZE;  // one unmapped page between neighbours
  return address;
}

void* MmMapIoSpace(uint64_t physical, uint64_t bytes, MmCacheType cache) {
  const uint64_t offset = physical % PAGE_SIZE;
  const uint64_t count = pages_for(offset + bytes);
  if (bytes == 0 || physical + bytes > 1ull << 40) return nullptr;
  const uint64_t address = MiReserveSystemPages(count);
  const uint64_t bits =
      PteWrite | (cache == MmCacheType::NonCached ? uint64_t{PteCacheDisable} : 0);
  for (uint64_t i = 0; i < count; ++i)
    MiMapPage(MiSystemRoot, address + i * PAGE_SIZE, page_of(physical) + i, bits);
  return reinterpret_cast<void*>(address + offset);
}

void MmUnmapIoSpace(void* address, uint64_t bytes) {
  const uint64_t start = reinterpret_cast<uint64_t>(address) & ~(PAGE_SIZE - 1);
  const uint64_t count = pages_for(reinterpret_cast<uint64_t>(address) % PAGE_SIZE + bytes);
  for (uint64_t i = 0; i < count; ++i)
    MiUnmapPage(MiSystemRoot, start + i * PAGE_SIZE);
}
