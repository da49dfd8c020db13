// Page allocation over a sorted list of descriptors (UEFI 7.2), and a first-fit pool on top of it.
#include <string.h>

#include "firmware.h"

extern "C" const char __ImageBase;  // the linker's name for the first byte of this image

namespace firmware {
namespace {

constexpr uint64_t page = 4096;
constexpr uint32_t max_descriptors = 128;

efi::MemoryDescriptor descriptors[max_descriptors];
uint32_t descriptor_count;
uint64_t map_key = 1;

uint64_t end_of(const efi::MemoryDescriptor& d) {
  return d.physical_start + d.number_of_pages * page;
}

bool insert(uint32_t index, uint32_t type, uint64_t start, uint64_t pages) {
  if (descriptor_count == max_descriptors) return false;
  for (uint32_t i = descriptor_count; i > index; --i)
    descriptors[i] = descriptors[i - 1];
  descriptors[index] = {type, 0, start, 0, pages, 0xF};
  ++descriptor_count;
  return true;
}

void erase(uint32_t index) {
  --descriptor_count;
  for (uint32_t i = index; i < descriptor_count; ++i)
    descriptors[i] = descriptors[i + 1];
}

void merge_neighbours() {
  for (uint32_t i = 0; i + 1 < descriptor_count;) {
    efi::MemoryDescriptor& d = descriptors[i];
    if (d.type == descriptors[i + 1].type && end_of(d) == descriptors[i + 1].physical_start) {
      d.number_of_pages += descriptors[i + 1].number_of_pages;
      erase(i + 1);
    } else {
      ++i;
    }
  }
}

// Gives [start, start + pages) inside descriptor `index` another type; splits off what remains in
// front and behind.
bool retype(uint32_t index, uint32_t type, uint64_t start, uint64_t pages) {
  if (descriptor_count + 2 > max_descriptors) return false;
  const efi::MemoryDescriptor old = descriptors[index];
  erase(index);
  const uint64_t front = (start - old.physical_start) / page;
  const uint64_t back = old.number_of_pages - front - pages;
  if (front != 0) insert(index++, old.type, old.physical_start, front);
  insert(index++, type, start, pages);
  if (back != 0) insert(index, old.type, start + pages * page, back);
  merge_neighbours();
  ++map_key;
  return true;
}

// The descriptor that contains the whole range and has this type, or -1.
int find(uint32_t type, uint64_t start, uint64_t pages) {
  for (uint32_t i = 0; i < descriptor_count; ++i) {
    const efi::MemoryDescriptor& d = descriptors[i];
    if (d.type == type && start >= d.physical_start && start < end_of(d) &&
        pages <= (end_of(d) - start) / page)
      return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

void memory_initialize(uint64_t memory_size) {
  // The image's size from its own PE header: SizeOfImage stands 0x50 bytes after the PE signature.
  const char* base = &__ImageBase;
  uint32_t pe_offset{}, image_size{};
  memcpy(&pe_offset, base + 0x3C, 4);
  memcpy(&image_size, base + pe_offset + 0x50, 4);
  const uint64_t image = abi::boot::firmware_base;
  const uint64_t image_end = (image + image_size + page - 1) & ~(page - 1);
  // Reset page tables, GDT, hand-off and stack lie below 640 KiB; from there to 1 MiB nothing is.
  insert(0, efi::BootServicesData, 0, 0xA0);
  insert(1, efi::ReservedMemoryType, 0xA0000, 0x60);
  insert(2, efi::RuntimeServicesCode, image, (image_end - image) / page);
  insert(3, efi::ConventionalMemory, image_end, (memory_size - image_end) / page);
}

efi::Status allocate_pages(efi::AllocateType type, uint32_t memory_type, uint64_t pages,
                           uint64_t* address) {
  if (pages == 0 || address == nullptr || type > efi::AllocateAddress)
    return efi::invalid_parameter;
  if (type == efi::AllocateAddress) {
    const int index = *address % page == 0 ? find(efi::ConventionalMemory, *address, pages) : -1;
    if (index < 0) return efi::not_found;
    return retype(static_cast<uint32_t>(index), memory_type, *address, pages)
               ? efi::success
               : efi::out_of_resources;
  }
  // Lowest address first: the map stays in few pieces, and runs are easy to read.
  const uint64_t limit = type == efi::AllocateMaxAddress ? *address : ~0ull;
  for (uint32_t i = 0; i < descriptor_count; ++i) {
    const efi::MemoryDescriptor& d = descriptors[i];
    if (d.type != efi::ConventionalMemory || d.number_of_pages < pages) continue;
    if (d.physical_start + pages * page - 1 > limit) continue;
    *address = d.physical_start;
    return retype(i, memory_type, *address, pages) ? efi::success : efi::out_of_resources;
  }
  return efi::out_of_resources;
}

efi::Status free_pages(uint64_t address, uint64_t pages) {
  for (uint32_t i = 0; i < descriptor_count; ++i) {
    const efi::MemoryDescriptor& d = descriptors[i];
    if (address < d.physical_start || address >= end_of(d)) continue;
    if (d.type == efi::ConventionalMemory || pages > (end_of(d) - address) / page)
      return efi::not_found;
    return retype(i, efi::ConventionalMemory, address, pages) ? efi::success
                                                              : efi::out_of_resources;
  }
  return efi::not_found;
}

efi::Status get_memory_map(uint64_t* size, efi::MemoryDescriptor* map, uint64_t* key,
                           uint64_t* descriptor_size, uint32_t* version) {
  const uint64_t needed = descriptor_count * sizeof(efi::MemoryDescriptor);
  const uint64_t offered = *size;
  *size = needed;
  *descriptor_size = sizeof(efi::MemoryDescriptor);
  *version = 1;
  if (offered < needed) return efi::buffer_too_small;
  memcpy(map, descriptors, needed);
  *key = map_key;
  return efi::success;
}

uint64_t memory_map_key() {
  return map_key;
}

// The pool: each allocation takes whole pages with a header in front, so that freeing gives them
// back.
namespace {
struct PoolHeader {
  uint64_t pages;
  uint64_t check;
};
constexpr uint64_t pool_check = 0x6C6F6F50'69666645;  // "EfiPool"
}  // namespace

efi::Status allocate_pool(uint32_t memory_type, uint64_t size, void** buffer) {
  if (size > 1ull << 30) return efi::out_of_resources;
  const uint64_t pages = (size + sizeof(PoolHeader) + page - 1) / page;
  uint64_t address{};
  const efi::Status status = allocate_pages(efi::AllocateAnyPages, memory_type, pages, &address);
  if (efi::failed(status)) return status;
  auto header = reinterpret_cast<PoolHeader*>(address);
  *header = {pages, pool_check};
  *buffer = header + 1;
  return efi::success;
}

efi::Status free_pool(void* buffer) {
  auto header = static_cast<PoolHeader*>(buffer) - 1;
  if (reinterpret_cast<uint64_t>(header) % page != 0 || header->check != pool_check)
    return efi::invalid_parameter;
  header->check = 0;
  return free_pages(reinterpret_cast<uint64_t>(header), header->pages);
}

}  // namespace firmware
