// HvCallTranslateVirtualAddress and Ex: what an address means to another VTL or partition (TLFS 5.4; section 2.10).
#include "abi/hv/vsm_registers.h"
#include "abi/x64/exceptions.h"
#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;
namespace flags = abi::hv::translate_gva;

namespace {

constexpr uint64_t known_flags =
    flags::validate_read | flags::validate_write | flags::validate_execute | flags::privilege_exempt |
    flags::set_page_table_bits | flags::tlb_flush_inhibit | flags::supervisor_access |
    flags::user_access | flags::enforce_smap | flags::override_smap;

/// Paging as the flags want it applied.
mmu::AddressSpace with_flags(mmu::AddressSpace space, uint64_t wanted) {
  constexpr uint64_t supervisor_protections = mmu::control::cr4_smap | mmu::control::cr4_smep;
  if ((wanted & flags::privilege_exempt) != 0) space.stage1.cr4 &= ~supervisor_protections;
  if ((wanted & flags::override_smap) != 0) space.stage1.cr4 &= ~mmu::control::cr4_smap;
  if ((wanted & flags::enforce_smap) != 0) space.stage1.alignment_check = false;
  return space;
}

TranslateResult result_of(const mmu::Fault& fault) {
  namespace error = abi::x64::page_fault;
  switch (fault.kind) {
    case mmu::FaultKind::NonCanonical:
      return TranslateResult::InvalidPageTableFlags;
    case mmu::FaultKind::PageFault:
      if ((fault.error_code & error::reserved) != 0) return TranslateResult::InvalidPageTableFlags;
      return (fault.error_code & error::present) != 0 ? TranslateResult::PrivilegeViolation
                                                      : TranslateResult::PageNotPresent;
    case mmu::FaultKind::GpaUnmapped:
      return TranslateResult::GpaUnmapped;
    case mmu::FaultKind::SlatViolation: {
      namespace violation = abi::x64::ept_violation;
      if ((fault.qualification & violation::data_write) != 0)
        return TranslateResult::GpaNoWriteAccess;
      return (fault.qualification & violation::fetch) != 0 ? TranslateResult::Intercept
                                                           : TranslateResult::GpaNoReadAccess;
    }
    default:
      return TranslateResult::Intercept;
  }
}

}  // namespace

