// HvCallGetVpRegisters and HvCallSetVpRegisters (TLFS 7.10; section 3.8).
#include <utility>

#include "abi/hv/msrs.h"
#include "vtl/hypervisor.h"
#include "vtl/register_rules.h"

namespace vtl {

using namespace abi::hv;

namespace {

constexpr uint32_t mxcsr_bits = 0xFFFF;

constexpr uint32_t number_of(RegisterName name) {
  return static_cast<uint32_t>(name);
}
constexpr bool between(RegisterName name, RegisterName first, RegisterName last) {
  return number_of(name) >= number_of(first) && number_of(name) <= number_of(last);
}

/// Registers of the processor, as opposed to those of the hypervisor: a VTL has instructions for
/// its own.
constexpr bool is_architectural(uint32_t name) {
  return name >= 0x00010000 && name < 0x00090000;
}

/// A processor is suspended and woken by its parent alone.
constexpr bool is_suspension(RegisterName name) {
  return name == RegisterName::ExplicitSuspend || name == RegisterName::InterceptSuspend ||
         name == RegisterName::InternalActivityState;
}

/// Where a 64-bit register lives that needs nothing but its value; null for all others.
uint64_t* plain_register(VirtualProcessor& vp, Vtl vtl, RegisterName name) {
  VtlContext& own = vp.contexts[vtl];
  SharedRegisters& shared = vp.shared;
  if (between(name, RegisterName::Rax, RegisterName::R15)) {
    if (name == RegisterName::Rsp) return &own.rsp;
    return &shared.gpr[number_of(name) - number_of(RegisterName::Rax)];
  }
  if (between(name, RegisterName::Dr0, RegisterName::Dr3)) {
    return &shared.dr[number_of(name) - number_of(RegisterName::Dr0)];
  }
  switch (name) {
    case RegisterName::Rip:
      return &own.rip;
    case RegisterName::Rflags:
      return &own.rflags;
    case RegisterName::Cr0:
      return &own.cr0;
    case RegisterName::Cr2:
      return &shared.cr2;
    case RegisterName::Cr3:
      return &own.cr3;
    case RegisterName::Cr4:
      return &own.cr4;
    case RegisterName::Xfem:
      return &shared.xcr0;
    case RegisterName::Dr6:
      return &shared.dr6;
    case RegisterName::Dr7:
      return &own.dr7;
    case RegisterName::Efer:
      return &own.efer;
    case RegisterName::KernelGsBase:
      return &own.kernel_gs_base;
    case RegisterName::Pat:
      return &own.pat;
    case RegisterName::SysenterCs:
      return &own.sysenter_cs;
    case RegisterName::SysenterEip:
      return &own.sysenter_eip;
    case RegisterName::SysenterEsp:
      return &own.sysenter_esp;
    case RegisterName::Star:
      return &own.star;
    case RegisterName::Lstar:
      return &own.lstar;
    case RegisterName::Cstar:
      return &own.cstar;
    case RegisterName::Sfmask:
      return &own.sfmask;
    case RegisterName::TscAux:
      return &own.tsc_aux;
    case RegisterName::MsrIa32MiscEnable:
      return &own.misc_enable;
    default:
      return nullptr;
  }
}

Segment* segment_of(VirtualProcessor& vp, Vtl vtl, RegisterName name) {
  VtlContext& own = vp.contexts[vtl];
  if (name == RegisterName::Ldtr) return &own.ldtr;
  if (name == RegisterName::Tr) return &own.tr;
  if (!between(name, RegisterName::Es, RegisterName::Gs)) return nullptr;
  return &own.segments[number_of(name) - number_of(RegisterName::Es)];
}

DescriptorTable* table_of(VirtualProcessor& vp, Vtl vtl, RegisterName name) {
  if (name == RegisterName::Idtr) return &vp.contexts[vtl].idtr;
  if (name == RegisterName::Gdtr) return &vp.contexts[vtl].gdtr;
  return nullptr;
}

Xmm* xmm_of(VirtualProcessor& vp, RegisterName name) {
  if (!between(name, RegisterName::Xmm0, RegisterName::Xmm15)) return nullptr;
  return &vp.shared.fp.xmm[number_of(name) - number_of(RegisterName::Xmm0)];
}

Xmm* st_of(VirtualProcessor& vp, RegisterName name) {
  if (!between(name, RegisterName::FpMmx0, RegisterName::FpMmx7)) return nullptr;
  return &vp.shared.fp.st[number_of(name) - number_of(RegisterName::FpMmx0)];
}

/// HV_X64_FP_CONTROL_STATUS_REGISTER and HV_X64_XMM_CONTROL_STATUS_REGISTER, as FXSAVE has them.
RegisterValue fp_control(const FloatingPoint& fp) {
  return {fp.control | uint64_t{fp.status} << 16 | uint64_t{fp.tag} << 32 |
              uint64_t{fp.opcode} << 48,
          fp.instruction};
}
RegisterValue xmm_control(const FloatingPoint& fp) {
  return {fp.operand, fp.mxcsr | uint64_t{mxcsr_bits} << 32};
}
HvStatus set_fp_control(FloatingPoint& fp, const RegisterValue& value) {
  constexpr uint64_t reserved = uint64_t{0xFF} << 40;
  if ((value.low & reserved) != 0) return HvStatus::InvalidRegisterValue;
  fp.control = static_cast<uint16_t>(value.low);
  fp.status = static_cast<uint16_t>(value.low >> 16);
  fp.tag = static_cast<uint8_t>(value.low >> 32);
  fp.opcode = static_cast<uint16_t>(value.low >> 48);
  fp.instruction = value.high;
  return HvStatus::Success;
}
HvStatus set_xmm_control(FloatingPoint& fp, const RegisterValue& value) {
  const auto mxcsr = static_cast<uint32_t>(value.high);
  if ((mxcsr & ~mxcsr_bits) != 0) return HvStatus::InvalidRegisterValue;  // #GP in LDMXCSR
  fp.operand = value.low;
  fp.mxcsr = mxcsr;
  return HvStatus::Success;
}

/// The MSR that is the same register under another name; 0 for none.
uint32_t msr_of(RegisterName name) {
  if (between(name, RegisterName::Sint0, RegisterName::Sint15)) {
    return msr::Sint0 + number_of(name) - number_of(RegisterName::Sint0);
  }
  if (between(name, RegisterName::GuestCrashP0, RegisterName::GuestCrashCtl)) {
    return msr::CrashP0 + number_of(name) - number_of(RegisterName::GuestCrashP0);
  }
  if (between(name, RegisterName::Stimer0Config, RegisterName::Stimer3Count)) {
    return msr::Stimer0Config + number_of(name) - number_of(RegisterName::Stimer0Config);
  }
  switch (name) {
    case RegisterName::VpRuntime:
      return msr::VpRuntime;
    case RegisterName::TimeRefCount:
      return msr::TimeRefCount;
    case RegisterName::Sirbp:
      return msr::Sirbp;
    case RegisterName::Hypercall:
      return msr::Hypercall;
    case RegisterName::GuestOsId:
      return msr::GuestOsId;
    case RegisterName::VpIndex:
      return msr::VpIndex;
    case RegisterName::VpAssistPage:
      return msr::VpAssistPage;
    case RegisterName::ReferenceTsc:
      return msr::ReferenceTsc;
    case RegisterName::Scontrol:
      return msr::Scontrol;
    case RegisterName::Sversion:
      return msr::Sversion;
    case RegisterName::Sifp:
      return msr::Siefp;
    case RegisterName::Sipp:
      return msr::Simp;
    case RegisterName::Eom:
      return msr::Eom;
    case RegisterName::ApicBase:
      return apic::msr_base;
    default:
      return 0;
  }
}

/// What waits to be delivered, of the two that this register can say.
PendingInterruption pending_interruption(const VtlContext& own) {
  constexpr uint16_t nmi = 2;
  const PendingInterruption pending = PendingInterruption{}.with_interruption_pending(true);
  if (own.exception_pending) {
    return pending.with_interruption_type(static_cast<uint8_t>(InterruptionType::Exception))
        .with_deliver_error_code(own.pending.has_error_code)
        .with_interruption_vector(own.pending.vector)
        .with_error_code(own.pending.error_code);
  }
  if (own.nmi_pending)
    return pending.with_interruption_type(static_cast<uint8_t>(InterruptionType::Nmi))
        .with_interruption_vector(nmi);
  return {};
}

template <class T>
RegisterValue value_of(const T& bytes) {
  static_assert(sizeof(T) == sizeof(RegisterValue));
  return __builtin_bit_cast(RegisterValue, bytes);
}

/// Registers on which translations depend: a change from outside drops what was cached.
bool changes_translation(RegisterName name) {
  return name == RegisterName::Cr0 || name == RegisterName::Cr3 || name == RegisterName::Cr4 ||
         name == RegisterName::Efer;
}

}  // namespace

CallResult Hypervisor::on(Tag<CallCode::GetVpRegisters>, const CallContext& context,
                          const abi::hv::GetVpRegisters& input,
                          std::span<const RegisterNameElement> names,
                          std::span<RegisterValue> values) {
  VpState* target{};
  Vtl vtl{};
  HvStatus status = find_target(context, input, target, vtl);
  size_t done = 0;
  for (; status == HvStatus::Success && done < names.size(); ++done) {
    status = check_register(context, *target, vtl, names[done].name);
    if (status != HvStatus::Success) break;
    values[done] = {};
    status = get_register(*target, vtl, static_cast<RegisterName>(names[done].name), context.now,
                          values[done]);
    if (status != HvStatus::Success) break;
  }
  return {status, done};
}

CallResult Hypervisor::on(Tag<CallCode::SetVpRegisters>, const CallContext& context,
                          const abi::hv::GetVpRegisters& input,
                          std::span<const RegisterAssignment> assignments) {
  VpState* target{};
  Vtl vtl{};
  HvStatus status = find_target(context, input, target, vtl);
  size_t done = 0;
  for (; status == HvStatus::Success && done < assignments.size(); ++done) {
    const RegisterAssignment& assignment = assignments[done];
    status = check_register(context, *target, vtl, assignment.name);
    if (status != HvStatus::Success) break;
    const bool own = target->partition == &context.partition;
    if (find_register(assignment.name)->access == RegisterAccess::ReadOnly ||
        (own && is_suspension(static_cast<RegisterName>(assignment.name)))) {
      status = HvStatus::AccessDenied;
      break;
    }
    status = set_register(*target, vtl, static_cast<RegisterName>(assignment.name), context.now,
                          assignment.value);
    if (status != HvStatus::Success) break;
  }
  return {status, done};
}

/// Whose registers: the processor and VTL that the header names.
HvStatus Hypervisor::find_target(const CallContext& context, const abi::hv::GetVpRegisters& input,
                                 VpState*& vp, Vtl& vtl) {
  if (!context.partition.privileges.access_vp_registers()) return HvStatus::AccessDenied;
  Partition* const partition = target_partition(context, input.target_partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  const bool own = partition == &context.partition;
  const uint32_t index =
      own && input.target_vp == vp_self ? context.registers.index : input.target_vp;
  vp = partition->find_vp(index);
  if (vp == nullptr) return HvStatus::InvalidVpIndex;
  vtl = own ? context.vtl : Vtl::Vtl0;
  if (input.target_vtl.reserved() != 0) return HvStatus::InvalidParameter;
  if (input.target_vtl.use_target_vtl()) {
    const uint8_t target = input.target_vtl.target_vtl();
    // A parent may look into every VTL of its child.
    if (own && target > static_cast<uint8_t>(context.vtl)) return HvStatus::AccessDenied;
    if (target >= abi::hv::implemented_vtls) return HvStatus::InvalidParameter;
    vtl = static_cast<Vtl>(target);
  }
  return vp->enabled(vtl) ? HvStatus::Success : HvStatus::InvalidVtlState;
}

HvStatus Hypervisor::check_register(const CallContext& context, const VpState& target, Vtl vtl,
                                    uint32_t name) const {
  const RegisterInfo* info = find_register(name);
  if (info == nullptr || info->access == RegisterAccess::Unknown)
    return HvStatus::UnknownRegisterName;
  if (target.partition != &context.partition) return HvStatus::Success;
  const bool pending = info->number == RegisterName::PendingEvent0 ||
                       info->number == RegisterName::PendingEvent1;
  if (pending && vtl >= context.vtl) return HvStatus::InvalidParameter;
  if (is_architectural(name) && vtl == context.vtl) return HvStatus::AccessDenied;
  return HvStatus::Success;
}

HvStatus Hypervisor::get_register(VpState& vp, Vtl vtl, RegisterName name, Instant now,
                                  RegisterValue& value) {
  VirtualProcessor& registers = *vp.registers;
  const VtlContext& own = registers.contexts[vtl];
  if (const uint64_t* plain = plain_register(registers, vtl, name)) {
    value.low = *plain;
  } else if (const Segment* segment = segment_of(registers, vtl, name)) {
    value = value_of(segment_register_of(*segment));
  } else if (const DescriptorTable* table = table_of(registers, vtl, name)) {
    value = value_of(TableRegister{.reserved = {}, .limit = table->limit, .base = table->base});
  } else if (const Xmm* xmm = xmm_of(registers, name)) {
    value = {xmm->low, xmm->high};
  } else if (const Xmm* st = st_of(registers, name)) {
    value = {st->low, st->high};
  } else if (const uint32_t msr = msr_of(name)) {
    const auto read = read_msr(vp, vtl, msr, now);
    if (!read) return HvStatus::AccessDenied;
    value.low = *read;
  } else {
    switch (name) {
      case RegisterName::Cr8:
        value.low = own.tpr >> 4;
        break;
      case RegisterName::Tsc:
        value.low = now.ticks + own.tsc_offset;
        break;
      case RegisterName::InitialApicId:
        value.low = vp.vtls[vtl].apic.id();
        break;
      case RegisterName::InterruptState:
        value.low = InterruptState{}
                        .with_interrupt_shadow(own.interrupt_shadow)
                        .with_nmi_masked(own.nmi_masked)
                        .raw;
        break;
      case RegisterName::FpControlStatus:
        value = fp_control(registers.shared.fp);
        break;
      case RegisterName::XmmControlStatus:
        value = xmm_control(registers.shared.fp);
        break;
      case RegisterName::Xss:
      case RegisterName::PendingEvent1:
        break;  // never anything
      case RegisterName::PendingInterruption:
        value.low = pending_interruption(own).raw;
        break;
      case RegisterName::PendingEvent0:
        if (own.exception_pending) {
          value.low = PendingExceptionEvent{}
                          .with_event_pending(true)
                          .with_deliver_error_code(own.pending.has_error_code)
                          .with_vector(own.pending.vector)
                          .with_error_code(own.pending.error_code)
                          .raw;
          value.high = own.pending.parameter;
        }
        break;
      case RegisterName::HypervisorVersion:
      case RegisterName::PrivilegesAndFeaturesInfo:
      case RegisterName::FeaturesInfo:
      case RegisterName::ImplementationLimitsInfo:
      case RegisterName::HardwareFeaturesInfo: {
        const uint32_t leaf = name == RegisterName::HypervisorVersion
                                  ? abi::hv::cpuid::version_leaf
                                  : abi::hv::cpuid::features_leaf + number_of(name) -
                                        number_of(RegisterName::PrivilegesAndFeaturesInfo);
        value = value_of(hypervisor_cpuid(leaf, config_));
        break;
      }
      default:
        return get_vsm_register(vp, vtl, name, value.low);
    }
  }
  return HvStatus::Success;
}

HvStatus Hypervisor::set_register(VpState& vp, Vtl vtl, RegisterName name, Instant now,
                                  const RegisterValue& value) {
  VirtualProcessor& registers = *vp.registers;
  VtlContext& own = registers.contexts[vtl];
  const AddressBits bits{config_.physical_address_bits, abi::x64::linear_address_bits(own.cr4)};
  if (!valid_register(name, value.low, bits)) return HvStatus::InvalidRegisterValue;
  if (uint64_t* plain = plain_register(registers, vtl, name)) {
    const uint64_t before = std::exchange(*plain, stored_register(name, value.low));
    if (changes_translation(name) && !load_pointers(registers, vtl, own)) {
      *plain = before;  // PAE pointers that MOV CR would refuse
      return HvStatus::InvalidRegisterValue;
    }
    if (changes_translation(name)) translator_.invalidate_all(address_space(registers, vtl), false);
  } else if (Segment* segment = segment_of(registers, vtl, name)) {
    const auto wanted = __builtin_bit_cast(SegmentRegister, value);
    if (!valid_segment(wanted, bits)) return HvStatus::InvalidRegisterValue;
    *segment = vtl::segment_of(wanted);
  } else if (DescriptorTable* table = table_of(registers, vtl, name)) {
    const auto wanted = __builtin_bit_cast(TableRegister, value);
    if (!valid_register(RegisterName::Rip, wanted.base, bits)) return HvStatus::InvalidRegisterValue;
    *table = {wanted.base, wanted.limit};
  } else if (Xmm* xmm = xmm_of(registers, name)) {
    *xmm = {value.low, value.high};
  } else if (Xmm* st = st_of(registers, name)) {
    *st = {value.low, value.high & 0xFFFF};
  } else if (const uint32_t msr = msr_of(name)) {
    if (!write_msr(vp, vtl, msr, value.low, now)) return HvStatus::InvalidRegisterValue;
  } else {
    switch (name) {
      case RegisterName::Cr8:
        own.tpr = static_cast<uint8_t>(value.low << 4);
        break;
      case RegisterName::Tsc:
        own.tsc_offset = value.low - now.ticks;
        break;
      case RegisterName::InterruptState:
        own.interrupt_shadow = InterruptState{value.low}.interrupt_shadow();
        own.nmi_masked = InterruptState{value.low}.nmi_masked();
        break;
      case RegisterName::FpControlStatus:
        if (const HvStatus status = set_fp_control(registers.shared.fp, value);
            status != HvStatus::Success) {
          return status;
        }
        break;
      case RegisterName::XmmControlStatus:
        if (const HvStatus status = set_xmm_control(registers.shared.fp, value);
            status != HvStatus::Success) {
          return status;
        }
        break;
      case RegisterName::Xss:
        break;
      case RegisterName::PendingEvent1:
        if ((value.low & 1) != 0) return HvStatus::InvalidRegisterValue;
        break;
      case RegisterName::PendingInterruption:
        return set_pending_interruption(vp, vtl, PendingInterruption{value.low});
      case RegisterName::PendingEvent0:
        return set_pending_event(vp, vtl, value);
      default:
        return set_vsm_register(vp, vtl, name, value.low);
    }
  }
  ++own.changes;
  ++registers.context().changes;  // what all VTLs share is in the active one's engine
  interrupt_arrived(vp, vtl);  // RFLAGS or the TPR may no longer hold one back
  return HvStatus::Success;
}

/// An NMI or an exception for a lower VTL; the other types are what instructions raise.
HvStatus Hypervisor::set_pending_interruption(VpState& vp, Vtl vtl, PendingInterruption wanted) {
  VtlContext& own = vp.registers->contexts[vtl];
  constexpr uint16_t nmi = 2, last_exception = 31;
  if (!wanted.interruption_pending()) {
    own.nmi_pending = own.exception_pending = false;
    ++own.changes;
    return HvStatus::Success;
  }
  const uint16_t vector = wanted.interruption_vector();
  switch (static_cast<InterruptionType>(wanted.interruption_type())) {
    case InterruptionType::Nmi:
      if (vector != nmi || wanted.deliver_error_code()) return HvStatus::InvalidRegisterValue;
      own.nmi_pending = true;
      break;
    case InterruptionType::Exception:
      if (vector > last_exception || vector == nmi) return HvStatus::InvalidRegisterValue;
      own.exception_pending = true;
      own.pending = {.vector = static_cast<uint8_t>(vector),
                     .has_error_code = wanted.deliver_error_code(),
                     .error_code = wanted.error_code(),
                     .parameter = vp.registers->shared.cr2};
      break;
    default:
      return HvStatus::InvalidRegisterValue;
  }
  own.halted = false;
  if (vp.registers->active == vtl) vp.registers->halted = false;
  ++own.changes;
  return HvStatus::Success;
}

/// An exception for a lower VTL, delivered before its next instruction.
HvStatus Hypervisor::set_pending_event(VpState& vp, Vtl vtl, const RegisterValue& value) {
  const PendingExceptionEvent event{value.low};
  VtlContext& own = vp.registers->contexts[vtl];
  constexpr uint16_t last_exception = 31, nmi = 2;
  if (event.event_type() != static_cast<uint8_t>(PendingEventType::Exception) ||
      event.vector() > last_exception || event.vector() == nmi) {
    return HvStatus::InvalidRegisterValue;
  }
  own.exception_pending = event.event_pending();
  own.pending = {.vector = static_cast<uint8_t>(event.vector()),
                 .has_error_code = event.deliver_error_code(),
                 .error_code = event.error_code(),
                 .parameter = value.high};
  if (own.exception_pending) own.halted = false;
  ++own.changes;
  return HvStatus::Success;
}

}  // namespace vtl
