// The PKCS#7 SignedData of an Authenticode signature (RFC 2315, and Microsoft's "Authenticode PE"
// for SpcIndirectData). The tag reader and the certificates are mbedTLS's; only the frame around
// them is walked here.
#include <fmt/format.h>
#include <mbedtls/asn1.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include <algorithm>
#include <memory>

#include "sim/loader/authenticode.h"
#include "sim/loader/pe_directories.h"

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint8_t sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
constexpr uint8_t set = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET;
constexpr uint8_t context(uint8_t number) {
  return static_cast<uint8_t>(MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | number);
}
constexpr std::string_view oid_signed_data = "1.2.840.113549.1.7.2";
constexpr std::string_view oid_indirect_data = "1.3.6.1.4.1.311.2.1.4";
constexpr std::string_view oid_message_digest = "1.2.840.113549.1.9.4";
/// SpcSerializedObject class of page hashes, and the attribute of SHA-256 tables
/// (1.3.6.1.4.1.311.2.3.2).
constexpr uint8_t page_hash_class[16] = {0xa6, 0xb5, 0x86, 0xd5, 0xb4, 0xa1, 0x24, 0x66,
                                         0xae, 0x05, 0xa2, 0x17, 0xda, 0x8e, 0x60, 0xd6};
constexpr std::string_view oid_page_hashes_sha256 = "1.3.6.1.4.1.311.2.3.2";

/// A bounded walk over DER: every step says what it expects and fails with the offset where it is
/// not.
class Der {
 public:
  explicit Der(Bytes bytes) : Der(bytes, bytes.data()) {}

  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  [[nodiscard]] bool next_is(uint8_t tag) const { return !bytes_.empty() && bytes_[0] == tag; }

  /// The contents of the next element, which must have `tag`.
  Result<Bytes> take(uint8_t tag, std::string_view what) {
    auto* at = const_cast<uint8_t*>(
        bytes_.data());  // mbedTLS's reader moves a non-const pointer and writes nothing
    size_t length = 0;
    const int failure = mbedtls_asn1_get_tag(&at, bytes_.data() + bytes_.size(), &length, tag);
    if (failure != 0)
      return Error{fmt::format(
          "the signature has no {} where one must be, at byte {} (expected tag {:#04x})", what,
          bytes_.data() - start_, tag)};
    const auto header = static_cast<size_t>(at - bytes_.data());
    const Bytes contents = bytes_.subspan(header, length);
    bytes_ = bytes_.subspan(header + length);
    return contents;
  }
  Result<Der> enter(uint8_t tag, std::string_view what) {
    return Der {
      TRY(take(tag, what))
      , start_
    };
  }

  /// The next element with its tag and length, of any kind.
  Result<Bytes> take_whole(std::string_view what) {
    const Bytes before = bytes_;
    if (before.empty()) return Error{fmt::format("the signature ends where {} must be", what)};
    TRY(take(before[0], what));
    return before.first(before.size() - bytes_.size());
  }

  Result<std::string> oid(std::string_view what) {
    const Bytes bytes = TRY(take(MBEDTLS_ASN1_OID, what));
    const mbedtls_asn1_buf buffer{MBEDTLS_ASN1_OID, bytes.size(),
                                  const_cast<uint8_t*>(bytes.data())};
    char text[256];
    if (mbedtls_oid_get_numeric_string(text, sizeof text, &buffer) < 0)
      return Error{fmt::format("the signature's {} is a malformed object identifier", what)};
    return std::string{text};
  }
  Result<std::string> algorithm(std::string_view what) {
    Der inner = TRY(enter(sequence, what));
    return inner.oid(what);
  }
  Status expect_oid(std::string_view expected, std::string_view what) {
    const std::string found = TRY(oid(what));
    if (found != expected)
      return Error{fmt::format("the signature's {} is {} instead of {}", what, found, expected)};
    return Unit{};
  }

 private:
  Der(Bytes bytes, const uint8_t* start) : bytes_{bytes}, start_{start} {}
  Bytes bytes_;
  const uint8_t* start_;
};

struct FreeChain {
  void operator()(mbedtls_x509_crt* chain) const {
    mbedtls_x509_crt_free(chain);
    delete chain;
  }
};
using Certificates = std::unique_ptr<mbedtls_x509_crt, FreeChain>;

/// What the walk finds, before anything is judged.
struct SignedData {
  Bytes indirect_data;  ///< contents of SpcIndirectDataContent, what messageDigest covers
  Bytes spc_attribute;  ///< SpcAttributeTypeAndOptionalValue
  std::string digest_algorithm;
  Bytes digest;
  std::vector<Bytes> certificates;
  Bytes issuer, serial;  ///< of the signer, issuer with its tag
  std::string signer_digest_algorithm;
  Bytes attributes;  ///< authenticated attributes with their tag, or empty
  Bytes message_digest;
  Bytes signature;
};

