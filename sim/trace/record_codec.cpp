#include "sim/trace/record_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "sim/trace/trace_format.h"

namespace trace {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint64_t zigzag(uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
constexpr uint64_t unzigzag(uint64_t value) {
  return (value >> 1) ^ (0 - (value & 1));
}
static_assert(unzigzag(zigzag(~uint64_t{0})) == ~uint64_t{0} && zigzag(~uint64_t{0}) == 1);

}  // namespace

InstructionRecord capture(support::Instant now, const vtl::VirtualProcessor& vp) {
  const vtl::VtlContext& context = vp.context();
  InstructionRecord record;
  record.at = now;
  record.vp = vp.index;
  record.vtl = vp.active;
  record.rip = context.rip;
  std::copy(vp.shared.gpr.begin(), vp.shared.gpr.end(), record.registers.begin());
  record.registers[vtl::Rsp] = context.rsp;
  record.registers[rflags] = context.rflags;
  record.registers[fs_base] = context.segments[vtl::Fs].base;
  record.registers[gs_base] = context.segments[vtl::Gs].base;
  record.registers[cr3] = context.cr3;
  // CS.L and CS.D, EFER.LMA and CR0.PE decide the mode (SDM vol. 3, 2.2).
  const uint16_t attributes = context.segments[vtl::Cs].attributes;
  const bool long_mode = (context.efer & (1u << 10)) != 0;
  const bool protected_mode = (context.cr0 & 1) != 0;
  if (long_mode && (attributes & (1u << 13)) != 0)
    record.code_bits = 64;
  else
    record.code_bits = protected_mode && (attributes & (1u << 14)) != 0 ? 32 : 16;
  return record;
}

RecordEncoder::RecordEncoder(LengthDecoder& lengths)
    : lengths_{lengths}, code_{std::make_unique<std::array<CodeLine, code_lines>>()} {
  start_chunk();
}

void RecordEncoder::start_chunk() {
  ++chunk_;
  out_.clear();
  count_ = 0;
  last_ = {};
  next_rip_ = next_tick_ = 0;
}

void RecordEncoder::varint(uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<uint8_t>(value));
}

void RecordEncoder::signed_varint(uint64_t difference) {
  varint(zigzag(difference));
}

void RecordEncoder::note_tick(uint64_t tick) {
  if (count_++ == 0) first_tick_ = last_tick_ = tick;
  first_tick_ = std::min(first_tick_, tick);
  last_tick_ = std::max(last_tick_, tick);
}

/// Fills the record's bytes; true if this chunk has shown them at this RIP already.
bool RecordEncoder::known_code(InstructionRecord& record, loader::Bytes code) {
  CodeLine& line = (*code_)[(record.rip ^ record.rip >> 14) % code_lines];
  const bool same = line.rip == record.rip && line.code_bits == record.code_bits &&
                    line.length != 0 && line.length <= code.size() &&
                    std::memcmp(line.bytes.data(), code.data(), line.length) == 0;
  if (!same) {
    line.rip = record.rip;
    line.code_bits = record.code_bits;
    line.chunk = 0;
    const uint8_t length = lengths_.length(record.code_bits, code);
    // Undecodable bytes are kept whole: they are about to fault, and their reader wants to see
    // them.
    const size_t kept = length != 0 ? length : std::min(code.size(), longest_instruction);
    line.length = static_cast<uint8_t>(std::min(kept, code.size()));
    std::copy_n(code.begin(), line.length, line.bytes.begin());
  }
  record.length = line.length;
  record.bytes = {};
  std::copy_n(line.bytes.begin(), line.length, record.bytes.begin());
  const bool shown = line.chunk == chunk_;
  line.chunk = chunk_;
  return shown;
}

