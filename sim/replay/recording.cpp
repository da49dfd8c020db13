#include "sim/replay/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/container/varint.h"
#include "sim/loader/pe_image.h"

namespace replay {

using container::ChunkHeader;
using support::Error;
using support::Result;
using support::Status;
using support::Unit;

namespace {

constexpr size_t piece_header = 9;  ///< slot and offset

Status use_statistics(loader::Bytes payload, std::vector<std::pair<std::string, uint64_t>>& out) {
  std::string_view text{reinterpret_cast<const char*>(payload.data()), payload.size()};
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const size_t tab = text.find('\t');
    if (end == std::string_view::npos || tab >= end) return Error{"the statistics are malformed"};
    uint64_t count = 0;
    const auto [last, failure] = std::from_chars(text.data() + tab + 1, text.data() + end, count);
    if (failure != std::errc{} || last != text.data() + end) return Error{"the statistics are malformed"};
    out.emplace_back(text.substr(0, tab), count);
    text.remove_prefix(end + 1);
  }
  return Unit{};
}

Status check_piece(const Facts& facts, loader::Bytes payload) {
  container::ByteReader in{payload};
  const uint8_t slot = in.byte();
  const auto offset = in.value<uint64_t>();
  std::optional<ImageFacts> image;
  switch (static_cast<ImageSlot>(slot)) {
    case ImageSlot::Firmware: image = facts.firmware; break;
    case ImageSlot::Disk: image = facts.disk; break;
    case ImageSlot::Initrd: image = facts.initrd; break;
  }
  if (in.failed() || !image) return Error{"the piece belongs to no image"};
  const uint64_t size = image->size;
  if (offset > size || in.left() > size - offset) return Error{"the piece lies outside of its image"};
  return Unit{};
}

bool known(uint32_t kind) {
  for (const uint32_t each : {kind_inputs, kind_events, kind_points, kind_images, kind_span, kind_keyframe, kind_delta, kind_marks, kind_mark_changes,
                              kind_statistics, kind_index, kind_foot})
    if (kind == each) return true;
  return false;
}

}  // namespace

Result<Recording> Recording::open(const std::string& path) {
  Result<Recording> recording = over(TRY(container::open_file(path)));
  if (!recording) return Error{fmt::format("{}: {}", path, recording.error().message)};
  return recording;
}

Result<Recording> Recording::over(container::Input input) {
  Recording recording{TRY(container::Reader::open(std::move(input), file_kind))};
  recording.facts_ = TRY(parse_meta(recording.file_.meta()));
  if (const Status status = recording.read_chunks(); !status) recording.damage_ = status.error().message;
  recording.find_keyframes();
  return recording;
}

Status Recording::read_chunks() {
  do {
    size_ = file_.offset();
    digest_ = file_.digest();
  } while (TRY(read_chunk()));
  return Unit{};
}

/// False at the end of the file.
Result<bool> Recording::read_chunk() {
  const uint64_t at = file_.offset();
  const std::optional<ChunkHeader> header = TRY(file_.next());
  if (!header) return false;
  const std::vector<uint8_t> payload = TRY(file_.payload());
  if (const Status used = use(*header, payload); !used)
    return Error{fmt::format("the chunk at offset {}: {}", at, used.error().message)};
  ended_ = header->kind == kind_foot;
  index_.push_back({at, header->kind, header->record_count, header->first_tick, header->last_tick});
  return true;
}

Status Recording::use(const ChunkHeader& header, loader::Bytes payload) {
  if (!known(header.kind)) {
    if (container::may_be_skipped(header.kind)) return Unit{};
    return Error{fmt::format("it has the unknown kind \"{}\": a newer version wrote it", container::kind_text(header.kind))};
  }
  if (header.version != container::chunk_version)
    return Error{fmt::format("it has version {}; this program reads {}", header.version, container::chunk_version)};
  if (header.kind == kind_points || header.kind == kind_inputs || header.kind == kind_marks ||
      header.kind == kind_mark_changes || header.kind == kind_statistics) {
    held_ += payload.size();
    if (held_ > maximum_held)
      return Error{fmt::format("more than {} bytes of hashes, inputs and marks are not read", maximum_held)};
  }
  switch (header.kind) {
    case kind_events: return check_events(payload, header.record_count);
    case kind_points: return use_points(payload, header.record_count);
    case kind_images: return check_piece(facts_, payload);
    case kind_span: {
      TRY(decode_span(payload, {header.first_tick}, {header.last_tick}));
      return Unit{};
    }
    case kind_marks: return bookmarks_.add(payload, header.record_count);
    case kind_mark_changes: return bookmarks_.change(payload, header.record_count);
    case kind_statistics: return use_statistics(payload, statistics_);
    case kind_foot: return use_foot(payload);
    case kind_inputs: {
      std::vector<Input> more = TRY(decode_inputs(payload, header.record_count));
      inputs_.insert(inputs_.end(), more.begin(), more.end());
      return Unit{};
    }
    default: return Unit{};  // an index tells nothing new to who reads everything
  }
}

