// Instructions that the engine executes otherwise than a processor, and that a kernel of today may hold
// (docs/engine-differences.md): LAHF and SAHF with a REX prefix, LOCK NEG, SHLD and SHRD of a RIP-relative operand, CLFLUSH,
// horizontal additions of one register with itself, PCMPESTRI and PCMPESTRM.
#include <array>
#include <cstring>

#include "abi/x64/registers.h"
#include "sim/cpu/system_instructions.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
namespace flag = abi::x64::rflags;
using vtl::VirtualProcessor;

/// ZF, SF and PF of a result.
uint64_t flags_of(uint64_t result, unsigned bits) {
  uint64_t flags = 0;
  if ((result << (64 - bits)) == 0) flags |= flag::zf;
  if ((result >> (bits - 1) & 1) != 0) flags |= flag::sf;
  if ((__builtin_popcountll(result & 0xff) & 1) == 0) flags |= flag::pf;
  return flags;
}

void set_arithmetic(VirtualProcessor& vp, uint64_t flags) {
  uint64_t& all = vp.context().rflags;
  all = (all & ~flag::arithmetic) | flags;
}

/// AH is bits 15:8 of RAX whatever prefix there is (SDM vol. 2, LAHF).
Emulation move_flags(const Instruction& in, VirtualProcessor& vp) {
  constexpr uint64_t of_ah = flag::sf | flag::zf | flag::af | flag::pf | flag::cf;
  uint64_t& rax = vp.shared.gpr[vtl::Rax];
  uint64_t& flags = vp.context().rflags;
  if (in.opcode == 0x9e)
    flags = (flags & ~of_ah) | (rax >> 8 & of_ah);
  else
    rax = (rax & ~uint64_t{0xff00}) | ((flags & of_ah) | flag::always_one) << 8;
  return retire();
}

bool is_ram(const ProcessorMemory& memory, uint64_t address, bool user) {
  const auto at = memory.translator().probe(memory.space(), {mmu::Gva{address}, mmu::AccessKind::Write, user, false});
  return at.ok && at.translation.ram;
}

/// A read-modify-write of the operand in memory: `change` gets the old value and answers the new one. Nothing: the operand
/// belongs to a device, and the engine asks it as it does.
template <class Change>
std::optional<Emulation> modify_memory(const Instruction& in, VirtualProcessor& vp, const ProcessorMemory& memory, uint8_t size, Change change) {
  const uint64_t address = linear_address(in, vp);
  const Privilege privilege = explicit_privilege(vp.cpl());
  if (auto fault = memory.check(address, size, mmu::AccessKind::Write, privilege)) return refused(*fault);
  const bool user = privilege == Privilege::User;
  if (!is_ram(memory, address, user) || !is_ram(memory, address + size - 1, user)) return std::nullopt;
  uint64_t value = 0, flags = vp.context().rflags & flag::arithmetic;
  if (auto fault = memory.read(address, {reinterpret_cast<uint8_t*>(&value), size}, privilege)) return refused(*fault);
  value = change(value, flags);
  if (auto fault = memory.write(address, {reinterpret_cast<const uint8_t*>(&value), size}, privilege)) return refused(*fault);
  set_arithmetic(vp, flags);
  return retire();
}

std::optional<Emulation> negate_locked(const Instruction& in, VirtualProcessor& vp, const ProcessorMemory& memory) {
  const uint8_t size = in.opcode == 0xf6 ? uint8_t{1} : in.operand_size;
  const unsigned bits = 8u * size;
  return modify_memory(in, vp, memory, size, [bits](uint64_t old, uint64_t& flags) {
    const uint64_t result = 0 - old;
    flags = flags_of(result, bits);
    if ((old << (64 - bits)) != 0) flags |= flag::cf;
    if ((old & 0xf) != 0) flags |= flag::af;
    if ((old & result) >> (bits - 1) & 1) flags |= flag::of;
    return result;
  });
}

