#include "sim/debugger/event_index.h"

#include <algorithm>
#include <cstddef>

namespace debugger {

using abi::hv::Vtl;
using support::Event;
using support::EventKind;
using support::Instant;

Vtl vtl_after(const Event& event) {
  const unsigned vtl = static_cast<unsigned>(event.vtl);
  if (event.kind == EventKind::VtlCall || event.kind == EventKind::VtlInterruptEntry)
    return static_cast<Vtl>(std::min<unsigned>(vtl + 1, abi::hv::implemented_vtls - 1));
  if (event.kind == EventKind::VtlReturn && vtl > 0) return static_cast<Vtl>(vtl - 1);
  return event.vtl;
}

// --- Kinds

void KindColumn::add(EventKind kind) {
  if (kinds_.size() % block == 0) before_.push_back(first(kinds_.size()));
  kinds_.push_back(static_cast<uint8_t>(kind));
}

KindCounts KindColumn::first(uint64_t count) const {
  const uint64_t whole = count / block;
  uint64_t at = whole * block;
  if (whole >= before_.size()) at -= before_.empty() ? 0 : block;  // the next block has not begun
  KindCounts counts = before_.empty() ? KindCounts{} : before_[at / block];
  for (; at < count; ++at)
    if (kinds_[at] < kind_count) ++counts[kinds_[at]];
  return counts;
}

bool KindColumn::may_have(uint64_t begin, uint64_t end, KindSet kinds) const {
  const KindCounts low = before_.empty() ? KindCounts{} : before_[std::min<uint64_t>(begin / block, before_.size() - 1)];
  const uint64_t next = (end + block - 1) / block;
  const KindCounts high = next < before_.size() ? before_[next] : first(kinds_.size());
  for (size_t kind = 0; kind < kind_count; ++kind)
    if ((kinds >> kind & 1) != 0 && high[kind] != low[kind]) return true;
  return false;
}

void KindColumn::cut(uint64_t count) {
  if (count >= kinds_.size()) return;
  kinds_.resize(count);
  before_.resize((count + block - 1) / block);
}

// --- Instants and rows

void AscendingColumn::add(uint64_t number) {
  if (distances_.size() % block == 0) firsts_.push_back(number);
  const uint64_t last = distances_.size() / block, distance = number - firsts_.back();
  auto wide = wide_.empty() ? wide_.end() : wide_.find(last);
  if (distance > ~uint32_t{0} && wide == wide_.end()) {
    wide = wide_.emplace(last, std::vector<uint64_t>{}).first;
    for (uint64_t i = last * block; i < distances_.size(); ++i) wide->second.push_back(firsts_.back() + distances_[i]);
  }
  if (wide != wide_.end()) wide->second.push_back(number);
  distances_.push_back(static_cast<uint32_t>(distance));
}

uint64_t AscendingColumn::operator[](uint64_t place) const {
  if (!wide_.empty())
    if (const auto wide = wide_.find(place / block); wide != wide_.end()) return wide->second[place % block];
  return firsts_[place / block] + distances_[place];
}

uint64_t AscendingColumn::before(uint64_t number) const {
  const auto after = std::lower_bound(firsts_.begin(), firsts_.end(), number);  // of blocks that begin before it
  if (after == firsts_.begin()) return 0;
  uint64_t low = (static_cast<uint64_t>(after - firsts_.begin()) - 1) * block, high = std::min<uint64_t>(low + block, distances_.size());
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if ((*this)[middle] < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

void AscendingColumn::cut(uint64_t count) {
  if (count >= distances_.size()) return;
  distances_.resize(count);
  firsts_.resize((count + block - 1) / block);
  wide_.erase(wide_.lower_bound(firsts_.size()), wide_.end());
  if (const auto wide = wide_.find(count / block); wide != wide_.end()) wide->second.resize(count % block);
}

// --- Lanes

/// What was stood before a block says where it begins: a search there touches a fraction of the memory.
size_t VtlTrack::changes_until(uint64_t tick) const {
  if (tick > latest) return changes_.size();
  const auto begins_later = [this](uint64_t wanted, const Ticks& before) { return wanted - since_ < before[0] + before[1] + before[2]; };
  const auto later = tick < since_ ? before_.begin() : std::upper_bound(before_.begin(), before_.end(), tick, begins_later);
  if (later == before_.begin()) return 0;
  const auto begin = changes_.begin() + (later - before_.begin() - 1) * static_cast<std::ptrdiff_t>(block);
  const auto end = changes_.end() - begin > static_cast<std::ptrdiff_t>(block) ? begin + block : changes_.end();
  return static_cast<size_t>(std::upper_bound(begin, end, tick << 2 | 3) - changes_.begin());
}

void VtlTrack::change(Instant at, Vtl vtl) {
  if (vtl == last()) return;
  if (changes_.size() % block == 0) before_.push_back(before(at));
  changes_.push_back(std::min(at.ticks, latest) << 2 | static_cast<uint64_t>(vtl));
}

Vtl VtlTrack::at(Instant at) const {
  const size_t until = changes_until(at.ticks);
  return until == 0 ? vtl_ : vtl_of(changes_[until - 1]);
}

VtlTrack::Ticks VtlTrack::before(Instant at) const {
  const size_t until = changes_until(at.ticks);
  Ticks ticks{};
  uint64_t since = since_;
  Vtl vtl = vtl_;
  size_t next = 0;
  if (until != 0) {
    next = (until - 1) / block * block;
    ticks = before_[next / block];
    since = tick_of(changes_[next]);
    vtl = vtl_of(changes_[next]);
  }
  for (++next; next < until; ++next) {
    ticks[static_cast<size_t>(vtl)] += tick_of(changes_[next]) - since;
    since = tick_of(changes_[next]);
    vtl = vtl_of(changes_[next]);
  }
  if (at.ticks > since) ticks[static_cast<size_t>(vtl)] += at.ticks - since;
  return ticks;
}

void VtlTrack::forget_from(Instant at) {
  const size_t kept = at.ticks == 0 ? 0 : changes_until(at.ticks - 1);
  changes_.resize(kept);
  before_.resize((kept + block - 1) / block);
}

// --- All of it

EventIndex::EventIndex(Instant since, const EventIndex& past) : since_{since} {
  for (uint32_t vp = 0; vp < past.tracks_.size(); ++vp) tracks_.emplace_back(since, since == Instant{} ? Vtl::Vtl0 : past.vtl_at({since.ticks - 1}, vp));
}

void EventIndex::add(const Event& event) {
  instants_.add(event.at.ticks);
  kinds_.add(event.kind);
  if (event.vp >= most_processors) return;
  while (tracks_.size() <= event.vp) tracks_.emplace_back(since_, Vtl::Vtl0);
  tracks_[event.vp].change(event.at, vtl_after(event));
}

void EventIndex::forget_from(Instant at) {
  const uint64_t kept = instants_.before(at.ticks);
  instants_.cut(kept);
  kinds_.cut(kept);
  for (VtlTrack& track : tracks_) track.forget_from(at);
}

VtlTrack::Ticks EventIndex::lanes_before(Instant at, uint32_t vp) const {
  if (vp < tracks_.size()) return tracks_[vp].before(at);
  return {at > since_ ? at.ticks - since_.ticks : 0, 0, 0};
}

Vtl EventIndex::vtl_at(Instant at, uint32_t vp) const { return vp < tracks_.size() ? tracks_[vp].at(at) : Vtl::Vtl0; }

}  // namespace debugger
