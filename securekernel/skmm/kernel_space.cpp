#include "skmm/kernel_space.h"

#include "abi/boot/virtual_layout.h"
#include "boot/pe_image.h"
#include "ke/boot_block.h"
#include "ke/bugcheck.h"
#include "skmm/boot_memory.h"
#include "skmm/page_tables.h"

namespace sk {

static void must(NtStatus status) {
  if (!succeeded(status)) SkeBugCheck("the secure kernel's page tables cannot be built");
}

// Rights of the page at `rva`, as its section header says. Headers and gaps are read-only.
static Protection section_protection(const pe::Headers& headers, uint32_t rva) {
  for (uint32_t i = 0; i < headers.section_count; ++i) {
    const pe::Section& section = headers.sections[i];
    if (rva < section.rva || rva >= section.rva + round_up(section.virtual_size, page_size)) continue;
    if ((section.characteristics & pe::SectionExecute) != 0) return Protection::ReadExecute;
    return (section.characteristics & pe::SectionWrite) != 0 ? Protection::ReadWrite : Protection::ReadOnly;
  }
  return Protection::ReadOnly;
}

static void read_image_headers(const BootImage& image, pe::Headers& headers) {
  if (pe::read_headers(SkmmFromPhysical(image.physical_base), image.size, headers) != pe::Status::Ok)
    SkeBugCheck("an image of VTL 1 has no valid PE headers");
}

// In the window, a page of an image keeps its W right only if its section has it: code stays W^X under every address.
static bool is_readonly_in_window(uint64_t physical) {
  static pe::Headers headers;
  static const BootImage* parsed;
  for (uint32_t i = 0; i < SkBootBlock.secure_image_count; ++i) {
    const BootImage& image = SkBootBlock.secure_images[i];
    if (physical < image.physical_base || physical >= image.physical_base + image.size) continue;
    if (parsed != &image) {
      headers = {};
      read_image_headers(image, headers);
      parsed = &image;
    }
    return section_protection(headers, static_cast<uint32_t>(physical - image.physical_base)) !=
           Protection::ReadWrite;
  }
  return false;
}

static bool holds_image(uint64_t from, uint64_t to) {
  for (uint32_t i = 0; i < SkBootBlock.secure_image_count; ++i) {
    const BootImage& image = SkBootBlock.secure_images[i];
    if (image.physical_base < to && from < image.physical_base + image.size) return true;
  }
  return false;
}

static void map_window(uint64_t root) {
  const uint64_t end = SkBootBlock.memory_pages * page_size;
  for (uint64_t at = 0; at < end; at += abi::large_page_size) {
    const uint64_t address = abi::boot::secure_direct_map_base + at;
    if (at + abi::large_page_size <= end && !holds_image(at, at + abi::large_page_size)) {
      must(SkmmMapLargePage(root, address, at));
      continue;
    }
    for (uint64_t page = 0; page < abi::large_page_size && at + page < end; page += page_size) {
      const auto protection = is_readonly_in_window(at + page) ? Protection::ReadOnly : Protection::ReadWrite;
      must(SkmmMapPage(root, address + page, at + page, protection, false));
    }
  }
}

static void map_image(uint64_t root, const BootImage& image) {
  pe::Headers headers;
  read_image_headers(image, headers);
  for (uint32_t rva = 0; rva < image.size; rva += page_size)
    must(SkmmMapPage(root, image.base + rva, image.physical_base + rva, section_protection(headers, rva), false));
}

// Every kernel table is made now: address spaces copy the upper half of the root, so it may not grow afterwards.
uint64_t SkmmBuildKernelSpace(uint64_t hypercall_page_physical) {
  const uint64_t root = SkmiTakeBootPage();
  map_window(root);
  for (uint32_t i = 0; i < SkBootBlock.secure_image_count; ++i) map_image(root, SkBootBlock.secure_images[i]);
  must(SkmmMapPage(root, hypercall_page_address, hypercall_page_physical, Protection::ReadExecute, false));
  SkmmKernelRoot = root;
  return root;
}

}  // namespace sk
