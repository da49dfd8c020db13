#include "mmu/zeroed_memory.h"

#include <sys/mman.h>

#include "sim/support/check.h"

namespace mmu {

ZeroedMemory::ZeroedMemory(size_t size)
    : data_{::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)},
      size_{size} {
  CHECK_MSG(data_ != MAP_FAILED, "the host has no address space left for the machine's memory");
}

ZeroedMemory::~ZeroedMemory() {
  ::munmap(data_, size_);
}

}  // namespace mmu
