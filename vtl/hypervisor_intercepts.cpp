// What is told to others before it happens: by whom it was asked for, who is told, and what the answer changes (TLFS
// 15.13, HvCallInstallIntercept; sections 5.3 to 5.6).
#include <algorithm>
#include <iterator>

#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

namespace {

/// More would be a way to use up the host's memory.
constexpr size_t maximum_intercepts = 4096, maximum_cpuid_overrides = 1024;

/// An MSR that the engine reads and writes without asking.
bool processor_owns(uint32_t number) {
  switch (number) {
#define X64_MSR(name, msr, access, source) case msr:
#include "abi/x64/msr.def"
#undef X64_MSR
    return true;
    default: return false;
  }
}

bool covers(const InstalledIntercept& intercept, InterceptType type, uint32_t access,
            uint64_t first, uint64_t last) {
  return intercept.type == type && (intercept.access_mask & access) != 0 &&
         intercept.parameter >= first && intercept.parameter <= last;
}

/// What may be asked for, and of which parameter.
HvStatus check_kind(const InstallIntercept& input) {
  constexpr uint32_t read_write = intercept_access::read | intercept_access::write;
  uint32_t accesses = intercept_access::execute;
  uint64_t last = 0;
  switch (input.type) {
    case InterceptType::X64IoPort:
      accesses = read_write;
      last = 0xFFFF;
      break;
    case InterceptType::X64Msr:
      accesses = read_write;
      break;
    case InterceptType::X64MsrIndex: {
      accesses = read_write;
      last = 0xFFFFFFFF;
      const auto number = static_cast<uint32_t>(input.parameter);
      const auto missing = [&](uint32_t access, bool write) {
        return (input.access_mask & access) != 0 && intercept_bit_of_msr(number, write) == 0;
      };
      // What the processor owns can be seen only where it has an exit for it.
      if (processor_owns(number) &&
          (missing(intercept_access::read, false) || missing(intercept_access::write, true)))
        return HvStatus::InvalidParameter;
      break;
    }
    case InterceptType::X64Cpuid:
      last = 0xFFFFFFFF;
      break;
    case InterceptType::Exception:
      last = 31;
      if (input.parameter == 2) return HvStatus::InvalidParameter;  // NMI is no exception
      break;
    case InterceptType::X64GlobalCpuid:
    case InterceptType::Hypercall:
      break;
    default:
      return HvStatus::InvalidParameter;
  }
  const bool valid = (input.access_mask & ~accesses) == 0 && input.parameter <= last;
  return valid ? HvStatus::Success : HvStatus::InvalidParameter;
}

}  // namespace

