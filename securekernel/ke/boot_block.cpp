#include "ke/boot_block.h"

#include <string.h>

#include "abi/boot/virtual_layout.h"
#include "rtl/crc32.h"

namespace sk {

BootBlock SkBootBlock;

using namespace abi::boot;

// Rings of the loader never hold more; a longer one has no end.
static constexpr size_t maximum_list_length = 4096;

// Pointers of the block lie in VTL 0's direct map, so that their physical address needs no walk.
static bool to_physical(uint64_t pointer, uint64_t& physical) {
  if (pointer < direct_map_base || pointer - direct_map_base >= (uint64_t{1} << 39)) return false;
  physical = pointer - direct_map_base;
  return true;
}

template <class Record, class Visit>
static bool for_each(const ListEntry& head, Visit visit) {
  const auto head_address = reinterpret_cast<uint64_t>(&head);
  uint64_t at = head.flink;
  for (size_t count = 0; at != head_address; ++count) {
    uint64_t ignored;
    if (count == maximum_list_length || !to_physical(at, ignored)) return false;
    const auto& record = *reinterpret_cast<const Record*>(at);
    if (!visit(record)) return false;
    at = record.entry.flink;
  }
  return true;
}

static bool capture_image(const LoadedModule& from, BootImage* images, uint32_t& count, size_t maximum) {
  if (count == maximum || from.name_length > sizeof from.name) return false;
  if (from.base % page_size != 0 || from.physical_base % page_size != 0) return false;
  if (from.image_size == 0 || from.image_size % page_size != 0) return false;
  BootImage& to = images[count++];
  to = {from.base, from.physical_base, from.image_size, from.name_length, {}};
  memcpy(to.name, from.name, from.name_length);
  return true;
}

// VTL 1's memory is one run: images and tables first (SecureImage), then what is free (VsmMemory).
static bool capture_memory(const VsmLoaderBlock& block) {
  BootBlock& boot = SkBootBlock;
  boot.vsm_base = ~uint64_t{0};
  return for_each<MemoryDescriptor>(block.memory_descriptor_list, [&](const MemoryDescriptor& run) {
    const uint64_t base = run.base_page * page_size;
    const uint64_t end = base + run.page_count * page_size;
    if (end < base || end > (uint64_t{1} << 39)) return false;
    if (run.type != MemoryType::FirmwarePermanent && end / page_size > boot.memory_pages)
      boot.memory_pages = end / page_size;
    if (run.type != MemoryType::SecureImage && run.type != MemoryType::VsmMemory) return true;
    if (base < boot.vsm_base) boot.vsm_base = base;
    if (end > boot.vsm_end) boot.vsm_end = end;
    if (run.type == MemoryType::VsmMemory && boot.free_base == 0) boot.free_base = base;
    return true;
  });
}

static bool capture_areas(const VsmLoaderBlock& block) {
  BootBlock& boot = SkBootBlock;
  boot.stack_size = block.boot_stack_size;
  boot.shared_vtl0 = block.shared_buffer_vtl0;
  boot.shared_pages = block.shared_buffer_pages;
  boot.boot_count = block.boot_count;
  if (!to_physical(block.boot_stack_base, boot.stack_physical) || boot.stack_size < 4 * page_size) return false;
  if (!to_physical(block.gdt_area, boot.gdt_physical) || block.gdt_size < page_size) return false;
  if (!to_physical(block.idt_area, boot.idt_physical) || block.idt_size < page_size) return false;
  if (!to_physical(block.tss_area, boot.tss_physical) || block.tss_size < page_size) return false;
  if (!to_physical(block.shared_buffer_vtl0, boot.shared_physical) || boot.shared_pages < 2) return false;
  if (block.boot_entropy_size != sizeof boot.entropy || block.boot_entropy == 0) return false;
  memcpy(boot.entropy, reinterpret_cast<const void*>(block.boot_entropy), sizeof boot.entropy);
  if (block.local_keys.count > 4 || (block.local_keys.count != 0 && block.local_keys.current >= block.local_keys.count))
    return false;
  static_assert(sizeof boot.local_keys == sizeof block.local_keys);
  memcpy(&boot.local_keys, &block.local_keys, sizeof boot.local_keys);
  return true;
}

NtStatus SkiCaptureLoaderBlock(const VsmLoaderBlock* block, uint32_t size) {
  BootBlock& boot = SkBootBlock;
  if (size != vsm_loader_block_size || block->size != size || block->version != 1 || block->build != 10240)
    return NtStatus::AccessDenied;
  if (RtlCrc32(block, offsetof(VsmLoaderBlock, crc)) != block->crc) return NtStatus::DataError;
  boot = {};
  boot.flags = block->flags;
  if (!to_physical(reinterpret_cast<uint64_t>(block), boot.block_physical)) return NtStatus::InvalidParameter;

  bool good = for_each<LoadedModule>(block->module_list, [&](const LoadedModule& module) {
    return capture_image(module, boot.secure_images, boot.secure_image_count, maximum_secure_images);
  });
  uint64_t list_physical;
  good = good && to_physical(block->nt_image_list, list_physical) &&
         for_each<LoadedModule>(*reinterpret_cast<const ListEntry*>(block->nt_image_list),
                                [&](const LoadedModule& module) {
                                  return capture_image(module, boot.normal_images, boot.normal_image_count,
                                                       maximum_normal_images);
                                });
  good = good && capture_memory(*block) && capture_areas(*block);
  if (!good || boot.secure_image_count != maximum_secure_images) return NtStatus::InvalidParameter;
  if (boot.free_base <= boot.vsm_base || boot.vsm_end - boot.free_base < 4 * abi::large_page_size)
    return NtStatus::NoMemory;
  return NtStatus::Success;
}

}  // namespace sk