Status read_content(Der& signed_data, SignedData& out) {
  Der content = TRY(signed_data.enter(sequence, "content info"));
  TRY(content.expect_oid(oid_indirect_data, "content type"));
  Der wrapper = TRY(content.enter(context(0), "content"));
  out.indirect_data = TRY(wrapper.take(sequence, "SpcIndirectDataContent"));
  Der indirect{out.indirect_data};
  out.spc_attribute = TRY(indirect.take(sequence, "SpcAttributeTypeAndOptionalValue"));
  Der info = TRY(indirect.enter(sequence, "DigestInfo"));
  out.digest_algorithm = TRY(info.algorithm("digest algorithm"));
  out.digest = TRY(info.take(MBEDTLS_ASN1_OCTET_STRING, "digest"));
  return Unit{};
}

Status read_attributes(Bytes attributes, SignedData& out) {
  Der list{attributes};
  while (!list.at_end()) {
    Der attribute = TRY(list.enter(sequence, "authenticated attribute"));
    const std::string type = TRY(attribute.oid("attribute type"));
    Der values = TRY(attribute.enter(set, "attribute values"));
    if (type == oid_message_digest)
      out.message_digest = TRY(values.take(MBEDTLS_ASN1_OCTET_STRING, "message digest"));
  }
  return Unit{};
}

Status read_signer(Der& signed_data, SignedData& out) {
  Der signers = TRY(signed_data.enter(set, "signer infos"));
  Der signer = TRY(signers.enter(sequence, "signer info"));
  TRY(signer.take(MBEDTLS_ASN1_INTEGER, "signer version"));
  Der identity = TRY(signer.enter(sequence, "signer's issuer and serial number"));
  out.issuer = TRY(identity.take_whole("signer's issuer"));
  out.serial = TRY(identity.take(MBEDTLS_ASN1_INTEGER, "signer's serial number"));
  out.signer_digest_algorithm = TRY(signer.algorithm("signer's digest algorithm"));
  if (signer.next_is(context(0))) {
    Der copy = signer;
    out.attributes = TRY(signer.take_whole("authenticated attributes"));
    const Bytes attributes = TRY(copy.take(context(0), "authenticated attributes"));
    TRY(read_attributes(attributes, out));
  }
  TRY(signer.algorithm("signature algorithm"));
  out.signature = TRY(signer.take(MBEDTLS_ASN1_OCTET_STRING, "signature value"));
  return Unit{};
}

Result<SignedData> read_signed_data(Bytes pkcs7) {
  constexpr size_t maximum_certificates = 32;
  SignedData out;
  Der top{pkcs7};
  Der info = TRY(top.enter(sequence, "PKCS#7 content info"));
  TRY(info.expect_oid(oid_signed_data, "PKCS#7 content type"));
  Der wrapper = TRY(info.enter(context(0), "SignedData"));
  Der signed_data = TRY(wrapper.enter(sequence, "SignedData"));
  TRY(signed_data.take(MBEDTLS_ASN1_INTEGER, "version"));
  TRY(signed_data.take(set, "digest algorithms"));
  TRY(read_content(signed_data, out));
  if (signed_data.next_is(context(0))) {
    Der certificates = TRY(signed_data.enter(context(0), "certificates"));
    while (!certificates.at_end()) {
      if (out.certificates.size() == maximum_certificates)
        return Error{
            fmt::format("the signature embeds more than {} certificates", maximum_certificates)};
      out.certificates.push_back(TRY(certificates.take_whole("certificate")));
    }
  }
  if (signed_data.next_is(context(1))) TRY(signed_data.take(context(1), "revocation lists"));
  TRY(read_signer(signed_data, out));
  return out;
}

