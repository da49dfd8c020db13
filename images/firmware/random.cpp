// EFI_RNG_PROTOCOL (UEFI 37.5): SHA-256 of seed and counter. Deterministic on purpose: the seed is
// an input of the run.
#include <string.h>

#include "boot/sha256.h"
#include "firmware.h"

namespace firmware {
namespace {

uint8_t key[32];
uint64_t counter;

efi::Status get_info(efi::RandomProtocol*, uint64_t* size, efi::Guid*) {
  *size = 0;
  return efi::unsupported;
}

efi::Status get_rng(efi::RandomProtocol*, const efi::Guid*, uint64_t size, uint8_t* value) {
  while (size != 0) {
    uint8_t block[32];
    boot::Sha256 hash;
    hash.update("EFI_RNG", 7);
    hash.update(key, sizeof key);
    hash.update(&counter, sizeof counter);
    hash.finish(block);
    ++counter;
    const uint64_t part = size < sizeof block ? size : sizeof block;
    memcpy(value, block, part);
    value += part;
    size -= part;
  }
  return efi::success;
}

}  // namespace

efi::RandomProtocol random_generator{get_info, get_rng};

void random_initialize(std::span<const uint8_t, 32> seed) {
  memcpy(key, seed.data(), sizeof key);
}

void random_wipe() {
  memset(key, 0, sizeof key);
}

}  // namespace firmware