Status Recording::use_points(loader::Bytes payload, uint32_t count) {
  const std::vector<Point> more = TRY(decode_points(payload, count));
  for (const Point& point : more) {
    if (!points_.empty() && point.at < points_.back().at) return Error{"the hashes are not in the order of time"};
    points_.push_back(point);
  }
  return Unit{};
}

Status Recording::use_foot(loader::Bytes payload) {
  const auto foot = loader::read_at<Foot>(payload, 0);
  if (!foot || payload.size() != sizeof(Foot)) return Error{"the foot has a wrong size"};
  if (!std::equal(digest_.begin(), digest_.end(), foot->digest))
    return Error{"the foot does not belong to what stands before it: its digest differs"};
  if (foot->ending >= static_cast<uint32_t>(Ending::count) || foot->chunks != index_.size() + 1)
    return Error{"the foot is malformed"};
  const support::StateHash state{foot->state_low, foot->state_high};
  if (points_.empty() || points_.back().at.ticks != foot->end_tick || points_.back().state != state ||
      foot->events != event_count_)
    return Error{"the foot says something else than the hashes and events before it"};
  foot_ = *foot;
  return Unit{};
}

Status Recording::check_events(loader::Bytes payload, uint32_t count) {
  EventDecoder decoder = TRY(EventDecoder::open(payload, count));
  while (!decoder.at_end()) TRY(decoder.next());
  if (!decoder.exhausted()) return Error{"bytes follow the last event of the chunk"};
  event_count_ += count;
  return Unit{};
}

std::string Recording::ending_text() const {
  // A foot before that: what follows the run was cut off or damaged, not the run.
  const char* whole = foot_ ? "; the run before it is whole, bookmarks made later are lost" : "";
  if (!damage_.empty()) return damage_ + whole;
  if (!ended_ && foot_) return fmt::format("the recording ends at offset {} without its last foot{}", size_, whole);
  if (!ended_) return fmt::format("the recording ends at offset {} without its foot: the run was interrupted", size_);
  return "";
}

// ---- Through the index ---------------------------------------------------------------------------------------------

Result<Recording> Recording::open_indexed(const std::string& path, uint64_t file_size) {
  container::Input input = TRY(container::open_file(path));
  Recording recording{TRY(container::Reader::open(std::move(input), file_kind))};
  recording.facts_ = TRY(parse_meta(recording.file_.meta()));
  if (!recording.read_indexed(file_size)) return open(path);
  recording.find_keyframes();
  return recording;
}

Status Recording::read_indexed(uint64_t file_size) {
  constexpr uint64_t tail = sizeof(ChunkHeader) + container::padded(sizeof(Foot));
  if (file_size < tail) return Error{"there is no foot"};
  Foot foot{};
  const uint64_t at = file_size - tail;
  if (file_.read(at + sizeof(ChunkHeader), {reinterpret_cast<uint8_t*>(&foot), sizeof foot}) != sizeof foot)
    return Error{"there is no foot"};
  container::Reader file = file_;
  file.seek(at, foot.chunks);  // the number of the foot's own chunk stands in it
  const std::optional<ChunkHeader> last = TRY(file.next());
  if (!last || last->kind != kind_foot) return Error{"there is no foot"};
  TRY(file.payload());
  foot_ = foot;
  std::vector<uint8_t> piece(static_cast<size_t>(tail));
  if (file_.read(at, piece) != piece.size()) return Error{"there is no foot"};
  loader::Sha256 before;
  std::copy(std::begin(foot.digest), std::end(foot.digest), before.begin());
  digest_ = loader::sha256({before, piece});
  if (foot_->index_offset == 0 || foot_->chunks < 2) return Error{"there is no index"};
  file.seek(foot_->index_offset, foot_->chunks - 1);
  const std::optional<ChunkHeader> header = TRY(file.next());
  if (!header || header->kind != kind_index) return Error{"there is no index"};
  const IndexEntry of_index{foot_->index_offset, kind_index, header->record_count, header->first_tick, header->last_tick};
  const std::vector<uint8_t> bytes = TRY(file.payload());
  if (bytes.size() != size_t{foot_->chunks - 2} * sizeof(IndexEntry)) return Error{"the index has a wrong size"};
  index_.resize(bytes.size() / sizeof(IndexEntry));
  if (!bytes.empty()) std::memcpy(index_.data(), bytes.data(), bytes.size());
  for (size_t i = 0; i < index_.size(); ++i) {
    const IndexEntry& entry = index_[i];
    if (entry.kind == kind_events) event_count_ += entry.records;
    if (entry.kind != kind_points && entry.kind != kind_marks && entry.kind != kind_inputs &&
        entry.kind != kind_mark_changes && entry.kind != kind_statistics)
      continue;
    ChunkHeader facts{};
    facts.kind = entry.kind;
    facts.version = container::chunk_version;
    facts.record_count = entry.records;
    const std::vector<uint8_t> held = TRY(payload(i));
    TRY(use(facts, held));
  }
  // As who reads all of it finds them: the next chunk is numbered by them.
  index_.push_back(of_index);
  index_.push_back({at, kind_foot, last->record_count, last->first_tick, last->last_tick});
  size_ = file_size;
  ended_ = true;
  return Unit{};
}

