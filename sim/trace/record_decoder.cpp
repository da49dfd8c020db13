#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "sim/trace/record_codec.h"
#include "sim/trace/trace_format.h"

namespace trace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

RecordDecoder::RecordDecoder(Detail detail) : expected_{detail} {}

void RecordDecoder::start(loader::Bytes chunk) {
  expected_.start_chunk();
  chunk_ = chunk;
  in_ = container::ByteReader{chunk};
  run_ = 0;
  run_follows_ = true;
}

Result<bool> RecordDecoder::advance() {
  const size_t start = chunk_.size() - in_.left();
  Result<bool> result = step();
  if (!result) return Error{fmt::format("record at byte {} of the chunk: {}", start, result.error().message)};
  return result;
}

Result<bool> RecordDecoder::step() {
  if (run_follows_) {
    run_ = in_.varint();
    run_follows_ = false;
    if (in_.failed()) return Error{"the record is cut short"};
    if (run_ > maximum_records) return Error{fmt::format("{} instructions in a row are impossible", run_)};
  }
  if (run_ != 0) {
    --run_;
    TRY(instruction(0));
    return true;
  }
  run_follows_ = true;
  const uint8_t first = in_.byte();
  if (in_.failed()) return Error{"the record is cut short"};
  if (first == tag::check) {
    TRY(finish_chunk());
    return false;
  }
  if (first == tag::event) TRY(event());
  else if ((first & ~(expected_.full() ? tag::full_mask : tag::control_mask)) != 0 || first == 0)
    return Error{fmt::format("unknown record type {:#04x}", first)};
  else TRY(difference(first));
  return true;
}

Status RecordDecoder::finish_chunk() {
  const auto check = in_.value<uint64_t>();
  if (in_.failed() || !in_.at_end()) return Error{"the chunk goes on behind its end, or ends before it"};
  if (check != expected_.check())
    return Error{"what was read does not lead to the end that was recorded: the trace was made by another program"};
  return Unit{};
}

Status RecordDecoder::context(InstructionRecord& next) {
  const uint64_t vp = in_.varint();
  const uint8_t level = in_.byte();
  const uint8_t bits = in_.byte();
  if (in_.failed()) return Error{"the record is cut short"};
  if (vp > 0xffff) return Error{fmt::format("virtual processor {} is impossible", vp)};
  if (level >= abi::hv::implemented_vtls) return Error{fmt::format("VTL {} is impossible", level)};
  if (bits != 16 && bits != 32 && bits != 64) return Error{fmt::format("code of {} bits is impossible", bits)};
  next.vp = static_cast<uint32_t>(vp);
  next.vtl = static_cast<abi::hv::Vtl>(level);
  next.code_bits = bits;
  return Unit{};
}

/// Reads how the record differs from what was expected, then the record as if that had been expected.
Status RecordDecoder::difference(uint8_t flags) {
  InstructionRecord& next = expected_.next;
  if ((flags & tag::context) != 0) TRY(context(next));
  if ((flags & tag::tick) != 0) next.at.ticks += in_.signed_varint();
  if ((flags & tag::rip) != 0) next.rip += in_.signed_varint();
  return instruction(flags);
}

Status RecordDecoder::instruction(uint8_t flags) {
  InstructionRecord& next = expected_.next;
  expected_.went_to(next.rip);
  CodeLine* line = nullptr;
  if ((flags & tag::bytes) != 0) {
    const uint8_t length = in_.byte();
    if (length > longest_instruction) return Error{fmt::format("an instruction of {} bytes is impossible", length)};
    const loader::Bytes bytes = in_.take(length);
    if (in_.failed()) return Error{"the record is cut short"};
    line = &expected_.slot(next.rip);
    expected_.show(*line, next.rip, next.code_bits, bytes);
  } else {
    line = expected_.shown(next.rip, next.code_bits);
    if (line == nullptr) return Error{fmt::format("no bytes were given for RIP {:#x}", next.rip)};
  }
  if ((flags & tag::registers) != 0) {
    const uint64_t mask = in_.varint();
    if (mask >> register_count != 0) return Error{fmt::format("register mask {:#x} is impossible", mask)};
    for (uint32_t i = 0; i < register_count; ++i)
      if ((mask >> i & 1) != 0) next.registers[i] += in_.signed_varint();
  }
  auto* record = std::get_if<InstructionRecord>(&current_);
  if (record == nullptr) record = &current_.emplace<InstructionRecord>();
  *record = next;
  record->length = line->length;
  record->bytes = line->bytes;
  expected_.expect_memory(*line, *record);
  if ((flags & tag::memory) != 0) TRY(memory(*record));
  if (in_.failed()) return Error{"the record is cut short"};
  expected_.advance(*record, *line);
  return Unit{};
}

Status RecordDecoder::memory(InstructionRecord& record) {
  const uint8_t size = in_.byte();
  if (size != 0 && size != record.memory_size)
    return Error{fmt::format("an instruction that reads {} bytes has {} bytes of memory", record.memory_size, size)};
  const loader::Bytes bytes = in_.take(size);
  record.memory_size = size;
  record.memory = {};
  std::copy(bytes.begin(), bytes.end(), record.memory.begin());
  return Unit{};
}

Status RecordDecoder::event() {
  auto* record = std::get_if<EventRecord>(&current_);
  if (record == nullptr) record = &current_.emplace<EventRecord>();
  *record = {};
  support::Event& event = record->event;
  const uint8_t fields = in_.byte();
  if ((fields & ~event_field::mask) != 0) return Error{fmt::format("unknown event fields {:#04x}", fields)};
  event.kind = static_cast<support::EventKind>(in_.byte());
  const uint64_t vp = in_.varint();
  const uint8_t level = in_.byte();
  if (vp > 0xffff) return Error{fmt::format("virtual processor {} is impossible", vp)};
  if (level >= abi::hv::implemented_vtls) return Error{fmt::format("VTL {} is impossible", level)};
  event.vp = static_cast<uint32_t>(vp);
  event.vtl = static_cast<abi::hv::Vtl>(level);
  event.at.ticks = expected_.next.at.ticks + in_.signed_varint();
  if ((fields & event_field::a) != 0) event.a = in_.varint();
  if ((fields & event_field::b) != 0) event.b = in_.varint();
  if ((fields & event_field::c) != 0) event.c = in_.varint();
  if ((fields & event_field::rip) != 0) event.rip = in_.varint();
  if ((fields & event_field::frame) != 0) {
    record->frame = in_.value<std::array<uint64_t, 13>>();
    record->has_frame = true;
  }
  if ((fields & event_field::text) != 0) {
    const uint64_t size = in_.varint();
    if (size > maximum_text) return Error{fmt::format("a text of {} bytes; at most {} are possible", size, maximum_text)};
    const loader::Bytes bytes = in_.take(size);
    record->text.assign(bytes.begin(), bytes.end());
  }
  if (in_.failed()) return Error{"the record is cut short"};
  return Unit{};
}

}  // namespace trace