/// The page hash table is an attribute inside SpcPeImageData's SpcLink, class page_hash_class.
Result<std::vector<PageHash>> read_page_hashes(Bytes spc_attribute) {
  std::vector<PageHash> rows;
  Der attribute{spc_attribute};
  TRY(attribute.oid("SpcPeImageData type"));
  if (attribute.at_end()) return rows;
  Der image_data = TRY(attribute.enter(sequence, "SpcPeImageData"));
  if (image_data.next_is(MBEDTLS_ASN1_BIT_STRING))
    TRY(image_data.take(MBEDTLS_ASN1_BIT_STRING, "SpcPeImageFlags"));
  if (!image_data.next_is(context(0))) return rows;
  Der link = TRY(image_data.enter(context(0), "SpcLink"));
  if (!link.next_is(context(1))) return rows;  // a file name or URL: no page hashes
  Der moniker = TRY(link.enter(context(1), "SpcSerializedObject"));
  const Bytes id = TRY(moniker.take(MBEDTLS_ASN1_OCTET_STRING, "class of the serialized object"));
  if (!std::equal(id.begin(), id.end(), std::begin(page_hash_class), std::end(page_hash_class)))
    return rows;
  Der data {
    TRY(moniker.take(MBEDTLS_ASN1_OCTET_STRING, "serialized object"))
  };
  Der attributes = TRY(data.enter(set, "page hash attributes"));
  Der page_attribute = TRY(attributes.enter(sequence, "page hash attribute"));
  if (TRY(page_attribute.oid("page hash type")) != oid_page_hashes_sha256) return rows;
  Der values = TRY(page_attribute.enter(set, "page hash values"));
  const Bytes table = TRY(values.take(MBEDTLS_ASN1_OCTET_STRING, "page hash table"));
  constexpr size_t row_size = 4 + sizeof(Sha256);
  if (table.size() % row_size != 0)
    return Error{fmt::format("the page hash table of {} bytes is no multiple of {}", table.size(),
                             row_size)};
  for (size_t at = 0; at < table.size(); at += row_size)
    rows.push_back({*read_at<uint32_t>(table, at), *read_at<Sha256>(table, at + 4)});
  return rows;
}

Result<Certificates> parse_certificates(const SignedData& data) {
  Certificates chain{new mbedtls_x509_crt};
  mbedtls_x509_crt_init(chain.get());
  for (size_t i = 0; i < data.certificates.size(); ++i) {
    const Bytes der = data.certificates[i];
    const int failure = mbedtls_x509_crt_parse_der(chain.get(), der.data(), der.size());
    if (failure != 0)
      return Error{fmt::format("embedded certificate {} cannot be parsed (mbedTLS error -{:#06x})",
                               i, -failure)};
  }
  return chain;
}

bool equal(const mbedtls_x509_buf& buffer, Bytes bytes) {
  return std::equal(bytes.begin(), bytes.end(), buffer.p, buffer.p + buffer.len);
}

const mbedtls_x509_crt* find_signer(const mbedtls_x509_crt* chain, const SignedData& data) {
  for (const auto* each = chain; each != nullptr && each->raw.p != nullptr; each = each->next)
    if (equal(each->issuer_raw, data.issuer) && equal(each->serial, data.serial)) return each;
  return nullptr;
}

const mbedtls_x509_crt* find_issuer(const mbedtls_x509_crt* chain, const mbedtls_x509_crt* of) {
  for (const auto* each = chain; each != nullptr && each->raw.p != nullptr; each = each->next)
    if (each != of && equal(each->subject_raw, {of->issuer_raw.p, of->issuer_raw.len})) return each;
  return nullptr;
}

std::string text_of(const mbedtls_x509_name& name) {
  char text[1024];
  return mbedtls_x509_dn_gets(text, sizeof text, &name) < 0 ? "(unprintable)" : printable(text);
}

std::string text_of(const mbedtls_x509_time& time) {
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}Z", time.year, time.mon, time.day,
                     time.hour, time.min, time.sec);
}

SignerCertificate describe(const mbedtls_x509_crt& certificate) {
  SignerCertificate out;
  out.subject = text_of(certificate.subject);
  out.issuer = text_of(certificate.issuer);
  for (size_t i = 0; i < certificate.serial.len; ++i)
    out.serial += fmt::format("{:02x}", certificate.serial.p[i]);
  out.key = fmt::format("{} {}", mbedtls_pk_get_name(&certificate.pk),
                        mbedtls_pk_get_bitlen(&certificate.pk));
  out.not_before = text_of(certificate.valid_from);
  out.not_after = text_of(certificate.valid_to);
  for (const auto* usage = &certificate.ext_key_usage; usage != nullptr && usage->buf.p != nullptr;
       usage = usage->next) {
    char text[256];
    out.extended_key_usage.emplace_back(
        mbedtls_oid_get_numeric_string(text, sizeof text, &usage->buf) < 0 ? "(malformed)" : text);
  }
  out.self_signed =
      equal(certificate.issuer_raw, {certificate.subject_raw.p, certificate.subject_raw.len});
  return out;
}

Verdict judge(bool good) {
  return good ? Verdict::Good : Verdict::Bad;
}