CallResult Hypervisor::on(Tag<CallCode::InstallIntercept>, const CallContext& context,
                          const abi::hv::InstallIntercept& input) {
  Partition* const partition = target_partition(context, input.partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  const bool own = partition == &context.partition;
  if (own && (!partition->privileges.access_vsm() || context.vtl == Vtl::Vtl0))
    return HvStatus::AccessDenied;
  if (partition->birth.phase == PartitionPhase::Finalized) return HvStatus::InvalidPartitionState;
  if (const HvStatus status = check_kind(input); status != HvStatus::Success) return status;

  auto& list = partition->intercepts;
  const Receiver receiver{!own, context.vtl};
  const auto known = std::find_if(list.begin(), list.end(), [&](const InstalledIntercept& other) {
    return other.receiver == receiver && other.type == input.type &&
           other.parameter == input.parameter;
  });
  if (known != list.end()) {
    if (input.access_mask == 0) list.erase(known);
    else known->access_mask = input.access_mask;
  } else if (input.access_mask != 0) {
    if (list.size() == maximum_intercepts) return HvStatus::InsufficientMemory;
    list.push_back({receiver, input.type, input.access_mask, input.parameter});
  }
  for (VpState* vp : partition->vps)
    update_interceptions(*vp);
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::RegisterInterceptResult>, const CallContext& context,
                          const abi::hv::RegisterInterceptResult& input) {
  Partition* const partition = target_partition(context, input.partition);
  if (partition == nullptr) return HvStatus::InvalidPartitionId;
  if (partition == &context.partition) return HvStatus::AccessDenied;
  if (input.vp != vp_any && partition->find_vp(input.vp) == nullptr)
    return HvStatus::InvalidVpIndex;
  if (input.type != InterceptType::X64Cpuid || input.subleaf_specific > 1 ||
      input.always_override > 1 || input.padding != 0)
    return HvStatus::InvalidParameter;
  auto& list = partition->cpuid_overrides;
  const CpuidOverride wanted{
      input.leaf,
      input.subleaf_specific != 0 ? input.subleaf : 0,
      input.subleaf_specific != 0,
      {input.eax, input.ebx, input.ecx, input.edx},
      {input.eax_mask, input.ebx_mask, input.ecx_mask, input.edx_mask}};
  const auto known = std::find_if(list.begin(), list.end(), [&](const CpuidOverride& other) {
    return other.leaf == wanted.leaf && other.subleaf == wanted.subleaf &&
           other.subleaf_specific == wanted.subleaf_specific;
  });
  if (known != list.end()) {
    *known = wanted;
  } else {
    if (list.size() == maximum_cpuid_overrides) return HvStatus::InsufficientMemory;
    list.push_back(wanted);
  }
  return HvStatus::Success;
}

/// Writes into every VTL of the VP what those above it, and the parent, want to see.
void Hypervisor::update_interceptions(VpState& vp) {
  for (const Vtl vtl : all_vtls) {
    Interceptions wanted;
    uint64_t cr0 = 0, cr4 = 0, misc_enable = 0;
    for (const Vtl above : all_vtls) {
      if (above <= vtl || !vp.enabled(above)) continue;
      const VtlState& setter = vp.vtls[above];
      wanted.registers |= setter.cr_intercepts.raw;
      if (setter.cr_intercepts.cr0_write()) cr0 |= setter.cr0_mask;
      if (setter.cr_intercepts.cr4_write()) cr4 |= setter.cr4_mask;
      if (setter.cr_intercepts.misc_enable_write()) misc_enable |= setter.misc_enable_mask;
    }
    for (const InstalledIntercept& intercept : vp.partition->intercepts) {
      const Receiver& receiver = intercept.receiver;
      if (!receiver.parent && (receiver.vtl <= vtl || !vp.enabled(receiver.vtl))) continue;
      if (intercept.type == InterceptType::Exception)
        wanted.exceptions |= 1u << intercept.parameter;
      if (intercept.type != InterceptType::X64MsrIndex) continue;
      for (const bool write : {false, true}) {
        const uint32_t access = write ? intercept_access::write : intercept_access::read;
        if ((intercept.access_mask & access) == 0) continue;
        const uint64_t bit =
            intercept_bit_of_msr(static_cast<uint32_t>(intercept.parameter), write);
        wanted.registers |= bit;
        if (CrInterceptControl{bit}.misc_enable_write()) misc_enable = ~uint64_t{0};
      }
    }
    wanted.cr0_mask = cr0;
    wanted.cr4_mask = cr4;
    wanted.misc_enable_mask = misc_enable;
    VtlContext& context = vp.registers->contexts[vtl];
    context.interceptions = wanted;
    ++context.changes;
  }
}

/// Who installed an intercept on the event: the lowest VTL above the active one, then the parent.
std::optional<Receiver> Hypervisor::installed(const VpState& vp, InterceptType type,
                                              uint32_t access, uint64_t first,
                                              uint64_t last) const {
  std::optional<Receiver> found;
  for (const InstalledIntercept& intercept : vp.partition->intercepts) {
    if (!covers(intercept, type, access, first, last)) continue;
    const Receiver& receiver = intercept.receiver;
    if (!receiver.parent && (receiver.vtl <= vp.registers->active || !vp.enabled(receiver.vtl)))
      continue;
    const bool closer = !found || (found->parent && !receiver.parent) ||
                        (found->parent == receiver.parent && receiver.vtl < found->vtl);
    if (closer) found = receiver;
  }
  return found;
}

/// The lowest VTL above the active one whose HvX64RegisterCrInterceptControl has `bit`; `changed` is what a write would
/// change of CR0, CR4 or IA32_MISC_ENABLE.
std::optional<Vtl> Hypervisor::register_receiver(const VpState& vp, uint64_t bit,
                                                 uint64_t changed) const {
  if (bit == 0) return std::nullopt;
  for (const Vtl vtl : all_vtls) {
    if (vtl <= vp.registers->active || !vp.enabled(vtl)) continue;
    const VtlState& setter = vp.vtls[vtl];
    if ((setter.cr_intercepts.raw & bit) == 0) continue;
    const CrInterceptControl which{bit};
    const uint64_t mask = which.cr0_write()           ? setter.cr0_mask
                          : which.cr4_write()         ? setter.cr4_mask
                          : which.misc_enable_write() ? setter.misc_enable_mask
                                                      : ~uint64_t{0};
    if ((changed & mask) != 0) return vtl;
  }
  return std::nullopt;
}

/// Who is told of an access of an MSR before anything else is asked.
std::optional<Receiver> Hypervisor::msr_receiver(const VpState& vp, const Exit& exit) const {
  const bool write = exit.reason == ExitReason::MsrWrite;
  constexpr uint32_t misc_enable = 0x1A0;
  const uint64_t changed = write && exit.msr == misc_enable
                               ? vp.registers->context().misc_enable ^ exit.value
                               : ~uint64_t{0};
  const auto by_register =
      register_receiver(vp, intercept_bit_of_msr(exit.msr, write), changed);
  if (vp.partition->intercepts.empty())
    return by_register ? std::optional{Receiver{false, *by_register}} : std::nullopt;
  const auto by_index =
      installed(vp, InterceptType::X64MsrIndex,
                write ? intercept_access::write : intercept_access::read, exit.msr, exit.msr);
  if (by_register && (!by_index || by_index->parent || *by_register <= by_index->vtl))
    return Receiver{false, *by_register};
  return by_index;
}

/// Who is told of an MSR that does not exist here.
std::optional<Receiver> Hypervisor::unknown_msr_receiver(const VpState& vp, bool write) const {
  return installed(vp, InterceptType::X64Msr,
                   write ? intercept_access::write : intercept_access::read, 0, 0);
}

std::optional<Receiver> Hypervisor::cpuid_receiver(const VpState& vp, uint32_t leaf) const {
  constexpr uint32_t execute = intercept_access::execute;
  const auto one = installed(vp, InterceptType::X64Cpuid, execute, leaf, leaf);
  const auto all = installed(vp, InterceptType::X64GlobalCpuid, execute, 0, 0);
  if (!one || !all) return one ? one : all;
  const bool all_is_closer =
      (one->parent && !all->parent) || (one->parent == all->parent && all->vtl < one->vtl);
  return all_is_closer ? all : one;
}

/// Whose restriction an access of memory meets: the lowest VTL's, or the parent's, who also owns what is not mapped.
std::optional<Receiver> Hypervisor::memory_receiver(const Partition& partition, Vtl accessor,
                                                    Gpa gpa, uint32_t rights) const {
  if (const auto vtl = partition.memory->who_denies(accessor, gpa, rights))
    return Receiver{false, *vtl};
  if (partition.is_root() || partition.memory->is_overlay(accessor, gpa)) return std::nullopt;
  return Receiver{true, partition.birth.parent_vtl};
}

Outcome Hypervisor::handle_io(const Exit& exit, VirtualProcessor& vp, Instant now) {
  if (!launched()) return Outcome::not_mine();
  const VpState& state = this->state(vp);
  if (state.partition->intercepts.empty()) return Outcome::not_mine();
  const uint32_t access =
      exit.reason == ExitReason::IoWrite ? intercept_access::write : intercept_access::read;
  const uint64_t last = exit.io.port + uint64_t{exit.io.size} - 1;
  const auto receiver = installed(state, InterceptType::X64IoPort, access, exit.io.port, last);
  if (!receiver) return Outcome::not_mine();
  return intercept(vp, *receiver, io_port_intercept(vp, *state.partition, exit), now);
}

Outcome Hypervisor::handle_register_access(const Exit& exit, VirtualProcessor& vp, Instant now) {
  const VpState& state = this->state(vp);
  const ControlRegisterAccess& access = exit.register_access;
  const VtlContext& context = vp.context();
  const auto name = static_cast<RegisterName>(access.name);
  const uint64_t changed = name == RegisterName::Cr0   ? context.cr0 ^ access.low
                           : name == RegisterName::Cr4 ? context.cr4 ^ access.low
                                                       : ~uint64_t{0};
  const auto receiver =
      register_receiver(state, intercept_bit_of_register(access.name), changed);
  if (!receiver) return Outcome::failure("a register access left the processor for nobody");
  return intercept(vp, Receiver{false, *receiver},
                   register_intercept(vp, *state.partition, exit), now);
}

Outcome Hypervisor::handle_exception(const Exit& exit, VirtualProcessor& vp, Instant now) {
  const VpState& state = this->state(vp);
  const auto receiver = installed(state, InterceptType::Exception, intercept_access::execute,
                                  exit.exception.vector, exit.exception.vector);
  if (!receiver) return {.kind = OutcomeKind::Inject, .exception = exit.exception};
  return intercept(vp, *receiver, exception_intercept(vp, *state.partition, exit), now);
}

/// A triple fault: the parent's business, or that of a VTL that asked for it.
Outcome Hypervisor::handle_triple_fault(VirtualProcessor& vp, Instant now) {
  if (!launched()) return Outcome::not_mine();
  const VpState& state = this->state(vp);
  const Message message =
      plain_intercept(vp, *state.partition, MessageType::UnrecoverableException, 0);
  for (const Vtl vtl : all_vtls) {
    if (vtl > vp.active && state.enabled(vtl) &&
        state.partition->vtls[vtl].config.intercept_unrecoverable_exception())
      return intercept(vp, Receiver{false, vtl}, message, now);
  }
  if (state.partition->is_root()) return Outcome::not_mine();
  return intercept(vp, Receiver{true, state.partition->birth.parent_vtl}, message, now);
}

Outcome Hypervisor::handle_halt(const Exit& exit, VirtualProcessor& vp, Instant now) {
  constexpr uint8_t halt_bytes = 1;
  if (vp.cpl() != 0) return Outcome::general_protection();
  const uint8_t length = exit.instruction_length != 0 ? exit.instruction_length : halt_bytes;
  if (launched()) {
    const Partition& partition = *state(vp).partition;
    if (!partition.is_root() && (partition.birth.flags & create_partition::lapic_enabled) == 0)
      return intercept(vp, Receiver{true, partition.birth.parent_vtl},
                       plain_intercept(vp, partition, MessageType::X64Halt, length), now);
  }
  vp.halted = true;
  return {.kind = OutcomeKind::Halt, .length = length};
}

/// What the parent decided about an answer of CPUID; the last registered of those that fit wins.
void Hypervisor::override_cpuid(const Partition& partition, uint32_t leaf, uint32_t subleaf,
                                CpuidResult& result) {
  for (const CpuidOverride& override : partition.cpuid_overrides) {
    if (override.leaf != leaf || (override.subleaf_specific && override.subleaf != subleaf))
      continue;
    uint32_t* const registers[] = {&result.eax, &result.ebx, &result.ecx, &result.edx};
    for (size_t i = 0; i < std::size(registers); ++i) {
      const uint32_t mask = override.masks[i];
      *registers[i] = (*registers[i] & ~mask) | (override.values[i] & mask);
    }
  }
}

/// Tells the receiver. A VTL is entered; a child's VP waits until its parent answers. Where the last message was not
/// read yet the event happens again.
Outcome Hypervisor::intercept(VirtualProcessor& vp, Receiver receiver, const Message& message,
                              Instant now) {
  if (!receiver.parent) return intercept(vp, receiver.vtl, message, now);
  VpState& parent = *root_->vps.front();
  Outcome outcome = Outcome::resume(1);
  outcome.yields = true;
  const Delivery delivery = router_.deliver(parent.vtls[receiver.vtl], message);
  if (delivery == Delivery::SlotBusy) return outcome;
  // A parent without a message page will find the VP suspended all the same.
  vp.intercept_suspend = true;
  if (delivery == Delivery::Posted) {
    ++statistics_.intercepts;
    interrupt_arrived(parent, receiver.vtl);
  }
  return outcome;
}

/// VsmPartitionConfig.InterceptPage: the message lies in the assist page, and no interrupt is needed to enter.
Outcome Hypervisor::intercept_by_page(VirtualProcessor& vp, Vtl receiver, const Message& message,
                                      Instant now) {
  VpState& state = this->state(vp);
  const Spa page = state.vtls[receiver].active_assist_page();
  if (page.value() == 0)
    return Outcome::hang("a higher VTL refused an access but its assist page is off");
  memory_.write(page + offsetof(VpAssistPage, intercept_message), message);
  ++statistics_.intercepts;
  emit(support::EventKind::VtlInterruptEntry, vp, now, 0);
  switch_.enter(vp, upper(state, receiver), VtlEntryReason::Intercept);
  Outcome outcome = Outcome::resume();
  outcome.vtl_changed = true;
  return outcome;
}

}  // namespace vtl