void RecordEncoder::instruction(InstructionRecord& record, loader::Bytes code) {
  note_tick(record.at.ticks);
  const bool shown = known_code(record, code);
  const size_t tag_at = out_.size();
  out_.push_back(0);
  uint8_t flags = 0;
  if (record.vp != last_.vp || record.vtl != last_.vtl || record.code_bits != last_.code_bits) {
    flags |= tag::context;
    varint(record.vp);
    out_.push_back(static_cast<uint8_t>(record.vtl));
    out_.push_back(record.code_bits);
  }
  if (record.at.ticks != next_tick_) {
    flags |= tag::tick;
    signed_varint(record.at.ticks - next_tick_);
  }
  if (record.rip != next_rip_) {
    flags |= tag::rip;
    signed_varint(record.rip - next_rip_);
  }
  if (!shown) {
    flags |= tag::bytes;
    out_.push_back(record.length);
    out_.insert(out_.end(), record.bytes.begin(), record.bytes.begin() + record.length);
  }
  uint32_t changed = 0;
  for (uint32_t i = 0; i < register_count; ++i)
    changed |= uint32_t{record.registers[i] != last_.registers[i]} << i;
  if (changed != 0) {
    flags |= tag::registers;
    varint(changed);
    for (uint32_t i = 0; i < register_count; ++i)
      if ((changed >> i & 1) != 0) signed_varint(record.registers[i] - last_.registers[i]);
  }
  out_[tag_at] = flags;
  last_ = record;
  next_rip_ = record.rip + record.length;
  next_tick_ = record.at.ticks + 1;
}

void RecordEncoder::event(const support::Event& event) {
  note_tick(event.at.ticks);
  const std::string_view text = event.text.substr(0, maximum_text);
  uint8_t fields = 0;
  if (event.a != 0) fields |= event_field::a;
  if (event.b != 0) fields |= event_field::b;
  if (event.c != 0) fields |= event_field::c;
  if (event.rip != 0) fields |= event_field::rip;
  if (event.frame != nullptr) fields |= event_field::frame;
  if (!text.empty()) fields |= event_field::text;
  out_.push_back(tag::event);
  out_.push_back(fields);
  out_.push_back(static_cast<uint8_t>(event.kind));
  varint(event.vp);
  out_.push_back(static_cast<uint8_t>(event.vtl));
  signed_varint(event.at.ticks - next_tick_);
  for (const uint64_t value : {event.a, event.b, event.c, event.rip})
    if (value != 0) varint(value);
  if (event.frame != nullptr) {
    const auto* words = reinterpret_cast<const uint8_t*>(event.frame);
    out_.insert(out_.end(), words, words + 13 * sizeof(uint64_t));
  }
  if (!text.empty()) {
    varint(text.size());
    out_.insert(out_.end(), text.begin(), text.end());
  }
}

Result<uint8_t> RecordDecoder::byte() {
  if (at_end()) return Error{"the record is cut short"};
  return in_[at_++];
}

Result<uint64_t> RecordDecoder::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const uint64_t next = TRY(byte());
    if (shift == 63 && next > 1) break;
    value |= (next & 0x7f) << shift;
    if (next < 0x80) return value;
  }
  return Error{"a number has more than 64 bits"};
}

Result<uint64_t> RecordDecoder::signed_varint() {
  return unzigzag(TRY(varint()));
}

Result<loader::Bytes> RecordDecoder::take(uint64_t size) {
  const auto bytes = loader::part(in_, at_, size);
  if (!bytes) return Error{"the record is cut short"};
  at_ += static_cast<size_t>(size);
  return *bytes;
}

Result<Record> RecordDecoder::next() {
  const size_t start = at_;
  const auto decode = [&]() -> Result<Record> {
    const uint8_t first = TRY(byte());
    if (first == tag::event) return event();
    if ((first & ~tag::instruction_mask) != 0)
      return Error{fmt::format("unknown record type {:#04x}", first)};
    return instruction(first);
  };
  Result<Record> record = decode();
  if (!record)
    return Error{fmt::format("record at byte {} of the chunk: {}", start, record.error().message)};
  return record;
}

