#include "sim/trace/reader.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sim/loader/pe_image.h"
#include "sim/trace/checksum.h"
#include "sim/trace/event_names.h"

namespace trace {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

std::string kind_text(uint32_t kind) {
  return loader::printable({reinterpret_cast<const char*>(&kind), sizeof kind});
}

}  // namespace

Result<Reader> Reader::open(const std::string& path) {
  std::shared_ptr<std::FILE> file{std::fopen(path.c_str(), "rb"), [](std::FILE* f) {
                                    if (f != nullptr) std::fclose(f);
                                  }};
  if (!file) return Error{fmt::format("cannot open {}: {}", path, std::strerror(errno))};
  Result<Reader> reader = over([file](uint64_t offset, std::span<uint8_t> out) -> size_t {
    if (offset > INT64_MAX || fseeko(file.get(), static_cast<off_t>(offset), SEEK_SET) != 0) return 0;
    return std::fread(out.data(), 1, out.size(), file.get());
  });
  if (!reader) return Error{fmt::format("{}: {}", path, reader.error().message)};
  return reader;
}

Result<Reader> Reader::over(TraceInput input) {
  Reader reader{std::move(input)};
  TRY(reader.read_file_header());
  TRY(reader.read_meta());
  return reader;
}

Status Reader::read_file_header() {
  FileHeader header{};
  const size_t got = input_(0, {reinterpret_cast<uint8_t*>(&header), sizeof header});
  if (got < sizeof header.magic || std::memcmp(header.magic, file_magic, sizeof file_magic) != 0)
    return Error{"not an Airlock trace: the file does not begin with its signature"};
  if (got < sizeof header)
    return Error{fmt::format("the file ends inside its header: {} of {} bytes", got, sizeof header)};
  if (header.checksum != checksum(bytes_of(header).first(offsetof(FileHeader, checksum))))
    return Error{"the file header is damaged: its checksum does not match"};
  if (header.major != major_version || header.header_size != sizeof header)
    return Error{fmt::format("the trace has format version {}.{}; this program reads version {}", header.major,
                             header.minor, major_version)};
  std::copy_n(header.configuration, configuration_.size(), configuration_.begin());
  offset_ = sizeof header;
  return Unit{};
}

/// False at the end of the file. Otherwise the header is sound and `offset_` is behind it.
Result<bool> Reader::read_chunk_header(ChunkHeader& header) {
  const size_t got = input_(offset_, {reinterpret_cast<uint8_t*>(&header), sizeof header});
  if (got == 0) return false;
  if (got < sizeof header)
    return Error{fmt::format("the file ends inside a chunk header at offset {}: {} of {} bytes", offset_, got,
                             sizeof header)};
  if (header.sync != chunk_sync) return Error{fmt::format("no chunk begins at offset {}", offset_)};
  if (header.header_checksum != checksum(bytes_of(header).first(offsetof(ChunkHeader, header_checksum))))
    return Error{fmt::format("the chunk header at offset {} is damaged: its checksum does not match", offset_)};
  if (header.sequence != sequence_)
    return Error{fmt::format("chunk {} is at offset {} where chunk {} must be", header.sequence, offset_, sequence_)};
  if (header.raw_size > maximum_raw_size || header.stored_size > maximum_stored_size)
    return Error{fmt::format("the chunk at offset {} claims {} bytes stored as {}; at most {} are possible", offset_,
                             header.raw_size, header.stored_size, maximum_raw_size)};
  ++sequence_;
  offset_ += sizeof header;
  return true;
}

Result<std::vector<uint8_t>> Reader::read_payload(const ChunkHeader& header, uint64_t at) {
  std::vector<uint8_t> padded((size_t{header.stored_size} + 7) / 8 * 8);
  const size_t got = padded.empty() ? 0 : input_(offset_, padded);
  if (got < padded.size())
    return Error{fmt::format("the file ends inside the chunk at offset {}: {} of {} bytes", at, got, padded.size())};
  const auto stored = loader::Bytes{padded}.first(header.stored_size);
  if (std::any_of(padded.begin() + header.stored_size, padded.end(), [](uint8_t byte) { return byte != 0; }))
    return Error{fmt::format("the padding of the chunk at offset {} is not zero", at)};
  if (checksum(stored) != header.payload_checksum)
    return Error{fmt::format("the chunk at offset {} is damaged: its checksum does not match", at)};
  std::vector<uint8_t> raw(header.raw_size);
  const size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw.size())
    return Error{fmt::format("the chunk at offset {} does not decompress to {} bytes: {}", at, raw.size(),
                             ZSTD_isError(size) != 0 ? ZSTD_getErrorName(size) : "it is shorter")};
  offset_ += padded.size();
  return raw;
}

