#include "sim/debugger/views/code.h"

#include <algorithm>

#include "sim/debugger/views/memory.h"

namespace debugger::views {
namespace {

constexpr size_t longest = trace::longest_instruction;
constexpr uint64_t longest_function = 16384;  // bytes that are gone through from its beginning

/// Readable bytes that end just before `address`: as many as there are, at most `count`.
std::vector<uint8_t> bytes_before(const Eye& eye, uint64_t address, uint64_t count) {
  count = std::min(count, address);
  std::vector<uint8_t> bytes;
  for (const MemoryPart& part : read_memory(eye, Space::Gva, address - count, count)) {
    if (part.reach == Reach::Readable) bytes = part.bytes;
    else bytes.clear();
  }
  return bytes;
}

/// For each byte the length of the instruction that begins there, 0 if none does: decoded when it is asked for.
class Lengths {
 public:
  Lengths(trace::Disassembler& disassembler, uint8_t bits, const std::vector<uint8_t>& bytes)
      : disassembler_{disassembler}, bits_{bits}, bytes_{bytes} {}
  uint8_t operator[](size_t i) const { return disassembler_.length(bits_, {bytes_.data() + i, std::min(longest, bytes_.size() - i)}); }
  [[nodiscard]] std::vector<uint8_t> between(size_t from, size_t to) const {
    std::vector<uint8_t> out;
    for (size_t i = from; i < to; ++i) out.push_back((*this)[i]);
    return out;
  }

 private:
  trace::Disassembler& disassembler_;
  uint8_t bits_;
  const std::vector<uint8_t>& bytes_;
};

/// Which bytes begin a sequence of instructions that ends exactly at the end.
std::vector<bool> arriving(const std::vector<uint8_t>& lengths) {
  std::vector<bool> out(lengths.size() + 1);
  out.back() = true;
  for (size_t i = lengths.size(); i-- > 0;) out[i] = lengths[i] != 0 && i + lengths[i] <= lengths.size() && out[i + lengths[i]];
  return out;
}

/// The instructions that follow each other from `from` on, up to `to`; empty if none of them ends there.
std::vector<uint64_t> straight(const Lengths& lengths, uint64_t first, uint64_t from, uint64_t to) {
  std::vector<uint64_t> starts;
  uint64_t at = from;
  while (at < to) {
    starts.push_back(at);
    at += std::max<uint8_t>(lengths[static_cast<size_t>(at - first)], uint8_t{1});
  }
  if (at != to) starts.clear();
  return starts;
}

/// Those that end at `to` by the longest way.
std::vector<uint64_t> guessed(const Lengths& lengths, uint64_t first, uint64_t from, uint64_t to) {
  const std::vector<uint8_t> length = lengths.between(static_cast<size_t>(from - first), static_cast<size_t>(to - first));
  const std::vector<bool> arrives = arriving(length);
  std::vector<uint64_t> starts;
  size_t at = 0;
  while (at < length.size() && !arrives[at]) ++at;
  for (; at < length.size(); at += length[at]) starts.push_back(from + at);
  return starts;
}

/// The addresses of at most `request.before` instructions before the address, ascending. From function to function back: data
/// between two of them loses only what is before it.
std::vector<uint64_t> starts_before(const Eye& eye, trace::Disassembler& disassembler, const CodeRequest& request) {
  const size_t before = std::min(request.before, maximum_before);
  uint64_t window = before * longest;
  for (const uint64_t beginning : request.beginnings)  // all of the farthest function, unless it is a very long one
    if (beginning < request.address && request.address - beginning <= longest_function) window = std::max(window, request.address - beginning);
  const std::vector<uint8_t> bytes = bytes_before(eye, request.address, window);
  const Lengths length{disassembler, code_bits(eye), bytes};
  const uint64_t first = request.address - bytes.size();
  std::vector<uint64_t> starts;
  uint64_t to = request.address;
  for (auto from = request.beginnings.rbegin(); from != request.beginnings.rend() && *from >= first && starts.size() < before; ++from) {
    if (*from >= to) continue;
    std::vector<uint64_t> part = straight(length, first, *from, to);
    if (part.empty()) part = guessed(length, first, *from, to);
    starts.insert(starts.begin(), part.begin(), part.end());
    to = *from;
  }
  if (starts.size() < before && to > first) {
    const uint64_t from = to - std::min<uint64_t>(to - first, before * longest);
    const std::vector<uint64_t> part = guessed(length, first, from, to);
    starts.insert(starts.begin(), part.begin(), part.end());
  }
  if (starts.size() > before) starts.erase(starts.begin(), starts.end() - static_cast<ptrdiff_t>(before));
  return starts;
}

CodeLine line_at(const Eye& eye, trace::Disassembler& disassembler, uint64_t address) {
  const std::vector<uint8_t> bytes = readable_bytes(eye, Space::Gva, address, longest);
  const trace::Instruction instruction = disassembler.decode(code_bits(eye), address, bytes);
  CodeLine line{address, {}, "??", {}};
  if (bytes.empty()) return line;
  if (instruction.length == 0) {
    line.bytes.push_back(bytes[0]);
    return line;
  }
  line.bytes.assign(bytes.begin(), bytes.begin() + instruction.length);
  line.text = instruction.operands.empty() ? instruction.mnemonic : instruction.mnemonic + " " + instruction.operands;
  line.target = instruction.target;
  return line;
}

}  // namespace

uint8_t code_bits(const Eye& eye) {
  const vtl::VtlContext& context = eye.vp.contexts[eye.vtl];
  constexpr uint16_t long_mode = 1 << 13, default_size = 1 << 14;
  const uint16_t attributes = context.segments[vtl::Cs].attributes;
  if ((context.efer & mmu::control::efer_long_mode_active) != 0 && (attributes & long_mode) != 0) return 64;
  return (attributes & default_size) != 0 ? 32 : 16;
}

std::vector<CodeLine> disassemble(const Eye& eye, trace::Disassembler& disassembler, const CodeRequest& request) {
  std::vector<CodeLine> lines;
  if (request.before != 0)
    for (const uint64_t start : starts_before(eye, disassembler, request)) lines.push_back(line_at(eye, disassembler, start));
  uint64_t address = request.address;
  for (size_t i = 0; i < request.count; ++i) {
    lines.push_back(line_at(eye, disassembler, address));
    const uint64_t next = address + std::max<size_t>(lines.back().bytes.size(), 1);
    if (next < address) break;
    address = next;
  }
  return lines;
}

}  // namespace debugger::views
