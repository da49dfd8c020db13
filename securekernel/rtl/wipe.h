#pragma once
#include <stddef.h>

namespace sk {
/// Overwrites secrets; the compiler may not drop it as a dead store.
inline void RtlSecureZero(void* data, size_t size) {
  __builtin_memset(data, 0, size);
  asm volatile("" ::"r"(data) : "memory");
}
}  // namespace sk
