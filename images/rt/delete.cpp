// The deleting destructor of any class with a virtual one names operator delete. An image with a heap defines its own; in
// one without, nothing was allocated, so that freeing is a fault of ours.
#include <stddef.h>

#include "rt/panic.h"

void operator delete(void*) noexcept {
  rt::panic("operator delete in an image without a heap");
}
void operator delete(void*, size_t) noexcept {
  rt::panic("sized operator delete in an image without a heap");
}
