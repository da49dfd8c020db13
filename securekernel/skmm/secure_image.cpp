#include "skmm/secure_image.h"

#include <string.h>

#include "dbg/debug_port.h"
#include "se/failure_log.h"
#include "skmm/boot_memory.h"
#include "skmm/pfn.h"
#include "skmm/pool.h"
#include "skob/objects.h"

namespace sk {

static void destroy_allocation(void* body) { SkFreePool(static_cast<SecureAllocation*>(body)->data); }
static void destroy_image(void* body) {
  auto* image = static_cast<SecureImage*>(body);
  SkFreePool(image->file);
  SkFreePool(image->mapped);
}

NtStatus SkmmCreateSecureAllocation(uint64_t size, uint64_t& handle) {
  if (size == 0 || pages_for(size) > maximum_allocation_pages) return NtStatus::InvalidParameter;
  auto* allocation = static_cast<SecureAllocation*>(
      SkobCreateObject(ObjectType::Allocation, sizeof(SecureAllocation), destroy_allocation));
  if (allocation == nullptr) return NtStatus::NoMemory;
  allocation->size = size;
  allocation->data = static_cast<uint8_t*>(SkAllocatePool(0, round_up(size, page_size), pool_tag("SkFi")));
  handle = allocation->data == nullptr ? 0 : SkobInsertHandle(allocation);
  SkobDereference(allocation);
  return handle != 0 ? NtStatus::Success : NtStatus::NoMemory;
}

NtStatus SkmmFillSecureAllocation(SecureAllocation& allocation, uint64_t page_index, const TransferList& pages) {
  const uint64_t total = pages_for(allocation.size);
  if (allocation.data == nullptr || page_index >= total || pages.count > total - page_index)
    return NtStatus::InvalidParameter;
  for (uint64_t i = 0; i < pages.count; ++i)
    if ((allocation.filled[(page_index + i) / 8] >> (page_index + i) % 8 & 1) != 0) return NtStatus::InvalidParameter;
  for (uint64_t i = 0; i < pages.count; ++i) {
    const uint64_t page = page_index + i, at = page * page_size;
    const uint64_t bytes = allocation.size - at < page_size ? allocation.size - at : page_size;
    memcpy(allocation.data + at, SkmmFromPhysical(pages.pfns[i] * page_size), bytes);
    allocation.filled[page / 8] = static_cast<uint8_t>(allocation.filled[page / 8] | 1u << page % 8);
    ++allocation.pages_filled;
  }
  return NtStatus::Success;
}

NtStatus SkmmCreateSecureImage(SecureAllocation& allocation, ImageKind kind, uint64_t& handle, uint64_t& image_size,
                               uint64_t& preferred_base) {
  if (kind > ImageKind::User) return NtStatus::InvalidParameter;
  if (allocation.data == nullptr || allocation.pages_filled != pages_for(allocation.size))
    return NtStatus::InvalidParameter;
  auto* image = static_cast<SecureImage*>(SkobCreateObject(ObjectType::Image, sizeof(SecureImage), destroy_image));
  if (image == nullptr) return NtStatus::NoMemory;
  if (pe::read_headers(allocation.data, allocation.size, image->headers) != pe::Status::Ok) {
    SkobDereference(image);
    return NtStatus::InvalidImageFormat;
  }
  image->kind = kind;
  handle = SkobInsertHandle(image);
  if (handle != 0) {
    image->file = allocation.data;
    image->file_size = allocation.size;
    allocation.data = nullptr;
    image_size = image->headers.image_size;
    preferred_base = image->headers.preferred_base;
  }
  SkobDereference(image);
  return handle != 0 ? NtStatus::Success : NtStatus::InsufficientResources;
}

// S104: every image needs the system component's usage, those of isolated user mode the IUM one too.
static NtStatus judge(const SecureImage& image) {
  if (image.verdict.status != NtStatus::Success) return image.verdict.status;
  if (image.verdict.signing_level < signing_level_windows) return NtStatus::AccessDisabledByPolicy;
  const bool ium = (image.verdict.ekus & eku_ium) != 0;
  if (image.kind == ImageKind::Trustlet && !ium) return NtStatus::AccessDisabledByPolicy;
  return NtStatus::Success;
}

NtStatus SkmmFinishValidation(SecureImage& image) {
  image.verdict = {};
  SkciVerifyImage(image.file, image.file_size, image.verdict);
  const NtStatus status = judge(image);
  image.accepted = succeeded(status);
  DbgMilestone("skci: image of {} bytes: status {:#x}, signing level {}, EKUs {:#x}, root {}", image.file_size,
               static_cast<uint32_t>(status), image.verdict.signing_level, image.verdict.ekus, image.verdict.root);
  if (!image.accepted) SeLogFailure(status, 21, image.file_size);
  return status;
}

NtStatus SkmmRelocateImage(SecureImage& image, uint64_t base) {
  if (!image.accepted) return NtStatus::InvalidImageHash;
  if (base % page_size != 0 || image.pages_in_use) return NtStatus::InvalidParameter;
  if (image.mapped == nullptr)
    image.mapped = static_cast<uint8_t*>(SkAllocatePool(0, image.headers.image_size, pool_tag("SkIm")));
  if (image.mapped == nullptr) return NtStatus::NoMemory;
  pe::map_sections(image.headers, image.file, image.mapped);
  if (pe::relocate(image.headers, image.mapped, base) != pe::Status::Ok) return NtStatus::InvalidImageFormat;
  image.base = base;
  image.relocated = true;
  return NtStatus::Success;
}

static const pe::Section* section_at(const pe::Headers& headers, uint64_t rva) {
  for (uint32_t i = 0; i < headers.section_count; ++i) {
    const pe::Section& section = headers.sections[i];
    const uint64_t bytes = section.virtual_size != 0 ? section.virtual_size : section.raw_size;
    if (rva >= section.rva && rva < section.rva + round_up(bytes, page_size)) return &section;
  }
  return nullptr;
}

bool SkmmIsExecutablePage(const pe::Headers& headers, uint64_t rva) {
  const pe::Section* section = section_at(headers, rva);
  return section != nullptr && (section->characteristics & pe::SectionExecute) != 0;
}

bool SkmmIsWritablePage(const pe::Headers& headers, uint64_t rva) {
  const pe::Section* section = section_at(headers, rva);
  return section != nullptr && (section->characteristics & pe::SectionWrite) != 0;
}

static PageAccess executable_access(const SecureImage& image) {
  return image.kind == ImageKind::Driver ? PageAccess::ReadExecute : PageAccess::ReadUserExecute;
}

static bool enforces() { return SkmmDefaultAccess() != PageAccess::All; }

// W goes before the bytes are written, X comes after: at no instant does VTL 0 hold both (scenario 4).
static NtStatus publish_page(const SecureImage& image, uint64_t rva, uint64_t pfn) {
  Pfn* page = SkmmPfn(pfn);
  if (page == nullptr || page->state != PfnState::Shared) return NtStatus::InvalidParameter;
  if (enforces()) SK_TRY(ShvlProtectContiguousPages(pfn, 1, PageAccess::ReadOnly));
  memcpy(SkmmFromPhysical(pfn * page_size), image.mapped + rva, page_size);
  if (!enforces()) return NtStatus::Success;
  page->state = PfnState::Image;
  return ShvlProtectContiguousPages(pfn, 1, executable_access(image));
}

NtStatus SkmmValidateImagePages(SecureImage& image, uint64_t first_page, const TransferList& pages,
                                uint64_t& executable_pages) {
  if (image.kind == ImageKind::Trustlet) return NtStatus::InvalidParameter;
  if (!image.relocated) return NtStatus::InvalidImageHash;
  const uint64_t total = image.headers.image_size / page_size;
  if (first_page >= total || pages.count > total - first_page) return NtStatus::InvalidParameter;
  image.pages_in_use = true;
  executable_pages = 0;
  for (uint64_t i = 0; i < pages.count; ++i) {
    const uint64_t rva = (first_page + i) * page_size;
    if (!SkmmIsExecutablePage(image.headers, rva)) continue;
    SK_TRY(publish_page(image, rva, pages.pfns[i]));
    ++executable_pages;
  }
  return NtStatus::Success;
}

NtStatus SkmmMakePageExecutable(SecureImage& image, uint64_t rva, uint64_t pfn) {
  Pfn* page = SkmmPfn(pfn);
  const bool good = image.kind != ImageKind::Trustlet && image.relocated && rva % page_size == 0 && rva < image.headers.image_size && page != nullptr &&
                    page->state == PfnState::Shared;
  if (!good) return NtStatus::InvalidParameter;
  if (!SkmmIsExecutablePage(image.headers, rva)) return NtStatus::InvalidImageHash;
  SK_TRY(ShvlProtectContiguousPages(pfn, 1, PageAccess::ReadOnly));
  if (memcmp(SkmmFromPhysical(pfn * page_size), image.mapped + rva, page_size) != 0) {
    SK_TRY(ShvlProtectContiguousPages(pfn, 1, SkmmDefaultAccess()));
    SeLogFailure(NtStatus::InvalidImageHash, 230, rva);
    return NtStatus::InvalidImageHash;
  }
  image.pages_in_use = true;
  if (!enforces()) return ShvlProtectContiguousPages(pfn, 1, SkmmDefaultAccess());
  page->state = PfnState::Image;
  return ShvlProtectContiguousPages(pfn, 1, executable_access(image));
}

NtStatus SkmmMakePageWritable(uint64_t pfn) {
  Pfn* page = SkmmPfn(pfn);
  if (page == nullptr || page->state != PfnState::Image) return NtStatus::InvalidParameter;
  SK_TRY(ShvlProtectContiguousPages(pfn, 1, PageAccess::ReadWrite));
  page->state = PfnState::Shared;
  return NtStatus::Success;
}

NtStatus SkmmSetPageDefault(uint64_t pfn) {
  Pfn* page = SkmmPfn(pfn);
  if (page == nullptr || page->state != PfnState::Image) return NtStatus::InvalidParameter;
  memset(SkmmFromPhysical(pfn * page_size), 0, page_size);
  SK_TRY(ShvlProtectContiguousPages(pfn, 1, SkmmDefaultAccess()));
  page->state = PfnState::Shared;
  return NtStatus::Success;
}

}  // namespace sk
