// LKEY: the local keys that seal trustlets' data (S52, decisions 4). IDK, an RSA key pair, is not
// provisioned: its pointer in the VSM loader block stays 0.
#include <string.h>

#include "boot/sha256.h"
#include "winload.h"

namespace osl {

abi::boot::LocalKeyArray local_keys;
uint32_t boot_count;

namespace {

/// The variable VsmLocalKey2. Without a TPM the package is hidden under a key in
/// VsmLocalKeyProtector, which protects against nothing but accidents: Windows boots on such
/// machines too (S33), and says so.
struct LocalKeyPackage {
  uint32_t magic;
  uint32_t version;
  uint32_t pcr_mask;  ///< 0x880 when a TPM seals; 0: not sealed
  uint32_t size;
  uint8_t data[sizeof(abi::boot::LocalKeyArray)];
  uint8_t digest[32];  ///< SHA-256 of the plain data
};
constexpr uint32_t package_magic = 0x594B4C56;  // "VLKY"

void apply_key_stream(const uint8_t (&protector)[32], uint8_t* data, uint32_t size) {
  for (uint32_t done = 0, block = 0; done < size; done += 32, ++block) {
    uint8_t stream[32];
    boot::Sha256 hash;
    hash.update("VsmLocalKeyProtector", 20);
    hash.update(protector, sizeof protector);
    hash.update(&block, sizeof block);
    hash.finish(stream);
    for (uint32_t i = 0; i < 32 && done + i < size; ++i)
      data[done + i] ^= stream[i];
  }
}

void digest_of(const void* data, uint32_t size, uint8_t (&digest)[32]) {
  boot::Sha256 hash;
  hash.update(data, size);
  hash.finish(digest);
}

bool open_package() {
  uint8_t protector[32], digest[32];
  LocalKeyPackage package;
  if (!read_variable(u"VsmLocalKeyProtector", efi::microsoft_policy, protector, sizeof protector))
    return false;
  if (!read_variable(u"VsmLocalKey2", efi::microsoft_policy, &package, sizeof package))
    return false;
  if (package.magic != package_magic || package.version != 1 || package.size != sizeof local_keys)
    return false;
  apply_key_stream(protector, package.data, sizeof package.data);
  digest_of(package.data, sizeof package.data, digest);
  if (memcmp(digest, package.digest, sizeof digest) != 0) return false;
  memcpy(&local_keys, package.data, sizeof local_keys);
  memset(&package, 0, sizeof package);
  memset(protector, 0, sizeof protector);
  return true;
}

void make_package() {
  local_keys = {};
  local_keys.count = 1;
  random_bytes(local_keys.keys[0].key, sizeof local_keys.keys[0].key);
  local_keys.keys[0].first_boot = boot_count;

  uint8_t protector[32];
  random_bytes(protector, sizeof protector);
  LocalKeyPackage package{package_magic, 1, 0, sizeof local_keys, {}, {}};
  memcpy(package.data, &local_keys, sizeof local_keys);
  digest_of(package.data, sizeof package.data, package.digest);
  apply_key_stream(protector, package.data, sizeof package.data);
  write_variable(u"VsmLocalKeyProtector", efi::microsoft_policy, protector, sizeof protector);
  write_variable(u"VsmLocalKey2", efi::microsoft_policy, &package, sizeof package);
  memset(protector, 0, sizeof protector);
}

}  // namespace

void OslProvisionLocalKeys() {
  if (!policy.launch_vsm) return;
  read_variable(u"VsmBootCount", efi::boot_configuration, &boot_count, sizeof boot_count);
  ++boot_count;
  write_variable(u"VsmBootCount", efi::boot_configuration, &boot_count, sizeof boot_count);
  const bool unsealed = open_package();
  if (!unsealed) make_package();
  boot::milestone("winload: LKEY {}, not sealed (no TPM)", unsealed ? "opened" : "provisioned");
}

}  // namespace osl
