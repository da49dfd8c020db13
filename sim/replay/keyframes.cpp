#include "sim/replay/keyframes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "sim/container/varint.h"
#include "sim/machine/semantics.h"
#include "sim/replay/recording.h"

namespace replay {

using support::Error;
using support::Instant;
using support::Result;
using support::Status;
using support::Unit;

namespace {

constexpr size_t page_bytes = 4096;
/// State beside the pages of a machine: fields, page numbers.
constexpr uint64_t beside_memory = uint64_t{64} << 20;
constexpr uint64_t maximum_pages = loader::maximum_memory / page_bytes + (uint64_t{1} << 16);

bool all_zero(const uint8_t* page) {
  return std::all_of(page, page + page_bytes, [](uint8_t byte) { return byte == 0; });
}

}  // namespace

std::vector<uint8_t> encode(const Span& span) {
  std::vector<uint8_t> out;
  container::put_varint(out, span.events);
  container::put_varint(out, span.instructions);
  uint64_t next = 0;  // pages before it are told
  for (size_t i = 0; i < span.dirty.size();) {
    size_t end = i + 1;
    while (end < span.dirty.size() && span.dirty[end] == span.dirty[i] + (end - i)) ++end;
    container::put_varint(out, span.dirty[i] - next);
    container::put_varint(out, end - i);
    next = uint64_t{span.dirty[i]} + (end - i);
    i = end;
  }
  return out;
}

Result<Span> decode_span(loader::Bytes payload, Instant begin, Instant at) {
  container::ByteReader in{payload};
  Span span{begin, at, in.varint(), in.varint(), {}};
  if (in.failed() || span.instructions > at.ticks || begin > at) return Error{"the stretch before a keyframe is malformed"};
  uint64_t page = 0;
  while (!in.at_end()) {
    const uint64_t gap = in.varint(), run = in.varint();
    if (in.failed() || run == 0 || gap > maximum_pages || run > maximum_pages || page + gap + run > maximum_pages)
      return Error{"the pages written before a keyframe are malformed"};
    page += gap;
    for (const uint64_t end = page + run; page < end; ++page) span.dirty.push_back(static_cast<uint32_t>(page));
  }
  return span;
}

machine::State save_pages(machine::Machine& machine, const std::vector<uint64_t>& pages) {
  machine::State state;
  state.semantics = machine::semantics_version;
  state.configuration = machine.configuration();
  state.at = machine.now();
  machine.write_fields(state.fields);
  state.pages = pages;
  state.contents.resize(pages.size() * page_bytes);
  for (size_t i = 0; i < pages.size(); ++i)
    std::memcpy(state.contents.data() + i * page_bytes, machine.memory().data() + pages[i] * page_bytes, page_bytes);
  return state;
}

Result<machine::State> put_together(const std::vector<machine::State>& parts) {
  std::map<uint64_t, const uint8_t*> pages;  // the last part that has a page says what is in it
  for (const machine::State& part : parts) {
    if (part.semantics != parts.front().semantics || part.configuration != parts.front().configuration)
      return Error{"a keyframe belongs to another machine than the one before it"};
    if (part.contents.size() != part.pages.size() * page_bytes) return Error{"not 4096 bytes for each page of a keyframe"};
    for (size_t i = 0; i < part.pages.size(); ++i) {
      if (i != 0 && part.pages[i] <= part.pages[i - 1]) return Error{"the pages of a keyframe are not in order"};
      pages.insert_or_assign(part.pages[i], part.page(i));
    }
  }
  machine::State state;
  state.semantics = parts.back().semantics;
  state.configuration = parts.back().configuration;
  state.at = parts.back().at;
  state.fields = parts.back().fields;
  state.contents.reserve(pages.size() * page_bytes);
  for (const auto& [page, bytes] : pages) {
    if (all_zero(bytes)) continue;  // a state holds the pages that are not all zeros
    state.pages.push_back(page);
    state.contents.insert(state.contents.end(), bytes, bytes + page_bytes);
  }
  return state;
}

// ---- In a recording ------------------------------------------------------------------------------------------------

/// Goes through the index: a DIRT, then the pieces of one state, whose record counts say how many are left. What was cut, or
/// needs what was cut, is no keyframe.
void Recording::find_keyframes() {
  for (size_t i = 0; i < index_.size(); ++i) {
    if (index_[i].kind != kind_span || i + 1 == index_.size()) continue;
    const IndexEntry& first = index_[i + 1];
    Keyframe keyframe{{index_[i].first_tick}, {index_[i].last_tick}, 0, 0, first.kind == kind_keyframe, i, first.records};
    if ((first.kind != kind_keyframe && first.kind != kind_delta) || first.records >= index_.size() - i) continue;
    bool sound = true;
    for (size_t piece = 0; piece < keyframe.pieces; ++piece) {
      const IndexEntry& entry = index_[i + 1 + piece];
      sound &= entry.kind == first.kind && entry.records == keyframe.pieces - piece && entry.first_tick == keyframe.at.ticks;
    }
    const bool follows = !keyframes_.empty() && keyframes_.back().at == keyframe.begin;
    if (!keyframes_.empty() && keyframe.at <= keyframes_.back().at) continue;
    if (!sound || keyframe.pieces == 0 || (!keyframe.whole && !follows)) continue;
    const Result<Span> span = span_of(keyframe);
    if (!span) continue;
    keyframe.events = span.value().events;
    keyframe.instructions = span.value().instructions;
    keyframes_.push_back(keyframe);
  }
}

Result<Span> Recording::span_of(const Keyframe& keyframe) const {
  const std::vector<uint8_t> bytes = TRY(payload(keyframe.span));
  return decode_span(bytes, keyframe.begin, keyframe.at);
}

Result<machine::State> Recording::pieces_of(const Keyframe& keyframe) const {
  std::vector<uint8_t> bytes;
  for (size_t piece = 0; piece < keyframe.pieces; ++piece) {
    const std::vector<uint8_t> more = TRY(payload(keyframe.span + 1 + piece));
    bytes.insert(bytes.end(), more.begin(), more.end());
    if (bytes.size() > facts_.config.memory_bytes + beside_memory) return Error{"a keyframe is larger than its machine"};
  }
  machine::State state = TRY(machine::state_from_bytes(bytes));
  if (state.at != keyframe.at) return Error{"a keyframe is not of the instant that its chunk says"};
  return state;
}

Result<machine::State> Recording::keyframe(Instant at) const {
  const auto wanted = std::find_if(keyframes_.begin(), keyframes_.end(), [&](const Keyframe& each) { return each.at == at; });
  if (wanted == keyframes_.end()) return Error{fmt::format("there is no whole keyframe at instant {}", at.ticks)};
  auto from = wanted;
  while (!from->whole) --from;
  std::vector<machine::State> parts;
  uint64_t bytes = 0;
  for (; from <= wanted; ++from) {
    parts.push_back(TRY(pieces_of(*from)));
    bytes += parts.back().contents.size();
    if (bytes > 2 * facts_.config.memory_bytes + beside_memory) return Error{"too much was written since the last whole keyframe"};
  }
  return put_together(parts);
}

const Keyframe* Recording::keyframe_before(Instant at) const {
  const auto after = std::upper_bound(keyframes_.begin(), keyframes_.end(), at,
                                      [](Instant instant, const Keyframe& each) { return instant < each.at; });
  return after == keyframes_.begin() ? nullptr : &*std::prev(after);
}

Status restore_keyframe(const Recording& recording, const Keyframe& keyframe, machine::Machine& machine) {
  const machine::State state = TRY(recording.keyframe(keyframe.at));
  const std::vector<Point>& points = recording.points();
  const auto point = std::lower_bound(points.begin(), points.end(), keyframe.at,
                                      [](const Point& each, Instant at) { return each.at < at; });
  if (point == points.end() || point->at != keyframe.at) return Error{"no hash of the recording vouches for the keyframe"};
  TRY(machine.restore(state));
  if (machine.fingerprint() == point->state) return Unit{};
  return Error{fmt::format("the keyframe at instant {} is not the state whose hash was recorded there", keyframe.at.ticks)};
}

}  // namespace replay
