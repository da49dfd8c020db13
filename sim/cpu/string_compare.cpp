// PCMPESTRI and PCMPESTRM (SDM vol. 2, 4.1). The engine negates lengths in 32 bits: of the least number that is a length below
// zero, and its loop reads and writes what lies before its own state.
#include <cstring>

#include "abi/x64/registers.h"
#include "sim/cpu/system_instructions.h"

namespace cpu {
namespace {

namespace flag = abi::x64::rflags;
using vtl::VirtualProcessor;

/// imm8: what is compared, and how.
struct Control {
  bool words{}, is_signed{}, expand_or_last{};
  uint8_t aggregation{}, polarity{};
  [[nodiscard]] unsigned count() const { return words ? 8 : 16; }
};

Control control_of(uint64_t imm8) {
  return {(imm8 & 1) != 0, (imm8 & 2) != 0, (imm8 & 0x40) != 0, static_cast<uint8_t>(imm8 >> 2 & 3), static_cast<uint8_t>(imm8 >> 4 & 3)};
}

struct Text {
  int32_t element[16]{};
  unsigned length{};  ///< elements from here on are not valid
};

/// The magnitude of a length, at most `count`.
unsigned length_of(uint64_t value, bool wide, unsigned count) {
  const bool negative = (value >> (wide ? 63 : 31) & 1) != 0;
  uint64_t magnitude = negative ? 0 - value : value;
  if (!wide) magnitude &= 0xffffffff;
  return magnitude < count ? static_cast<unsigned>(magnitude) : count;
}

Text text_of(const vtl::Xmm& from, const Control& control, unsigned length) {
  Text text;
  text.length = length;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(&from);
  for (unsigned i = 0; i < control.count(); ++i) {
    if (control.words) {
      uint16_t word;
      std::memcpy(&word, bytes + 2 * i, 2);
      text.element[i] = control.is_signed ? static_cast<int16_t>(word) : static_cast<int32_t>(word);
    } else {
      text.element[i] = control.is_signed ? static_cast<int8_t>(bytes[i]) : static_cast<int32_t>(bytes[i]);
    }
  }
  return text;
}

/// Bit `at` of the intermediate result: what `set` (the first operand) says of element `at` of `text`.
bool matches(const Text& set, const Text& text, unsigned at, const Control& control) {
  const bool valid = at < text.length;
  switch (control.aggregation) {
    case 0:  // equal any
      for (unsigned i = 0; valid && i < set.length; ++i)
        if (set.element[i] == text.element[at]) return true;
      return false;
    case 1:  // ranges
      for (unsigned i = 0; valid && i + 1 < set.length; i += 2)
        if (set.element[i] <= text.element[at] && text.element[at] <= set.element[i + 1]) return true;
      return false;
    case 2:  // equal each
      if (!valid || at >= set.length) return !valid && at >= set.length;
      return set.element[at] == text.element[at];
    default:  // equal ordered
      for (unsigned i = 0; i < set.length && at + i < control.count(); ++i)
        if (at + i >= text.length || set.element[i] != text.element[at + i]) return false;
      return true;
  }
}

uint32_t result_of(const Text& set, const Text& text, const Control& control) {
  uint32_t result = 0;
  for (unsigned at = 0; at < control.count(); ++at) {
    const bool negate = control.polarity == 1 || (control.polarity == 3 && at < text.length);
    result |= uint32_t{matches(set, text, at, control) != negate} << at;
  }
  return result;
}

vtl::Xmm mask_of(uint32_t result, const Control& control) {
  if (!control.expand_or_last) return {result, 0};
  vtl::Xmm mask{};
  auto* const bytes = reinterpret_cast<uint8_t*>(&mask);
  const unsigned size = control.words ? 2 : 1;
  for (unsigned i = 0; i < control.count(); ++i) std::memset(bytes + i * size, (result >> i & 1) != 0 ? 0xff : 0, size);
  return mask;
}

uint64_t index_of(uint32_t result, const Control& control) {
  if (result == 0) return control.count();
  return static_cast<uint64_t>(control.expand_or_last ? 31 - __builtin_clz(result) : __builtin_ctz(result));
}

}  // namespace

Emulation compare_strings(const Instruction& in, VirtualProcessor& vp, const ProcessorMemory& memory) {
  vtl::Xmm operand = vp.shared.fp.xmm[in.rm()];
  if (in.mod() != 3) {
    const std::span<uint8_t> bytes{reinterpret_cast<uint8_t*>(&operand), sizeof operand};
    if (auto fault = memory.read(linear_address(in, vp), bytes, explicit_privilege(vp.cpl()))) return refused(*fault);
  }
  const Control control = control_of(in.immediate);
  const bool wide = in.operand_size == 8;
  const Text set = text_of(vp.shared.fp.xmm[in.reg()], control, length_of(vp.shared.gpr[vtl::Rax], wide, control.count()));
  const Text text = text_of(operand, control, length_of(vp.shared.gpr[vtl::Rdx], wide, control.count()));
  const uint32_t result = result_of(set, text, control);
  if (in.opcode == 0x60)
    vp.shared.fp.xmm[0] = mask_of(result, control);
  else
    vp.shared.gpr[vtl::Rcx] = index_of(result, control);
  uint64_t& flags = vp.context().rflags;
  flags &= ~flag::arithmetic;
  if (result != 0) flags |= flag::cf;
  if (text.length < control.count()) flags |= flag::zf;
  if (set.length < control.count()) flags |= flag::sf;
  if ((result & 1) != 0) flags |= flag::of;
  return retire();
}

}  // namespace cpu
