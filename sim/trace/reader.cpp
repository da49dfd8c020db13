#include "sim/trace/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/loader/pe_image.h"
#include "sim/trace/event_names.h"

namespace trace {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

}  // namespace

Result<Reader> Reader::open(const std::string& path) {
  Result<Reader> reader = over(TRY(container::open_file(path)));
  if (!reader) return Error{fmt::format("{}: {}", path, reader.error().message)};
  return reader;
}

Result<Reader> Reader::over(TraceInput input) {
  Reader reader {
    TRY(container::Reader::open(std::move(input), file_kind))
  };
  TRY(reader.read_meta());
  return reader;
}

Status Reader::read_meta() {
  const std::vector<uint8_t>& raw = file_.meta();
  std::string_view rest{reinterpret_cast<const char*>(raw.data()), raw.size()};
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    const size_t tab = line.find('\t');
    if (end == std::string_view::npos || tab == std::string_view::npos)
      return Error{fmt::format("the META chunk has a malformed line: \"{}\"",
                               loader::printable(line.substr(0, 80)))};
    meta_.emplace_back(line.substr(0, tab), line.substr(tab + 1));
    rest.remove_prefix(end + 1);
  }
  const auto events = std::find_if(meta_.begin(), meta_.end(),
                                   [](const auto& fact) { return fact.first == "events"; });
  if (events == meta_.end()) return Error{"the META chunk does not name the events"};
  std::string_view names = events->second;
  for (size_t comma = 0; comma != std::string_view::npos && kinds_.size() < 256;
       names.remove_prefix(comma + 1)) {
    comma = names.find(',');
    kinds_.push_back(event_kind(names.substr(0, comma)));
    if (comma == std::string_view::npos) break;
  }
  return read_detail();
}

Status Reader::read_detail() {
  const auto value = [&](std::string_view key) -> std::string_view {
    const auto fact = std::find_if(meta_.begin(), meta_.end(), [&](const auto& f) { return f.first == key; });
    return fact == meta_.end() ? std::string_view{} : std::string_view{fact->second};
  };
  const std::string_view detail = value(detail_key);
  if (detail != "control" && detail != "full")
    return Error{fmt::format("the META chunk names the unknown detail \"{}\"", loader::printable(detail.substr(0, 80)))};
  detail_ = detail == "full" ? Detail::Full : Detail::Control;
  if (detail_ == Detail::Full && value(predictor_key) != fmt::format("{}", predictor_version))
    return Error{fmt::format("a full trace for predictor {}; this program has predictor {}",
                             loader::printable(value(predictor_key).substr(0, 80)), predictor_version)};
  return Unit{};
}

Status Reader::read_end(const std::vector<uint8_t>& payload, uint64_t at) {
  const auto mark = loader::read_at<EndMark>(payload, 0);
  if (!mark) return Error{fmt::format("the end mark at offset {} is cut short", at)};
  totals_ = *mark;
  return Unit{};
}

/// Reads one chunk: afterwards there is a decoder, or the totals, or neither (the chunk was passed
/// over).
Status Reader::read_chunk() {
  const uint64_t at = file_.offset();
  const std::optional<ChunkHeader> header = TRY(file_.next());
  if (!header)
    return Error{fmt::format(
        "the trace ends at offset {} without its end mark: the run was interrupted", at)};
  const bool records = header->kind == kind_records;
  if (!records && header->kind != kind_end) {
    if (!container::may_be_skipped(header->kind))
      return Error{fmt::format(
          "the chunk at offset {} has the unknown kind \"{}\": a newer version wrote it", at,
          container::kind_text(header->kind))};
    TRY(file_.payload());
    return Unit{};
  }
  if (header->version != container::chunk_version)
    return Error{fmt::format("the chunk at offset {} has version {}; this program reads {}", at,
                             header->version, container::chunk_version)};
  if (records && header->last_tick < wanted_tick_ && (header->flags & chunk_has_images) == 0) {
    file_.skip();
    return Unit{};
  }
  std::vector<uint8_t> raw = TRY(file_.payload());
  if (!records) return read_end(raw, at);
  chunk_offset_ = at;
  chunk_records_ = header->record_count;
  chunk_read_ = 0;
  raw_ = std::make_unique<std::vector<uint8_t>>(std::move(raw));
  if (!decoder_) decoder_ = std::make_unique<RecordDecoder>(detail_);
  decoder_->start(*raw_);
  in_chunk_ = true;
  return Unit{};
}

Result<Record*> Reader::advance() {
  for (;;) {
    if (totals_) return static_cast<Record*>(nullptr);
    if (!in_chunk_) {
      TRY(read_chunk());
      continue;
    }
    const Result<bool> more = decoder_->advance();
    if (!more) return Error{fmt::format("the chunk at offset {}: {}", chunk_offset_, more.error().message)};
    chunk_read_ += more.value() ? 1 : 0;
    if (chunk_read_ > chunk_records_ || (!more.value() && chunk_read_ != chunk_records_))
      return Error{fmt::format("the chunk at offset {} holds {}{} records instead of {}", chunk_offset_,
                               more.value() ? "at least " : "", chunk_read_, chunk_records_)};
    in_chunk_ = more.value();
    if (!in_chunk_) continue;
    Record& record = decoder_->current();
    if (auto* event = std::get_if<EventRecord>(&record)) {
      const auto number = static_cast<size_t>(event->event.kind);
      event->event.kind = number < kinds_.size() ? kinds_[number].value_or(unknown_event) : unknown_event;
    }
    return &record;
  }
}

Result<Record*> Reader::read() {
  if (!failure_.empty()) return Error{failure_};
  Result<Record*> result = advance();
  if (!result) failure_ = result.error().message;
  return result;
}

Result<std::optional<Record>> Reader::next() {
  Record* record = TRY(read());
  return record == nullptr ? std::optional<Record>{} : std::optional<Record>{*record};
}

}  // namespace trace
