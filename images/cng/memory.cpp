// Memory for mbedTLS: the pool of the secure kernel, which zeroes on allocation and wipes on release.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guest_mbedtls_config.h"

extern "C" {
__declspec(dllimport) void* SkAllocatePool(uint32_t type, size_t bytes, uint32_t tag);
__declspec(dllimport) void SkFreePool(void* block);

void* cng_calloc(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  return SkAllocatePool(0, count * size, ' gnC');
}

void cng_free(void* block) { SkFreePool(block); }

// Only the text forms of X.509 print, and nobody asks for them.
int cng_snprintf(char* buffer, size_t size, const char*, ...) {
  if (size != 0) buffer[0] = 0;
  return 0;
}

void mbedtls_platform_zeroize(void* data, size_t size) {
  memset(data, 0, size);
  asm volatile("" ::"r"(data) : "memory");
}

void mbedtls_zeroize_and_free(void* data, size_t size) {
  if (data == nullptr) return;
  mbedtls_platform_zeroize(data, size);
  cng_free(data);
}
}
