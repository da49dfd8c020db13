#pragma once
// The VSM loader block as captured: every value that the secure kernel believes was copied before VTL 0 ran again.
#include <string_view>

#include "abi/boot/vsm_loader_block.h"
#include "abi/sk/structures.h"
#include "ke/base.h"

namespace sk {

struct BootImage {
  uint64_t base, physical_base;
  uint32_t size;
  uint32_t name_length;
  char name[64];
  std::string_view text() const { return {name, name_length}; }
};

inline constexpr size_t maximum_secure_images = 3;  // secure kernel, SKCI, CNG (S53)
inline constexpr size_t maximum_normal_images = 32;

struct BootBlock {
  uint64_t flags;  ///< abi::boot::VsmLoaderFlags
  uint64_t memory_pages;
  uint64_t vsm_base, vsm_end;    ///< physical: all that VTL 1 owns
  uint64_t free_base;            ///< physical: the first page behind images, stack and tables
  uint64_t block_physical;       ///< the loader block itself, for the wipe
  uint64_t stack_physical, stack_size;
  uint64_t gdt_physical, idt_physical, tss_physical;
  uint64_t shared_vtl0, shared_physical, shared_pages;
  uint32_t boot_count;
  uint32_t secure_image_count, normal_image_count;
  BootImage secure_images[maximum_secure_images];
  BootImage normal_images[maximum_normal_images];
  abi::sk::LocalKeyArray local_keys;
  uint8_t entropy[64];

  bool has(uint64_t flag) const { return (flags & flag) != 0; }
};

extern BootBlock SkBootBlock;

/// Checks the block and captures it into SkBootBlock. Runs in VTL 0 on winload's page tables.
/// AccessDenied: wrong size or version (decisions 5). DataError: checksum. InvalidParameter: contents contradict.
NtStatus SkiCaptureLoaderBlock(const abi::boot::VsmLoaderBlock* block, uint32_t size);

}  // namespace sk
