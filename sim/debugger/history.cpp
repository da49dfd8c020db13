#include "sim/debugger/history.h"

#include <algorithm>

namespace debugger {

using support::Event;
using support::Instant;
using trace::EventRecord;

namespace {

/// The first one at or after `at`.
Events::const_iterator not_before(const Events& events, Instant at) {
  return std::lower_bound(events.begin(), events.end(), at,
                          [](const EventRecord& record, Instant instant) { return record.event.at < instant; });
}

std::optional<EventRecord> last_of(const Events& events, Instant before, Instant floor, const EventFilter& filter) {
  for (auto i = not_before(events, before); i != events.begin();) {
    --i;
    if (i->event.at < floor) break;
    if (filter(i->view())) return *i;
  }
  return std::nullopt;
}

std::optional<EventRecord> first_of(const Events& events, Instant from, const EventFilter& filter) {
  for (auto i = not_before(events, from); i != events.end(); ++i)
    if (filter(i->view())) return *i;
  return std::nullopt;
}

}  // namespace

History::History(std::unique_ptr<EventPieces> own, History* past, Instant since)
    : own_{std::move(own)}, past_{past}, since_{since}, past_rows_{past != nullptr ? past->row_at(since) : 0} {
  if (past_ == nullptr) {
    index_.emplace();
  } else {
    calls_ = past_->calls_;
    calls_.forget_from(past_rows_);
  }
}

// --- By time

std::optional<EventRecord> History::last(Instant before, const EventFilter& filter, Instant floor) {
  const auto& pieces = own_->pieces();
  for (size_t piece = pieces.size(); piece-- > 0;) {
    if (pieces[piece].first >= before) continue;
    if (pieces[piece].last < floor) break;
    if (auto found = last_of(own_->unpack(piece), before, floor, filter)) return found;
  }
  if (past_ == nullptr || floor >= since_) return std::nullopt;
  return past_->last(std::min(before, since_), filter, floor);
}

std::optional<EventRecord> History::first(Instant from, const EventFilter& filter) {
  if (past_ != nullptr && from < since_) {
    auto found = past_->first(from, [&](const Event& event) { return event.at >= since_ || filter(event); });
    if (found && found->event.at < since_) return found;
  }
  for (size_t piece = own_->piece_at(from); piece < own_->pieces().size(); ++piece)
    if (auto found = first_of(own_->unpack(piece), from, filter)) return found;
  return std::nullopt;
}

void History::each(Instant from, Instant to, KindSet kinds, const std::function<void(const Event&)>& visit) {
  if (past_ != nullptr && from < since_) past_->each(from, std::min(to, since_), kinds, visit);
  for (size_t piece = own_->piece_at(from); piece < own_->pieces().size() && own_->pieces()[piece].first < to; ++piece) {
    if (!may_have(piece, kinds)) continue;
    own_->read(piece, [&](const Event& event) {
      const auto kind = static_cast<unsigned>(event.kind);
      if (kind < kind_count && (kinds >> kind & 1) != 0 && event.at >= from && event.at < to) visit(event);
      return event.at < to;
    });
  }
}

// --- By row

uint64_t History::size() const { return past_rows_ + own_->size(); }

std::optional<EventRecord> History::event(uint64_t row) {
  if (row < past_rows_) return past_->event(row);
  if (row >= size()) return std::nullopt;
  const size_t piece = own_->piece_of(row - past_rows_);
  const uint64_t place = row - past_rows_ - own_->pieces()[piece].row;
  const Events& events = own_->unpack(piece);
  return place < events.size() ? std::optional{events[place]} : std::nullopt;
}

uint64_t History::row_at(Instant at) {
  if (past_ != nullptr && at <= since_) return past_->row_at(at);
  if (index_ && index_->size() == own_->size()) return past_rows_ + index_->before(at);
  const size_t piece = own_->piece_at(at);
  if (piece == own_->pieces().size()) return size();
  const Events& events = own_->unpack(piece);
  const uint64_t row = piece < own_->pieces().size() ? own_->pieces()[piece].row : own_->size();
  return past_rows_ + row + static_cast<uint64_t>(not_before(events, at) - events.begin());
}

void History::read(uint64_t first, uint64_t last, const std::function<bool(uint64_t, const Event&)>& visit) {
  bool goes_on = true;
  if (first < past_rows_)
    past_->read(first, std::min(last, past_rows_), [&](uint64_t row, const Event& event) { return goes_on = visit(row, event); });
  uint64_t next = std::max(first, past_rows_);
  while (goes_on && next < std::min(last, size())) {
    const size_t piece = own_->piece_of(next - past_rows_);
    const uint64_t begin = past_rows_ + own_->pieces()[piece].row, end = std::min(last, begin + own_->pieces()[piece].count);
    uint64_t row = begin;
    own_->read(piece, [&](const Event& event) {
      if (row >= next) goes_on = visit(row, event);
      return ++row < end && goes_on;
    });
    next = end;
  }
}

// --- What stretches of time contain

/// The rest of the piece that the next event to learn is in.
void History::learn_piece() {
  const uint64_t from = index_->size();
  const size_t piece = own_->piece_of(from);
  uint64_t row = own_->pieces()[piece].row;
  own_->skim(piece, [&](const Event& event) {
    if (row++ >= from) index_->add(event);
    return true;
  });
}

bool History::learn(uint64_t events) {
  if (!past_is_learnt()) {
    const uint64_t before = past_->learnt();
    (void)past_->learn(events);
    events -= std::min(events, past_->learnt() - before);
    if (!past_is_learnt()) return false;
  }
  if (!index_) index_.emplace(since_, *past_->index_);
  if (index_->size() > own_->size()) {  // the end was found to be damaged
    if (past_ == nullptr) index_.emplace();
    else index_.emplace(since_, *past_->index_);
  }
  const uint64_t target = index_->size() + std::min(events, own_->size() - index_->size());
  while (index_->size() < std::min(target, own_->size())) learn_piece();
  return index_->size() >= own_->size();
}

uint64_t History::learnt() const {
  const uint64_t past = past_ != nullptr ? std::min(past_->learnt(), past_rows_) : 0;
  return past + (index_ ? std::min(index_->size(), own_->size()) : 0);
}

Instant History::learnt_until() const {
  if (!past_is_learnt()) return past_->learnt_until();
  if (!index_) return since_;
  if (index_->size() >= own_->size()) return support::never;
  return own_->pieces()[own_->piece_of(index_->size())].first;
}

uint64_t History::rows_before(Instant at) const {
  uint64_t rows = past_ != nullptr ? std::min(past_->rows_before(std::min(at, since_)), past_rows_) : 0;
  if (index_) rows += index_->before(at);
  return rows;
}

KindCounts History::counts_before(Instant at) const {
  KindCounts counts = past_ != nullptr ? past_->counts_before(std::min(at, since_)) : KindCounts{};
  if (!index_) return counts;
  const KindCounts own = index_->counts_before(at);
  for (size_t kind = 0; kind < counts.size(); ++kind) counts[kind] += own[kind];
  return counts;
}

KindCounts History::counts_of_first(uint64_t rows) const {
  const uint64_t known = std::min(rows, learnt());
  KindCounts counts = past_ != nullptr ? past_->counts_of_first(std::min(known, past_rows_)) : KindCounts{};
  if (!index_ || known <= past_rows_) return counts;
  const KindCounts own = index_->counts_of_first(known - past_rows_);
  for (size_t kind = 0; kind < counts.size(); ++kind) counts[kind] += own[kind];
  return counts;
}

std::optional<Instant> History::instant_of(uint64_t row) const {
  if (row >= learnt()) return std::nullopt;
  return row < past_rows_ ? past_->instant_of(row) : std::optional{index_->instant_of(row - past_rows_)};
}

VtlTrack::Ticks History::lanes_before(Instant at, uint32_t vp) const {
  VtlTrack::Ticks ticks = past_ != nullptr ? past_->lanes_before(std::min(at, since_), vp) : VtlTrack::Ticks{};
  if (!index_) return ticks;
  const VtlTrack::Ticks own = index_->lanes_before(at, vp);
  for (size_t vtl = 0; vtl < ticks.size(); ++vtl) ticks[vtl] += own[vtl];
  return ticks;
}

/// Learns that piece and those before it, unless the past stands in the way.
bool History::may_have(size_t piece, KindSet kinds) {
  const uint64_t begin = own_->pieces()[piece].row, end = begin + own_->pieces()[piece].count;
  if (!past_is_learnt()) return true;
  if (!index_ || index_->size() < end) (void)learn(end - (index_ ? index_->size() : 0));
  return piece < own_->pieces().size() && index_->may_have(begin, std::min(end, index_->size()), kinds);
}

void History::forget_own_from(Instant at) {
  if (index_) index_->forget_from(at);
  const uint64_t rows = row_at(at);
  calls_.forget_from(rows);
  queries_.forget_from(rows);
}

// --- Observed and recorded

ObservedHistory::ObservedHistory(std::unique_ptr<GrowingPieces> pieces, History* past, Instant since)
    : History{std::move(pieces), past, since}, pieces_{static_cast<GrowingPieces&>(own())} {}

void ObservedHistory::on(const Event& event) {
  if (!listens_) return;
  const bool late = pieces_.size() != 0 && event.at < pieces_.pieces().back().last;
  pieces_.add(event);
  if (late) forget_own_from(event.at);
}

void ObservedHistory::forget_from(Instant at) {
  pieces_.forget_from(at);
  forget_own_from(at);
}

RecordedHistory::RecordedHistory(const replay::Recording& recording)
    : History{std::make_unique<RecordedPieces>(recording), nullptr, {}} {}

}  // namespace debugger
