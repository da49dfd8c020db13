#include "sim/loader/authenticode.h"

#include <fmt/format.h>
#include <mbedtls/sha256.h>

#include <algorithm>

namespace loader {

using support::Error;
using support::Result;

Sha256 sha256(std::initializer_list<Bytes> parts) {
  Sha256 digest{};
  mbedtls_sha256_context context;
  mbedtls_sha256_init(&context);
  // These cannot fail: the implementation is in software and has no state that may be missing.
  static_cast<void>(mbedtls_sha256_starts(&context, 0));
  for (const Bytes bytes : parts)
    static_cast<void>(mbedtls_sha256_update(&context, bytes.data(), bytes.size()));
  static_cast<void>(mbedtls_sha256_finish(&context, digest.data()));
  mbedtls_sha256_free(&context);
  return digest;
}

namespace {

/// The ranges of the headers that the signature leaves out.
struct Holes {
  uint32_t checksum{};        ///< 4 bytes
  uint32_t security_entry{};  ///< 8 bytes
};

Result<Holes> find_holes(const PeImage& image) {
  const Holes holes{image.optional_header_offset() + pe::checksum_offset,
                    image.directory_entry_offset(Directory::Security)};
  if (holes.security_entry == 0)
    return Error{"the optional header has no security directory: the file cannot be signed"};
  return holes;
}

constexpr uint8_t zeros[4096] = {};

}  // namespace

Result<Sha256> authenticode_digest(const PeImage& image) {
  const Holes holes = TRY(find_holes(image));
  const Bytes file = image.file();
  const pe::DataDirectory table = image.directory(Directory::Security);
  size_t end = file.size();
  size_t padding = (8 - end % 8) % 8;  // the signer pads before it appends its table
  if (table.size != 0) {
    if (uint64_t{table.rva} + table.size != file.size())
      return Error{
          fmt::format("the certificate table ends at {:#x}, but the file at {:#x}: what follows "
                      "would be unsigned",
                      uint64_t{table.rva} + table.size, file.size())};
    end = table.rva;
    padding = 0;
  }
  if (end < size_t{holes.security_entry} + 8)
    return Error{fmt::format("the certificate table at {:#x} overlaps the headers", end)};
  const auto between = [&](size_t from, size_t to) { return file.subspan(from, to - from); };
  return sha256({between(0, holes.checksum), between(holes.checksum + 4, holes.security_entry),
                 between(holes.security_entry + 8, end), Bytes{zeros}.first(padding)});
}

Result<std::vector<PageHash>> page_hashes(const PeImage& image) {
  const Holes holes = TRY(find_holes(image));
  const Bytes file = image.file();
  const uint32_t page = image.optional_header().section_alignment;
  const uint32_t headers = image.optional_header().size_of_headers;
  if (page != 4096 || headers > page || headers < holes.security_entry + 8)
    return Error{
        fmt::format("page hashes need SectionAlignment 0x1000 and headers within one page; they "
                    "are {:#x} and {:#x}",
                    page, headers)};
  std::vector<PageHash> rows;
  const auto between = [&](size_t from, size_t to) { return file.subspan(from, to - from); };
  rows.push_back(
      {0,
       sha256({between(0, holes.checksum), between(holes.checksum + 4, holes.security_entry),
               between(holes.security_entry + 8, headers), Bytes{zeros}.first(page - headers)})});
  uint32_t end = headers;
  for (const PeSection& section : image.sections()) {
    if (section.file_size == 0) continue;
    for (uint32_t at = 0; at < section.file_size; at += page) {
      const uint32_t filled = std::min(page, section.file_size - at);
      rows.push_back(
          {section.file_offset + at, sha256({file.subspan(section.file_offset + at, filled),
                                             Bytes{zeros}.first(page - filled)})});
    }
    end = section.file_offset + section.file_size;
  }
  rows.push_back({end, {}});
  return rows;
}

std::string_view name_of_oid(std::string_view dotted) {
  struct Row {
    std::string_view oid, name;
  };
  static constexpr Row rows[] = {
      {"1.3.6.1.5.5.7.3.3", "code signing"},
      {"1.3.6.1.4.1.311.10.3.6", "Windows System Component Verification"},
      {"1.3.6.1.4.1.311.10.3.22", "Protected Process Light"},
      {"1.3.6.1.4.1.311.10.3.23", "Windows TCB"},
      {"1.3.6.1.4.1.311.10.3.24", "Protected Process"},
      {"1.3.6.1.4.1.311.10.3.37", "IUM signing"},
      {"1.3.6.1.4.1.311.10.3.39", "EV WHQL"},
      {"1.3.6.1.4.1.311.10.3.41", "biometric signing"},
      {"1.3.6.1.4.1.311.10.3.42", "enclave signing"},
      {"2.16.840.1.101.3.4.2.1", "SHA-256"},
      {"2.16.840.1.101.3.4.2.2", "SHA-384"},
      {"2.16.840.1.101.3.4.2.3", "SHA-512"},
      {"1.3.14.3.2.26", "SHA-1"},
  };
  const auto* row =
      std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.oid == dotted; });
  return row == std::end(rows) ? std::string_view{} : row->name;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Good:
      return "good";
    case Verdict::Bad:
      return "BAD";
    case Verdict::NotChecked:
      break;
  }
  return "not checked";
}

}  // namespace loader
