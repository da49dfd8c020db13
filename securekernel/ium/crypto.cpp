// IumCrypto: EncryptData, DecryptData, seed and FIPS mode (decisions 2.1). Blobs are sealed with a key that depends on
// the trustlet's id; everything in the header and the tagged bytes is authenticated.
#include "ium/crypto.h"

#include <string.h>

#include "abi/sk/structures.h"
#include "cng/cng.h"
#include "dbg/debug_port.h"
#include "rtl/wipe.h"
#include "se/keys.h"
#include "skmm/pool.h"
#include "skmm/user_memory.h"

namespace sk {

using namespace abi::sk;

namespace {

constexpr uint16_t blob_version = 1;

struct DerivedKey {
  uint8_t bytes[32];
  ~DerivedKey() { RtlSecureZero(bytes, sizeof bytes); }
};

bool reserved_fields_are_zero(const CryptoParameters& p) {
  return (p.reserved_02 | p.reserved_08[0] | p.reserved_08[1] | p.reserved_28 | p.reserved_48 | p.reserved_60 |
          p.reserved_6c) == 0;
}

// Unique in this boot by counting, across boots by chance.
NtStatus make_nonce(uint8_t (&nonce)[12]) {
  static uint32_t counter;
  ++counter;
  memcpy(nonce, &counter, sizeof counter);
  return SeRandom(nonce + sizeof counter, sizeof nonce - sizeof counter);
}

NtStatus output_fits(CryptoParameters& p, uint64_t needed) {
  p.bytes_returned = needed;
  return p.output_length < needed ? NtStatus::BufferTooSmall : NtStatus::Success;
}

NtStatus encrypt(const SkProcess& process, CryptoParameters& p) {
  if (p.input_length > maximum_crypto_input || p.tagged_length > maximum_crypto_input || p.key_selector > 1)
    return NtStatus::InvalidParameter;
  const uint64_t tagged = p.tagged_length, total = sizeof(CryptoBlob) + tagged + p.input_length;
  SK_TRY(output_fits(p, total));
  PoolBuffer input{p.input_length, pool_tag("SkCr")}, output{total, pool_tag("SkCr")};
  if (!input || !output) return NtStatus::NoMemory;
  SK_TRY(SkmmCopyFromUser(input.data(), p.input, p.input_length));
  SK_TRY(SkmmCopyFromUser(output.data() + sizeof(CryptoBlob), p.tagged, tagged));

  const auto selector = static_cast<KeySelector>(p.key_selector);
  auto& blob = *reinterpret_cast<CryptoBlob*>(output.data());
  blob = {blob_version, static_cast<uint16_t>(p.key_selector),
          selector == KeySelector::LocalKey ? SeCurrentLocalKey() : 0,
          static_cast<uint32_t>(tagged), sizeof(CryptoBlob), process.trustlet_id, {},
          static_cast<uint32_t>(p.input_length), {}, SeBootCount()};
  SK_TRY(make_nonce(blob.nonce));
  DerivedKey key;
  SK_TRY(SeDeriveBlobKey(selector, blob.key_index, process.trustlet_id, key.bytes));
  // Associated data: the header with its tag still zero, then the tagged bytes.
  uint8_t tag[16];
  if (CngSeal(key.bytes, blob.nonce, {output.data(), sizeof(CryptoBlob) + tagged}, {input.data(), p.input_length},
              output.data() + sizeof(CryptoBlob) + tagged, tag) != 0)
    return NtStatus::InternalError;
  memcpy(blob.tag, tag, sizeof tag);
  return SkmmCopyToUser(p.output, output.data(), total);
}

bool blob_is_sound(const CryptoBlob& blob, uint64_t size) {
  return blob.version == blob_version && blob.key_selector <= 1 && blob.tagged_offset == sizeof(CryptoBlob) &&
         blob.tagged_size <= maximum_crypto_input && blob.data_size <= maximum_crypto_input &&
         sizeof(CryptoBlob) + blob.tagged_size + blob.data_size == size;
}

NtStatus decrypt(const SkProcess& process, CryptoParameters& p) {
  constexpr uint64_t largest = sizeof(CryptoBlob) + 2 * maximum_crypto_input;
  if (p.input_length < sizeof(CryptoBlob) || p.input_length > largest) return NtStatus::InvalidParameter;
  PoolBuffer input{p.input_length, pool_tag("SkCr")};
  if (!input) return NtStatus::NoMemory;
  SK_TRY(SkmmCopyFromUser(input.data(), p.input, p.input_length));
  auto& blob = *reinterpret_cast<CryptoBlob*>(input.data());
  if (!blob_is_sound(blob, p.input_length)) return NtStatus::InvalidParameter;
  SK_TRY(output_fits(p, blob.data_size));
  PoolBuffer output{blob.data_size, pool_tag("SkCr")};
  if (!output) return NtStatus::NoMemory;

  // The caller's id makes the key, not the blob's: a foreign blob fails like a forged one.
  DerivedKey key;
  if (!succeeded(SeDeriveBlobKey(static_cast<KeySelector>(blob.key_selector), blob.key_index, process.trustlet_id,
                                 key.bytes)))
    return NtStatus::AuthTagMismatch;
  uint8_t tag[16];
  memcpy(tag, blob.tag, sizeof tag);
  memset(blob.tag, 0, sizeof blob.tag);
  const size_t covered = sizeof(CryptoBlob) + blob.tagged_size;
  if (CngOpen(key.bytes, blob.nonce, {input.data(), covered}, {input.data() + covered, blob.data_size}, tag,
              output.data()) != 0)
    return NtStatus::AuthTagMismatch;
  const bool older = blob.key_selector == 0 && blob.key_index != SeCurrentLocalKey();
  p.blob_flags = older ? blob_flag_older_key : 0;
  return SkmmCopyToUser(p.output, output.data(), blob.data_size);
}

NtStatus seed(CryptoParameters& p) {
  if (p.output_length == 0 || p.output_length > maximum_crypto_seed) return NtStatus::InvalidParameter;
  PoolBuffer output{p.output_length, pool_tag("SkCr")};
  if (!output) return NtStatus::NoMemory;
  SK_TRY(SeRandom(output.data(), p.output_length));
  SK_TRY(SkmmCopyToUser(p.output, output.data(), p.output_length));
  p.bytes_seeded = p.output_length;
  return NtStatus::Success;
}

NtStatus fips_mode(CryptoParameters& p) {
  if (p.output_length != 1) return NtStatus::InvalidParameter;
  const uint8_t mode = SeFipsMode() ? 1 : 0;
  return SkmmCopyToUser(p.output, &mode, sizeof mode);
}

NtStatus dispatch(const SkProcess& process, CryptoParameters& p) {
  switch (static_cast<CryptoOperation>(p.operation)) {
    case CryptoOperation::Encrypt: return encrypt(process, p);
    case CryptoOperation::Decrypt: return decrypt(process, p);
    case CryptoOperation::Seed: return seed(p);
    case CryptoOperation::FipsMode: return fips_mode(p);
    // DecryptIdkBound needs an identification key, which this boot loader does not provision.
    default: ++SkCounters.unknown_crypto_operations; return NtStatus::NotImplemented;
  }
}

}  // namespace

NtStatus IumCrypto(SkProcess& process, uint64_t parameters) {
  CryptoParameters p;
  SK_TRY(SkmmCopyFromUser(&p, parameters, sizeof p));
  if (!reserved_fields_are_zero(p)) return NtStatus::InvalidParameter;
  p.bytes_returned = p.bytes_seeded = 0;
  p.blob_flags = 0;
  const NtStatus status = dispatch(process, p);
  SK_TRY(SkmmCopyToUser(parameters, &p, sizeof p));
  return status;
}

}  // namespace sk
