#pragma once
// The secure kernel's secrets: local keys from winload, a key of this boot, the random generator (decisions 4).
#include "abi/sk/structures.h"
#include "ke/base.h"

namespace sk {

/// Seeds the generator from the boot entropy and RDRAND, takes over the local keys and makes the boot key.
NtStatus SeInitKeys();
NtStatus SeRandom(void* data, size_t bytes);
/// NTOS's contribution (service 27); it can add entropy, never take any.
NtStatus SeMixEntropy(const void* data, size_t bytes);
/// 32-byte key for one trustlet's blobs. NotFound: there is no such key.
NtStatus SeDeriveBlobKey(abi::sk::KeySelector selector, uint32_t index, uint64_t trustlet_id, uint8_t (&key)[32]);
uint32_t SeCurrentLocalKey();
uint32_t SeBootCount();
bool SeFipsMode();
/// Before power off: nothing of the above is left.
void SeWipeKeys();

}  // namespace sk
