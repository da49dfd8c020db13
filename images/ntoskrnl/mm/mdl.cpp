// MDLs as the secure kernel takes them (section 7.6): one page with a 48-byte header and at most
// 506 page numbers.
#include "ke/ke.h"
#include "mm/mm.h"

PFN MmBuildTransferMdl(const void* address, uint64_t bytes) {
  const uint64_t count = pages_for(bytes);
  const auto start = reinterpret_cast<uint64_t>(address);
  if (count == 0 || count > abi::sk::transfer_mdl_max_pages || start % PAGE_SIZE != 0)
    KeBugCheckEx(0x76, start, bytes);  // the caller splits what is larger
  const PFN page = MiAllocatePage();
  auto mdl = MiPhysicalToVirtual<abi::sk::TransferMdl>(page * PAGE_SIZE);
  mdl->size = static_cast<uint16_t>(48 + 8 * count);
  mdl->start_address = start;
  mdl->byte_count = static_cast<uint32_t>(bytes);
  for (uint64_t i = 0; i < count; ++i)
    mdl->pfn[i] = page_of(MiTranslate(arch::read_cr3(), start + i * PAGE_SIZE));
  return page;
}

void MmFreeTransferMdl(PFN mdl) {
  MiFreePages(mdl, 1);
}
