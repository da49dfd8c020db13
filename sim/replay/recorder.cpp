#include "sim/replay/recorder.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/replay/recording.h"
#include "sim/trace/event_names.h"

namespace replay {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

namespace {

/// A chunk is written when one of these is reached: what a killed recorder loses at most.
constexpr size_t full_events = 256u << 10;
constexpr size_t full_points = 16;
constexpr size_t full_inputs = 4096, full_input_bytes = 256u << 10;
static_assert(full_events + 2 * maximum_text < container::maximum_raw_size);

void put_word(std::vector<uint8_t>& out, uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

bool all_zero(loader::Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

Status append_end(container::Writer& file, std::vector<IndexEntry> index, Foot foot) {
  const size_t size = index.size() * sizeof(IndexEntry);
  foot.index_offset = 0;
  if (size <= container::maximum_raw_size) {
    foot.index_offset = file.size();
    TRY(file.append(kind_index, {reinterpret_cast<const uint8_t*>(index.data()), size},
                    {0, static_cast<uint32_t>(index.size()), 0, foot.end_tick}));
  }
  foot.chunks = file.sequence();
  std::copy(file.digest().begin(), file.digest().end(), foot.digest);
  TRY(file.append(kind_foot, container::bytes_of(foot), {container::chunk_plain, 1, foot.end_tick, foot.end_tick}));
  return file.close();
}

Ending to_ending(machine::StopReason reason) {
  using machine::StopReason;
  switch (reason) {
    case StopReason::Deadline: return Ending::Deadline;
    case StopReason::Requested: return Ending::Requested;
    case StopReason::PowerOff: return Ending::PowerOff;
    case StopReason::Reset: return Ending::Reset;
    case StopReason::TripleFault: return Ending::TripleFault;
    case StopReason::Hung: return Ending::Hung;
    case StopReason::GuestExit: return Ending::GuestExit;
    case StopReason::MachineFailure: return Ending::MachineFailure;
  }
  return Ending::MachineFailure;
}

machine::StopReason to_reason(Ending ending) {
  using machine::StopReason;
  switch (ending) {
    case Ending::Deadline: return StopReason::Deadline;
    case Ending::Requested: return StopReason::Requested;
    case Ending::PowerOff: return StopReason::PowerOff;
    case Ending::Reset: return StopReason::Reset;
    case Ending::TripleFault: return StopReason::TripleFault;
    case Ending::Hung: return StopReason::Hung;
    case Ending::GuestExit: return StopReason::GuestExit;
    case Ending::MachineFailure:
    case Ending::count: break;
  }
  return StopReason::MachineFailure;
}

Result<std::unique_ptr<Recorder>> Recorder::create(const std::string& path, const loader::MachineConfig& config,
                                                   const machine::MachineParts& parts, const RecorderOptions& options) {
  Facts facts = facts_of(config, parts);
  facts.program = options.program;
  facts.point_interval = std::max<uint64_t>(options.point_interval, 1);
  facts.embedded = options.embed;
  const std::string meta = to_meta(facts);
  container::Writer file = TRY(container::Writer::create(
      path, file_kind, {reinterpret_cast<const uint8_t*>(meta.data()), meta.size()}, compression));
  std::unique_ptr<Recorder> recorder{new Recorder{std::move(file), options}};
  if (options.embed) {
    recorder->append_image(ImageSlot::Firmware, parts.firmware);
    if (parts.disk) recorder->append_image(ImageSlot::Disk, parts.disk->read(0, static_cast<uint32_t>(parts.disk->sectors())));
    recorder->append_image(ImageSlot::Initrd, parts.initrd);
    TRY(recorder->status());
  }
  return recorder;
}

Recorder::Recorder(container::Writer file, const RecorderOptions& options)
    : file_{std::move(file)},
      interval_{std::max<uint64_t>(options.point_interval, 1)},
      keyframe_interval_{options.keyframe_interval},
      whole_every_{std::max(options.whole_every, 1u)},
      window_{options.window} {
  window_.interval = std::max<uint64_t>(window_.interval, 1);
}

Recorder::~Recorder() {
  if (recording()) flush();
}

void Recorder::append(uint32_t kind, loader::Bytes raw, const container::ChunkFacts& facts) {
  if (!recording()) return;
  index_.push_back({file_.size(), kind, facts.records, facts.first_tick, facts.last_tick});
  if (const Status status = file_.append(kind, raw, facts); !status) failure_ = status.error().message;
}

void Recorder::append_image(ImageSlot slot, loader::Bytes image) {
  for (size_t at = 0; at < image.size(); at += image_piece) {
    const loader::Bytes bytes = image.subspan(at, std::min(image_piece, image.size() - at));
    if (all_zero(bytes)) continue;
    std::vector<uint8_t> piece{static_cast<uint8_t>(slot)};
    put_word(piece, at);
    piece.insert(piece.end(), bytes.begin(), bytes.end());
    append(kind_images, piece, {0, 1, 0, 0});
  }
}

void Recorder::on(const support::Event& event) {
  if (!recording()) return;
  ++counts_[static_cast<uint8_t>(event.kind)];
  events_.add(event);
  if (events_.size() >= full_events) flush_events();
}

void Recorder::input(const Input& input) {
  if (!recording()) return;
  inputs_.push_back(input);
  input_bytes_ += input.bytes.size();
  if (inputs_.size() >= full_inputs || input_bytes_ >= full_input_bytes) flush();
}

void Recorder::flush_events() {
  if (events_.count() == 0) return;
  const container::ChunkFacts facts{0, events_.count(), events_.first_tick(), events_.last_tick()};
  append(kind_events, events_.finish(), facts);
}

/// Inputs go first: without them, what follows could not be replayed.
void Recorder::flush() {
  if (!inputs_.empty()) {
    append(kind_inputs, encode(inputs_),
           {0, static_cast<uint32_t>(inputs_.size()), inputs_.front().at.ticks, inputs_.back().at.ticks});
    inputs_.clear();
    input_bytes_ = 0;
  }
  flush_events();
  if (points_.empty()) return;
  const std::vector<uint8_t> payload = encode(points_);
  held_ += payload.size();
  if (held_ > maximum_held / 4 * 3) interval_ = std::max(interval_, uint64_t{1} << 30);  // a reader takes no more
  append(kind_points, payload,
         {0, static_cast<uint32_t>(points_.size()), points_.front().at.ticks, points_.back().at.ticks});
  points_.clear();
}

void Recorder::take_point(machine::Machine& machine, bool last) {
  if (!recording()) return;
  if (has_point_ && last_.at == machine.now() && !last) return;
  point(point_of(machine));
  if (keyframe_interval_ == 0 || last || last_.instructions < next_keyframe_) return;
  append_keyframe(machine);
  next_keyframe_ = last_.instructions + keyframe_interval_;
}

/// The stretch, then the state in pieces; what may be lost stands before it.
void Recorder::append_keyframe(machine::Machine& machine) {
  flush();
  Span span{dirty_consumer_ ? last_keyframe_ : last_.at, last_.at, 0, last_.instructions, {}};
  for (const uint64_t count : counts_) span.events += count;
  std::vector<uint64_t> pages;
  if (dirty_consumer_) machine.memory().drain_dirty(*dirty_consumer_, pages);
  pages_since_whole_ += pages.size();
  // Differences that have outgrown memory are no help to anybody.
  const bool whole = !dirty_consumer_ || deltas_left_ == 0 || pages_since_whole_ > machine.memory().page_count();
  if (whole) pages_since_whole_ = 0;
  if (!dirty_consumer_) dirty_consumer_ = machine.memory().add_dirty_consumer();
  deltas_left_ = whole ? whole_every_ - 1 : deltas_left_ - 1;
  last_keyframe_ = last_.at;
  span.dirty.assign(pages.begin(), pages.end());
  append(kind_span, encode(span), {0, static_cast<uint32_t>(span.dirty.size()), span.begin.ticks, span.at.ticks});
  const std::vector<uint8_t> bytes = machine::to_bytes(whole ? machine.save() : save_pages(machine, pages));
  const size_t pieces = (bytes.size() + keyframe_piece - 1) / keyframe_piece;
  for (size_t i = 0; i < pieces; ++i) {
    const size_t at = i * keyframe_piece;
    append(whole ? kind_keyframe : kind_delta, loader::Bytes{bytes}.subspan(at, std::min(keyframe_piece, bytes.size() - at)),
           {0, static_cast<uint32_t>(pieces - i), last_.at.ticks, last_.at.ticks});
  }
}

void Recorder::point(const Point& point) {
  if (!recording()) return;
  last_ = point;
  has_point_ = true;
  points_.push_back(point);
  if (points_.size() >= full_points) flush();
}

machine::StopReason Recorder::run(machine::Machine& machine, support::Instant deadline) {
  const machine::StopReason reason = run_watched(machine, deadline);
  if (dirty_consumer_) machine.memory().remove_dirty_consumer(*dirty_consumer_);
  dirty_consumer_.reset();  // the next keyframe is a whole one
  return reason;
}

machine::StopReason Recorder::run_watched(machine::Machine& machine, support::Instant deadline) {
  take_point(machine);
  uint64_t idle_step = 0;  // while the processor waits, the clock runs ahead of the instructions
  for (;;) {
    if (!recording()) return ending_ = machine.run(deadline);
    const uint64_t executed = machine.now().ticks - machine.idle_ticks();
    const bool close = machine.now() >= window_.from && machine.now() < window_.to;
    const uint64_t due = last_.instructions + (close ? std::min(interval_, window_.interval) : interval_);
    if (executed >= due || (close && last_.at < window_.from)) {
      take_point(machine);
      continue;
    }
    const uint64_t step = std::max(due - executed, std::min(idle_step, interval_));
    const support::Instant stop{step < deadline.ticks - machine.now().ticks ? machine.now().ticks + step : deadline.ticks};
    const bool before = machine.now() < window_.from && window_.from < window_.to;
    const machine::StopReason reason = machine.run(before ? std::min(stop, window_.from) : stop);
    idle_step = machine.now().ticks - machine.idle_ticks() == executed ? 2 * step : 0;
    if (reason == machine::StopReason::Deadline && machine.now() < deadline) continue;
    // An exception takes no time: the run may have gone on without the clock.
    take_point(machine, reason != machine::StopReason::Deadline);
    return ending_ = reason;
  }
}

void Recorder::append_statistics() {
  std::string text = fmt::format("instructions\t{}\nidle-ticks\t{}\n", last_.instructions, last_.at.ticks - last_.instructions);
  for (size_t kind = 0; kind < counts_.size(); ++kind)
    if (counts_[kind] != 0)
      text += fmt::format("{}\t{}\n", trace::name_of(static_cast<support::EventKind>(kind)), counts_[kind]);
  append(kind_statistics, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, {0, 1, 0, last_.at.ticks});
}

Status Recorder::close() {
  if (closed_) return status();
  flush();
  append_statistics();
  if (failure_.empty()) {
    Foot foot{};
    foot.instructions = last_.instructions;
    for (const uint64_t count : counts_) foot.events += count;
    foot.end_tick = last_.at.ticks;
    foot.state_low = last_.state.low;
    foot.state_high = last_.state.high;
    foot.ending = static_cast<uint32_t>(to_ending(ending_));
    if (const Status status = append_end(file_, index_, foot); !status) failure_ = status.error().message;
  }
  closed_ = true;
  return status();
}

Status Recorder::status() const {
  if (!failure_.empty()) return Error{failure_};
  return Unit{};
}

}  // namespace replay
