#pragma once
// The Authenticode view of a PE file: what is hashed, what the embedded signature says about it,
// and who signed. Whether a root is trusted is not decided here: that is the guest's code
// integrity.
#include <optional>
#include <string>
#include <vector>

#include "sim/loader/pe_image.h"
#include "sim/loader/sha256.h"

namespace loader {

/// SHA-256 over the file without CheckSum, the security directory's entry and the certificate
/// table, padded to 8 bytes. Refuses a certificate table that is not the last thing in the file.
[[nodiscard]] support::Result<Sha256> authenticode_digest(const PeImage& image);

/// One row of a page hash table.
struct PageHash {
  uint32_t file_offset{};
  Sha256 hash{};
  friend bool operator==(const PageHash&, const PageHash&) = default;
};
/// The rows that a signature with page hashes must hold: the headers, then each page of each
/// section's raw data padded with zeros, then the end offset with a zero hash.
[[nodiscard]] support::Result<std::vector<PageHash>> page_hashes(const PeImage& image);

struct SignerCertificate {
  std::string subject, issuer;  ///< as "CN=..., O=..."
  std::string serial;           ///< hexadecimal
  std::string key;              ///< such as "RSA 2048"
  std::string not_before, not_after;
  std::vector<std::string> extended_key_usage;  ///< dotted OIDs; empty means unrestricted
  bool self_signed{};
};

enum class Verdict : uint8_t { Good, Bad, NotChecked };

struct SignatureInfo {
  std::string digest_algorithm;         ///< dotted OID, or "SHA-256"
  std::vector<uint8_t> signed_digest;   ///< what the signature says the file's digest is
  Verdict digest{Verdict::NotChecked};  ///< it equals authenticode_digest()
  Verdict attributes{
      Verdict::NotChecked};  ///< the messageDigest attribute covers the signed content
  Verdict signature{Verdict::NotChecked};  ///< the signer's key made the signature
  Verdict chain{Verdict::NotChecked};  ///< each certificate of the chain is signed by the next one
  std::vector<PageHash> page_hashes;   ///< empty where the signature has none
  Verdict page_hash_table{Verdict::NotChecked};
  /// From the signer upwards as far as the embedded certificates reach. The root is usually not
  /// embedded.
  std::vector<SignerCertificate> signer_chain;
};

/// Parses the first PKCS#7 signature; nothing if the file has none.
[[nodiscard]] support::Result<std::optional<SignatureInfo>> read_signature(const PeImage& image);

/// "1.3.6.1.4.1.311.10.3.37" -> "IUM signing"; empty for OIDs that this project does not name.
[[nodiscard]] std::string_view name_of_oid(std::string_view dotted);
[[nodiscard]] std::string_view name_of(Verdict verdict);

}  // namespace loader
