// MOV to and from CR and DR, CLTS, LMSW, SMSW, INVLPG, INVPCID (SDM vol. 2; vol. 3, 2.5, 4.10.4.1, 18.2).
#include <array>

#include "abi/x64/exceptions.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "sim/cpu/interception.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::VirtualProcessor;
using vtl::VtlContext;

constexpr uint64_t cr0_kept = x64::cr0::pe | x64::cr0::mp | x64::cr0::em | x64::cr0::ts |
                              x64::cr0::ne | x64::cr0::wp | x64::cr0::am | x64::cr0::nw |
                              x64::cr0::cd | x64::cr0::pg;
constexpr uint64_t cr4_allowed =
    x64::cr4::la57 | x64::cr4::tsd | x64::cr4::de | x64::cr4::pse | x64::cr4::pae |
    x64::cr4::mce | x64::cr4::pge | x64::cr4::pce | x64::cr4::osfxsr | x64::cr4::osxmmexcpt |
    x64::cr4::umip | x64::cr4::fsgsbase | x64::cr4::osxsave | x64::cr4::pcide | x64::cr4::smep | x64::cr4::smap;
constexpr uint64_t cr3_no_flush = uint64_t{1} << 63;

/// The address space as the registers have it now.
mmu::AddressSpace space_with(const Surroundings& with, const VtlContext& context) {
  mmu::AddressSpace space = with.memory.space();
  space.stage1.cr0 = context.cr0;
  space.stage1.cr3 = context.cr3;
  space.stage1.cr4 = context.cr4;
  space.stage1.efer = context.efer;
  return space;
}

constexpr uint64_t pae_page_attributes = x64::cr4::pge | x64::cr4::pse | x64::cr4::pae | x64::cr4::smep;

/// Loads the page-directory-pointer entries if the registers, as they will be, ask for PAE paging (SDM vol. 3, 4.4.1).
std::optional<Emulation> load_pointers(VtlContext& context, const mmu::Stage1Registers& next,
                                       const Surroundings& with) {
  if (mmu::paging_mode(next) != mmu::PagingMode::Pae) return std::nullopt;
  mmu::AddressSpace space = with.memory.space();
  space.stage1 = next;
  space.stage1.cr0 &= ~x64::cr0::pg;  // CR3 is a guest physical address
  const mmu::Gva address{next.cr3 & x64::pae_paging::table_mask};
  const mmu::Translator& translator = with.memory.translator();
  const auto where = translator.walk_only(space, {address, mmu::AccessKind::Read, false, false}, nullptr);
  if (!where.ok) {
    MemoryFault fault{where.fault, mmu::AccessKind::Read};
    fault.fault.paging_structure = true;
    return refused(fault);
  }
  std::array<uint64_t, 4> pointers;
  pointers.fill(~uint64_t{0});
  (void)translator.memory().read(
      where.translation.spa, {reinterpret_cast<uint8_t*>(pointers.data()), sizeof pointers});
  const uint64_t beyond = ~uint64_t{0} << translator.config().physical_address_bits;
  for (const uint64_t pointer : pointers) {
    const bool present = (pointer & x64::pte::present) != 0;
    if (present && (pointer & (x64::pae_paging::pointer_reserved | beyond)) != 0)
      return general_protection();
  }
  context.pdpte = pointers;
  return std::nullopt;
}

Emulation write_cr0(const Instruction& in, VirtualProcessor& vp, uint64_t value,
                    const Surroundings& with) {
  VtlContext& context = vp.context();
  if (auto exit = intercept_write(vp, in, abi::hv::RegisterName::Cr0, value)) return *exit;
  const bool pg = (value & x64::cr0::pg) != 0, was_pg = (context.cr0 & x64::cr0::pg) != 0;
  if ((value >> 32) != 0 || (pg && (value & x64::cr0::pe) == 0) ||
      ((value & x64::cr0::nw) != 0 && (value & x64::cr0::cd) == 0))
    return general_protection();
  const bool code_64 = (context.segments[vtl::Cs].attributes & x64::segment::long_mode) != 0;
  const bool long_mode = (context.efer & x64::efer::lme) != 0;
  if (pg && !was_pg && long_mode && ((context.cr4 & x64::cr4::pae) == 0 || code_64))
    return general_protection();
  if (!pg && was_pg &&
      ((context.cr4 & x64::cr4::pcide) != 0 || ((context.efer & x64::efer::lma) != 0 && code_64)))
    return general_protection();
  mmu::Stage1Registers next{.cr0 = (value & cr0_kept) | x64::cr0::et,
                            .cr3 = context.cr3,
                            .cr4 = context.cr4,
                            .efer = context.efer};
  if (pg != was_pg) {
    next.efer &= ~x64::efer::lma;
    if (pg && long_mode) next.efer |= x64::efer::lma;
  }
  const bool loads = ((next.cr0 ^ context.cr0) & (x64::cr0::cd | x64::cr0::nw | x64::cr0::pg)) != 0;
  if (loads) {
    if (auto failure = load_pointers(context, next, with)) return *failure;
  }
  context.cr0 = next.cr0;
  context.efer = next.efer;
  if (pg != was_pg) with.memory.translator().invalidate_all(space_with(with, context), false);
  return retire();
}

