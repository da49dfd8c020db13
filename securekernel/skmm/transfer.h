#pragma once
// Data from VTL 0 (7.6): NTOS names pages by their frame numbers in an MDL; the secure kernel captures the MDL and then
// reads the pages through its own window. Both stay writable by VTL 0, so everything is copied before it is judged.
#include "abi/sk/structures.h"
#include "ke/base.h"

namespace sk {

/// A captured list of page frames, all of them RAM of VTL 0.
struct TransferList {
  uint64_t pfns[abi::sk::transfer_mdl_max_pages];
  uint64_t count;
  uint32_t byte_count;
};

/// InvalidParameter: not RAM of VTL 0, empty, too long, or with an offset.
NtStatus SkmmCaptureMdl(uint64_t mdl_pfn, TransferList& list);

/// The buffer through which data goes out to VTL 0: winload's shared pages, VTL 0's address in `vtl0`. The first page is
/// VTL 0's hypercall page and not used.
struct SharedBuffer {
  uint8_t* data;
  uint64_t vtl0;
  uint64_t bytes;
};
SharedBuffer SkmmSharedBuffer();

}  // namespace sk
