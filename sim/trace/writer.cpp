#include "sim/trace/writer.h"

#include <fmt/format.h>
#include <zstd.h>

#include <cstring>

#include "sim/trace/checksum.h"
#include "sim/trace/disassembler.h"
#include "sim/trace/event_names.h"
#include "sim/trace/output_file.h"
#include "sim/trace/trace_format.h"

namespace trace {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

/// A chunk is closed when the next record might not fit: the largest is an event with the longest text.
constexpr size_t full = maximum_raw_size - maximum_text - 512;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

std::string meta_text(const Meta& meta) {
  std::string text = fmt::format("events\t{}\n", event_kind_list());
  for (const auto& [key, value] : meta) text += fmt::format("{}\t{}\n", key, value);
  return text;
}

}  // namespace

struct Writer::Impl {
  Impl(OutputFile output, CodeReader* reader, WriterOptions wanted)
      : file{std::move(output)}, code{reader}, options{wanted}, encoder{disassembler}, zstd{ZSTD_createCCtx()} {}

  Status write_chunk(uint32_t kind, loader::Bytes raw, uint16_t flags, uint32_t records, uint64_t first, uint64_t last);
  Status flush();
  void keep(Status status) {
    if (!status.ok() && failure.empty()) failure = status.error().message;
  }

  OutputFile file;
  CodeReader* code;
  WriterOptions options;
  Disassembler disassembler;
  RecordEncoder encoder;
  std::unique_ptr<ZSTD_CCtx, FreeContext> zstd;
  std::vector<uint8_t> piece;  ///< header, stored payload, padding
  uint32_t sequence{};
  uint16_t flags{};
  EndMark totals{};
  std::string failure;
  bool closed{};
};

Status Writer::Impl::write_chunk(uint32_t kind, loader::Bytes raw, uint16_t chunk_flags, uint32_t records,
                                 uint64_t first, uint64_t last) {
  piece.assign(sizeof(ChunkHeader) + ZSTD_compressBound(raw.size()) + 8, 0);
  const size_t stored = ZSTD_compressCCtx(zstd.get(), piece.data() + sizeof(ChunkHeader),
                                          ZSTD_compressBound(raw.size()), raw.data(), raw.size(), options.compression);
  if (ZSTD_isError(stored) != 0) return Error{fmt::format("zstd: {}", ZSTD_getErrorName(stored))};
  ChunkHeader header{chunk_sync, kind, chunk_version, chunk_flags, sequence++, first, last,
                     static_cast<uint32_t>(raw.size()), static_cast<uint32_t>(stored), records, 0, 0, 0};
  header.payload_checksum = checksum(loader::Bytes{piece}.subspan(sizeof header, stored));
  header.header_checksum = checksum(bytes_of(header).first(offsetof(ChunkHeader, header_checksum)));
  std::memcpy(piece.data(), &header, sizeof header);
  const size_t end = (sizeof header + stored + 7) / 8 * 8;
  std::memset(piece.data() + sizeof header + stored, 0, end - sizeof header - stored);
  return file.append(loader::Bytes{piece}.first(end));
}

Status Writer::Impl::flush() {
  if (encoder.record_count() == 0) return Unit{};
  Status status = write_chunk(kind_records, encoder.bytes(), flags, encoder.record_count(), encoder.first_tick(),
                              encoder.last_tick());
  encoder.start_chunk();
  flags = 0;
  return status;
}

Writer::Writer(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Writer::~Writer() {
  // Not closed: what is there is worth keeping, but no end mark says that the run was whole.
  if (!impl_->closed && impl_->failure.empty()) impl_->keep(impl_->flush());
}

Result<std::unique_ptr<Writer>> Writer::create(const std::string& path, const Meta& meta, CodeReader* code,
                                               WriterOptions options) {
  OutputFile file = TRY(OutputFile::create(path));
  std::unique_ptr<Writer> writer{new Writer{std::make_unique<Impl>(std::move(file), code, options)}};
  const std::string text = meta_text(meta);
  const loader::Bytes payload{reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  if (payload.size() > maximum_raw_size) return Error{"the facts about the run do not fit a chunk"};
  FileHeader header{};
  std::memcpy(header.magic, file_magic, sizeof header.magic);
  header.major = major_version;
  header.minor = minor_version;
  header.header_size = sizeof header;
  const loader::Sha256 digest = loader::sha256({payload});
  std::memcpy(header.configuration, digest.data(), digest.size());
  header.checksum = checksum(bytes_of(header).first(offsetof(FileHeader, checksum)));
  TRY(writer->impl_->file.append(bytes_of(header)));
  TRY(writer->impl_->write_chunk(kind_meta, payload, 0, 0, 0, 0));
  return writer;
}

void Writer::before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) {
  Impl& impl = *impl_;
  if (!impl.options.instructions || impl.closed || !impl.failure.empty()) return;
  InstructionRecord record = capture(now, vp);
  uint8_t bytes[longest_instruction];
  const size_t count = impl.code != nullptr ? impl.code->read_code(vp, bytes) : 0;
  impl.encoder.instruction(record, loader::Bytes{bytes, std::min(count, sizeof bytes)});
  ++impl.totals.instructions;
  impl.totals.last_tick = now.ticks;
  if (impl.encoder.bytes().size() >= full) impl.keep(impl.flush());
}

void Writer::on(const support::Event& event) {
  Impl& impl = *impl_;
  if (impl.closed || !impl.failure.empty()) return;
  impl.encoder.event(event);
  if (event.kind == support::EventKind::ImageLoaded || event.kind == support::EventKind::ImageUnloaded)
    impl.flags |= chunk_has_images;
  ++impl.totals.events;
  impl.totals.last_tick = event.at.ticks;
  if (impl.encoder.bytes().size() >= full) impl.keep(impl.flush());
}

Status Writer::status() const {
  if (!impl_->failure.empty()) return Error{impl_->failure};
  return Unit{};
}

Status Writer::close() {
  Impl& impl = *impl_;
  if (impl.closed) return status();
  impl.closed = true;
  if (impl.failure.empty()) impl.keep(impl.flush());
  if (impl.failure.empty())
    impl.keep(impl.write_chunk(kind_end, bytes_of(impl.totals), 0, 0, impl.totals.last_tick, impl.totals.last_tick));
  if (impl.failure.empty()) impl.keep(impl.file.close());
  return status();
}

uint64_t Writer::instructions() const { return impl_->totals.instructions; }
uint64_t Writer::events() const { return impl_->totals.events; }

}  // namespace trace
