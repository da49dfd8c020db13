#include "se/keys.h"

#include <string.h>

#include "cng/cng.h"
#include "ke/boot_block.h"
#include "rt/arch.h"
#include "rtl/wipe.h"
#include "skmm/pool.h"

namespace sk {

using abi::sk::KeySelector;

// In pool memory, which is closed to VTL 0 from the first VTL return on; the image's own data stays readable there until
// service 208 (7.14, steps 8 and 9).
struct Secrets {
  abi::sk::LocalKeyArray local_keys;
  uint8_t boot_key[32];
};
static Secrets* secrets;

// The manual's advice: ten tries, then give up (SDM vol. 1, 7.3.17).
static bool processor_random(uint64_t& value) {
  for (int i = 0; i < 10; ++i)
    if (arch::read_random(value)) return true;
  return false;
}

NtStatus SeInitKeys() {
  secrets = static_cast<Secrets*>(SkAllocatePool(0, sizeof(Secrets), pool_tag("SeKy")));
  if (secrets == nullptr) return NtStatus::NoMemory;
  uint8_t seed[sizeof SkBootBlock.entropy + 32];
  memcpy(seed, SkBootBlock.entropy, sizeof SkBootBlock.entropy);
  for (size_t at = sizeof SkBootBlock.entropy; at < sizeof seed; at += 8) {
    uint64_t value = 0;
    if (!processor_random(value)) return NtStatus::DataError;
    memcpy(seed + at, &value, sizeof value);
  }
  const bool seeded = CngSeedRandom(seed, sizeof seed) == 0;
  RtlSecureZero(seed, sizeof seed);
  if (!seeded) return NtStatus::InternalError;
  memcpy(&secrets->local_keys, &SkBootBlock.local_keys, sizeof secrets->local_keys);
  return SeRandom(secrets->boot_key, sizeof secrets->boot_key);
}

NtStatus SeRandom(void* data, size_t bytes) {
  return CngGenerateRandom(static_cast<uint8_t*>(data), bytes) == 0 ? NtStatus::Success : NtStatus::InternalError;
}

NtStatus SeMixEntropy(const void* data, size_t bytes) {
  return CngReseedRandom(static_cast<const uint8_t*>(data), bytes) == 0 ? NtStatus::Success
                                                                        : NtStatus::InternalError;
}

// One trustlet's blobs are useless to another, because its id is part of the key (decisions 2.1). The local key differs
// per machine, so that the salt only separates this use from others.
NtStatus SeDeriveBlobKey(KeySelector selector, uint32_t index, uint64_t trustlet_id, uint8_t (&key)[32]) {
  const uint8_t* master = nullptr;
  if (selector == KeySelector::BootKey) {
    master = secrets->boot_key;
  } else if (selector == KeySelector::LocalKey && index < secrets->local_keys.count) {
    master = secrets->local_keys.keys[index].key;
  }
  if (master == nullptr) return NtStatus::NotFound;
  static constexpr uint8_t salt[] = {'A', 'i', 'r', 'l', 'o', 'c', 'k', ' ', '1', '0', '2', '4', '0'};
  uint8_t info[8 + sizeof trustlet_id];
  memcpy(info, "IUM blob", 8);
  memcpy(info + 8, &trustlet_id, sizeof trustlet_id);
  const CngBytes parts{info, sizeof info};
  return CngHkdfSha256({master, 32}, {salt, sizeof salt}, parts, key, sizeof key) == 0 ? NtStatus::Success
                                                                                        : NtStatus::InternalError;
}

uint32_t SeCurrentLocalKey() { return secrets->local_keys.current; }
uint32_t SeBootCount() { return SkBootBlock.boot_count; }
bool SeFipsMode() { return SkBootBlock.has(abi::boot::VsmFips); }

void SeWipeKeys() {
  if (secrets == nullptr) return;  // the start-up did not get that far
  RtlSecureZero(secrets, sizeof *secrets);
  CngWipeRandom();
}

}  // namespace sk
