#include <algorithm>

#include "sim/trace/record_codec.h"

namespace trace {

InstructionRecord capture(support::Instant now, const vtl::VirtualProcessor& vp, Detail detail) {
  const vtl::VtlContext& context = vp.context();
  InstructionRecord record;
  record.at = now;
  record.vp = vp.number;
  record.vtl = vp.active;
  record.rip = context.rip;
  record.has_registers = detail == Detail::Full;
  if (record.has_registers) {
    std::copy(vp.shared.gpr.begin(), vp.shared.gpr.end(), record.registers.begin());
    record.registers[vtl::Rsp] = context.rsp;
    record.registers[rflags] = context.rflags;
    record.registers[fs_base] = context.segments[vtl::Fs].base;
    record.registers[gs_base] = context.segments[vtl::Gs].base;
    record.registers[cr3] = context.cr3;
  }
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

Expectation::Expectation(Detail detail) : detail_{detail} { start_chunk(); }

void Expectation::start_chunk() {
  ++chunk_;
  next = {};
  next.has_registers = full();
  last_ = nullptr;
  if (full()) shadow_.clear();
  else flow_.clear();
}

CodeLine* Expectation::shown(uint64_t rip, uint8_t code_bits) {
  CodeLine& line = lines_.slot(rip);
  return line.chunk == chunk_ && line.rip == rip && line.code_bits == code_bits ? &line : nullptr;
}

void Expectation::show(CodeLine& line, uint64_t rip, uint8_t code_bits, loader::Bytes bytes) {
  const bool same = line.decoded && line.rip == rip && line.code_bits == code_bits && line.length == bytes.size() &&
                    std::equal(bytes.begin(), bytes.end(), line.bytes.begin());
  line.rip = rip;
  line.code_bits = code_bits;
  line.chunk = chunk_;
  line.diverged = false;
  line.target = 0;
  if (same) return;
  line.length = static_cast<uint8_t>(bytes.size());
  std::array<uint8_t, longest_instruction> copy{};
  std::copy(bytes.begin(), bytes.end(), copy.begin());
  line.bytes = copy;
  if (!full()) return;
  line.op = decoder_.decode(code_bits, loader::Bytes{copy}.first(line.length));
  line.decoded = true;
}

void Expectation::went_to(uint64_t rip) {
  if (!full() && last_ != nullptr) flow_.learn(*last_, rip);
}

void Expectation::expect_memory(const CodeLine& line, InstructionRecord& record) const {
  record.memory_size = 0;
  if (!full() || line.op.source == MicroOp::Source::None) return;
  record.memory_size = line.op.source_size;
  record.memory_address = line.op.source_address(record.registers, record.rip);
  shadow_.read(static_cast<uint8_t>(record.vtl), record.memory_address, std::span{record.memory}.first(record.memory_size));
}

void Expectation::advance(const InstructionRecord& record, CodeLine& line) {
  last_ = &line;
  next.at.ticks = record.at.ticks + 1;
  next.vp = record.vp;
  next.vtl = record.vtl;
  next.code_bits = record.code_bits;
  if (!full()) {
    next.rip = flow_.guess(line);
    return;
  }
  next.registers = record.registers;
  const auto vtl = static_cast<uint8_t>(record.vtl);
  const auto memory = std::span{record.memory}.first(record.memory_size);
  if (record.memory_size != 0) shadow_.write(vtl, record.memory_address, memory);
  next.rip = predict(line.op, vtl, record.rip, next.registers, memory, shadow_);
}

uint64_t Expectation::check() const {
  uint64_t sum = next.rip * 31 + next.at.ticks;
  for (const uint64_t value : next.registers)
    sum = (sum ^ value) * 0x9e3779b97f4a7c15;
  return sum;
}

}  // namespace trace
