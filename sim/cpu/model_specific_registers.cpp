// RDMSR and WRMSR of the registers that the processor owns (abi/x64/msr.def); all others are an exit.
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "sim/cpu/interception.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
using vtl::VtlContext;

enum class Msr : uint32_t {
#define X64_MSR(name, number, access, source) name = number,
#include "abi/x64/msr.def"
#undef X64_MSR
};

/// Fields that read and write as they are; null for the others.
uint64_t* plain_field(VtlContext& context, Msr msr) {
  switch (msr) {
    case Msr::SysenterCs:
      return &context.sysenter_cs;
    case Msr::SysenterEsp:
      return &context.sysenter_esp;
    case Msr::SysenterEip:
      return &context.sysenter_eip;
    case Msr::Pat:
      return &context.pat;
    case Msr::Star:
      return &context.star;
    case Msr::Lstar:
      return &context.lstar;
    case Msr::Cstar:
      return &context.cstar;
    case Msr::Fmask:
      return &context.sfmask;
    case Msr::FsBase:
      return &context.segments[vtl::Fs].base;
    case Msr::GsBase:
      return &context.segments[vtl::Gs].base;
    case Msr::KernelGsBase:
      return &context.kernel_gs_base;
    case Msr::TscAux:
      return &context.tsc_aux;
    default:
      return nullptr;
  }
}

bool accepts(const VtlContext& context, Msr msr, uint64_t value) {
  switch (msr) {
    case Msr::SysenterEsp:
    case Msr::SysenterEip:
    case Msr::Lstar:
    case Msr::Cstar:
    case Msr::FsBase:
    case Msr::GsBase:
    case Msr::KernelGsBase:
      return x64::is_canonical(value, x64::linear_address_bits(context.cr4));
    case Msr::SysenterCs:
    case Msr::TscAux:
    case Msr::Fmask:
      return (value >> 32) == 0;
    case Msr::Pat:
      for (unsigned i = 0; i < 8; ++i) {
        const uint64_t type = (value >> (8 * i)) & 0xff;
        if (type > 7 || type == 2 || type == 3) return false;
      }
      return true;
    default:
      return true;
  }
}

Emulation exit_for(vtl::ExitReason reason, uint32_t msr, uint64_t value) {
  Emulation result;
  result.kind = Emulation::Kind::Exit;
  result.exit.reason = reason;
  result.exit.msr = msr;
  result.exit.value = value;
  return result;
}

Emulation answer(vtl::VirtualProcessor& vp, uint64_t value) {
  vp.shared.gpr[vtl::Rax] = value & 0xffffffff;
  vp.shared.gpr[vtl::Rdx] = value >> 32;
  return retire();
}

Emulation write_efer(VtlContext& context, uint64_t value) {
  constexpr uint64_t known = x64::efer::sce | x64::efer::lme | x64::efer::lma | x64::efer::nxe;
  const bool paging = (context.cr0 & x64::cr0::pg) != 0;
  if ((value & ~known) != 0 || (paging && ((value ^ context.efer) & x64::efer::lme) != 0))
    return general_protection();
  context.efer = (value & ~x64::efer::lma) | (context.efer & x64::efer::lma);
  return retire();
}

}  // namespace

Emulation read_msr(vtl::VirtualProcessor& vp, const Surroundings& with) {
  if (vp.cpl() != 0) return general_protection();
  VtlContext& context = vp.context();
  const auto number = static_cast<uint32_t>(vp.shared.gpr[vtl::Rcx]);
  const auto msr = static_cast<Msr>(number);
  if (intercepts_msr_read(context, number))
    return exit_for(vtl::ExitReason::MsrRead, number, 0);
  if (const uint64_t* field = plain_field(context, msr)) return answer(vp, *field);
  switch (msr) {
    case Msr::TimeStampCounter:
      return answer(vp, with.instant + context.tsc_offset);
    case Msr::Efer:
      return answer(vp, context.efer);
    case Msr::MiscEnable:
      return answer(vp, context.misc_enable);
    case Msr::MtrrCap:
    case Msr::PlatformId:
    case Msr::BiosSignId:
    case Msr::McgCap:
    case Msr::McgStatus:
      return answer(vp, 0);
    case Msr::MtrrDefType:
      return answer(vp, 0x806);
    default:
      return exit_for(vtl::ExitReason::MsrRead, number, 0);
  }
}

Emulation write_msr(vtl::VirtualProcessor& vp, const Surroundings& with) {
  if (vp.cpl() != 0) return general_protection();
  VtlContext& context = vp.context();
  const auto number = static_cast<uint32_t>(vp.shared.gpr[vtl::Rcx]);
  const uint64_t value = (vp.shared.gpr[vtl::Rdx] << 32) | (vp.shared.gpr[vtl::Rax] & 0xffffffff);
  const auto msr = static_cast<Msr>(number);
  if (intercepts_msr_write(context, number, value))
    return exit_for(vtl::ExitReason::MsrWrite, number, value);
  if (uint64_t* field = plain_field(context, msr)) {
    if (!accepts(context, msr, value)) return general_protection();
    *field = value;
    return retire();
  }
  switch (msr) {
    case Msr::TimeStampCounter:
      context.tsc_offset = value - with.instant;
      return retire();
    case Msr::Efer:
      return write_efer(context, value);
    case Msr::BiosSignId:
    case Msr::McgStatus:
      return retire();
    case Msr::MiscEnable:
      if (value > 1) return general_protection();  // fast strings, and nothing else
      context.misc_enable = value;
      return retire();
    case Msr::MtrrCap:
    case Msr::PlatformId:
    case Msr::McgCap:
    case Msr::MtrrDefType:
      return general_protection();
    default:
      return exit_for(vtl::ExitReason::MsrWrite, number, value);
  }
}

}  // namespace cpu
