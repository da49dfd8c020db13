#include "sim/container/writer.h"

#include <fmt/format.h>
#include <zstd.h>

#include <cstring>
#include <utility>

namespace container {

using support::Error;
using support::Result;
using support::Status;

Writer::Writer(OutputFile file, int compression)
    : file_{std::move(file)}, compression_{compression}, zstd_{ZSTD_createCCtx()} {}

Writer::Writer(Writer&& other) noexcept
    : file_{std::move(other.file_)},
      compression_{other.compression_},
      zstd_{std::exchange(other.zstd_, nullptr)},
      piece_{std::move(other.piece_)},
      sequence_{other.sequence_},
      digest_{other.digest_} {}

Writer::~Writer() { ZSTD_freeCCtx(zstd_); }

Result<Writer> Writer::create(const std::string& path, const FileKind& kind, loader::Bytes meta, int compression) {
  if (meta.size() > maximum_raw_size) return Error{"the facts about the run do not fit a chunk"};
  Writer writer{TRY(OutputFile::create(path)), compression};
  FileHeader header{};
  std::memcpy(header.magic, kind.magic, sizeof header.magic);
  header.major = kind.major;
  header.minor = kind.minor;
  header.header_size = sizeof header;
  const loader::Sha256 configuration = loader::sha256({meta});
  std::memcpy(header.configuration, configuration.data(), configuration.size());
  header.checksum = checksum(bytes_of(header).first(offsetof(FileHeader, checksum)));
  TRY(writer.file_.append(bytes_of(header)));
  writer.digest_ = loader::sha256({bytes_of(header)});
  TRY(writer.append(kind_meta, meta));
  return writer;
}

Result<Writer> Writer::extend(const std::string& path, uint64_t size, uint32_t sequence, const loader::Sha256& digest,
                              int compression) {
  Writer writer{TRY(OutputFile::extend(path, size)), compression};
  writer.sequence_ = sequence;
  writer.digest_ = digest;
  return writer;
}

Status Writer::append(uint32_t kind, loader::Bytes raw, const ChunkFacts& facts) {
  if (raw.size() > maximum_raw_size) return Error{fmt::format("a chunk of {} bytes is too large", raw.size())};
  const bool plain = (facts.flags & chunk_plain) != 0;
  const size_t room = plain ? raw.size() : ZSTD_compressBound(raw.size());
  piece_.assign(sizeof(ChunkHeader) + room + 8, 0);
  uint8_t* payload = piece_.data() + sizeof(ChunkHeader);
  size_t stored = raw.size();
  if (!plain) {
    stored = ZSTD_compressCCtx(zstd_, payload, room, raw.data(), raw.size(), compression_);
    if (ZSTD_isError(stored) != 0) return Error{fmt::format("zstd: {}", ZSTD_getErrorName(stored))};
  } else if (!raw.empty()) {
    std::memcpy(payload, raw.data(), raw.size());
  }
  ChunkHeader header{chunk_sync, kind, chunk_version, facts.flags, sequence_, facts.first_tick, facts.last_tick,
                     static_cast<uint32_t>(raw.size()), static_cast<uint32_t>(stored), facts.records, 0, 0, 0};
  header.payload_checksum = checksum(loader::Bytes{payload, stored});
  header.header_checksum = checksum(bytes_of(header).first(offsetof(ChunkHeader, header_checksum)));
  std::memcpy(piece_.data(), &header, sizeof header);
  const size_t end = static_cast<size_t>(padded(sizeof header + stored));
  std::memset(payload + stored, 0, end - sizeof header - stored);
  const loader::Bytes piece = loader::Bytes{piece_}.first(end);
  TRY(file_.append(piece));
  ++sequence_;
  digest_ = loader::sha256({digest_, piece});
  return support::Unit{};
}

}  // namespace container
