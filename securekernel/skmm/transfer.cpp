#include "skmm/transfer.h"

#include <string.h>

#include "ke/boot_block.h"
#include "skmm/boot_memory.h"
#include "skmm/pfn.h"

namespace sk {

using namespace abi::sk;

static bool is_normal_memory(uint64_t pfn) {
  const Pfn* page = SkmmPfn(pfn);
  return page != nullptr && page->state == PfnState::Shared;
}

NtStatus SkmmCaptureMdl(uint64_t mdl_pfn, TransferList& list) {
  if (!is_normal_memory(mdl_pfn)) return NtStatus::InvalidParameter;
  const auto* mdl = SkmmFromPhysical<const volatile TransferMdl>(mdl_pfn * page_size);
  list.byte_count = mdl->byte_count;
  const uint32_t offset = mdl->byte_offset;
  list.count = pages_for(list.byte_count);
  if (list.count == 0 || list.count > transfer_mdl_max_pages || offset != 0) return NtStatus::InvalidParameter;
  for (uint64_t i = 0; i < list.count; ++i) {
    list.pfns[i] = mdl->pfn[i];
    if (!is_normal_memory(list.pfns[i])) return NtStatus::InvalidParameter;
  }
  return NtStatus::Success;
}

SharedBuffer SkmmSharedBuffer() {
  return {SkmmFromPhysical<uint8_t>(SkBootBlock.shared_physical + page_size), SkBootBlock.shared_vtl0 + page_size,
          (SkBootBlock.shared_pages - 1) * page_size};
}

}  // namespace sk
