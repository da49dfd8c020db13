#pragma once
// A made-up run: registers, code and events that look like a machine's, from a seed.
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "sim/support/prng.h"
#include "sim/trace/event_names.h"
#include "sim/trace/reader.h"
#include "sim/trace/writer.h"

namespace test {

/// "mov rax, [rbx+8]; add rax, rcx; mov [rbx+8], rax; call +0; ret", as many times as wanted.
inline constexpr std::array<uint8_t, 17> sample_code{
    0x48, 0x8b, 0x43, 0x08, 0x48, 0x01, 0xc8, 0x48, 0x89, 0x43, 0x08, 0xe8, 0, 0, 0, 0, 0xc3};
inline constexpr std::array<uint8_t, 5> sample_lengths{4, 3, 4, 5, 1};

class SampleCode final : public trace::CodeReader {
 public:
  size_t read_code(const vtl::VirtualProcessor& vp, std::span<uint8_t> out) override {
    const uint64_t offset = vp.context().rip % 0x1000;
    size_t count = 0;
    while (count < out.size() && offset + count < sample_code.size()) {
      out[count] = sample_code[offset + count];
      ++count;
    }
    return count;
  }
  /// Memory never changes, whatever the code stores: a full trace must not believe its own guesses.
  size_t read_data(const vtl::VirtualProcessor&, uint64_t address,
                   std::span<uint8_t> out) override {
    if ((address >> 20 & 3) == 3) return 0;  // as a device
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<uint8_t>((address + i) * 37 >> 3);
    return out.size();
  }
};

/// What the instruction reads: the load by RBX + 8, and RET from the stack.
inline void add_memory(trace::InstructionRecord& record, const vtl::VirtualProcessor& vp,
                       size_t index, SampleCode& code) {
  if (index != 0 && index != 4) return;
  record.memory_address = index == 0 ? record.registers[vtl::Rbx] + 8 : record.registers[vtl::Rsp];
  record.memory_size = static_cast<uint8_t>(
      code.read_data(vp, record.memory_address, std::span{record.memory}.first(8)));
}

/// What was given to the writer, to compare with what comes back.
struct Expected {
  std::vector<trace::InstructionRecord> instructions;
  std::vector<trace::EventRecord> events;
  std::vector<bool> order;  ///< true: the next is an instruction
};

inline trace::EventRecord random_event(support::Prng& random, support::Instant at) {
  trace::EventRecord record;
  record.event.at = at;
  record.event.kind = static_cast<support::EventKind>(random.below(30));
  // Chunks with images are never skipped; tests place those themselves.
  if (record.event.kind == support::EventKind::ImageLoaded ||
      record.event.kind == support::EventKind::ImageUnloaded)
    record.event.kind = support::EventKind::DebugPrint;
  record.event.vp = static_cast<uint32_t>(random.below(3));
  record.event.vtl = static_cast<abi::hv::Vtl>(random.below(2));
  record.event.a = random.next() >> random.below(64);
  record.event.b = random.below(3) == 0 ? 0 : random.next();
  record.event.c = random.below(2) == 0 ? 0 : random.next();
  record.event.rip = random.below(4) == 0 ? 0 : random.next();
  record.has_frame = random.below(3) == 0;
  if (record.has_frame)
    for (uint64_t& word : record.frame)
      word = random.next();
  for (uint64_t i = random.below(40); i != 0; --i)
    record.text += static_cast<char>(random.below(256));
  return record;
}

/// Executes the sample code at random bases, with random changes of registers, levels and time, and
/// events in between.
inline Expected play(trace::Writer& writer, uint64_t seed, size_t steps,
                     trace::Detail detail = trace::Detail::Control) {
  SampleCode code;
  support::Prng random{seed};
  Expected expected;
  vtl::VirtualProcessor vp;
  for (auto& context : vp.contexts.values) {
    context.cr0 = 0x80010001;
    context.efer = 0x500;
    context.segments[vtl::Cs].attributes = 0xa09b;
  }
  support::Instant now{1000};
  size_t instruction = 0;
  for (size_t step = 0; step < steps; ++step) {
    if (random.below(10) == 0) {
      const trace::EventRecord event = random_event(random, now);
      writer.on(event.view());
      expected.events.push_back(event);
      expected.order.push_back(false);
      continue;
    }
    if (random.below(20) == 0) vp.active = static_cast<abi::hv::Vtl>(random.below(2));
    if (random.below(25) == 0) vp.number = static_cast<uint32_t>(random.below(3));  // another processor has its turn
    if (random.below(15) == 0) now.ticks += random.below(1000);
    vtl::VtlContext& context = vp.context();
    if (instruction == sample_lengths.size() || context.rip % 0x1000 >= sample_code.size())
      instruction = 0;
    if (instruction == 0) context.rip = 0xfffff80000000000 + random.below(16) * 0x1000;
    for (uint64_t i = random.below(3); i != 0; --i)
      vp.shared.gpr[random.below(16)] = random.next() >> random.below(64);
    context.rsp = 0xffff800000001000 + random.below(64) * 8;
    writer.before_instruction(now, vp);
    trace::InstructionRecord record = trace::capture(now, vp, detail);
    const uint64_t offset = context.rip % 0x1000;
    size_t start = 0, index = 0;
    while (start < offset)
      start += sample_lengths[index++];
    record.length = sample_lengths[index];
    std::copy_n(sample_code.begin() + static_cast<ptrdiff_t>(start), record.length,
                record.bytes.begin());
    if (detail == trace::Detail::Full) add_memory(record, vp, index, code);
    expected.instructions.push_back(record);
    expected.order.push_back(true);
    context.rip += record.length;
    instruction = index + 1;
    ++now.ticks;
  }
  return expected;
}

inline bool equal(const trace::InstructionRecord& a, const trace::InstructionRecord& b) {
  return a.at == b.at && a.vp == b.vp && a.vtl == b.vtl && a.code_bits == b.code_bits &&
         a.length == b.length && a.bytes == b.bytes && a.rip == b.rip && a.registers == b.registers &&
         a.has_registers == b.has_registers && a.memory_size == b.memory_size &&
         (a.memory_size == 0 || a.memory_address == b.memory_address) &&
         std::equal(a.memory.begin(), a.memory.begin() + a.memory_size, b.memory.begin());
}

inline bool equal(const trace::EventRecord& a, const trace::EventRecord& b) {
  const bool known = trace::name_of(a.event.kind) != "unknown event";
  return a.event.at == b.event.at && a.event.vp == b.event.vp && a.event.vtl == b.event.vtl &&
         b.event.kind == (known ? a.event.kind : trace::unknown_event) && a.event.a == b.event.a &&
         a.event.b == b.event.b && a.event.c == b.event.c && a.event.rip == b.event.rip &&
         a.has_frame == b.has_frame && a.frame == b.frame && a.text == b.text;
}

/// How many records of `expected` came back, in order, before the reader stopped; `error` says why
/// it did.
inline size_t matching_prefix(trace::Reader& reader, const Expected& expected, std::string& error) {
  size_t instructions = 0, events = 0;
  for (size_t i = 0;; ++i) {
    const auto record = reader.next();
    if (!record) {
      error = record.error().message;
      return i;
    }
    if (!record.value()) return i;
    if (i >= expected.order.size()) return i + 1;
    const bool same =
        expected.order[i]
            ? std::holds_alternative<trace::InstructionRecord>(*record.value()) &&
                  equal(expected.instructions[instructions++],
                        std::get<trace::InstructionRecord>(*record.value()))
            : std::holds_alternative<trace::EventRecord>(*record.value()) &&
                  equal(expected.events[events++], std::get<trace::EventRecord>(*record.value()));
    if (!same) {
      error = "record " + std::to_string(i) + " differs";
      return ~size_t{0};
    }
  }
}

inline trace::TraceInput over_bytes(const std::vector<uint8_t>& bytes) {
  return [&bytes](uint64_t offset, std::span<uint8_t> out) -> size_t {
    if (offset >= bytes.size()) return 0;
    const size_t count = std::min<size_t>(out.size(), bytes.size() - static_cast<size_t>(offset));
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(offset), count, out.begin());
    return count;
  };
}

}  // namespace test
