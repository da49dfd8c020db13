#include "skci/authenticode.h"

namespace skci {

using abi::NtStatus;

template <class T>
static bool read(Bytes file, uint64_t offset, T& value) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return false;
  memcpy(&value, file.data() + offset, sizeof(T));
  return true;
}

// The digest leaves out what signing itself changes: the checksum, the directory entry of the certificate table and the
// table, which must be the end of the file.
NtStatus lay_out(Bytes file, HashedLayout& layout) {
  uint16_t magic{}, optional_magic{};
  uint32_t pe{}, signature{}, directories{}, table{}, table_size{};
  if (!read(file, 0, magic) || magic != 0x5A4D || !read(file, 0x3C, pe)) return NtStatus::InvalidImageFormat;
  const uint64_t optional = uint64_t{pe} + 24, checksum = optional + 64, entry = optional + 112 + 4 * 8;
  const bool good = read(file, pe, signature) && signature == 0x4550 && read(file, optional, optional_magic) &&
                    optional_magic == 0x20B && read(file, optional + 108, directories) && directories > 4 &&
                    read(file, entry, table) && read(file, entry + 4, table_size);
  if (!good) return NtStatus::InvalidImageFormat;
  uint64_t end = file.size();
  layout.certificate_table = {};
  if (table != 0) {
    if (table < entry + 8 || uint64_t{table} + table_size != file.size()) return NtStatus::InvalidImageFormat;
    layout.certificate_table = file.subspan(table, table_size);
    end = table;
  }
  layout.before_checksum = file.first(checksum);
  layout.between = file.subspan(checksum + 4, entry - checksum - 4);
  layout.after_directory = file.subspan(entry + 8, end - entry - 8);
  return NtStatus::Success;
}

// OID contents (X.690 8.19).
static constexpr uint8_t oid_signed_data[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02};
static constexpr uint8_t oid_spc_indirect_data[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04};
static constexpr uint8_t oid_spc_pe_image_data[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0F};
static constexpr uint8_t oid_message_digest[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x04};
static constexpr uint8_t oid_sha256[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};

static bool want_oid(Der& from, Bytes oid) {
  Tlv value;
  return from.want(Oid, value) && equal(value.body, oid);
}

static bool want_sha256(Der& from) {
  Der algorithm{{}};
  return from.enter(Sequence, algorithm) && want_oid(algorithm, oid_sha256);
}

// SpcIndirectDataContent ::= SEQUENCE { data SpcAttributeTypeAndOptionalValue, messageDigest DigestInfo }
static bool read_content(Der content, Signature& signature) {
  Der data{{}}, digest_info{{}};
  Tlv image_data, digest;
  if (!content.enter(Sequence, data) || !want_oid(data, oid_spc_pe_image_data)) return false;
  if (data.next(image_data)) signature.image_data = image_data.body;
  if (!content.enter(Sequence, digest_info) || !want_sha256(digest_info)) return false;
  if (!digest_info.want(OctetString, digest) || digest.body.size() != 32) return false;
  signature.digest = digest.body;
  return true;
}

static bool find_message_digest(Bytes attributes, Signature& signature) {
  Der list{attributes};
  while (!list.empty()) {
    Der attribute{{}}, values{{}};
    Tlv id, value;
    if (!list.enter(Sequence, attribute) || !attribute.want(Oid, id) || !attribute.enter(Set, values)) return false;
    if (!equal(id.body, oid_message_digest)) continue;
    if (!values.want(OctetString, value)) return false;
    signature.message_digest = value.body;
    return true;
  }
  return false;
}

// SignerInfo: version, issuerAndSerial, digestAlgorithm, [0] attributes, signatureAlgorithm, encryptedDigest
static bool read_signer(Der signer, Signature& signature) {
  Tlv version, issuer, serial, attributes, algorithm, encrypted;
  Der identity{{}};
  if (!signer.want(Integer, version) || !signer.enter(Sequence, identity)) return false;
  if (!identity.want(Sequence, issuer) || !identity.want(Integer, serial)) return false;
  if (!want_sha256(signer) || !signer.want(Context0, attributes)) return false;
  if (!signer.want(Sequence, algorithm) || !signer.want(OctetString, encrypted)) return false;
  signature.signer_issuer = issuer.whole;
  signature.signer_serial = serial.body;
  signature.attributes = attributes.whole;
  signature.encrypted_digest = encrypted.body;
  return find_message_digest(attributes.body, signature);
}

static bool read_signed_data(Der signed_data, Signature& signature) {
  Tlv version, algorithms, content, certificates;
  Der encapsulated{{}}, explicit_content{{}}, signers{{}}, signer{{}};
  if (!signed_data.want(Integer, version) || !signed_data.want(Set, algorithms)) return false;
  if (!signed_data.enter(Sequence, encapsulated) || !want_oid(encapsulated, oid_spc_indirect_data)) return false;
  if (!encapsulated.enter(Context0, explicit_content) || !explicit_content.want(Sequence, content)) return false;
  signature.content = content.body;
  if (!read_content(Der{content.body}, signature)) return false;
  if (!signed_data.want(Context0, certificates) || !signed_data.enter(Set, signers)) return false;
  signature.certificates = certificates.body;
  // Exactly one signer: a second one would be somebody whose opinion nobody asked.
  return signers.enter(Sequence, signer) && signers.empty() && read_signer(signer, signature);
}

NtStatus read_signature(Bytes certificate_table, Signature& signature) {
  if (certificate_table.empty()) return NtStatus::InvalidImageHash;
  // WIN_CERTIFICATE: u32 length, u16 revision 0x0200, u16 type 2 (PKCS #7 SignedData), contents.
  uint32_t length{};
  uint16_t revision{}, type{};
  const bool good = read(certificate_table, 0, length) && read(certificate_table, 4, revision) &&
                    read(certificate_table, 6, type) && length >= 8 && length <= certificate_table.size();
  if (!good || revision != 0x0200 || type != 2) return NtStatus::InvalidSignature;
  Der outer{certificate_table.subspan(8, length - 8)}, info{{}}, wrapped{{}}, signed_data{{}};
  if (!outer.enter(Sequence, info) || !want_oid(info, oid_signed_data)) return NtStatus::InvalidSignature;
  if (!info.enter(Context0, wrapped) || !wrapped.enter(Sequence, signed_data)) return NtStatus::InvalidSignature;
  return read_signed_data(signed_data, signature) ? NtStatus::Success : NtStatus::InvalidSignature;
}

}  // namespace skci
