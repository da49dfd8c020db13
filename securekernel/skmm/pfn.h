#pragma once
// The secure page frame database (7.13): what the secure kernel knows of every page of RAM. VTL 1 decides by it; NTOS's
// own database is only hearsay.
#include "ke/base.h"
#include "shvl/protect.h"

namespace sk {

enum class PfnState : uint8_t {
  Shared,   ///< VTL 0's, default access
  Free,     ///< VTL 1's, unused
  Secured,  ///< VTL 1's, or claimed from VTL 0 for a trustlet: no access from VTL 0
  Image,    ///< VTL 0's code page whose contents were verified: not writable from VTL 0
  Transfer, ///< VTL 0's, but ours to write to: the shared buffer; never claimed, never executable
};

struct Pfn {
  PfnState state;
  uint8_t zeroed;       ///< Free: its contents are zero already
  uint16_t size_class;  ///< of the pool page that starts here
  uint32_t run;         ///< pages of the allocation that starts here
};
static_assert(sizeof(Pfn) == 8);

/// Builds the database from boot memory and hands the rest of VTL 1's memory to the page allocator.
void SkmiInitPfnDatabase(uint64_t memory_pages, uint64_t vsm_base, uint64_t vsm_end);
bool SkmmPfnDatabaseExists();
/// Null for a page that is not RAM.
Pfn* SkmmPfn(uint64_t pfn);
uint64_t SkmmMemoryPages();

/// One zeroed page of VTL 1 (physical address); 0 if none is left.
uint64_t SkmmAllocatePage();
/// `count` contiguous zeroed pages; 0 if there is no such run.
uint64_t SkmmAllocatePages(uint64_t count);
/// Wipes and frees; for a run, the whole of it.
void SkmmFreePage(uint64_t physical);
void SkmmFreePages(uint64_t physical);
uint64_t SkmmFreePageCount();

/// Takes pages of VTL 0 away from it: all must be Shared; then they are no-access and zeroed. All or nothing.
/// AccessDenied: a page is not VTL 0's (or named twice).
NtStatus SkmmClaimPages(const uint64_t* pfns, uint64_t count);
/// Wipes claimed pages and gives them back with VTL 0's default access.
void SkmmReleasePages(const uint64_t* pfns, uint64_t count);

/// Keeps a run of VTL 0's pages from being claimed or made executable: data leaves through them.
void SkmmReserveTransferPages(uint64_t first_pfn, uint64_t count);

/// VTL 0's access to a page that nobody restricted: All, or without kernel execution under HVCI (S35, S36).
PageAccess SkmmDefaultAccess();
void SkmmSetDefaultAccess(PageAccess access);

}  // namespace sk
