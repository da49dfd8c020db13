#pragma once
// What CNG.SYS offers to the modules of VTL 1 (S62). Results: 0, or the negative error of mbedTLS.
#include <stddef.h>
#include <stdint.h>

#ifdef CNG_IMPLEMENTATION
#define CNG_API extern "C"
#else
#define CNG_API extern "C" __declspec(dllimport)
#endif

struct CngBytes {
  const uint8_t* data;
  size_t size;
};

/// SHA-256 over several pieces, as if they were one.
CNG_API int CngSha256(const CngBytes* pieces, size_t count, uint8_t* digest);
/// HKDF-SHA-256 (RFC 5869).
CNG_API int CngHkdfSha256(CngBytes key, CngBytes salt, CngBytes info, uint8_t* output, size_t output_size);

/// AES-256-GCM, 12-byte nonce, 16-byte tag. Opening writes nothing unless the tag is right.
CNG_API int CngSeal(const uint8_t* key, const uint8_t* nonce, CngBytes associated, CngBytes input, uint8_t* output,
                    uint8_t* tag);
CNG_API int CngOpen(const uint8_t* key, const uint8_t* nonce, CngBytes associated, CngBytes input, const uint8_t* tag,
                    uint8_t* output);

/// One CTR_DRBG (AES-256, NIST SP 800-90A) for VTL 1.
CNG_API int CngSeedRandom(const uint8_t* seed, size_t size);
CNG_API int CngReseedRandom(const uint8_t* additional, size_t size);
CNG_API int CngGenerateRandom(uint8_t* output, size_t size);
CNG_API void CngWipeRandom();

/// X.509: a leaf first, then certificates that may lie between it and a root.
struct CngCertificateChain;
CNG_API CngCertificateChain* CngCreateChain();
CNG_API void CngFreeChain(CngCertificateChain* chain);
CNG_API int CngAddCertificate(CngCertificateChain* chain, CngBytes der);
/// 0 if the chain ends in this root.
CNG_API int CngVerifyChain(CngCertificateChain* chain, CngBytes root_der);
/// 0 if the leaf has the extended key usage (OID contents, without tag and length).
CNG_API int CngCheckExtendedKeyUsage(CngCertificateChain* chain, CngBytes oid);
/// Signature of the leaf over a SHA-256 digest.
CNG_API int CngVerifySignature(CngCertificateChain* chain, const uint8_t* digest, CngBytes signature);
