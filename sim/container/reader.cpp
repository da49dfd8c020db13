#include "sim/container/reader.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "sim/loader/pe_image.h"

namespace container {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

std::string kind_text(uint32_t kind) {
  return loader::printable({reinterpret_cast<const char*>(&kind), sizeof kind});
}

Result<Input> open_file(const std::string& path) {
  std::shared_ptr<std::FILE> file{std::fopen(path.c_str(), "rb"), [](std::FILE* f) {
                                    if (f != nullptr) std::fclose(f);
                                  }};
  if (!file) return Error{fmt::format("cannot open {}: {}", path, std::strerror(errno))};
  return Input{[file](uint64_t offset, std::span<uint8_t> out) -> size_t {
    if (offset > INT64_MAX || fseeko(file.get(), static_cast<off_t>(offset), SEEK_SET) != 0) return 0;
    return std::fread(out.data(), 1, out.size(), file.get());
  }};
}

Input over(loader::Bytes bytes) {
  return [bytes](uint64_t offset, std::span<uint8_t> out) -> size_t {
    if (offset >= bytes.size() || out.empty()) return 0;
    const size_t count = std::min<size_t>(out.size(), bytes.size() - static_cast<size_t>(offset));
    std::memcpy(out.data(), bytes.data() + offset, count);
    return count;
  };
}

Result<Reader> Reader::open(Input input, const FileKind& kind) {
  Reader reader{std::move(input)};
  TRY(reader.read_file_header(kind));
  TRY(reader.read_meta());
  return reader;
}

Status Reader::read_file_header(const FileKind& kind) {
  FileHeader header{};
  const size_t got = input_(0, {reinterpret_cast<uint8_t*>(&header), sizeof header});
  if (got < sizeof header.magic || std::memcmp(header.magic, kind.magic, sizeof header.magic) != 0)
    return Error{fmt::format("not {}: the file does not begin with its signature", kind.name)};
  if (got < sizeof header)
    return Error{fmt::format("the file ends inside its header: {} of {} bytes", got, sizeof header)};
  if (header.checksum != checksum(bytes_of(header).first(offsetof(FileHeader, checksum))))
    return Error{"the file header is damaged: its checksum does not match"};
  if (header.major != kind.major || header.header_size != sizeof header)
    return Error{fmt::format("the {} has format version {}.{}; this program reads version {}", kind.word, header.major,
                             header.minor, kind.major)};
  std::copy_n(header.configuration, configuration_.size(), configuration_.begin());
  digest_ = loader::sha256({bytes_of(header)});
  offset_ = sizeof header;
  return Unit{};
}

Status Reader::read_meta() {
  const uint64_t at = offset_;
  const std::optional<ChunkHeader> header = TRY(next());
  if (!header || header->kind != kind_meta) return Error{fmt::format("no META chunk at offset {}", at)};
  meta_ = TRY(payload());
  if (loader::sha256({meta_}) != configuration_)
    return Error{"the META chunk does not belong to the file header: its digest differs"};
  return Unit{};
}

Result<std::optional<ChunkHeader>> Reader::next() {
  const size_t got = input_(offset_, {reinterpret_cast<uint8_t*>(&header_), sizeof header_});
  if (got == 0) return std::optional<ChunkHeader>{};
  if (got < sizeof header_)
    return Error{fmt::format("the file ends inside a chunk header at offset {}: {} of {} bytes", offset_, got,
                             sizeof header_)};
  if (header_.sync != chunk_sync) return Error{fmt::format("no chunk begins at offset {}", offset_)};
  if (header_.header_checksum != checksum(bytes_of(header_).first(offsetof(ChunkHeader, header_checksum))))
    return Error{fmt::format("the chunk header at offset {} is damaged: its checksum does not match", offset_)};
  if (header_.sequence != sequence_)
    return Error{fmt::format("chunk {} is at offset {} where chunk {} must be", header_.sequence, offset_, sequence_)};
  if (header_.raw_size > maximum_raw_size || header_.stored_size > maximum_stored_size)
    return Error{fmt::format("the chunk at offset {} claims {} bytes stored as {}; at most {} are possible", offset_,
                             header_.raw_size, header_.stored_size, maximum_raw_size)};
  return std::optional{header_};
}

Result<std::vector<uint8_t>> Reader::payload() {
  std::vector<uint8_t> bytes(static_cast<size_t>(padded(header_.stored_size)));
  const size_t got = bytes.empty() ? 0 : input_(offset_ + sizeof header_, bytes);
  if (got < bytes.size())
    return Error{fmt::format("the file ends inside the chunk at offset {}: {} of {} bytes", offset_, got, bytes.size())};
  const auto stored = loader::Bytes{bytes}.first(header_.stored_size);
  if (std::any_of(bytes.begin() + header_.stored_size, bytes.end(), [](uint8_t byte) { return byte != 0; }))
    return Error{fmt::format("the padding of the chunk at offset {} is not zero", offset_)};
  if (checksum(stored) != header_.payload_checksum)
    return Error{fmt::format("the chunk at offset {} is damaged: its checksum does not match", offset_)};
  std::vector<uint8_t> raw(header_.raw_size);
  if ((header_.flags & chunk_plain) != 0) {
    if (stored.size() != raw.size())
      return Error{fmt::format("the chunk at offset {} has two sizes without being compressed", offset_)};
    std::copy(stored.begin(), stored.end(), raw.begin());
  } else {
    const size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
    if (ZSTD_isError(size) != 0 || size != raw.size())
      return Error{fmt::format("the chunk at offset {} does not decompress to {} bytes: {}", offset_, raw.size(),
                               ZSTD_isError(size) != 0 ? ZSTD_getErrorName(size) : "it is shorter")};
  }
  loader::Sha256 digest{};
  if (digest_ != loader::Sha256{}) {  // void: some of what stands before was not read
    std::vector<uint8_t> piece(sizeof header_ + bytes.size());
    std::memcpy(piece.data(), &header_, sizeof header_);
    std::copy(bytes.begin(), bytes.end(), piece.begin() + sizeof header_);
    digest = loader::sha256({digest_, piece});
  }
  skip();
  digest_ = digest;
  return raw;
}

void Reader::skip() {
  digest_ = {};
  offset_ += sizeof header_ + padded(header_.stored_size);
  ++sequence_;
}

void Reader::seek(uint64_t offset, uint32_t sequence) {
  digest_ = {};
  offset_ = offset;
  sequence_ = sequence;
}

}  // namespace container
