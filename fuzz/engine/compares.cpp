#include "fuzz/engine/compares.h"

#include <algorithm>
#include <cstring>

#include "abi/x64/registers.h"
#include "sim/cpu/breakpoints.h"
#include "sim/support/prng.h"

namespace fuzzing {
namespace {

using cpu::Instruction;
using cpu::OpcodeMap;

uint64_t low_bytes(uint64_t value, uint8_t size) { return size == 8 ? value : value & ((uint64_t{1} << 8 * size) - 1); }

uint64_t register_of(const vtl::VirtualProcessor& vp, uint8_t number, uint8_t size, bool has_rex) {
  const auto full = [&](uint8_t which) { return which == vtl::Rsp ? vp.context().rsp : vp.shared.gpr[which]; };
  if (size == 1 && !has_rex && number >= 4 && number < 8) return full(number - 4) >> 8 & 0xff;  // AH, CH, DH, BH
  return low_bytes(full(number), size);
}

uint64_t immediate_of(const Instruction& in, uint8_t size) {
  uint64_t value = in.immediate;
  const unsigned unused = 64 - 8u * in.immediate_size;
  if (in.immediate_size != 0 && in.immediate_size < 8) value = static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused);
  return low_bytes(value, size);
}

/// Which operands an instruction compares.
enum class Form : uint8_t { None, RegisterAndOperand, AccumulatorAndImmediate, OperandAndImmediate, AccumulatorAndOperand, Scan, Strings };

Form form_of(const Instruction& in) {
  const uint8_t op = in.opcode;
  if (in.map == OpcodeMap::Two0F) return op == 0xb0 || op == 0xb1 ? Form::AccumulatorAndOperand : Form::None;
  if (in.map != OpcodeMap::One) return Form::None;
  if ((op & 0xf8) == 0x38 || (op & 0xf8) == 0x28) {
    if ((op & 7) < 4) return Form::RegisterAndOperand;
    return (op & 7) < 6 ? Form::AccumulatorAndImmediate : Form::None;
  }
  if (op >= 0x80 && op <= 0x83) return in.reg_field() == 7 || in.reg_field() == 5 ? Form::OperandAndImmediate : Form::None;
  if (op == 0xae || op == 0xaf) return Form::Scan;
  return op == 0xa6 || op == 0xa7 ? Form::Strings : Form::None;
}

}  // namespace

uint64_t CompareRecorder::memory(const vtl::VirtualProcessor& vp, uint64_t address, uint8_t size) const {
  uint64_t value = 0;
  const std::span<uint8_t> to{reinterpret_cast<uint8_t*>(&value), size};
  const mmu::AddressSpace space = machine_->view(vp.active);
  if (mmu::read_gva(machine_->translator(), space, mmu::Gva{address}, to) != size)
    (void)mmu::read_gva(machine_->translator(), space, mmu::Gva{address}, to, true);
  return value;
}

void CompareRecorder::before_instruction(support::Instant, const vtl::VirtualProcessor& vp) {
  if (found_.size() >= most || vp.number != machine_->processor().number) return;
  uint8_t bytes[cpu::max_instruction_length]{};
  const bool user = (vp.context().segments[vtl::Cs].selector & 3) == 3;
  (void)mmu::read_gva(machine_->translator(), machine_->view(vp.active), mmu::Gva{vp.context().rip}, bytes, user);
  const Instruction in = cpu::decode(bytes, cpu::CodeSize::Bits64);
  if (in.status != cpu::DecodeStatus::Ok) return;
  const Form form = form_of(in);
  if (form == Form::None) return;
  const uint8_t size = (in.opcode & 1) == 0 ? uint8_t{1} : in.operand_size;
  const bool rex = in.rex != 0;
  const auto operand = [&] {
    if (in.mod() == 3) return register_of(vp, in.rm(), size, rex);
    return memory(vp, cpu::operand_addresses(in, vp)[0], size);
  };
  const auto accumulator = [&] { return register_of(vp, vtl::Rax, size, rex); };
  Comparison c{size, 0, 0};
  switch (form) {
    case Form::None: return;
    case Form::RegisterAndOperand: c.a = register_of(vp, in.reg(), size, rex), c.b = operand(); break;
    case Form::AccumulatorAndImmediate: c.a = accumulator(), c.b = immediate_of(in, size); break;
    case Form::OperandAndImmediate: c.a = operand(), c.b = immediate_of(in, size); break;
    case Form::AccumulatorAndOperand: c.a = accumulator(), c.b = operand(); break;
    case Form::Scan: c.a = accumulator(), c.b = memory(vp, vp.shared.gpr[vtl::Rdi], size); break;
    case Form::Strings:
      c.a = memory(vp, vp.shared.gpr[vtl::Rsi], size), c.b = memory(vp, vp.shared.gpr[vtl::Rdi], size);
      break;
  }
  if (c.a != c.b) found_.push_back(c);
}

std::vector<Comparison> CompareRecorder::comparisons() const {
  std::vector<Comparison> result = found_;
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

std::vector<uint8_t> substitute(std::span<const uint8_t> input, std::span<const Comparison> comparisons, uint64_t seed) {
  std::vector<uint8_t> result{input.begin(), input.end()};
  if (comparisons.empty()) return result;
  support::Prng random{seed, "compares"};
  constexpr int attempts = 64;
  for (int i = 0; i < attempts; ++i) {
    const Comparison& c = comparisons[random.below(comparisons.size())];
    const bool swapped = random.one_in(2);
    const uint64_t from = swapped ? c.b : c.a, to = swapped ? c.a : c.b;
    if (from == 0 && !random.one_in(8)) continue;  // zeros are everywhere
    const auto* const pattern = reinterpret_cast<const uint8_t*>(&from);
    std::vector<size_t> places;
    for (size_t at = 0; at + c.size <= result.size(); ++at) {
      if (std::equal(pattern, pattern + c.size, result.begin() + static_cast<ptrdiff_t>(at))) places.push_back(at);
    }
    if (places.empty()) continue;
    // Off by one is where lengths are checked.
    const uint64_t value = to + (random.one_in(4) ? random.below(3) - 1 : 0);
    std::memcpy(&result[places[random.below(places.size())]], &value, c.size);
    return result;
  }
  return result;
}

}  // namespace fuzzing
