#define CNG_IMPLEMENTATION
#include <string.h>

#include "cng/cng.h"
#include "mbedtls/ctr_drbg.h"
#include "mbedtls/gcm.h"
#include "mbedtls/hkdf.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"

int CngSha256(const CngBytes* pieces, size_t count, uint8_t* digest) {
  mbedtls_sha256_context context;
  mbedtls_sha256_init(&context);
  int result = mbedtls_sha256_starts(&context, 0);
  for (size_t i = 0; result == 0 && i < count; ++i)
    result = mbedtls_sha256_update(&context, pieces[i].data, pieces[i].size);
  if (result == 0) result = mbedtls_sha256_finish(&context, digest);
  mbedtls_sha256_free(&context);
  return result;
}

int CngHkdfSha256(CngBytes key, CngBytes salt, CngBytes info, uint8_t* output, size_t output_size) {
  return mbedtls_hkdf(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), salt.data, salt.size, key.data, key.size,
                      info.data, info.size, output, output_size);
}

static constexpr size_t nonce_size = 12, tag_size = 16;
static constexpr unsigned key_bits = 256;

int CngSeal(const uint8_t* key, const uint8_t* nonce, CngBytes associated, CngBytes input, uint8_t* output,
            uint8_t* tag) {
  mbedtls_gcm_context context;
  mbedtls_gcm_init(&context);
  int result = mbedtls_gcm_setkey(&context, MBEDTLS_CIPHER_ID_AES, key, key_bits);
  if (result == 0)
    result = mbedtls_gcm_crypt_and_tag(&context, MBEDTLS_GCM_ENCRYPT, input.size, nonce, nonce_size, associated.data,
                                       associated.size, input.data, output, tag_size, tag);
  mbedtls_gcm_free(&context);
  return result;
}

// mbedTLS decrypts while it authenticates and zeroes the output when the tag is wrong; the caller gives a buffer of its
// own, so that nothing unauthenticated reaches anybody.
int CngOpen(const uint8_t* key, const uint8_t* nonce, CngBytes associated, CngBytes input, const uint8_t* tag,
            uint8_t* output) {
  mbedtls_gcm_context context;
  mbedtls_gcm_init(&context);
  int result = mbedtls_gcm_setkey(&context, MBEDTLS_CIPHER_ID_AES, key, key_bits);
  if (result == 0)
    result = mbedtls_gcm_auth_decrypt(&context, input.size, nonce, nonce_size, associated.data, associated.size, tag,
                                      tag_size, input.data, output);
  mbedtls_gcm_free(&context);
  return result;
}

static mbedtls_ctr_drbg_context generator;
static CngBytes seed_left;

// The generator asks for entropy when it is seeded; it gets what the secure kernel collected and nothing else.
static int take_seed(void*, unsigned char* output, size_t size) {
  if (size > seed_left.size) return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
  memcpy(output, seed_left.data, size);
  seed_left = {seed_left.data + size, seed_left.size - size};
  return 0;
}

int CngSeedRandom(const uint8_t* seed, size_t size) {
  static constexpr unsigned char personal[] = "Airlock secure kernel";
  mbedtls_ctr_drbg_init(&generator);
  seed_left = {seed, size};
  const int result = mbedtls_ctr_drbg_seed(&generator, take_seed, nullptr, personal, sizeof personal - 1);
  seed_left = {};
  // There is no source behind take_seed later on: new entropy comes by CngReseedRandom.
  mbedtls_ctr_drbg_set_reseed_interval(&generator, 0x7FFFFFFF);
  return result;
}

int CngReseedRandom(const uint8_t* additional, size_t size) {
  return mbedtls_ctr_drbg_update(&generator, additional, size);
}

int CngGenerateRandom(uint8_t* output, size_t size) {
  while (size != 0) {
    const size_t part = size < MBEDTLS_CTR_DRBG_MAX_REQUEST ? size : MBEDTLS_CTR_DRBG_MAX_REQUEST;
    if (const int result = mbedtls_ctr_drbg_random(&generator, output, part); result != 0) return result;
    output += part;
    size -= part;
  }
  return 0;
}

void CngWipeRandom() { mbedtls_ctr_drbg_free(&generator); }

// CNG notices that it runs in the secure kernel (S62) and registers no provider: there is nothing to start.
extern "C" int DriverEntry(void*, void*) { return 0; }