Emulation write_cr3(VtlContext& context, uint64_t value, const Surroundings& with) {
  const bool pcid = (context.cr4 & x64::cr4::pcide) != 0;
  const bool keep = pcid && (value & cr3_no_flush) != 0;
  if (keep) value &= ~cr3_no_flush;
  const bool long_mode = (context.efer & x64::efer::lma) != 0;
  if (long_mode && (value >> with.memory.translator().config().physical_address_bits) != 0)
    return general_protection();
  const mmu::Stage1Registers next{
      .cr0 = context.cr0, .cr3 = value, .cr4 = context.cr4, .efer = context.efer};
  if (auto failure = load_pointers(context, next, with)) return *failure;
  context.cr3 = value;
  if (!keep) {
    const mmu::AddressSpace space = space_with(with, context);
    with.memory.translator().invalidate_pcid(space, mmu::current_pcid(space));
  }
  return retire();
}

Emulation write_cr4(const Instruction& in, VirtualProcessor& vp, uint64_t value,
                    const Surroundings& with) {
  VtlContext& context = vp.context();
  if (auto exit = intercept_write(vp, in, abi::hv::RegisterName::Cr4, value)) return *exit;
  const uint64_t changed = value ^ context.cr4;
  const bool long_mode = (context.efer & x64::efer::lma) != 0;
  if ((value & ~cr4_allowed) != 0) return general_protection();
  if (long_mode && (value & x64::cr4::pae) == 0) return general_protection();
  const bool sets_pcid = (changed & value & x64::cr4::pcide) != 0;
  if (sets_pcid && (!long_mode || (context.cr3 & mmu::control::cr3_pcid_mask) != 0))
    return general_protection();
  if (long_mode && (changed & x64::cr4::la57) != 0) return general_protection();
  if ((changed & pae_page_attributes) != 0) {
    const mmu::Stage1Registers next{
        .cr0 = context.cr0, .cr3 = context.cr3, .cr4 = value, .efer = context.efer};
    if (auto failure = load_pointers(context, next, with)) return *failure;
  }
  context.cr4 = value;
  const bool flushes = (changed & (x64::cr4::pge | x64::cr4::pae | x64::cr4::pse | x64::cr4::la57)) != 0 ||
                       (changed & value & x64::cr4::smep) != 0 ||
                       (changed & ~value & x64::cr4::pcide) != 0;
  if (flushes) with.memory.translator().invalidate_all(space_with(with, context), false);
  return retire();
}

Emulation write_cr8(VtlContext& context, uint64_t value) {
  if (value > 15) return general_protection();
  context.tpr = static_cast<uint8_t>(value << 4);
  Emulation result = retire();
  result.ends_slice = true;  // a lower priority may let an interrupt in
  return result;
}

Emulation move_control(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  VtlContext& context = vp.context();
  const uint8_t number = in.reg();
  const uint8_t size = in.code_size == CodeSize::Bits64 ? 8 : 4;
  if (in.lock || is_undefined_control_register(in)) return invalid_opcode();
  if (vp.cpl() != 0) return general_protection();
  if (in.opcode == 0x20) {
    uint64_t value = 0;
    switch (number) {
      case 0:
        value = context.cr0;
        break;
      case 2:
        value = vp.shared.cr2;
        break;
      case 3:
        value = context.cr3;
        break;
      case 4:
        value = context.cr4;
        break;
      case 8:
        value = context.tpr >> 4;
        break;
      default:
        return invalid_opcode();
    }
    write_general(vp, in.rm(), size, value);
    return retire();
  }
  uint64_t value = general_register(vp, in.rm());
  if (size == 4) value &= 0xffffffff;
  switch (number) {
    case 0:
      return write_cr0(in, vp, value, with);
    case 2:
      vp.shared.cr2 = value;
      return retire();
    case 3:
      return write_cr3(context, value, with);
    case 4:
      return write_cr4(in, vp, value, with);
    case 8:
      return write_cr8(context, value);
    default:
      return invalid_opcode();
  }
}

