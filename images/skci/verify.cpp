// SkciVerifyImage: digest, signature, chain, usages, level - in this order, so that each kind of wrong image has its own
// status (CipMincryptToSigningLevel is where Windows draws the last conclusion, S104).
#define SKCI_IMPLEMENTATION
#include "cng/cng.h"
#include "pki_roots.h"
#include "rt/startup.h"
#include "skci/authenticode.h"
#include "skci/skci.h"

extern "C" {
__declspec(dllimport) void* SkAllocatePool(uint32_t type, size_t bytes, uint32_t tag);
__declspec(dllimport) void SkFreePool(void* block);
}

namespace skci {

using abi::NtStatus;
using namespace sk;

static SkciPolicy policy;

struct Root {
  uint32_t id;
  Bytes der;
};
static const Root roots[] = {
    {root_production, pki::production_root}, {root_test, pki::test_root}, {root_foreign, pki::foreign_root}};

// 1.3.6.1.4.1.311.10.3.6, 1.3.6.1.4.1.311.10.3.37, 1.3.6.1.5.5.7.3.3
static constexpr uint8_t oid_system_component[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0A, 0x03, 0x06};
static constexpr uint8_t oid_ium[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0A, 0x03, 0x25};
static constexpr uint8_t oid_code_signing[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03};

static CngBytes cng(Bytes bytes) { return {bytes.data(), bytes.size()}; }

static bool digest_of(Bytes bytes, uint8_t (&digest)[32]) {
  const CngBytes piece = cng(bytes);
  return CngSha256(&piece, 1, digest) == 0;
}

static NtStatus hash(const HashedLayout& layout, uint8_t (&digest)[32]) {
  const CngBytes pieces[] = {cng(layout.before_checksum), cng(layout.between), cng(layout.after_directory)};
  return CngSha256(pieces, 3, digest) == 0 ? NtStatus::Success : NtStatus::NoMemory;
}

// TBSCertificate: [0] version, serialNumber, signature, issuer ...
static bool names_signer(Bytes certificate, const Signature& signature) {
  Der outer{certificate}, body{{}}, tbs{{}};
  Tlv version, serial, algorithm, issuer;
  return outer.enter(Sequence, body) && body.enter(Sequence, tbs) && tbs.want(Context0, version) &&
         tbs.want(Integer, serial) && tbs.want(Sequence, algorithm) && tbs.want(Sequence, issuer) &&
         equal(serial.body, signature.signer_serial) && equal(issuer.whole, signature.signer_issuer);
}

// Certificates that were judged before: images of one vendor share them, and a chain costs two RSA verifications.
struct KnownSigner {
  uint8_t digest[32];
  uint32_t root, ekus;
};
static KnownSigner known[16];
static size_t known_count;

static const KnownSigner* find_known(const uint8_t (&digest)[32]) {
  for (size_t i = 0; i < known_count; ++i)
    if (memcmp(known[i].digest, digest, sizeof digest) == 0) return &known[i];
  return nullptr;
}

class Chain {
 public:
  Chain() : chain_{CngCreateChain()} {}
  ~Chain() { CngFreeChain(chain_); }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  /// Loads the signer first, then everything else that came along.
  bool load(const Signature& signature) {
    if (chain_ == nullptr) return false;
    for (const bool signer : {true, false}) {
      Der list{signature.certificates};
      Tlv certificate;
      while (list.next(certificate)) {
        if (names_signer(certificate.whole, signature) != signer) continue;
        if (CngAddCertificate(chain_, cng(certificate.whole)) != 0) return false;
        if (signer) leaf_ = certificate.whole;
      }
      if (leaf_.empty()) return false;
    }
    return true;
  }
  bool judge(uint32_t& root, uint32_t& ekus) const {
    uint8_t digest[32];
    if (!digest_of(leaf_, digest)) return false;
    if (const KnownSigner* signer = find_known(digest)) {
      root = signer->root;
      ekus = signer->ekus;
      return true;
    }
    root = root_none;
    for (const Root& candidate : roots)
      if (root == root_none && CngVerifyChain(chain_, cng(candidate.der)) == 0) root = candidate.id;
    ekus = has(oid_system_component) * eku_system_component | has(oid_ium) * eku_ium |
           has(oid_code_signing) * eku_code_signing;
    if (root != root_none && known_count < 16) {  // another image may bring the intermediate that this one lacks
      memcpy(known[known_count].digest, digest, sizeof digest);
      known[known_count].root = root;
      known[known_count++].ekus = ekus;
    }
    return true;
  }
  bool signed_digest(const uint8_t (&digest)[32], Bytes signature) const {
    return CngVerifySignature(chain_, digest, cng(signature)) == 0;
  }

