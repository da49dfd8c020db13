#include "vtl/hypervisor.h"

#include <algorithm>

#include "abi/x64/registers.h"
#include "sim/support/check.h"
#include "vtl/hypercall_page.h"

namespace vtl {
namespace {

constexpr uint8_t cpuid_bytes = 2;

uint8_t length_of(const Exit& exit, uint8_t usual) {
  return exit.instruction_length != 0 ? exit.instruction_length : usual;
}

}  // namespace

Hypervisor::Hypervisor(mmu::PhysicalMemory& memory, mmu::Translator& translator,
                       support::EventSink* events, const HypervisorConfig& config)
    : memory_{memory},
      translator_{translator},
      events_{events},
      config_{config},
      root_{nullptr},
      dispatcher_{translator, config.reps_per_entry},
      switch_{memory},
      router_{memory} {
  CHECK(config.maximum_vtl < abi::hv::implemented_vtls && config.reps_per_entry > 0);
  CHECK(valid(config.hypercall_page));
  partitions_[0] = make_partition(root_partition_id);
  root_ = partitions_[0].get();
}

Hypervisor::~Hypervisor() = default;

void Hypervisor::add_virtual_processor(VirtualProcessor& vp) {
  CHECK(vp.index == root_->vps.size() && vp.index == processors_.size() && !launched());
  vp.number = vp.index;
  vp.partition = root_partition_id;
  auto state = std::make_unique<VpState>();
  state->registers = &vp;
  state->partition = root_;
  for (VtlState& vtl : state->vtls.values)
    vtl.apic = LocalApic{static_cast<uint8_t>(vp.index), vp.index == 0};
  root_->vps.push_back(state.get());
  processors_.push_back({&vp, root_partition_id, vp.index, std::move(state), false});
}

bool Hypervisor::launch(VirtualProcessor& vp) {
  if (launched() || config_.guest_memory_bytes == 0 ||
      config_.guest_memory_bytes % abi::page_size != 0 ||
      config_.guest_memory_bytes >= memory_.size()) {
    return false;
  }
  auto guest =
      std::make_unique<GuestMemory>(memory_, translator_, root_->id, config_.guest_memory_bytes);
  if (!guest->create(Vtl::Vtl0)) return false;
  const Spa page = guest->allocate_page();
  if (page.value() == 0) return false;
  const auto code = build_hypercall_page(config_.hypercall_page, config_.vendor);
  CHECK(memory_.write(page, std::span<const uint8_t>{code}));
  root_->memory = std::move(guest);
  root_->hypercall_page = page;
  // What the bare machine cached has the same tag, but knows nothing of the SLAT.
  translator_.invalidate_guest_physical(root_->id, vp.active);
  return true;
}

mmu::AddressSpace Hypervisor::address_space(const VirtualProcessor& vp, Vtl vtl) const {
  const VtlContext& context = vp.contexts[vtl];
  mmu::AddressSpace space;
  space.partition = vp.partition;
  space.vtl = vtl;
  space.vp = static_cast<uint8_t>(vp.index);
  constexpr unsigned alignment_check_bit = 18;
  space.stage1 = {context.cr0, context.cr3, context.cr4, context.efer,
                  ((context.rflags >> alignment_check_bit) & 1) != 0, context.pdpte};
  // A spare processor has no state, and does not run; a bare machine has no second stage.
  const VpState* const state = processors_[vp.number].state.get();
  if (state != nullptr && state->partition->memory != nullptr) {
    space.slat = state->partition->memory->slat(vtl);
    space.mbec = mbec_active(*state, vtl);
  }
  return space;
}

Outcome Hypervisor::handle(const Exit& exit, VirtualProcessor& vp, Instant now) {
  switch (exit.reason) {
    case ExitReason::Hypercall:
      return handle_hypercall(vp, now);
    case ExitReason::Cpuid:
      return handle_cpuid(exit, vp, now);
    case ExitReason::MsrRead:
      return handle_msr_read(exit, vp, now);
    case ExitReason::MsrWrite:
      return handle_msr_write(exit, vp, now);
    case ExitReason::SlatViolation:
      return handle_slat_violation(exit, vp, now);
    case ExitReason::InterruptAccepted:
      interrupt_accepted(state(vp), exit.vector, now);
      return Outcome::resume();
    case ExitReason::Halt:
      return handle_halt(exit, vp, now);
    case ExitReason::IoRead:
    case ExitReason::IoWrite:
      return handle_io(exit, vp, now);
    case ExitReason::RegisterAccess:
      return handle_register_access(exit, vp, now);
    case ExitReason::Exception:
      return handle_exception(exit, vp, now);
    case ExitReason::TripleFault:
      return handle_triple_fault(vp, now);
    default:
      return Outcome::not_mine();
  }
}

Outcome Hypervisor::handle_hypercall(VirtualProcessor& vp, Instant now) {
  if (!launched() || !HypercallDispatcher::may_call(vp)) return Outcome::invalid_opcode();
  const abi::hv::HypercallControl control = HypercallDispatcher::control(vp);
  VpState& state = this->state(vp);
  const CallContext context{*state.partition, state, vp, vp.active, now};
  const CallRow* row = find_row(control.code());
  if (row != nullptr && row->transfer != nullptr) {
    // A VTL switch takes nothing but its code: any other bit is #UD (section 4.2).
    if (control.raw != control.code()) return Outcome::invalid_opcode();
    return row->transfer(*this, context);
  }
  if (!state.partition->intercepts.empty()) {
    const auto receiver = installed(state, abi::hv::InterceptType::Hypercall,
                                    abi::hv::intercept_access::execute, 0, 0);
    if (receiver) return intercept(vp, *receiver, hypercall_intercept(vp, *state.partition), now);
  }
  const DispatchResult result = dispatcher_.dispatch(*this, context, row);
  if (start_to_tell_) {
    const StartToTell told = *start_to_tell_;
    start_to_tell_.reset();
    return intercept(vp, told.receiver, startup_intercept(vp, *state.partition, told.target), now);
  }
  return finish_hypercall(context, control.raw, result);
}

Outcome Hypervisor::finish_hypercall(const CallContext& context, uint64_t control,
                                     const DispatchResult& result) {
  VirtualProcessor& vp = context.registers;
  const Instant now = context.now;
  using Kind = DispatchResult::Kind;
  switch (result.kind) {
    case Kind::Unfinished: {
      Outcome outcome = Outcome::resume(1);
      outcome.yields = result.yields;
      return outcome;
    }
    case Kind::Completed: {
      ++statistics_.hypercalls;
      if (events_ != nullptr) {
        const auto input = dispatcher_.captured();
        emit(support::EventKind::Hypercall, vp, now, control, vp.shared.gpr[Rax], 0,
             {reinterpret_cast<const char*>(input.data()), input.size()});
      }
      Outcome outcome = Outcome::retire(abi::hv::hypercall_instruction_bytes);
      outcome.yields = result.yields;
      return outcome;
    }
    case Kind::InputDenied:
    case Kind::OutputDenied:
      break;
  }
  // Not a status: the access of the parameter page is intercepted like any other (section 2.3).
  const bool write = result.kind == Kind::OutputDenied;
  const auto receiver =
      memory_receiver(context.partition, vp.active, result.gpa,
                      write ? abi::hv::map_gpa::writable : abi::hv::map_gpa::readable);
  if (!receiver) return Outcome::general_protection();
  const auto access = write ? abi::hv::InterceptAccess::Write : abi::hv::InterceptAccess::Read;
  return intercept(vp, *receiver, hypercall_memory_intercept(vp, context.partition, result.gpa, access),
                   now);
}

/// What CPUID says on a processor, before anybody intercepts it.
CpuidResult Hypervisor::cpuid_of(const VpState& vp, Vtl vtl, uint32_t leaf, uint32_t subleaf) const {
  const LocalApic& local = vp.vtls[vtl].apic;
  const CpuidContext context{.vendor = config_.vendor,
                             .physical_address_bits = config_.physical_address_bits,
                             .apic_id = local.id(),
                             .processors = static_cast<uint8_t>(vp.partition->vps.size()),
                             .apic_enabled = local.globally_enabled(),
                             .os_xsave = (vp.registers->contexts[vtl].cr4 & abi::x64::cr4::osxsave) != 0};
  constexpr uint32_t hypervisor_first = 0x40000000, hypervisor_last = 0x4FFFFFFF;
  CpuidResult result;
  if (leaf >= hypervisor_first && leaf <= hypervisor_last) {
    HypervisorConfig shown = config_;
    shown.privileges = vp.partition->privileges;
    if (launched()) result = hypervisor_cpuid(leaf, shown);
  } else {
    result = cpuid(leaf, subleaf, launched(), context);
  }
  if (!vp.partition->cpuid_overrides.empty()) override_cpuid(*vp.partition, leaf, subleaf, result);
  return result;
}

Outcome Hypervisor::handle_cpuid(const Exit& exit, VirtualProcessor& vp, Instant now) {
  const auto leaf = static_cast<uint32_t>(vp.shared.gpr[Rax]);
  const auto subleaf = static_cast<uint32_t>(vp.shared.gpr[Rcx]);
  const VpState& state = this->state(vp);
  const CpuidResult result = cpuid_of(state, vp.active, leaf, subleaf);
  if (!state.partition->intercepts.empty()) {
    if (const auto receiver = cpuid_receiver(state, leaf))
      return intercept(vp, *receiver, cpuid_intercept(vp, *state.partition, exit, result), now);
  }
  vp.shared.gpr[Rax] = result.eax;
  vp.shared.gpr[Rbx] = result.ebx;
  vp.shared.gpr[Rcx] = result.ecx;
  vp.shared.gpr[Rdx] = result.edx;
  return Outcome::retire(length_of(exit, cpuid_bytes));
}

Outcome Hypervisor::handle_slat_violation(const Exit& exit, VirtualProcessor& vp, Instant now) {
  switch (exit.fault.kind) {
    case mmu::FaultKind::SlatMisconfigured:
      return Outcome::failure("stage 2 holds an entry that no processor accepts");
    case mmu::FaultKind::SlatViolation:
    case mmu::FaultKind::GpaUnmapped:
      break;
    default:
      return Outcome::failure("a stage-1 fault was reported as a stage-2 fault");
  }
  if (!launched()) return Outcome::failure("stage 2 refused an access on a bare machine");
  const Partition& partition = *state(vp).partition;
  const auto receiver =
      memory_receiver(partition, vp.active, exit.fault.gpa, refused_access(exit).rights);
  if (receiver) return intercept(vp, *receiver, memory_intercept(vp, partition, exit), now);
  // Nobody's restriction: a write to the hypercall page, the hypervisor's own memory, or nothing at
  // all. There is no parent that could be told, so the root gets #GP(0) (our choice).
  return Outcome::general_protection();
}

Outcome Hypervisor::intercept(VirtualProcessor& vp, Vtl receiver, const abi::hv::Message& message,
                              Instant now) {
  if (state(vp).partition->vtls[receiver].config.intercept_page())
    return intercept_by_page(vp, receiver, message, now);
  switch (router_.deliver(state(vp).vtls[receiver], message)) {
    case Delivery::CannotReceive:
      return Outcome::hang(
          "a higher VTL refused an access but has no way to be told: its SynIC, message page, "
          "SINT0 or local APIC is off");
    case Delivery::SlotBusy:
      return Outcome::resume(1);
    case Delivery::Posted:
      break;
  }
  ++statistics_.intercepts;
  if (message.header.type == abi::hv::MessageType::GpaIntercept) {
    abi::hv::MemoryIntercept payload;
    __builtin_memcpy(&payload, message.payload, sizeof payload);
    emit(support::EventKind::Intercept, vp, now, payload.gva, payload.gpa,
         static_cast<uint64_t>(payload.header.access));
  }
  Outcome outcome = Outcome::resume();
  outcome.vtl_changed = enter_for_interrupt(vp, now);
  return outcome;
}

void Hypervisor::emit(support::EventKind kind, const VirtualProcessor& vp, Instant now, uint64_t a,
                      uint64_t b, uint64_t c, std::string_view text) {
  if (events_ == nullptr) return;
  support::Event event;
  event.at = now;
  event.vp = vp.number;
  event.vtl = vp.active;
  event.kind = kind;
  event.a = a;
  event.b = b;
  event.c = c;
  event.rip = vp.context().rip;
  event.text = text;
  events_->on(event);
}

}  // namespace vtl