// ---- Images and events ---------------------------------------------------------------------------------------------

Result<std::vector<uint8_t>> Recording::payload(size_t number) const {
  container::Reader file = file_;
  file.seek(index_[number].offset, static_cast<uint32_t>(number + 1));
  const std::optional<ChunkHeader> header = TRY(file.next());
  if (!header || header->kind != index_[number].kind || header->record_count != index_[number].records)
    return Error{fmt::format("the chunk at offset {} is not the one of the index", index_[number].offset)};
  return file.payload();
}

std::vector<uint8_t> Recording::stored(size_t number) const {
  container::Reader file = file_;
  file.seek(index_[number].offset, static_cast<uint32_t>(number + 1));
  const auto read = file.next();
  if (!read || !read.value()) return {};
  ChunkHeader header = *read.value();
  header.sequence = 0;  // where it lies does not matter
  header.header_checksum = 0;
  std::vector<uint8_t> bytes(sizeof header + header.stored_size);
  std::memcpy(bytes.data(), &header, sizeof header);
  const std::span<uint8_t> rest = std::span{bytes}.subspan(sizeof header);
  return file.read(index_[number].offset + sizeof header, rest) == rest.size() ? bytes : std::vector<uint8_t>{};
}

bool Recording::same_chunk(size_t number, const Recording& other, size_t other_number) const {
  const std::vector<uint8_t> bytes = stored(number);
  return !bytes.empty() && bytes == other.stored(other_number);
}

Result<std::vector<uint8_t>> Recording::image(ImageSlot slot, const ImageFacts& facts) const {
  std::vector<uint8_t> bytes(static_cast<size_t>(facts.size));
  for (size_t i = 0; i < index_.size(); ++i) {
    if (index_[i].kind != kind_images) continue;
    const std::vector<uint8_t> piece = TRY(payload(i));
    TRY(check_piece(facts_, piece));
    if (piece[0] != static_cast<uint8_t>(slot)) continue;
    const uint64_t offset = *loader::read_at<uint64_t>(piece, 1);
    std::copy(piece.begin() + piece_header, piece.end(), bytes.begin() + static_cast<ptrdiff_t>(offset));
  }
  if (loader::sha256({bytes}) != facts.hash)
    return Error{fmt::format("the embedded {} does not have the recorded hash",
                             slot == ImageSlot::Disk ? "disk" : slot == ImageSlot::Initrd ? "initrd" : "firmware")};
  return bytes;
}

Result<machine::MachineParts> Recording::images() const {
  if (!facts_.embedded) return Error{"the recording carries no images"};
  machine::MachineParts parts;
  parts.firmware = TRY(image(ImageSlot::Firmware, facts_.firmware));
  if (facts_.disk) parts.disk = machine::DiskImage{TRY(image(ImageSlot::Disk, *facts_.disk))};
  if (facts_.initrd) parts.initrd = TRY(image(ImageSlot::Initrd, *facts_.initrd));
  return parts;
}

EventCursor Recording::events_from(support::Instant from) const {
  size_t chunk = 0;
  while (chunk < index_.size() && (index_[chunk].kind != kind_events || index_[chunk].last_tick < from.ticks)) ++chunk;
  return {*this, chunk};
}

Result<EventCursor> Recording::events_after(uint64_t count) const {
  size_t chunk = 0;
  for (; chunk < index_.size() && (index_[chunk].kind != kind_events || index_[chunk].records <= count); ++chunk)
    if (index_[chunk].kind == kind_events) count -= index_[chunk].records;
  EventCursor cursor{*this, chunk};
  for (; count != 0; --count)
    if (!TRY(cursor.next())) return Error{"the recording has fewer events than its keyframe says"};
  return cursor;
}

Result<bool> EventCursor::next_chunk() {
  const std::vector<IndexEntry>& index = recording_->index_;
  while (chunk_ < index.size() && index[chunk_].kind != kind_events) ++chunk_;
  if (chunk_ == index.size()) return false;
  payload_ = std::make_unique<std::vector<uint8_t>>(TRY(recording_->payload(chunk_)));
  decoder_ = TRY(EventDecoder::open(*payload_, index[chunk_].records));
  ++chunk_;
  return true;
}

Result<std::optional<trace::EventRecord>> EventCursor::next() {
  while (!decoder_ || decoder_->at_end()) {
    if (!TRY(next_chunk())) return std::optional<trace::EventRecord>{};
  }
  trace::EventRecord record = TRY(decoder_->next());
  const auto number = static_cast<size_t>(record.event.kind);
  const auto& kinds = recording_->facts_.kinds;
  record.event.kind = number < kinds.size() ? kinds[number].value_or(unknown_event) : unknown_event;
  return std::optional{std::move(record)};
}

}  // namespace replay