/// Which processor and VTL the call means.
HvStatus Hypervisor::find_translation_target(const CallContext& context,
                                             const abi::hv::TranslateVirtualAddress& input,
                                             VpState*& vp, Vtl& vtl) {
  Partition* const partition = target_partition(context, input.target_partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  if (!context.partition.privileges.access_vp_registers()) return HvStatus::AccessDenied;
  const bool own = partition == &context.partition;
  vp = partition->find_vp(own && input.target_vp == vp_self ? context.registers.index
                                                            : input.target_vp);
  if (vp == nullptr) return HvStatus::InvalidVpIndex;
  constexpr unsigned vtl_shift = 56;
  const InputVtl target{static_cast<uint8_t>(input.control_flags >> vtl_shift)};
  const uint64_t wanted = input.control_flags & ((uint64_t{1} << vtl_shift) - 1);
  constexpr uint64_t both = flags::supervisor_access | flags::user_access;
  if (input.reserved != 0 || target.reserved() != 0 || (wanted & ~known_flags) != 0 ||
      (wanted & both) == both) {
    return HvStatus::InvalidParameter;
  }
  vtl = own ? context.vtl : Vtl::Vtl0;
  if (target.use_target_vtl()) {
    if (target.target_vtl() >= implemented_vtls) return HvStatus::InvalidParameter;
    vtl = static_cast<Vtl>(target.target_vtl());
    if (own && vtl > context.vtl) return HvStatus::AccessDenied;
  }
  // Nobody could give back what a VTL holds of itself.
  if (own && vtl == context.vtl && (wanted & flags::tlb_flush_inhibit) != 0)
    return HvStatus::InvalidParameter;
  return vp->enabled(vtl) ? HvStatus::Success : HvStatus::InvalidVtlState;
}

Hypervisor::TranslatedAddress Hypervisor::translate_for_guest(const VpState& vp, Vtl vtl,
                                                              uint64_t gva, uint64_t wanted) {
  const VirtualProcessor& registers = *vp.registers;
  const mmu::AddressSpace space = address_space(registers, vtl);
  const mmu::AddressSpace asked = with_flags(space, wanted);
  const Segment& stack = registers.contexts[vtl].segments[Ss];
  const bool user = (wanted & flags::privilege_exempt) == 0 &&
                    ((wanted & flags::user_access) != 0 ||
                     ((wanted & flags::supervisor_access) == 0 && ((stack.attributes >> 5) & 3) == 3));
  mmu::AccessKind kinds[3];
  size_t count = 0;
  if ((wanted & flags::validate_write) != 0) kinds[count++] = mmu::AccessKind::Write;
  if ((wanted & flags::validate_execute) != 0) kinds[count++] = mmu::AccessKind::Execute;
  if ((wanted & flags::validate_read) != 0 || count == 0) kinds[count++] = mmu::AccessKind::Read;
  TranslatedAddress answer;
  for (size_t i = 0; i < count; ++i) {
    const mmu::Access access{.address = Gva{gva}, .kind = kinds[i], .user = user};
    const auto walked = translator_.walk_only(asked, access, nullptr);
    if (!walked.ok) {
      answer.result = result_of(walked.fault);
      answer.fault = walked.fault;
      return answer;
    }
    answer.gpa = walked.translation.gpa;
    answer.ram = walked.translation.ram;
  }
  if ((wanted & flags::set_page_table_bits) != 0) {
    for (size_t i = 0; i < count; ++i)
      (void)translator_.translate(space, {.address = Gva{gva}, .kind = kinds[i], .user = user});
  }
  answer.overlay = vp.partition->memory->is_overlay(vtl, answer.gpa);
  return answer;
}

/// What both calls do; `answer` is of use if this is a success.
HvStatus Hypervisor::answer_translation(const CallContext& context,
                                        const abi::hv::TranslateVirtualAddress& input,
                                        TranslatedAddress& answer) {
  VpState* vp{};
  Vtl vtl{};
  const HvStatus status = find_translation_target(context, input, vp, vtl);
  if (status != HvStatus::Success) return status;
  answer = translate_for_guest(*vp, vtl, input.gva_page * abi::page_size, input.control_flags);
  if (answer.result == TranslateResult::Success && (input.control_flags & flags::tlb_flush_inhibit) != 0)
    inhibit_flushes(context, *vp, vtl);
  return HvStatus::Success;
}

/// Until the caller is done with the translation, flushes of this processor by others wait (TLFS 5.4). In its own
/// partition a VTL holds the lower one's TLB, as by VsmVpSecureConfig.TlbLocked; a parent ends it with the intercept.
void Hypervisor::inhibit_flushes(const CallContext& context, VpState& vp, Vtl vtl) {
  if (vp.partition != &context.partition) {
    vp.tlb_flush_inhibited = true;
    return;
  }
  VsmVpSecureConfig& config = vp.vtls[context.vtl].secure_config[vtl];
  config = config.with_tlb_locked(true);
}

template <class Output>
void Hypervisor::write_translation(const TranslatedAddress& answer, Output& output) {
  output.result_code = static_cast<uint32_t>(answer.result);
  if (answer.result != TranslateResult::Success) return;
  output.cache_type = static_cast<uint8_t>(answer.ram ? CacheType::WriteBack : CacheType::Uncached);
  output.overlay_page = answer.overlay ? 1 : 0;
  output.gpa_page = answer.gpa.page_number();
}

CallResult Hypervisor::on(Tag<CallCode::TranslateVirtualAddress>, const CallContext& context,
                          const abi::hv::TranslateVirtualAddress& input,
                          abi::hv::TranslateVirtualAddressOutput& output) {
  TranslatedAddress answer;
  const HvStatus status = answer_translation(context, input, answer);
  if (status == HvStatus::Success) write_translation(answer, output);
  return status;
}

CallResult Hypervisor::on(Tag<CallCode::TranslateVirtualAddressEx>, const CallContext& context,
                          const abi::hv::TranslateVirtualAddress& input,
                          abi::hv::TranslateVirtualAddressExOutput& output) {
  TranslatedAddress answer;
  const HvStatus status = answer_translation(context, input, answer);
  if (status != HvStatus::Success) return status;
  write_translation(answer, output);
  if (answer.result != TranslateResult::Success && answer.fault.kind == mmu::FaultKind::PageFault) {
    // What the access would have raised.
    output.event = {PendingExceptionEvent{}
                        .with_event_pending(true)
                        .with_deliver_error_code(true)
                        .with_vector(static_cast<uint16_t>(abi::x64::Vector::PageFault))
                        .with_error_code(answer.fault.error_code)
                        .raw,
                    input.gva_page * abi::page_size};
  }
  return HvStatus::Success;
}

}  // namespace vtl