Status Reader::read_meta() {
  ChunkHeader header{};
  const uint64_t at = offset_;
  const bool found = TRY(read_chunk_header(header));
  if (!found || header.kind != kind_meta) return Error{fmt::format("no META chunk at offset {}", at)};
  const std::vector<uint8_t> raw = TRY(read_payload(header, at));
  if (loader::sha256({raw}) != configuration_)
    return Error{"the META chunk does not belong to the file header: its digest differs"};
  std::string_view rest{reinterpret_cast<const char*>(raw.data()), raw.size()};
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    const size_t tab = line.find('\t');
    if (end == std::string_view::npos || tab == std::string_view::npos)
      return Error{fmt::format("the META chunk has a malformed line: \"{}\"", loader::printable(line.substr(0, 80)))};
    meta_.emplace_back(line.substr(0, tab), line.substr(tab + 1));
    rest.remove_prefix(end + 1);
  }
  const auto events = std::find_if(meta_.begin(), meta_.end(), [](const auto& fact) { return fact.first == "events"; });
  if (events == meta_.end()) return Error{"the META chunk does not name the events"};
  std::string_view names = events->second;
  for (size_t comma = 0; comma != std::string_view::npos && kinds_.size() < 256; names.remove_prefix(comma + 1)) {
    comma = names.find(',');
    kinds_.push_back(event_kind(names.substr(0, comma)));
    if (comma == std::string_view::npos) break;
  }
  return Unit{};
}

Status Reader::read_end(const std::vector<uint8_t>& payload, uint64_t at) {
  const auto mark = loader::read_at<EndMark>(payload, 0);
  if (!mark) return Error{fmt::format("the end mark at offset {} is cut short", at)};
  totals_ = *mark;
  return Unit{};
}

/// Reads one chunk: afterwards there is a decoder, or the totals, or neither (the chunk was passed over).
Status Reader::read_chunk() {
  ChunkHeader header{};
  const uint64_t at = offset_;
  const bool found = TRY(read_chunk_header(header));
  if (!found)
    return Error{fmt::format("the trace ends at offset {} without its end mark: the run was interrupted", at)};
  const bool records = header.kind == kind_records;
  if (!records && header.kind != kind_end) {
    if (!may_be_skipped(header.kind))
      return Error{fmt::format("the chunk at offset {} has the unknown kind \"{}\": a newer version wrote it", at,
                               kind_text(header.kind))};
    TRY(read_payload(header, at));
    return Unit{};
  }
  if (header.version != chunk_version)
    return Error{fmt::format("the chunk at offset {} has version {}; this program reads {}", at, header.version,
                             chunk_version)};
  if (records && header.last_tick < wanted_tick_ && (header.flags & chunk_has_images) == 0) {
    offset_ += (uint64_t{header.stored_size} + 7) / 8 * 8;
    return Unit{};
  }
  std::vector<uint8_t> raw = TRY(read_payload(header, at));
  if (!records) return read_end(raw, at);
  chunk_offset_ = at;
  chunk_records_ = header.record_count;
  chunk_read_ = 0;
  raw_ = std::make_unique<std::vector<uint8_t>>(std::move(raw));
  decoder_.emplace(*raw_);
  return Unit{};
}

Result<std::optional<Record>> Reader::advance() {
  for (;;) {
    if (totals_) return std::optional<Record>{};
    if (!decoder_) {
      TRY(read_chunk());
      continue;
    }
    if (decoder_->at_end()) {
      if (chunk_read_ != chunk_records_)
        return Error{fmt::format("the chunk at offset {} holds {} records instead of {}", chunk_offset_, chunk_read_,
                                 chunk_records_)};
      decoder_.reset();
      continue;
    }
    Result<Record> record = decoder_->next();
    if (!record) return Error{fmt::format("the chunk at offset {}: {}", chunk_offset_, record.error().message)};
    ++chunk_read_;
    if (auto* event = std::get_if<EventRecord>(&record.value())) {
      const auto number = static_cast<size_t>(event->event.kind);
      event->event.kind = number < kinds_.size() ? kinds_[number].value_or(unknown_event) : unknown_event;
    }
    return std::optional{std::move(record.value())};
  }
}

Result<std::optional<Record>> Reader::next() {
  if (!failure_.empty()) return Error{failure_};
  Result<std::optional<Record>> result = advance();
  if (!result) failure_ = result.error().message;
  return result;
}

}  // namespace trace
