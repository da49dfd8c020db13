// NTOS's generator: SHA-256 over a pool that starts from the loader's entropy and takes RDRAND
// whenever the processor has it.
#include <string.h>

#include "boot/sha256.h"
#include "io/io.h"

namespace {

uint8_t pool[64];
uint64_t counter;

void stir(const void* from, uint64_t size) {
  uint8_t digest[32];
  boot::Sha256 hash;
  hash.update(pool, sizeof pool);
  hash.update(from, size);
  hash.finish(digest);
  memcpy(pool, pool + 32, 32);
  memcpy(pool + 32, digest, 32);
}

}  // namespace

void ExInitializeRandom() {
  memcpy(pool, KeLoaderBlock->entropy, sizeof pool);
  memset(KeLoaderBlock->entropy, 0, sizeof KeLoaderBlock->entropy);
}

void ExAddEntropy(const void* from, uint64_t size) {
  stir(from, size);
}

void ExGetRandomBytes(void* to, uint64_t size) {
  auto out = static_cast<uint8_t*>(to);
  while (size != 0) {
    uint64_t hardware{};
    arch::read_random(hardware);
    stir(&hardware, sizeof hardware);
    uint8_t block[32];
    boot::Sha256 hash;
    hash.update("ExGetRandomBytes", 16);
    hash.update(pool, sizeof pool);
    hash.update(&++counter, sizeof counter);
    hash.finish(block);
    const uint64_t part = size < sizeof block ? size : sizeof block;
    memcpy(out, block, part);
    out += part;
    size -= part;
  }
}
