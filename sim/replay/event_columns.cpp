#include "sim/replay/event_columns.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/replay/recording_format.h"

namespace replay {

using container::put_signed_varint;
using container::put_varint;
using support::Error;
using support::Result;

// ---- Writing -------------------------------------------------------------------------------------------------------

bool EventEncoder::difference(Column which, uint64_t value, uint64_t& last) {
  if (value == last) return false;
  put_signed_varint(column(which), value - last);
  last = value;
  return true;
}

void EventEncoder::add_frame(const uint64_t* frame, std::array<uint64_t, 13>& last) {
  uint64_t changed = 0;
  for (size_t i = 0; i < last.size(); ++i)
    if (frame[i] != last[i]) changed |= uint64_t{1} << i;
  put_varint(column(Column::Frames), changed);
  for (size_t i = 0; i < last.size(); ++i) {
    if (frame[i] == last[i]) continue;
    put_signed_varint(column(Column::Frames), frame[i] - last[i]);
    last[i] = frame[i];
  }
}

void EventEncoder::add_text(std::string_view text) {
  text = text.substr(0, maximum_text);
  const auto known = texts_.find(text);
  if (known != texts_.end()) {
    put_varint(column(Column::Texts), texts_.size() - known->second);
    return;
  }
  texts_.emplace(text, static_cast<uint32_t>(texts_.size()));
  std::vector<uint8_t>& out = column(Column::Texts);
  out.push_back(0);
  put_varint(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

void EventEncoder::add(const support::Event& event) {
  if (count_ == 0) first_tick_ = event.at.ticks;
  const auto kind = static_cast<uint8_t>(event.kind);
  Last& last = last_[kind];
  uint8_t flags = 0;
  put_signed_varint(column(Column::Ticks), event.at.ticks - (count_ == 0 ? 0 : last_tick_));
  last_tick_ = event.at.ticks;
  if (event.vp != vp_ || static_cast<uint8_t>(event.vtl) != vtl_) {
    flags |= event_flag::place;
    vp_ = event.vp;
    vtl_ = static_cast<uint8_t>(event.vtl);
    put_varint(column(Column::Places), vp_);
    column(Column::Places).push_back(vtl_);
  }
  if (difference(Column::Rips, event.rip, last.rip)) flags |= event_flag::rip;
  if (difference(Column::A, event.a, last.a)) flags |= event_flag::a;
  if (difference(Column::B, event.b, last.b)) flags |= event_flag::b;
  if (difference(Column::C, event.c, last.c)) flags |= event_flag::c;
  if (event.frame != nullptr) {
    flags |= event_flag::frame;
    add_frame(event.frame, last.frame);
  }
  if (!event.text.empty()) {
    flags |= event_flag::text;
    add_text(event.text);
  }
  column(Column::Kinds).push_back(kind);
  column(Column::Flags).push_back(flags);
  ++count_;
}

size_t EventEncoder::size() const {
  size_t size = 10 * column_count;
  for (const std::vector<uint8_t>& bytes : columns_) size += bytes.size();
  return size;
}

std::vector<uint8_t> EventEncoder::finish() {
  std::vector<uint8_t> out;
  for (const std::vector<uint8_t>& bytes : columns_) put_varint(out, bytes.size());
  for (const std::vector<uint8_t>& bytes : columns_) out.insert(out.end(), bytes.begin(), bytes.end());
  *this = EventEncoder{};
  return out;
}

// ---- Reading -------------------------------------------------------------------------------------------------------

Result<EventDecoder> EventDecoder::open(loader::Bytes payload, uint32_t count) {
  container::ByteReader in{payload};
  std::array<uint64_t, column_count> sizes{};
  for (uint64_t& size : sizes) size = in.varint();
  EventDecoder decoder{count};
  for (const uint64_t size : sizes) decoder.columns_.emplace_back(in.take(size));
  if (in.failed() || !in.at_end()) return Error{"the columns of the events do not fill their chunk"};
  if (decoder.column(Column::Kinds).left() != count || decoder.column(Column::Flags).left() != count)
    return Error{fmt::format("the chunk claims {} events and holds the kinds of {}", count,
                             decoder.column(Column::Kinds).left())};
  return decoder;
}

void EventDecoder::read_frame(Last& last) {
  const uint64_t changed = column(Column::Frames).varint();
  for (size_t i = 0; i < last.frame.size(); ++i)
    if ((changed >> i & 1) != 0) last.frame[i] += column(Column::Frames).signed_varint();
}

bool EventDecoder::read_text(std::string_view& text) {
  container::ByteReader& in = column(Column::Texts);
  const uint64_t back = in.varint();
  if (back > texts_.size()) return false;
  if (back == 0) {
    const uint64_t size = in.varint();
    if (size > maximum_text) return false;
    const loader::Bytes bytes = in.take(size);
    texts_.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    text = texts_.back();
  } else {
    text = texts_[texts_.size() - static_cast<size_t>(back)];
  }
  return !in.failed();
}

/// The columns that every event has. False if they are malformed.
bool EventDecoder::read_place(uint8_t flags, support::Event& event) {
  container::ByteReader& ticks = column(Column::Ticks);
  tick_ += ticks.signed_varint();
  event.at = {tick_};
  bool sound = (flags & 0x80) == 0 && !ticks.failed();
  if ((flags & event_flag::place) != 0) {
    container::ByteReader& places = column(Column::Places);
    vp_ = places.varint();
    vtl_ = places.byte();
    sound &= vp_ <= ~uint32_t{0} && vtl_ < abi::hv::implemented_vtls && !places.failed();
  }
  event.vp = static_cast<uint32_t>(vp_);
  event.vtl = static_cast<abi::hv::Vtl>(vtl_);
  return sound;
}

Error EventDecoder::malformed() const { return Error{fmt::format("event {} of the chunk is malformed", count_ - left_)}; }

Result<support::Event> EventDecoder::skim() {
  if (left_ == 0) return malformed();
  support::Event event;
  event.kind = static_cast<support::EventKind>(column(Column::Kinds).byte());
  if (!read_place(column(Column::Flags).byte(), event)) return malformed();
  --left_;
  return event;
}

Result<support::Event> EventDecoder::next_in_place() {
  support::Event event;
  const uint8_t kind = column(Column::Kinds).byte();
  const uint8_t flags = column(Column::Flags).byte();
  event.kind = static_cast<support::EventKind>(kind);
  Last& last = last_[kind];
  bool sound = left_ != 0 && read_place(flags, event);
  const auto read = [&](uint8_t flag, Column which, uint64_t& value) {
    if ((flags & flag) == 0) return;
    value += column(which).signed_varint();
    sound &= !column(which).failed();
  };
  read(event_flag::rip, Column::Rips, last.rip);
  read(event_flag::a, Column::A, last.a);
  read(event_flag::b, Column::B, last.b);
  read(event_flag::c, Column::C, last.c);
  event.rip = last.rip;
  event.a = last.a;
  event.b = last.b;
  event.c = last.c;
  if ((flags & event_flag::frame) != 0) {
    read_frame(last);
    event.frame = last.frame.data();
    sound &= !column(Column::Frames).failed();
  }
  if ((flags & event_flag::text) != 0) sound &= read_text(event.text);
  if (!sound) return malformed();
  --left_;
  return event;
}

Result<trace::EventRecord> EventDecoder::next() {
  const support::Event event = TRY(next_in_place());
  trace::EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
  if (record.has_frame) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
  record.event.frame = nullptr;
  record.event.text = {};
  return record;
}

bool EventDecoder::exhausted() const {
  return left_ == 0 && std::all_of(columns_.begin(), columns_.end(), [](const auto& each) { return each.at_end(); });
}

}  // namespace replay
