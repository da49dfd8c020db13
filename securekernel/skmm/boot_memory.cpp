#include "skmm/boot_memory.h"

#include <string.h>

#include "ke/bugcheck.h"

namespace sk {

uint64_t SkmmDirectMap;

static uint64_t next_page, last_page;

void SkmiInitBootPages(uint64_t first, uint64_t end) {
  next_page = first;
  last_page = end;
}

uint64_t SkmiTakeBootPages(uint64_t count) {
  if ((last_page - next_page) / page_size < count) SkeBugCheck("VTL 1's boot memory is used up");
  const uint64_t page = next_page;
  next_page += count * page_size;
  memset(SkmmFromPhysical(page), 0, count * page_size);
  return page;
}

uint64_t SkmiTakeBootPage() { return SkmiTakeBootPages(1); }
uint64_t SkmiBootPagesEnd() { return next_page; }

}  // namespace sk
