#define CNG_IMPLEMENTATION
#include "cng/cng.h"
#include "guest_mbedtls_config.h"
#include "mbedtls/pk.h"
#include "mbedtls/x509_crt.h"

struct CngCertificateChain {
  mbedtls_x509_crt leaf;  // mbedTLS links the others behind it
};

CngCertificateChain* CngCreateChain() {
  auto* chain = static_cast<CngCertificateChain*>(cng_calloc(1, sizeof(CngCertificateChain)));
  if (chain != nullptr) mbedtls_x509_crt_init(&chain->leaf);
  return chain;
}

void CngFreeChain(CngCertificateChain* chain) {
  if (chain == nullptr) return;
  mbedtls_x509_crt_free(&chain->leaf);
  cng_free(chain);
}

int CngAddCertificate(CngCertificateChain* chain, CngBytes der) {
  return mbedtls_x509_crt_parse_der(&chain->leaf, der.data, der.size);
}

int CngVerifyChain(CngCertificateChain* chain, CngBytes root_der) {
  mbedtls_x509_crt root;
  mbedtls_x509_crt_init(&root);
  uint32_t flags = 0;
  int result = mbedtls_x509_crt_parse_der(&root, root_der.data, root_der.size);
  if (result == 0) result = mbedtls_x509_crt_verify(&chain->leaf, &root, nullptr, nullptr, &flags, nullptr, nullptr);
  mbedtls_x509_crt_free(&root);
  return result;
}

int CngCheckExtendedKeyUsage(CngCertificateChain* chain, CngBytes oid) {
  return mbedtls_x509_crt_check_extended_key_usage(&chain->leaf, reinterpret_cast<const char*>(oid.data), oid.size);
}

int CngVerifySignature(CngCertificateChain* chain, const uint8_t* digest, CngBytes signature) {
  return mbedtls_pk_verify(&chain->leaf.pk, MBEDTLS_MD_SHA256, digest, 32, signature.data, signature.size);
}
