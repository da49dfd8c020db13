// IN, OUT, INS, OUTS (SDM vol. 1, 19.5; vol. 2).
#include "abi/x64/registers.h"
#include "sim/cpu/system_instructions.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::VirtualProcessor;

bool is_write(const Instruction& in) {
  return (in.opcode & 2) != 0;
}
bool is_string(const Instruction& in) {
  return in.opcode < 0x70;
}

uint8_t access_size(const Instruction& in) {
  if ((in.opcode & 1) == 0) return 1;
  return in.operand_size == 2 ? 2 : 4;
}

uint64_t masked(const Instruction& in, uint64_t value) {
  if (in.address_size == 8) return value;
  return in.address_size == 4 ? value & 0xffffffff : value & 0xffff;
}

uint64_t string_address(const Instruction& in, const VirtualProcessor& vp) {
  if (is_write(in)) {
    const uint8_t segment = in.segment == no_segment ? uint8_t{vtl::Ds} : in.segment;
    return in_segment(vp, segment, masked(in, vp.shared.gpr[vtl::Rsi]), in.code_size);
  }
  return in_segment(vp, vtl::Es, masked(in, vp.shared.gpr[vtl::Rdi]), in.code_size);
}

/// CPL > IOPL: every bit of the port range must be clear in the TSS's bitmap.
std::optional<Emulation> refuse_port(VirtualProcessor& vp, const ProcessorMemory& memory,
                                     uint16_t port, uint8_t size) {
  const vtl::VtlContext& context = vp.context();
  const bool protected_mode = (context.cr0 & x64::cr0::pe) != 0;
  const uint64_t iopl = (context.rflags & x64::rflags::iopl) >> 12;
  if (!protected_mode || (vp.cpl() <= iopl && (context.rflags & x64::rflags::vm) == 0))
    return std::nullopt;
  constexpr uint64_t map_field = 0x66;
  if (context.tr.limit < map_field + 1) return general_protection();
  uint16_t map = 0;
  if (auto fault = memory.read_value(context.tr.base + map_field, map, Privilege::Implicit))
    return refused(*fault);
  const uint64_t offset = uint64_t{map} + port / 8;
  if (offset + 1 > context.tr.limit) return general_protection();
  uint16_t bits = 0;
  if (auto fault = memory.read_value(context.tr.base + offset, bits, Privilege::Implicit))
    return refused(*fault);
  const unsigned wanted = ((1u << size) - 1) << (port & 7);
  if ((bits & wanted) != 0) return general_protection();
  return std::nullopt;
}

void advance(const Instruction& in, VirtualProcessor& vp, uint8_t index, int64_t by) {
  uint64_t& target = vp.shared.gpr[index];
  const uint64_t moved = masked(in, target + static_cast<uint64_t>(by));
  target = in.address_size == 2 ? (target & ~uint64_t{0xffff}) | moved : moved;
}

}  // namespace

Emulation port_access(const Instruction& in, VirtualProcessor& vp, const ProcessorMemory& memory) {
  Emulation result;
  vtl::IoAccess& io = result.exit.io;
  io.size = access_size(in);
  io.string = is_string(in);
  io.rep = is_repeated_string(in);
  const bool immediate = !io.string && in.opcode < 0xe8;
  io.port = static_cast<uint16_t>(immediate ? in.immediate : vp.shared.gpr[vtl::Rdx]);
  if (auto refusal = refuse_port(vp, memory, io.port, io.size)) return *refusal;
  if (io.rep && masked(in, vp.shared.gpr[vtl::Rcx]) == 0) return retire();
  if (io.string) {
    const Privilege privilege = explicit_privilege(vp.cpl());
    const uint64_t address = string_address(in, vp);
    std::optional<MemoryFault> fault;
    if (is_write(in)) {
      fault = memory.read(address, {reinterpret_cast<uint8_t*>(&io.value), io.size}, privilege);
    } else {
      fault = memory.check(address, io.size, mmu::AccessKind::Write, privilege);
    }
    if (fault) return refused(*fault);
  } else if (is_write(in)) {
    io.value =
        static_cast<uint32_t>(vp.shared.gpr[vtl::Rax] & ((uint64_t{1} << (8 * io.size)) - 1));
  }
  result.kind = Emulation::Kind::Exit;
  result.exit.reason = is_write(in) ? vtl::ExitReason::IoWrite : vtl::ExitReason::IoRead;
  return result;
}

std::optional<MemoryFault> finish_port_access(const Instruction& in, const vtl::Exit& exit,
                                              uint32_t value, VirtualProcessor& vp,
                                              const ProcessorMemory& memory, bool& repeats) {
  repeats = false;
  if (!exit.io.string) {
    if (!is_write(in)) write_general(vp, vtl::Rax, exit.io.size, value);
    return std::nullopt;
  }
  if (!is_write(in)) {
    const std::span<const uint8_t> bytes{reinterpret_cast<const uint8_t*>(&value), exit.io.size};
    if (auto fault = memory.write(string_address(in, vp), bytes, explicit_privilege(vp.cpl())))
      return fault;
  }
  const int64_t step =
      (vp.context().rflags & x64::rflags::df) != 0 ? -int64_t{exit.io.size} : exit.io.size;
  advance(in, vp, is_write(in) ? vtl::Rsi : vtl::Rdi, step);
  if (exit.io.rep) {
    advance(in, vp, vtl::Rcx, -1);
    repeats = masked(in, vp.shared.gpr[vtl::Rcx]) != 0;
  }
  return std::nullopt;
}

}  // namespace cpu
