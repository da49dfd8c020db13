// Page hashes (SpcSerializedObject in SpcPeImageData): a table of {u32 file offset, hash of that page}, ended by the
// offset of the file's end and zeros.
#define SKCI_IMPLEMENTATION
#include "cng/cng.h"
#include "skci/authenticode.h"
#include "skci/skci.h"

namespace skci {

using abi::NtStatus;

// {A6B586D5-B4A1-2466-AE05-A217DA8E60D6}, as its bytes are printed in the signature.
static constexpr uint8_t page_hash_class[] = {0xA6, 0xB5, 0x86, 0xD5, 0xB4, 0xA1, 0x24, 0x66,
                                              0xAE, 0x05, 0xA2, 0x17, 0xDA, 0x8E, 0x60, 0xD6};
static constexpr uint8_t oid_page_hashes_sha256[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x03, 0x02};
static constexpr size_t entry_size = 4 + 32, page = 4096;

// SpcPeImageData: flags, [0] file -> [1] moniker { class id, serialized data }; the data holds SET { attribute }.
static bool find_table(Bytes image_data, Bytes& table) {
  Der data{image_data}, file{{}}, moniker{{}}, set{{}}, attribute{{}}, values{{}};
  Tlv flags, id, serialized, oid, value;
  if (!data.next(flags) || !data.enter(Context0, file) || !file.enter(0xA1, moniker)) return false;
  if (!moniker.want(OctetString, id) || !equal(id.body, page_hash_class)) return false;
  if (!moniker.want(OctetString, serialized)) return false;
  Der inside{serialized.body};
  if (!inside.enter(Set, set) || !set.enter(Sequence, attribute)) return false;
  if (!attribute.want(Oid, oid) || !equal(oid.body, oid_page_hashes_sha256)) return false;
  if (!attribute.enter(Set, values) || !values.want(OctetString, value)) return false;
  table = value.body;
  return table.size() % entry_size == 0;
}

static uint32_t offset_at(Bytes table, size_t entry) {
  uint32_t offset;
  memcpy(&offset, table.data() + entry, sizeof offset);
  return offset;
}

// A page is hashed with zeros behind the end of the file; the header page leaves out checksum and directory entry.
static bool page_digest(Bytes file, const HashedLayout& layout, uint32_t offset, uint8_t (&digest)[32]) {
  static constexpr uint8_t zeros[page] = {};
  const size_t end = file.size() - layout.certificate_table.size();
  const size_t bytes = end - offset < page ? end - offset : page;
  if (offset != 0) {
    const CngBytes pieces[] = {{file.data() + offset, bytes}, {zeros, page - bytes}};
    return CngSha256(pieces, 2, digest) == 0;
  }
  const size_t skipped = layout.before_checksum.size() + 4 + layout.between.size() + 8;
  if (skipped > page || bytes < page) return false;
  const CngBytes pieces[] = {{layout.before_checksum.data(), layout.before_checksum.size()},
                             {layout.between.data(), layout.between.size()},
                             {file.data() + skipped, page - skipped}};
  return CngSha256(pieces, 3, digest) == 0;
}

static NtStatus verify_page(Bytes file, uint32_t offset) {
  HashedLayout layout{};
  Signature signature{};
  if (NtStatus status = lay_out(file, layout); !succeeded(status)) return status;
  if (NtStatus status = read_signature(layout.certificate_table, signature); !succeeded(status)) return status;
  Bytes table;
  if (!find_table(signature.image_data, table)) return NtStatus::NotFound;
  if (offset % page != 0 || offset >= file.size() - layout.certificate_table.size())
    return NtStatus::InvalidParameter;
  for (size_t entry = 0; entry < table.size(); entry += entry_size) {
    if (offset_at(table, entry) != offset) continue;
    uint8_t digest[32];
    if (!page_digest(file, layout, offset, digest)) return NtStatus::InvalidImageHash;
    return equal(table.subspan(entry + 4, 32), digest) ? NtStatus::Success : NtStatus::InvalidImageHash;
  }
  return NtStatus::NotFound;
}

}  // namespace skci

abi::NtStatus SkciVerifyPage(const uint8_t* file, size_t size, uint32_t file_offset) {
  return skci::verify_page({file, size}, file_offset);
}
