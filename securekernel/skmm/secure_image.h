#pragma once
// SECURE_IMAGE: a file whose bytes VTL 0 can no longer change, SKCI's verdict about it, and its relocated contents
// (7.13). Executable pages of VTL 0 and the images of trustlets come from here and from nowhere else.
#include "boot/pe_image.h"
#include "ke/base.h"
#include "skci/skci.h"
#include "skmm/transfer.h"

namespace sk {

/// File bytes in secure memory (services 16 and 17).
struct SecureAllocation {
  uint8_t* data;
  uint64_t size;           ///< bytes
  uint64_t pages_filled;   ///< every page is filled exactly once
  uint8_t filled[512 / 8]; ///< bit per page
};
inline constexpr uint64_t maximum_allocation_pages = 512;

enum class ImageKind : uint64_t { Driver = 0, Trustlet = 1, User = 2 };

struct SecureImage {
  uint8_t* file;
  uint64_t file_size;
  ImageKind kind;
  bool hashed, accepted, relocated, pages_in_use;
  SkciVerdict verdict;
  uint64_t base;      ///< where `mapped` runs
  uint8_t* mapped;    ///< headers.image_size bytes, sections in place
  pe::Headers headers;
};

NtStatus SkmmCreateSecureAllocation(uint64_t size, uint64_t& handle);
NtStatus SkmmFillSecureAllocation(SecureAllocation& allocation, uint64_t page_index, const TransferList& pages);
/// Takes the bytes out of the allocation.
NtStatus SkmmCreateSecureImage(SecureAllocation& allocation, ImageKind kind, uint64_t& handle, uint64_t& image_size,
                               uint64_t& preferred_base);
/// SKCI's decision for the kind of image; `image.verdict` is filled in every case.
NtStatus SkmmFinishValidation(SecureImage& image);
/// Maps and relocates an accepted image for `base`.
NtStatus SkmmRelocateImage(SecureImage& image, uint64_t base);
/// Writes verified pages into pages of VTL 0 and makes those of executable sections executable.
NtStatus SkmmValidateImagePages(SecureImage& image, uint64_t first_page, const TransferList& pages,
                                uint64_t& executable_pages);
/// Single-page forms (227, 229, 230).
NtStatus SkmmMakePageExecutable(SecureImage& image, uint64_t rva, uint64_t pfn);
NtStatus SkmmMakePageWritable(uint64_t pfn);
NtStatus SkmmSetPageDefault(uint64_t pfn);

/// Rights of a page of the image by its section header.
bool SkmmIsExecutablePage(const pe::Headers& headers, uint64_t rva);
bool SkmmIsWritablePage(const pe::Headers& headers, uint64_t rva);

}  // namespace sk
