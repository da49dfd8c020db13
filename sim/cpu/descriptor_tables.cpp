// LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR (SDM vol. 2).
#include "abi/x64/exceptions.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "sim/cpu/descriptor.h"
#include "sim/cpu/interception.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::VirtualProcessor;
using vtl::VtlContext;

/// The operand in memory: limit, then a base of 4 or 8 bytes.
struct [[gnu::packed]] TableOperand {
  uint16_t limit;
  uint64_t base;
};

/// SGDT, SIDT, SLDT, STR: UMIP refuses all to CPL 1 to 3, HV_X64_MSR_NPIEP_CONFIG each to CPL 3 (TLFS 13.3).
enum class Store : uint8_t { Gdt = 0, Idt = 1, Ldt = 2, Task = 3 };
bool is_store_refused(const VirtualProcessor& vp, Store what) {
  if (vp.cpl() != 0 && (vp.context().cr4 & x64::cr4::umip) != 0) return true;
  return vp.cpl() == 3 && ((vp.context().npiep >> static_cast<unsigned>(what)) & 1) != 0;
}

std::span<uint8_t> operand_bytes(TableOperand& operand, const Instruction& in) {
  return {reinterpret_cast<uint8_t*>(&operand),
          in.code_size == CodeSize::Bits64 ? size_t{10} : size_t{6}};
}

Emulation load_table(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (in.mod() == 3) return invalid_opcode();
  if (vp.cpl() != 0) return general_protection();
  TableOperand operand{};
  if (auto fault = with.memory.read(linear_address(in, vp), operand_bytes(operand, in),
                                    Privilege::Supervisor))
    return refused(*fault);
  if (in.code_size != CodeSize::Bits64 && in.operand_size == 2) operand.base &= 0xffffff;
  const bool global = in.reg_field() == 2;
  const vtl::DescriptorTable loaded{operand.base, operand.limit};
  const auto name = global ? abi::hv::RegisterName::Gdtr : abi::hv::RegisterName::Idtr;
  if (auto exit = intercept_write(vp, in, name, loaded)) return *exit;
  if (!x64::is_canonical(operand.base, x64::linear_address_bits(vp.context().cr4))) return general_protection();
  (global ? vp.context().gdtr : vp.context().idtr) = loaded;
  return retire();
}

Emulation store_table(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (in.mod() == 3) return invalid_opcode();
  if (is_store_refused(vp, in.reg_field() == 0 ? Store::Gdt : Store::Idt)) return general_protection();
  const vtl::DescriptorTable& table = in.reg_field() == 0 ? vp.context().gdtr : vp.context().idtr;
  TableOperand operand{table.limit, table.base};
  if (auto fault = with.memory.write(linear_address(in, vp), operand_bytes(operand, in),
                                     explicit_privilege(vp.cpl())))
    return refused(*fault);
  return retire();
}

/// A 16-bit operand in a register or in memory.
std::optional<MemoryFault> read_selector(const Instruction& in, VirtualProcessor& vp,
                                         const Surroundings& with, uint16_t& selector) {
  if (in.mod() != 3)
    return with.memory.read_value(linear_address(in, vp), selector, explicit_privilege(vp.cpl()));
  selector = static_cast<uint16_t>(general_register(vp, in.rm()));
  return std::nullopt;
}

Emulation store_selector(const Instruction& in, VirtualProcessor& vp, const Surroundings& with,
                         uint16_t selector) {
  if (is_store_refused(vp, in.reg_field() == 0 ? Store::Ldt : Store::Task)) return general_protection();
  if (in.mod() == 3) {
    write_general(vp, in.rm(), in.operand_size, selector);
    return retire();
  }
  if (auto fault =
          with.memory.write_value(linear_address(in, vp), selector, explicit_privilege(vp.cpl())))
    return refused(*fault);
  return retire();
}

/// LLDT and LTR.
Emulation load_system_segment(const Instruction& in, VirtualProcessor& vp,
                              const Surroundings& with) {
  VtlContext& context = vp.context();
  const bool task = in.reg_field() == 3;
  if ((context.cr0 & x64::cr0::pe) == 0) return invalid_opcode();
  if (vp.cpl() != 0) return general_protection();
  uint16_t selector = 0;
  if (auto fault = read_selector(in, vp, with, selector)) return refused(*fault);
  if ((selector & ~3u) == 0) {
    if (task) return general_protection();
    vtl::Segment none;
    none.selector = selector;
    if (auto exit = intercept_write(vp, in, abi::hv::RegisterName::Ldtr, none)) return *exit;
    context.ldtr = none;
    return retire();
  }
  const uint32_t error = selector & 0xfffcu;
  const bool long_mode = (context.efer & x64::efer::lma) != 0;
  const uint64_t bytes = long_mode ? 16 : 8;
  const auto address = descriptor_address(context, selector, bytes);
  if (!address || (selector & x64::selector_error::ti) != 0) return general_protection(error);
  uint64_t raw[2] = {0, 0};
  if (auto fault =
          with.memory.read(*address, {reinterpret_cast<uint8_t*>(raw), bytes}, Privilege::Implicit))
    return refused(*fault);
  Descriptor descriptor{raw[0]};
  const uint16_t type = descriptor.attributes() & (x64::segment::type | x64::segment::s);
  const bool wanted = task ? (type == x64::segment::type_tss_available || (!long_mode && type == 1))
                           : type == x64::segment::type_ldt;
  if (!wanted) return general_protection(error);
  if ((descriptor.attributes() & x64::segment::present) == 0)
    return raise(static_cast<uint8_t>(x64::Vector::SegmentNotPresent), error);
  vtl::Segment loaded = segment_of(descriptor, selector);
  loaded.base |= (raw[1] & 0xffffffff) << 32;
  if (!x64::is_canonical(loaded.base, x64::linear_address_bits(context.cr4))) return general_protection(error);
  constexpr uint16_t busy = 2;
  if (task) loaded.attributes |= busy;
  const auto name = task ? abi::hv::RegisterName::Tr : abi::hv::RegisterName::Ldtr;
  if (auto exit = intercept_write(vp, in, name, loaded)) return *exit;
  if (task) {
    const auto access = static_cast<uint8_t>(raw[0] >> 40 | busy);
    if (auto fault = with.memory.write_value(*address + 5, access, Privilege::Implicit))
      return refused(*fault);
  }
  (task ? context.tr : context.ldtr) = loaded;
  return retire();
}

}  // namespace

Emulation emulate_descriptor_tables(const Instruction& in, VirtualProcessor& vp,
                                    const Surroundings& with) {
  if (in.map != OpcodeMap::Two0F) return {};
  if (in.opcode == 0x00) {
    switch (in.reg_field()) {
      case 0:
        return store_selector(in, vp, with, vp.context().ldtr.selector);
      case 1:
        return store_selector(in, vp, with, vp.context().tr.selector);
      case 2:
      case 3:
        return load_system_segment(in, vp, with);
      default:
        return {};
    }
  }
  if (in.opcode != 0x01 || in.mod() == 3) return {};
  switch (in.reg_field()) {
    case 0:
    case 1:
      return store_table(in, vp, with);
    case 2:
    case 3:
      return load_table(in, vp, with);
    default:
      return {};
  }
}

}  // namespace cpu