Status RecordDecoder::context() {
  const uint64_t vp = TRY(varint());
  const uint8_t level = TRY(byte());
  const uint8_t bits = TRY(byte());
  if (vp > 0xffff) return Error{fmt::format("virtual processor {} is impossible", vp)};
  if (level >= abi::hv::implemented_vtls) return Error{fmt::format("VTL {} is impossible", level)};
  if (bits != 16 && bits != 32 && bits != 64)
    return Error{fmt::format("code of {} bits is impossible", bits)};
  last_.vp = static_cast<uint32_t>(vp);
  last_.vtl = static_cast<abi::hv::Vtl>(level);
  last_.code_bits = bits;
  return Unit{};
}

Status RecordDecoder::code() {
  Code code;
  code.length = TRY(byte());
  if (code.length > longest_instruction)
    return Error{fmt::format("an instruction of {} bytes is impossible", code.length)};
  const loader::Bytes bytes = TRY(take(code.length));
  std::copy(bytes.begin(), bytes.end(), code.bytes.begin());
  code_[last_.rip] = code;
  return Unit{};
}

Status RecordDecoder::registers() {
  const uint64_t mask = TRY(varint());
  if (mask >> register_count != 0)
    return Error{fmt::format("register mask {:#x} is impossible", mask)};
  for (uint32_t i = 0; i < register_count; ++i)
    if ((mask >> i & 1) != 0) last_.registers[i] += TRY(signed_varint());
  return Unit{};
}

Result<Record> RecordDecoder::instruction(uint8_t flags) {
  if ((flags & tag::context) != 0) TRY(context());
  last_.at.ticks = next_tick_;
  if ((flags & tag::tick) != 0) last_.at.ticks += TRY(signed_varint());
  last_.rip = next_rip_;
  if ((flags & tag::rip) != 0) last_.rip += TRY(signed_varint());
  if ((flags & tag::bytes) != 0) TRY(code());
  const auto known = code_.find(last_.rip);
  if (known == code_.end())
    return Error{fmt::format("no bytes were given for RIP {:#x}", last_.rip)};
  last_.length = known->second.length;
  last_.bytes = known->second.bytes;
  if ((flags & tag::registers) != 0) TRY(registers());
  next_rip_ = last_.rip + last_.length;
  next_tick_ = last_.at.ticks + 1;
  return Record{last_};
}

Result<Record> RecordDecoder::event() {
  EventRecord record;
  support::Event& event = record.event;
  const uint8_t fields = TRY(byte());
  if ((fields & ~event_field::mask) != 0)
    return Error{fmt::format("unknown event fields {:#04x}", fields)};
  event.kind = static_cast<support::EventKind>(TRY(byte()));
  const uint64_t vp = TRY(varint());
  const uint8_t level = TRY(byte());
  if (vp > 0xffff) return Error{fmt::format("virtual processor {} is impossible", vp)};
  if (level >= abi::hv::implemented_vtls) return Error{fmt::format("VTL {} is impossible", level)};
  event.vp = static_cast<uint32_t>(vp);
  event.vtl = static_cast<abi::hv::Vtl>(level);
  event.at.ticks = next_tick_ + TRY(signed_varint());
  if ((fields & event_field::a) != 0) event.a = TRY(varint());
  if ((fields & event_field::b) != 0) event.b = TRY(varint());
  if ((fields & event_field::c) != 0) event.c = TRY(varint());
  if ((fields & event_field::rip) != 0) event.rip = TRY(varint());
  if ((fields & event_field::frame) != 0) {
    const loader::Bytes words = TRY(take(sizeof record.frame));
    std::memcpy(record.frame.data(), words.data(), words.size());
    record.has_frame = true;
  }
  if ((fields & event_field::text) != 0) {
    const uint64_t size = TRY(varint());
    if (size > maximum_text)
      return Error{fmt::format("a text of {} bytes; at most {} are possible", size, maximum_text)};
    const loader::Bytes bytes = TRY(take(size));
    record.text.assign(bytes.begin(), bytes.end());
  }
  return Record{std::move(record)};
}

}  // namespace trace