 private:
  uint32_t has(Bytes oid) const { return CngCheckExtendedKeyUsage(chain_, cng(oid)) == 0 ? 1 : 0; }

  CngCertificateChain* chain_;
  Bytes leaf_{};
};

// The signature covers the attributes as a SET; in the file they carry the tag [0] (RFC 2315, 9.3).
static bool attributes_digest(const Signature& signature, uint8_t (&digest)[32]) {
  static constexpr uint8_t set_tag[] = {Set};
  const CngBytes pieces[] = {{set_tag, 1}, cng(signature.attributes.subspan(1))};
  return CngSha256(pieces, 2, digest) == 0;
}

// S105: the test root stands in for the production root while test signing is on; the foreign root never does (S45).
static bool accepts(uint32_t root) {
  return root == root_production || (root == root_test && policy.test_signing);
}

// S104, S105: level 12 needs the system component's usage, unless a test root signed in test mode.
static uint32_t signing_level(uint32_t root, uint32_t ekus) {
  const bool component = (ekus & eku_system_component) != 0 || root == root_test;
  return component ? signing_level_windows : signing_level_authenticode;
}

static NtStatus verify(Bytes file, SkciVerdict& verdict) {
  HashedLayout layout{};
  Signature signature{};
  if (NtStatus status = lay_out(file, layout); !succeeded(status)) return status;
  if (NtStatus status = hash(layout, verdict.digest); !succeeded(status)) return status;
  if (NtStatus status = read_signature(layout.certificate_table, signature); !succeeded(status)) return status;
  if (!equal(signature.digest, verdict.digest)) return NtStatus::InvalidImageHash;

  uint8_t content_digest[32], signed_digest[32];
  if (!digest_of(signature.content, content_digest) || !attributes_digest(signature, signed_digest))
    return NtStatus::NoMemory;
  if (!equal(signature.message_digest, content_digest)) return NtStatus::InvalidSignature;
  Chain chain;
  if (!chain.load(signature) || !chain.judge(verdict.root, verdict.ekus)) return NtStatus::InvalidSignature;
  if (!chain.signed_digest(signed_digest, signature.encrypted_digest)) return NtStatus::InvalidSignature;
  if (!accepts(verdict.root)) return NtStatus::IssuingCaUntrusted;
  if ((verdict.ekus & eku_code_signing) == 0) return NtStatus::AccessDisabledByPolicy;
  verdict.signing_level = signing_level(verdict.root, verdict.ekus);
  return NtStatus::Success;
}

}  // namespace skci

abi::NtStatus SkciInitialize(sk::SkciPolicy policy) {
  skci::policy = policy;
  return abi::NtStatus::Success;
}

abi::NtStatus SkciHashImage(const uint8_t* file, size_t size, uint8_t (&digest)[32]) {
  skci::HashedLayout layout{};
  if (abi::NtStatus status = skci::lay_out({file, size}, layout); !abi::succeeded(status)) return status;
  return skci::hash(layout, digest);
}

void SkciVerifyImage(const uint8_t* file, size_t size, sk::SkciVerdict& verdict) {
  verdict = {};
  verdict.signing_level = sk::signing_level_unsigned;
  verdict.status = skci::verify({file, size}, verdict);
}

extern "C" int DllMain(void*, uint32_t, void*) { return 1; }
