#include "sim/cpu/interception.h"

#include "abi/hv/vsm_registers.h"

namespace cpu {
namespace {

using abi::hv::CrInterceptControl;
using abi::hv::RegisterName;

enum class Msr : uint32_t {
#define X64_MSR(name, number, access, source) name = number,
#include "abi/x64/msr.def"
#undef X64_MSR
};

bool wanted(const vtl::VirtualProcessor& vp, RegisterName name, uint64_t value) {
  const vtl::VtlContext& context = vp.context();
  const CrInterceptControl control{context.interceptions.registers};
  switch (name) {
    case RegisterName::Cr0:
      return control.cr0_write() && ((context.cr0 ^ value) & context.interceptions.cr0_mask) != 0;
    case RegisterName::Cr4:
      return control.cr4_write() && ((context.cr4 ^ value) & context.interceptions.cr4_mask) != 0;
    case RegisterName::Xfem:
      return control.xcr0_write();
    case RegisterName::Gdtr:
      return control.gdtr_write();
    case RegisterName::Idtr:
      return control.idtr_write();
    case RegisterName::Ldtr:
      return control.ldtr_write();
    case RegisterName::Tr:
      return control.tr_write();
    default:
      return false;
  }
}

}  // namespace

std::optional<Emulation> intercept_write(const vtl::VirtualProcessor& vp, const Instruction& in,
                                         RegisterName name, uint64_t low, uint64_t high) {
  if (vp.context().interceptions.registers == 0 || !wanted(vp, name, low)) return std::nullopt;
  Emulation result;
  result.kind = Emulation::Kind::Exit;
  result.exit.reason = vtl::ExitReason::RegisterAccess;
  const bool moves_register = in.map == OpcodeMap::Two0F && (in.opcode == 0x20 || in.opcode == 0x22);
  const bool memory = in.has_modrm && in.mod() != 3 && !moves_register;
  result.exit.register_access = {static_cast<uint32_t>(name), true, memory, low, high};
  return result;
}

std::optional<Emulation> intercept_write(const vtl::VirtualProcessor& vp, const Instruction& in,
                                         RegisterName name, const vtl::DescriptorTable& table) {
  return intercept_write(vp, in, name, uint64_t{table.limit} << 48, table.base);
}

std::optional<Emulation> intercept_write(const vtl::VirtualProcessor& vp, const Instruction& in,
                                         RegisterName name, const vtl::Segment& segment) {
  return intercept_write(
      vp, in, name, segment.base,
      segment.limit | uint64_t{segment.selector} << 32 | uint64_t{segment.attributes} << 48);
}

bool intercepts_msr_read(const vtl::VtlContext& context, uint32_t msr) {
  const CrInterceptControl control{context.interceptions.registers};
  switch (static_cast<Msr>(msr)) {
    case Msr::MiscEnable:
      return control.misc_enable_read();
    case Msr::Lstar:
      return control.lstar_read();
    case Msr::Star:
      return control.star_read();
    case Msr::Cstar:
      return control.cstar_read();
    case Msr::Efer:
      return control.efer_read();
    default:
      return false;
  }
}

bool intercepts_msr_write(const vtl::VtlContext& context, uint32_t msr, uint64_t value) {
  const CrInterceptControl control{context.interceptions.registers};
  switch (static_cast<Msr>(msr)) {
    case Msr::MiscEnable:
      return control.misc_enable_write() &&
             ((context.misc_enable ^ value) & context.interceptions.misc_enable_mask) != 0;
    case Msr::Lstar:
      return control.lstar_write();
    case Msr::Star:
      return control.star_write();
    case Msr::Cstar:
      return control.cstar_write();
    case Msr::Efer:
      return control.efer_write();
    case Msr::SysenterCs:
      return control.sysenter_cs_write();
    case Msr::SysenterEip:
      return control.sysenter_eip_write();
    case Msr::SysenterEsp:
      return control.sysenter_esp_write();
    case Msr::Fmask:
      return control.sfmask_write();
    case Msr::TscAux:
      return control.tsc_aux_write();
    default:
      return false;
  }
}

}  // namespace cpu