const mbedtls_md_info_t* hash_named(std::string_view oid) {
  static constexpr std::pair<std::string_view, mbedtls_md_type_t> rows[] = {
      {"2.16.840.1.101.3.4.2.1", MBEDTLS_MD_SHA256},
      {"2.16.840.1.101.3.4.2.2", MBEDTLS_MD_SHA384},
      {"2.16.840.1.101.3.4.2.3", MBEDTLS_MD_SHA512},
      {"1.3.14.3.2.26", MBEDTLS_MD_SHA1}};
  for (const auto& [name, type] : rows)
    if (name == oid) return mbedtls_md_info_from_type(type);
  return nullptr;
}

std::vector<uint8_t> hash_of(const mbedtls_md_info_t* hash, Bytes bytes) {
  std::vector<uint8_t> digest(mbedtls_md_get_size(hash));
  static_cast<void>(mbedtls_md(hash, bytes.data(), bytes.size(), digest.data()));
  return digest;
}

bool verify(const mbedtls_x509_crt& certificate, const mbedtls_md_info_t* hash, Bytes message,
            Bytes signature) {
  const std::vector<uint8_t> digest = hash_of(hash, message);
  // Verification changes nothing that shows, but mbedTLS's blinding state makes the parameter
  // non-const.
  auto* key = const_cast<mbedtls_pk_context*>(&certificate.pk);
  return mbedtls_pk_verify(key, mbedtls_md_get_type(hash), digest.data(), digest.size(),
                           signature.data(), signature.size()) == 0;
}

/// messageDigest and the signature over the attributes, which are signed as a SET, not with their
/// context tag.
void judge_signature(const SignedData& data, const mbedtls_x509_crt* signer, SignatureInfo& out) {
  const mbedtls_md_info_t* hash = hash_named(data.signer_digest_algorithm);
  if (hash == nullptr) return;
  std::vector<uint8_t> message{data.indirect_data.begin(), data.indirect_data.end()};
  if (!data.attributes.empty()) {
    const std::vector<uint8_t> covered = hash_of(hash, data.indirect_data);
    out.attributes = judge(std::equal(covered.begin(), covered.end(), data.message_digest.begin(),
                                      data.message_digest.end()));
    message.assign(data.attributes.begin(), data.attributes.end());
    message[0] = set;
  }
  if (signer != nullptr) out.signature = judge(verify(*signer, hash, message, data.signature));
}

void judge_chain(const mbedtls_x509_crt* chain, const mbedtls_x509_crt* signer,
                 SignatureInfo& out) {
  const auto* at = signer;
  while (at != nullptr) {
    out.signer_chain.push_back(describe(*at));
    if (out.signer_chain.back().self_signed || out.signer_chain.size() == 16) return;
    const auto* issuer = find_issuer(chain, at);
    if (issuer == nullptr) return;
    const mbedtls_md_info_t* hash = mbedtls_md_info_from_type(at->MBEDTLS_PRIVATE(sig_md));
    const mbedtls_x509_buf& signature = at->MBEDTLS_PRIVATE(sig);
    const bool good = hash != nullptr &&
                      verify(*issuer, hash, {at->tbs.p, at->tbs.len}, {signature.p, signature.len});
    out.chain = judge(good && out.chain != Verdict::Bad);
    at = issuer;
  }
}

}  // namespace

Result<std::optional<SignatureInfo>> read_signature(const PeImage& image) {
  for (const AttributeCertificate& each : TRY(read_certificates(image))) {
    if (each.type != pe::certificate_pkcs_signed_data) continue;
    if (each.revision != pe::certificate_revision_2)
      return Error{fmt::format("the certificate at {:#x} has revision {:#06x} instead of 0x0200",
                               each.file_offset, each.revision)};
    const SignedData data = TRY(read_signed_data(each.data));
    const Certificates chain = TRY(parse_certificates(data));
    SignatureInfo info;
    info.digest_algorithm = data.digest_algorithm;
    info.signed_digest.assign(data.digest.begin(), data.digest.end());
    if (name_of_oid(data.digest_algorithm) == "SHA-256") {
      const Sha256 digest = TRY(authenticode_digest(image));
      info.digest =
          judge(std::equal(digest.begin(), digest.end(), data.digest.begin(), data.digest.end()));
    }
    info.page_hashes = TRY(read_page_hashes(data.spc_attribute));
    if (!info.page_hashes.empty()) {
      const std::vector<PageHash> expected = TRY(page_hashes(image));
      info.page_hash_table = judge(info.page_hashes == expected);
    }
    const mbedtls_x509_crt* signer = find_signer(chain.get(), data);
    judge_signature(data, signer, info);
    judge_chain(chain.get(), signer, info);
    return std::optional{std::move(info)};
  }
  return std::optional<SignatureInfo>{};
}

}  // namespace loader
