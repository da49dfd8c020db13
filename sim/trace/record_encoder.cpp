#include <algorithm>
#include <cstring>

#include "sim/trace/disassembler.h"
#include "sim/trace/record_codec.h"
#include "sim/trace/trace_format.h"

namespace trace {

namespace {

uint64_t word_at(const uint8_t* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// The code begins with the line's bytes, of which there are some. In two words: this is done for each instruction.
bool begins_with(loader::Bytes code, const CodeLine& line) {
  const size_t length = line.length;
  if (code.size() < longest_instruction)
    return length <= code.size() && std::memcmp(line.bytes.data(), code.data(), length) == 0;
  const uint64_t low = word_at(code.data()) ^ word_at(line.bytes.data());
  if (length < 8) return low << (8 * (8 - length)) == 0;
  const uint64_t high = word_at(code.data() + 7) ^ word_at(line.bytes.data() + 7);
  return low == 0 && high << (8 * (15 - length)) == 0;
}

}  // namespace

struct RecordEncoder::Lengths {
  Disassembler disassembler;
};

RecordEncoder::RecordEncoder(Detail detail) : expected_{detail}, lengths_{std::make_unique<Lengths>()} {}
RecordEncoder::~RecordEncoder() = default;

void RecordEncoder::start_chunk() {
  expected_.start_chunk();
  out_.clear();
  count_ = run_ = 0;
}

void RecordEncoder::note_tick(uint64_t tick) {
  if (count_++ == 0) first_tick_ = last_tick_ = tick;
  first_tick_ = std::min(first_tick_, tick);
  last_tick_ = std::max(last_tick_, tick);
}

void RecordEncoder::end_run() {
  container::put_varint(out_, run_);
  run_ = 0;
}

const std::vector<uint8_t>& RecordEncoder::finish() {
  end_run();
  out_.push_back(tag::check);
  const uint64_t check = expected_.check();
  const auto* bytes = reinterpret_cast<const uint8_t*>(&check);
  out_.insert(out_.end(), bytes, bytes + sizeof check);
  return out_;
}

/// The line of the record, whose bytes are filled in. `shown`: this chunk has given them already.
CodeLine& RecordEncoder::line_of(InstructionRecord& record, loader::Bytes code, bool& shown) {
  CodeLine& line = expected_.slot(record.rip);
  shown = expected_.shown(record.rip, record.code_bits) != nullptr && line.length != 0 &&
          begins_with(code, line);
  if (!shown) {
    // The length is known already if the line is only of an earlier chunk.
    const bool same = line.rip == record.rip && line.code_bits == record.code_bits && line.length != 0 &&
                      begins_with(code, line);
    const uint8_t length = same ? line.length : lengths_->disassembler.length(record.code_bits, code);
    // Undecodable bytes are kept whole: they are about to fault, and their reader wants to see them.
    const size_t kept = length != 0 ? length : longest_instruction;
    expected_.show(line, record.rip, record.code_bits, code.first(std::min(kept, code.size())));
  }
  record.length = line.length;
  record.bytes = line.bytes;
  return line;
}

/// Fills in what the record reads; whether it is what was expected.
bool RecordEncoder::look_at_memory(const CodeLine& line, InstructionRecord& record, MemoryView* memory) const {
  expected_.expect_memory(line, record);
  if (record.memory_size == 0) return true;
  std::array<uint8_t, longest_memory> actual{};
  const size_t size = record.memory_size;
  const size_t got = memory != nullptr ? memory->read(record.memory_address, std::span{actual}.first(size)) : 0;
  if (got == size && std::memcmp(actual.data(), record.memory.data(), size) == 0) return true;
  record.memory_size = got == size ? record.memory_size : uint8_t{0};
  record.memory = actual;
  return false;
}

void RecordEncoder::difference(uint8_t flags, const InstructionRecord& record) {
  const InstructionRecord& next = expected_.next;
  end_run();
  out_.push_back(flags);
  if ((flags & tag::context) != 0) {
    container::put_varint(out_, record.vp);
    out_.push_back(static_cast<uint8_t>(record.vtl));
    out_.push_back(record.code_bits);
  }
  if ((flags & tag::tick) != 0) container::put_signed_varint(out_, record.at.ticks - next.at.ticks);
  if ((flags & tag::rip) != 0) container::put_signed_varint(out_, record.rip - next.rip);
  if ((flags & tag::bytes) != 0) {
    out_.push_back(record.length);
    out_.insert(out_.end(), record.bytes.begin(), record.bytes.begin() + record.length);
  }
  if ((flags & tag::registers) != 0) {
    uint32_t changed = 0;
    for (uint32_t i = 0; i < register_count; ++i)
      changed |= uint32_t{record.registers[i] != next.registers[i]} << i;
    container::put_varint(out_, changed);
    for (uint32_t i = 0; i < register_count; ++i)
      if ((changed >> i & 1) != 0) container::put_signed_varint(out_, record.registers[i] - next.registers[i]);
  }
  if ((flags & tag::memory) != 0) {
    out_.push_back(record.memory_size);
    out_.insert(out_.end(), record.memory.begin(), record.memory.begin() + record.memory_size);
  }
}

void RecordEncoder::instruction(InstructionRecord& record, loader::Bytes code, MemoryView* memory) {
  note_tick(record.at.ticks);
  const InstructionRecord& next = expected_.next;
  uint8_t flags = 0;
  if (record.vp != next.vp || record.vtl != next.vtl || record.code_bits != next.code_bits) flags |= tag::context;
  if (record.at != next.at) flags |= tag::tick;
  if (record.rip != next.rip) flags |= tag::rip;
  expected_.went_to(record.rip);
  bool shown = false;
  CodeLine& line = line_of(record, code, shown);
  if (!shown) flags |= tag::bytes;
  if (expected_.full()) {
    if (record.registers != next.registers) flags |= tag::registers;
    if (!look_at_memory(line, record, memory)) flags |= tag::memory;
  }
  if (flags == 0) ++run_;
  else difference(flags, record);
  expected_.advance(record, line);
}

void RecordEncoder::event(const support::Event& event) {
  note_tick(event.at.ticks);
  end_run();
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
  container::put_varint(out_, event.vp);
  out_.push_back(static_cast<uint8_t>(event.vtl));
  container::put_signed_varint(out_, event.at.ticks - expected_.next.at.ticks);
  for (const uint64_t value : {event.a, event.b, event.c, event.rip})
    if (value != 0) container::put_varint(out_, value);
  if (event.frame != nullptr) {
    const auto* words = reinterpret_cast<const uint8_t*>(event.frame);
    out_.insert(out_.end(), words, words + 13 * sizeof(uint64_t));
  }
  if (!text.empty()) {
    container::put_varint(out_, text.size());
    out_.insert(out_.end(), text.begin(), text.end());
  }
}

}  // namespace trace
