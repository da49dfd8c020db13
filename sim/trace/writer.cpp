#include "sim/trace/writer.h"

#include <fmt/format.h>

#include "sim/container/writer.h"
#include "sim/trace/event_names.h"
#include "sim/trace/trace_format.h"

namespace trace {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

/// A chunk is closed when the next record might not fit: the largest is an event with the longest
/// text.
constexpr size_t full = container::maximum_raw_size - maximum_text - 512;

std::string meta_text(const Meta& meta, Detail detail) {
  std::string text = fmt::format("events\t{}\n", event_kind_list());
  text += fmt::format("{}\t{}\n", detail_key, detail == Detail::Full ? "full" : "control");
  if (detail == Detail::Full) text += fmt::format("{}\t{}\n", predictor_key, predictor_version);
  for (const auto& [key, value] : meta)
    text += fmt::format("{}\t{}\n", key, value);
  return text;
}

}  // namespace

struct Writer::Impl final : MemoryView {
  Impl(container::Writer output, CodeReader* reader, WriterOptions wanted)
      : file{std::move(output)}, code{reader}, options{wanted}, encoder{wanted.detail} {}

  Status flush();
  void flush_if_full() {
    if (encoder.size() >= full || encoder.record_count() >= maximum_records) keep(flush());
  }
  size_t read(uint64_t address, std::span<uint8_t> out) override {
    return code != nullptr ? code->read_data(*vp, address, out) : 0;
  }
  void keep(Status status) {
    if (!status.ok() && failure.empty()) failure = status.error().message;
  }

  container::Writer file;
  CodeReader* code;
  WriterOptions options;
  RecordEncoder encoder;
  const vtl::VirtualProcessor* vp{};  ///< whose instruction is being recorded
  uint16_t flags{};
  EndMark totals{};
  std::string failure;
  bool closed{};
};

Status Writer::Impl::flush() {
  if (encoder.record_count() == 0) return Unit{};
  Status status =
      file.append(kind_records, encoder.finish(),
                  {flags, encoder.record_count(), encoder.first_tick(), encoder.last_tick()});
  encoder.start_chunk();
  flags = 0;
  return status;
}

Writer::Writer(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Writer::~Writer() {
  // Not closed: what is there is worth keeping, but no end mark says that the run was whole.
  if (!impl_->closed && impl_->failure.empty()) impl_->keep(impl_->flush());
}

Result<std::unique_ptr<Writer>> Writer::create(const std::string& path, const Meta& meta,
                                               CodeReader* code, WriterOptions options) {
  const std::string text = meta_text(meta, options.detail);
  const loader::Bytes payload{reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  container::Writer file =
      TRY(container::Writer::create(path, file_kind, payload, options.compression));
  return std::unique_ptr<Writer>{
      new Writer{std::make_unique<Impl>(std::move(file), code, options)}};
}

void Writer::before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) {
  Impl& impl = *impl_;
  if (!impl.options.instructions || impl.closed || !impl.failure.empty()) return;
  InstructionRecord record = capture(now, vp, impl.options.detail);
  uint8_t bytes[longest_instruction];
  const size_t count = impl.code != nullptr ? impl.code->read_code(vp, bytes) : 0;
  impl.vp = &vp;
  impl.encoder.instruction(record, loader::Bytes{bytes, std::min(count, sizeof bytes)}, &impl);
  ++impl.totals.instructions;
  impl.totals.last_tick = now.ticks;
  impl.flush_if_full();
}

void Writer::on(const support::Event& event) {
  Impl& impl = *impl_;
  if (impl.closed || !impl.failure.empty()) return;
  impl.encoder.event(event);
  if (event.kind == support::EventKind::ImageLoaded ||
      event.kind == support::EventKind::ImageUnloaded)
    impl.flags |= chunk_has_images;
  ++impl.totals.events;
  impl.totals.last_tick = event.at.ticks;
  impl.flush_if_full();
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
    impl.keep(impl.file.append(kind_end, bytes_of(impl.totals),
                               {0, 0, impl.totals.last_tick, impl.totals.last_tick}));
  if (impl.failure.empty()) impl.keep(impl.file.close());
  return status();
}

uint64_t Writer::instructions() const {
  return impl_->totals.instructions;
}
uint64_t Writer::events() const {
  return impl_->totals.events;
}

}  // namespace trace