/// SHLD, SHRD (SDM vol. 2). What it leaves undefined: AF and, but for a count of one, OF are clear; a count beyond the 16 bits of
/// the operand shifts in the destination again.
std::optional<Emulation> shift_double(const Instruction& in, VirtualProcessor& vp, const ProcessorMemory& memory) {
  const unsigned bits = 8u * in.operand_size;
  const auto count = static_cast<unsigned>(in.immediate & (bits == 64 ? 0x3f : 0x1f));
  const bool left = in.opcode == 0xa4;
  const uint64_t source = general_register(vp, in.reg());
  return modify_memory(in, vp, memory, in.operand_size, [&](uint64_t old, uint64_t& flags) {
    if (count == 0) return old;
    using Wide = unsigned __int128;
    const Wide mask = (Wide{1} << bits) - 1;
    const Wide from = source & mask;
    const Wide both = left ? Wide{old} << bits | from : from << bits | Wide{old};
    const bool again = bits == 16;
    const Wide line = !again ? both : left ? both << bits | Wide{old} : Wide{old} << 32 | both;
    const unsigned width = again ? 3 * bits : 2 * bits;
    const auto result = static_cast<uint64_t>((left ? line << count >> (width - bits) : line >> count) & mask);
    const auto last = static_cast<uint64_t>((left ? line >> (width - count) : line >> (count - 1)) & 1);
    flags = flags_of(result, bits) | last;
    if (count == 1 && ((result ^ old) >> (bits - 1) & 1) != 0) flags |= flag::of;
    return result;
  });
}

/// The engine may not run the vector instruction at all: then it knows which fault it is.
bool may_use_sse(const VirtualProcessor& vp) {
  const vtl::VtlContext& context = vp.context();
  return (context.cr0 & (x64::cr0::em | x64::cr0::ts)) == 0 && (context.cr4 & x64::cr4::osfxsr) != 0;
}

template <class Lane>
void combine_neighbours(vtl::Xmm& xmm, bool add, bool saturate) {
  constexpr size_t lanes = sizeof xmm / sizeof(Lane), half = lanes / 2;
  std::array<Lane, lanes> old, result;
  std::memcpy(old.data(), &xmm, sizeof xmm);
  for (size_t i = 0; i < half; ++i) {
    const int64_t first = old[2 * i], second = old[2 * i + 1];
    int64_t value = add ? first + second : first - second;
    if (saturate) value = value > 32767 ? 32767 : value < -32768 ? -32768 : value;
    result[i] = result[i + half] = static_cast<Lane>(value);
  }
  std::memcpy(static_cast<void*>(&xmm), result.data(), sizeof xmm);  // plain data, whatever GCC thinks of its initialisers
}

/// PHADDW, PHADDD, PHADDSW, PHSUBW, PHSUBD, PHSUBSW of one register: both halves of the result are the same.
Emulation combine_horizontally(const Instruction& in, VirtualProcessor& vp) {
  vtl::Xmm& xmm = vp.shared.fp.xmm[in.reg()];
  const bool add = in.opcode < 4;
  if ((in.opcode & 3) == 2)
    combine_neighbours<int32_t>(xmm, add, false);
  else
    combine_neighbours<int16_t>(xmm, add, (in.opcode & 3) == 3);
  return retire();
}

}  // namespace

std::optional<Emulation> emulate_corrected(const Instruction& in, VirtualProcessor& vp, const ProcessorMemory& memory) {
  if (in.map == OpcodeMap::One) {
    if (in.opcode == 0x9e || in.opcode == 0x9f) return move_flags(in, vp);
    return negate_locked(in, vp, memory);
  }
  if (in.map != OpcodeMap::Two0F) {
    if (!may_use_sse(vp)) return std::nullopt;
    return in.map == OpcodeMap::Three0F38 ? combine_horizontally(in, vp) : compare_strings(in, vp, memory);
  }
  if (in.opcode != 0xae) return shift_double(in, vp, memory);
  // CLFLUSH is a load as far as translation is concerned, and there is no cache.
  if (auto fault = memory.check(linear_address(in, vp), 1, mmu::AccessKind::Read, explicit_privilege(vp.cpl()))) return refused(*fault);
  return retire();
}

}  // namespace cpu
