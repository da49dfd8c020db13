#pragma once
// An Authenticode signature, taken apart (PKCS #7 SignedData over SpcIndirectDataContent). Nothing here is verified but
// structure; every span lies inside the file.
#include "abi/sk/status.h"
#include "skci/der.h"

namespace skci {

/// Where the parts of a PE file lie that its Authenticode digest covers or leaves out.
struct HashedLayout {
  Bytes before_checksum, between, after_directory;  ///< hashed, in this order
  Bytes certificate_table;                          ///< WIN_CERTIFICATE entries; empty: unsigned
};
abi::NtStatus lay_out(Bytes file, HashedLayout& layout);

struct Signature {
  Bytes content;         ///< value of SpcIndirectDataContent: what messageDigest covers
  Bytes digest;          ///< of the image, inside it
  Bytes image_data;      ///< SpcPeImageData: page hashes, if any
  Bytes certificates;    ///< DER certificates one after the other
  Bytes signer_issuer, signer_serial;
  Bytes attributes;      ///< the authenticated attributes with their [0] tag
  Bytes message_digest;  ///< attribute 1.2.840.113549.1.9.4
  Bytes encrypted_digest;
};
/// InvalidImageHash: there is none. InvalidSignature: malformed.
abi::NtStatus read_signature(Bytes certificate_table, Signature& signature);

}  // namespace skci
