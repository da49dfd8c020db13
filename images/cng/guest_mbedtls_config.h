#pragma once
// mbedTLS in the guest: what code integrity, IumCrypto and attestation need; no PSA, files, network, clock or entropy
// source of its own. Dates of certificates are not checked (no MBEDTLS_HAVE_TIME_DATE).

// Platform
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO cng_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO   cng_free
#define MBEDTLS_PLATFORM_SNPRINTF_MACRO cng_snprintf
#define MBEDTLS_PLATFORM_ZEROIZE_ALT
#define MBEDTLS_NO_PLATFORM_ENTROPY

// Hashes, MAC, key derivation
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_HKDF_C

// Ciphers and random numbers
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_GCM_C
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CTR_DRBG_C

// Public keys and certificates
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDH_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
#define MBEDTLS_NO_UDBL_DIVISION  // else __udivti3

#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
// Supplied by the image that links guest_mbedtls.
void* cng_calloc(size_t count, size_t size);
void cng_free(void* block);
int cng_snprintf(char* buffer, size_t size, const char* format, ...);
#ifdef __cplusplus
}
#endif
