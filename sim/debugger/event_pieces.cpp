#include "sim/debugger/event_pieces.h"

#include <fmt/format.h>

#include <algorithm>

namespace debugger {

using support::Event;
using support::Instant;
using trace::EventRecord;

namespace {

/// Unpacked pieces that are kept: a few megabytes each.
constexpr size_t pieces_kept = 6;
/// No event is later. Leaves room to count with.
constexpr Instant latest{~uint64_t{0} >> 2};

}  // namespace

EventRecord record_of(const Event& event) {
  EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
  if (record.has_frame) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
  record.event.frame = nullptr;
  record.event.text = {};
  return record;
}

// --- Pieces

size_t EventPieces::piece_at(Instant at) const {
  const auto found = std::lower_bound(pieces_.begin(), pieces_.end(), at, [](const Piece& piece, Instant instant) { return piece.last < instant; });
  return static_cast<size_t>(found - pieces_.begin());
}

size_t EventPieces::piece_of(uint64_t row) const {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), row, [](uint64_t wanted, const Piece& piece) { return wanted < piece.row; });
  return static_cast<size_t>(after - pieces_.begin()) - 1;
}

void EventPieces::add_piece(uint32_t count, Instant first, Instant last) {
  const Instant before = pieces_.empty() ? Instant{} : pieces_.back().last;
  const Instant begin = std::clamp(first, before, latest);
  pieces_.push_back({size(), count, begin, std::clamp(last, begin, latest)});
}

void EventPieces::end_at(size_t piece, uint32_t count, const std::string& why) {
  if (complaint_.empty()) complaint_ = fmt::format("events from number {} on cannot be read: {}", pieces_[piece].row + count, why);
  pieces_[piece].count = count;
  pieces_.resize(piece + (count != 0 ? 1 : 0));
}

void EventPieces::decode(size_t piece, Next next, const EventVisit& visit) {
  const Piece bounds = pieces_[piece];
  const auto payload = columns(piece);
  if (!payload) return end_at(piece, 0, payload.error().message);
  auto decoder = replay::EventDecoder::open(payload.value(), bounds.count);
  if (!decoder) return end_at(piece, 0, decoder.error().message);
  Instant before = bounds.first;
  for (uint32_t i = 0; i < bounds.count; ++i) {
    auto event = (decoder.value().*next)();
    if (!event) return end_at(piece, i, event.error().message);
    Event& found = event.value();
    if ((found.at < before || found.at > bounds.last) && complaint_.empty())
      complaint_ = fmt::format("event {} is not in the order of time: it counts where it stands", bounds.row + i);
    found.at = before = std::clamp(found.at, before, bounds.last);
    found.kind = kind_of(found.kind);
    if (!visit(found)) return;
  }
}

void EventPieces::read(size_t piece, const EventVisit& visit) { decode(piece, &replay::EventDecoder::next_in_place, visit); }

void EventPieces::skim(size_t piece, const EventVisit& visit) { decode(piece, &replay::EventDecoder::skim, visit); }

const Events& EventPieces::unpack(size_t piece) {
  const auto known = std::find_if(unpacked_.begin(), unpacked_.end(), [&](const Unpacked& each) { return each.piece == piece; });
  if (known != unpacked_.end()) {
    unpacked_.splice(unpacked_.begin(), unpacked_, known);
    return unpacked_.front().events;
  }
  if (unpacked_.size() >= pieces_kept) unpacked_.pop_back();
  unpacked_.push_front({piece, {}});
  Events& events = unpacked_.front().events;
  decode(piece, &replay::EventDecoder::next_in_place, [&](const Event& event) {
    events.push_back(record_of(event));
    return true;
  });
  return events;
}

// --- Of recordings

RecordedPieces::RecordedPieces(const replay::Recording& recording) : recording_{recording} {
  const std::vector<replay::IndexEntry>& index = recording.index();
  for (size_t i = 0; i < index.size(); ++i) {
    if (index[i].kind != replay::kind_events || index[i].records == 0) continue;
    add_piece(index[i].records, {index[i].first_tick}, {index[i].last_tick});
    chunks_.push_back(i);
  }
}

support::EventKind RecordedPieces::kind_of(support::EventKind number) const {
  const auto& kinds = recording_.facts().kinds;
  const auto place = static_cast<size_t>(number);
  return place < kinds.size() ? kinds[place].value_or(replay::unknown_event) : replay::unknown_event;
}

// --- Of runs that go on

/// Nearly always at the end: parts may announce a thing a little later than its neighbours.
void GrowingPieces::add(const Event& event) {
  const bool next_instant = !open_.empty() && open_.back().event.at < event.at;
  if (open_.size() >= (next_instant ? full : 8 * full)) close();
  const Instant floor = open_.empty() ? (pieces_.empty() ? Instant{} : pieces_.back().last) : pieces_.back().first;
  EventRecord record = record_of(event);
  record.event.at = std::clamp(event.at, floor, latest);
  const auto place = std::upper_bound(open_.begin(), open_.end(), record.event.at,
                                      [](Instant at, const EventRecord& other) { return at < other.event.at; });
  open_.insert(place, std::move(record));
  if (open_.size() == 1) return add_piece(1, open_.front().event.at, open_.front().event.at);
  pieces_.back().count = static_cast<uint32_t>(open_.size());
  pieces_.back().last = open_.back().event.at;
}

void GrowingPieces::close() {
  replay::EventEncoder encoder;
  for (const EventRecord& record : open_) encoder.add(record.view());
  packed_.push_back(encoder.finish());
  packed_.back().shrink_to_fit();
  open_.clear();
}

void GrowingPieces::forget_from(Instant at) {
  const size_t piece = piece_at(at);
  if (piece >= pieces_.size()) return;
  if (!open(piece)) open_ = Events{unpack(piece)};
  std::erase_if(open_, [&](const EventRecord& record) { return record.event.at >= at; });
  packed_.resize(piece);
  pieces_.resize(piece);
  forget_unpacked();
  if (!open_.empty()) add_piece(static_cast<uint32_t>(open_.size()), open_.front().event.at, open_.back().event.at);
}

const Events& GrowingPieces::unpack(size_t piece) { return open(piece) ? open_ : EventPieces::unpack(piece); }

void GrowingPieces::read(size_t piece, const EventVisit& visit) {
  if (!open(piece)) return EventPieces::read(piece, visit);
  for (const EventRecord& record : open_)
    if (!visit(record.view())) return;
}

}  // namespace debugger