Emulation move_debug(const Instruction& in, VirtualProcessor& vp) {
  VtlContext& context = vp.context();
  uint8_t number = in.reg();
  if (number > 7) return invalid_opcode();
  if (number == 4 || number == 5) {
    if ((context.cr4 & x64::cr4::de) != 0) return invalid_opcode();
    number = static_cast<uint8_t>(number + 2);
  }
  if (vp.cpl() != 0) return general_protection();
  if ((context.dr7 & x64::dr7::gd) != 0) {
    Emulation result = raise(static_cast<uint8_t>(x64::Vector::Debug));
    result.exception.parameter = x64::dr6::bd;
    return result;
  }
  const uint8_t size = in.code_size == CodeSize::Bits64 ? 8 : 4;
  if (in.opcode == 0x21) {
    const uint64_t value = number < 4    ? vp.shared.dr[number]
                           : number == 6 ? vp.shared.dr6
                                         : context.dr7;
    write_general(vp, in.rm(), size, value);
    return retire();
  }
  uint64_t value = general_register(vp, in.rm());
  if (size == 4) value &= 0xffffffff;
  if (number >= 6 && (value >> 32) != 0) return general_protection();
  if (number < 4) vp.shared.dr[number] = value;
  if (number == 6) vp.shared.dr6 = (value & 0xe00f) | x64::dr6::fixed_ones;
  if (number == 7) context.dr7 = (value & 0xffff23ff) | x64::dr7::fixed_one;
  return retire();
}

Emulation invalidate_page(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (vp.cpl() != 0) return general_protection();
  with.memory.translator().invalidate_address(with.memory.space(),
                                              mmu::Gva{linear_address(in, vp)});
  return retire();
}

Emulation invalidate_pcid(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (in.mod() == 3 || !in.operand_size_prefix) return invalid_opcode();
  if (vp.cpl() != 0) return general_protection();
  struct {
    uint64_t pcid, address;
  } descriptor{};
  if (auto fault =
          with.memory.read_value(linear_address(in, vp), descriptor, Privilege::Supervisor))
    return refused(*fault);
  uint64_t type = general_register(vp, in.reg());
  if (in.code_size != CodeSize::Bits64) type &= 0xffffffff;
  const bool enabled = (vp.context().cr4 & x64::cr4::pcide) != 0;
  if (type > 3 || (descriptor.pcid >> 12) != 0) return general_protection();
  if (type < 2 && !enabled && descriptor.pcid != 0) return general_protection();
  if (type == 0 && !x64::is_canonical(descriptor.address, x64::linear_address_bits(vp.context().cr4)))
    return general_protection();
  mmu::Translator& translator = with.memory.translator();
  const mmu::AddressSpace& space = with.memory.space();
  const auto pcid = static_cast<uint16_t>(descriptor.pcid);
  switch (type) {
    case 0:
      translator.invalidate_address_in_pcid(space, pcid, mmu::Gva{descriptor.address});
      break;
    case 1:
      translator.invalidate_pcid(space, pcid);
      break;
    case 2:
      translator.invalidate_all(space, false);
      break;
    default:
      translator.invalidate_all(space, true);
  }
  return retire();
}

Emulation load_machine_status(const Instruction& in, VirtualProcessor& vp,
                              const Surroundings& with) {
  if (vp.cpl() != 0) return general_protection();
  uint16_t value = 0;
  if (in.mod() == 3) {
    value = static_cast<uint16_t>(general_register(vp, in.rm()));
  } else if (auto fault =
                 with.memory.read_value(linear_address(in, vp), value, Privilege::Supervisor)) {
    return refused(*fault);
  }
  const uint64_t kept = vp.context().cr0 & ~uint64_t{0xe};  // PE can be set, not cleared
  return write_cr0(in, vp, kept | (value & 0xfu), with);
}

Emulation store_machine_status(const Instruction& in, VirtualProcessor& vp,
                               const Surroundings& with) {
  const VtlContext& context = vp.context();
  if (vp.cpl() != 0 && (context.cr4 & x64::cr4::umip) != 0) return general_protection();
  if (in.mod() == 3) {
    write_general(vp, in.rm(), in.operand_size, context.cr0);
    return retire();
  }
  const auto value = static_cast<uint16_t>(context.cr0);
  if (auto fault =
          with.memory.write_value(linear_address(in, vp), value, explicit_privilege(vp.cpl())))
    return refused(*fault);
  return retire();
}

}  // namespace

Emulation emulate_control(const Instruction& in, VirtualProcessor& vp, const Surroundings& with) {
  if (in.is(OpcodeMap::Three0F38, 0x82)) return invalidate_pcid(in, vp, with);
  if (in.map != OpcodeMap::Two0F) return {};
  switch (in.opcode) {
    case 0x06:
      if (vp.cpl() != 0) return general_protection();
      return write_cr0(in, vp, vp.context().cr0 & ~x64::cr0::ts, with);
    case 0x20:
    case 0x22:
      return move_control(in, vp, with);
    case 0x21:
    case 0x23:
      return move_debug(in, vp);
    case 0x01:
      if (in.reg_field() == 4) return store_machine_status(in, vp, with);
      if (in.reg_field() == 6) return load_machine_status(in, vp, with);
      if (in.reg_field() == 7 && in.mod() != 3) return invalidate_page(in, vp, with);
      return {};
    default:
      return {};
  }
}

}  // namespace cpu
