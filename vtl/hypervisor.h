#pragma once
// The hypervisor: what happens after an exit. Policy lives here; mechanism lives in the parts that
// it owns.
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "abi/hv/hypercalls.h"
#include "abi/hv/vp_registers.h"
#include "mmu/translator.h"
#include "sim/support/events.h"
#include "sim/support/state_fields.h"
#include "vtl/cpuid.h"
#include "vtl/exit.h"
#include "vtl/external_interrupts.h"
#include "vtl/hypercall_dispatcher.h"
#include "vtl/hypervisor_config.h"
#include "vtl/intercept_router.h"
#include "vtl/outcome.h"
#include "vtl/partition.h"
#include "vtl/processor_set.h"
#include "vtl/vtl_switch.h"

namespace vtl {

/// Counts for the user; no part of what a guest can see, but they go back with the rest.
struct HypervisorStatistics {
  uint64_t vtl_calls{}, vtl_returns{}, interrupt_entries{};
  uint64_t hypercalls{};  ///< completed, VTL calls and returns not counted
  uint64_t intercepts{};  ///< messages written
  STATE_FIELDS(vtl_calls, vtl_returns, interrupt_entries, hypercalls, intercepts)
};

class Hypervisor {
 public:
  /// Before launch() it is the platform of a bare machine: CPUID, the local APIC's MSRs and HLT, no
  /// hypercalls. `events` may be null. The memory above config.guest_memory_bytes is its own.
  Hypervisor(mmu::PhysicalMemory& memory, mmu::Translator& translator, support::EventSink* events,
             const HypervisorConfig& config);
  ~Hypervisor();

  /// Every VP of the root partition, in order of their index from 0, before anything else. Sets its
  /// `number`. The object must stay where it is.
  void add_virtual_processor(VirtualProcessor& vp);
  /// After those a VP that belongs to no partition (VirtualProcessor::partition is 0) and does not run until
  /// HvCallCreateVp hands it out.
  void add_spare_virtual_processor(VirtualProcessor& vp);

  /// Turns the bare machine into the root partition in VTL 0. False: it runs already, or its memory
  /// is too small.
  [[nodiscard]] bool launch(VirtualProcessor& vp);
  [[nodiscard]] bool launched() const { return root_->memory != nullptr; }

  /// Decides about an exit of `vp`, whose registers are current. `now`: the instant of the
  /// instruction.
  [[nodiscard]] Outcome handle(const Exit& exit, VirtualProcessor& vp, Instant now);

  /// Before each slice: fires timers, enters a higher VTL if it has a deliverable interrupt, raises
  /// VINA, and answers the vector to offer to the engine (empty: withdraw). Wakes a VP that waits
  /// in HLT if it will take the vector.
  [[nodiscard]] std::optional<uint8_t> check_interrupts(VirtualProcessor& vp, Instant now);
  /// The earliest instant at which a timer of any VTL of `vp` fires; support::never if none.
  [[nodiscard]] Instant next_event(const VirtualProcessor& vp) const;

  /// Both stages of the active VTL, or of another one.
  [[nodiscard]] mmu::AddressSpace address_space(const VirtualProcessor& vp) const {
    return address_space(vp, vp.active);
  }
  [[nodiscard]] mmu::AddressSpace address_space(const VirtualProcessor& vp, Vtl vtl) const;

  /// The APIC page of the active VTL; `offset` within it. Accesses that are not 4 bytes wide read
  /// ones and write nothing.
  [[nodiscard]] uint64_t apic_mmio_read(VirtualProcessor& vp, uint16_t offset, uint8_t size,
                                        Instant now);
  void apic_mmio_write(VirtualProcessor& vp, uint16_t offset, uint8_t size, uint64_t value,
                       Instant now);

  // --- Interrupts from outside the processors. All of them are for VTL 0 of the root partition.
  /// The board's controllers, asked and told from now on; null: there are none. They may call
  /// deliver_external() from end_of_interrupt().
  void connect(InterruptControllers* controllers) { controllers_ = controllers; }
  /// A message of an I/O APIC or a device. INIT and STARTUP count like those of a processor.
  void deliver_external(const ExternalInterrupt& interrupt);
  /// What a PC's firmware leaves: the bootstrap processor's APIC on, LINT0 as ExtINT, LINT1 as NMI.
  void set_virtual_wire_mode();

  /// The root partition.
  [[nodiscard]] const Partition& partition() const { return *root_; }
  /// The partition of a VP that has one.
  [[nodiscard]] const Partition& partition_of(const VirtualProcessor& vp) const {
    return *state(vp).partition;
  }
  /// Null if there is none with this HV_PARTITION_ID.
  [[nodiscard]] const Partition* find_partition(uint64_t id) const;
  /// VsmPartitionConfig.ZeroMemoryOnReset of the root's highest VTL above 0: cleared, memory outlives a reset. Without
  /// such a VTL a reset clears it.
  [[nodiscard]] bool keeps_memory_on_reset() const;
  [[nodiscard]] const HypervisorConfig& config() const { return config_; }
  [[nodiscard]] const HypervisorStatistics& statistics() const { return statistics_; }
  /// Everything that the hypervisor keeps. The virtual processors that were added are the machine's to visit.
  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [memory_, translator_, events_, config_, controllers_, partitions_, root_, processors_,
           dispatcher_, switch_, router_, statistics_, next_partition_id_, reset_requested_,
           start_to_tell_] = self;
    visit.host(memory_, translator_, events_, config_, controllers_, root_, dispatcher_, switch_, router_,
               start_to_tell_);
    uint8_t id = 0;
    visit.each("partitions", partitions_, [&](auto& slot) {
      ++id;
      visit_partition(visit, self, id, slot);
    });
    visit.each("processors", processors_, [&](auto& processor) {
      visit("partition", processor.partition)("index", processor.index);
      visit.object("state", processor.state, [] { return std::make_unique<VpState>(); }, [](VpState&) {});
    });
    if constexpr (Visitor::reads) {
      if (visit.ok()) visit.require_empty(self.attach_processors());
    }
    visit("statistics", statistics_)("next_partition_id", next_partition_id_)("reset_requested", reset_requested_);
  }
  /// After a restore from bytes that nobody vouches for, memory and registers included: empty, or what is wrong.
  [[nodiscard]] const char* what_is_unsound() const;

  // --- Handlers: one per row of hypercalls.def, called by its thunk.
  template <CallCode Code>
  using Tag = CallTag<Code>;
  CallResult on(Tag<CallCode::EnablePartitionVtl>, const CallContext&,
                const abi::hv::EnablePartitionVtl&);
  CallResult on(Tag<CallCode::EnableVpVtl>, const CallContext&, const abi::hv::EnableVpVtl&);
  CallResult on(Tag<CallCode::InstallIntercept>, const CallContext&,
                const abi::hv::InstallIntercept&);
  CallResult on(Tag<CallCode::RegisterInterceptResult>, const CallContext&,
                const abi::hv::RegisterInterceptResult&);
  CallResult on(Tag<CallCode::StartVirtualProcessor>, const CallContext&,
                const abi::hv::EnableVpVtl&);
  CallResult on(Tag<CallCode::GetVpIndexFromApicId>, const CallContext&,
                const abi::hv::GetVpIndexFromApicId&, std::span<const abi::hv::ApicIdElement>,
                std::span<abi::hv::VpIndexElement>);
  CallResult on(Tag<CallCode::CheckSparseGpaPageVtlAccess>, const CallContext&,
                const abi::hv::CheckSparseGpaPageVtlAccess&, std::span<const abi::hv::GpaPage>,
                std::span<abi::hv::VtlAccessResult>);
  CallResult on(Tag<CallCode::CreatePartition>, const CallContext&,
                const abi::hv::CreatePartition&, abi::hv::PartitionIdOnly&);
  CallResult on(Tag<CallCode::InitializePartition>, const CallContext&,
                const abi::hv::PartitionIdOnly&);
  CallResult on(Tag<CallCode::FinalizePartition>, const CallContext&,
                const abi::hv::PartitionIdOnly&);
  CallResult on(Tag<CallCode::DeletePartition>, const CallContext&,
                const abi::hv::PartitionIdOnly&);
  CallResult on(Tag<CallCode::GetPartitionProperty>, const CallContext&,
                const abi::hv::GetPartitionProperty&, abi::hv::PropertyValue&);
  CallResult on(Tag<CallCode::SetPartitionProperty>, const CallContext&,
                const abi::hv::SetPartitionProperty&);
  CallResult on(Tag<CallCode::GetPartitionId>, const CallContext&, const abi::hv::Empty&,
                abi::hv::PartitionIdOnly&);
  CallResult on(Tag<CallCode::GetNextChildPartition>, const CallContext&,
                const abi::hv::GetNextChildPartition&, abi::hv::PartitionIdOnly&);
  CallResult on(Tag<CallCode::DepositMemory>, const CallContext&, const abi::hv::PartitionIdOnly&,
                std::span<const abi::hv::GpaPage>);
  CallResult on(Tag<CallCode::WithdrawMemory>, const CallContext&, const abi::hv::WithdrawMemory&,
                std::span<const abi::hv::Empty>, std::span<abi::hv::GpaPage>);
  CallResult on(Tag<CallCode::MapGpaPages>, const CallContext&, const abi::hv::MapGpaPages&,
                std::span<const abi::hv::GpaPage>);
  CallResult on(Tag<CallCode::UnmapGpaPages>, const CallContext&, const abi::hv::UnmapGpaPages&,
                std::span<const abi::hv::Empty>);
  CallResult on(Tag<CallCode::CreateVp>, const CallContext&, const abi::hv::CreateVp&);
  CallResult on(Tag<CallCode::DeleteVp>, const CallContext&, const abi::hv::DeleteVp&);
  CallResult on(Tag<CallCode::ModifyVtlProtectionMask>, const CallContext&,
                const abi::hv::ModifyVtlProtectionMask&, std::span<const abi::hv::GpaPage>);
  CallResult on(Tag<CallCode::GetVpRegisters>, const CallContext&, const abi::hv::GetVpRegisters&,
                std::span<const abi::hv::RegisterNameElement>, std::span<abi::hv::RegisterValue>);
  CallResult on(Tag<CallCode::SetVpRegisters>, const CallContext&, const abi::hv::GetVpRegisters&,
                std::span<const abi::hv::RegisterAssignment>);
  CallResult on(Tag<CallCode::FlushVirtualAddressSpace>, const CallContext&,
                const abi::hv::FlushVirtualAddressSpace&);
  CallResult on(Tag<CallCode::FlushVirtualAddressList>, const CallContext&,
                const abi::hv::FlushVirtualAddressSpace&, std::span<const abi::hv::GvaRange>);
  CallResult on(Tag<CallCode::FlushVirtualAddressSpaceEx>, const CallContext&,
                const abi::hv::FlushVirtualAddressSpaceEx&, std::span<const uint64_t>);
  CallResult on(Tag<CallCode::FlushVirtualAddressListEx>, const CallContext&,
                const abi::hv::FlushVirtualAddressSpaceEx&, std::span<const uint64_t>,
                std::span<const abi::hv::GvaRange>);
  CallResult on(Tag<CallCode::SwitchVirtualAddressSpace>, const CallContext&,
                const abi::hv::SwitchVirtualAddressSpace&);
  CallResult on(Tag<CallCode::FlushGuestPhysicalAddressSpace>, const CallContext&,
                const abi::hv::FlushGuestPhysicalAddressSpace&);
  CallResult on(Tag<CallCode::FlushGuestPhysicalAddressList>, const CallContext&,
                const abi::hv::FlushGuestPhysicalAddressSpace&,
                std::span<const abi::hv::GpaPageRange>);
  CallResult on(Tag<CallCode::NotifyLongSpinWait>, const CallContext&,
                const abi::hv::NotifyLongSpinWait&);
  CallResult on(Tag<CallCode::SendSyntheticClusterIpi>, const CallContext&,
                const abi::hv::SendSyntheticClusterIpi&);
  CallResult on(Tag<CallCode::SendSyntheticClusterIpiEx>, const CallContext&,
                const abi::hv::SendSyntheticClusterIpiEx&, std::span<const uint64_t>);
  CallResult on(Tag<CallCode::AssertVirtualInterrupt>, const CallContext&,
                const abi::hv::AssertVirtualInterrupt&);
  CallResult on(Tag<CallCode::ClearVirtualInterrupt>, const CallContext&,
                const abi::hv::ClearVirtualInterrupt&);
  CallResult on(Tag<CallCode::TranslateVirtualAddress>, const CallContext&,
                const abi::hv::TranslateVirtualAddress&, abi::hv::TranslateVirtualAddressOutput&);
  CallResult on(Tag<CallCode::TranslateVirtualAddressEx>, const CallContext&,
                const abi::hv::TranslateVirtualAddress&, abi::hv::TranslateVirtualAddressExOutput&);
  CallResult on(Tag<CallCode::GetVpCpuidValues>, const CallContext&,
                const abi::hv::GetVpCpuidValues&, std::span<const abi::hv::CpuidLeafElement>,
                std::span<abi::hv::CpuidValues>);
  CallResult on(Tag<CallCode::NotifyPartitionEvent>, const CallContext&,
                const abi::hv::NotifyPartitionEvent&);
  CallResult on(Tag<CallCode::GetSystemProperty>, const CallContext&,
                const abi::hv::GetSystemProperty&, abi::hv::SystemPropertyValue&);
  CallResult on(Tag<CallCode::ExtQueryCapabilities>, const CallContext&, const abi::hv::Empty&,
                abi::hv::ExtendedCapabilities&);
  CallResult on(Tag<CallCode::CreatePort>, const CallContext&, const abi::hv::CreatePort&);
  CallResult on(Tag<CallCode::DeletePort>, const CallContext&, const abi::hv::DeletePort&);
  CallResult on(Tag<CallCode::ConnectPort>, const CallContext&, const abi::hv::ConnectPort&);
  CallResult on(Tag<CallCode::DisconnectPort>, const CallContext&, const abi::hv::DisconnectPort&);
  CallResult on(Tag<CallCode::PostMessage>, const CallContext&, const abi::hv::PostMessage&);
  CallResult on(Tag<CallCode::SignalEvent>, const CallContext&, const abi::hv::SignalEvent&);
  CallResult on(Tag<CallCode::SignalEventDirect>, const CallContext&,
                const abi::hv::SignalEventDirect&, abi::hv::SignalEventDirectOutput&);
  CallResult on(Tag<CallCode::PostMessageDirect>, const CallContext&,
                const abi::hv::PostMessageDirect&);
  Outcome on(Tag<CallCode::VtlCall>, const CallContext&);
  Outcome on(Tag<CallCode::VtlReturn>, const CallContext&);

 private:
  /// A VP of the machine: to which partition it belongs (0: none, and then no state), and as which VP.
  struct Processor {
    VirtualProcessor* registers{};
    uint8_t partition{};
    uint32_t index{};
    std::unique_ptr<VpState> state;
    bool spare{};  ///< no VP of the root
  };
  static constexpr size_t maximum_partitions = 16;

  template <class Visitor, class Self, class Slot>
  static void visit_partition(Visitor& visit, Self& self, uint8_t id, Slot& slot) {
    bool present = slot != nullptr;
    visit("present", present);
    if constexpr (Visitor::reads) {
      if (!visit.ok()) return;
      visit.require(present || id != root_partition_id, "no root partition");
      if (!visit.ok()) return;
      if (present && slot == nullptr) slot = self.make_partition(id);
      if (!present && slot != nullptr) {
        if (slot->memory != nullptr) slot->memory->abandon();
        slot.reset();
      }
    }
    if (slot == nullptr) return;
    Partition::visit_parts(visit, *slot, [&] {
      return self.make_memory(id);
    });
  }
  [[nodiscard]] std::unique_ptr<Partition> make_partition(uint8_t id) const;
  [[nodiscard]] std::unique_ptr<GuestMemory> make_memory(uint8_t id) const;
  /// The child that a call of its parent names, or why not.
  [[nodiscard]] HvStatus find_child(const CallContext& context, uint64_t id, Partition*& child);
  [[nodiscard]] HvStatus may_deposit(const CallContext& context, Gpa gpa) const;
  [[nodiscard]] HvStatus may_map(const CallContext& context, Gpa gpa, uint32_t rights) const;
  /// Restrictions of the root changed, on one page or on all: what children share of them follows.
  [[nodiscard]] bool root_restricted(std::optional<uint64_t> page);
  void give_processor(Processor& processor, Partition& partition, uint32_t index);
  void take_processor(VpState& vp);
  /// Derives from processors_ which VPs a partition has; empty, or why that cannot be.
  [[nodiscard]] const char* attach_processors();

  [[nodiscard]] VpState& state(const VirtualProcessor& vp) { return *processors_[vp.number].state; }
  [[nodiscard]] const VpState& state(const VirtualProcessor& vp) const {
    return *processors_[vp.number].state;
  }
  [[nodiscard]] bool has_state(const VirtualProcessor& vp) const {
    return processors_[vp.number].state != nullptr;
  }
  /// The partition that a call names: the caller's own, or a child of it. Null: HV_STATUS_INVALID_PARTITION_ID.
  [[nodiscard]] Partition* target_partition(const CallContext& context, uint64_t id);

  // Exits.
  Outcome handle_hypercall(VirtualProcessor& vp, Instant now);
  Outcome finish_hypercall(const CallContext& context, uint64_t control,
                           const DispatchResult& result);
  Outcome handle_cpuid(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_msr_read(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_msr_write(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_slat_violation(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome intercept(VirtualProcessor& vp, Vtl receiver, const abi::hv::Message& message,
                    Instant now);
  Outcome handle_io(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_register_access(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_exception(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_triple_fault(VirtualProcessor& vp, Instant now);
  Outcome handle_halt(const Exit& exit, VirtualProcessor& vp, Instant now);

  // Who is told.
  Outcome intercept(VirtualProcessor& vp, Receiver receiver, const abi::hv::Message& message,
                    Instant now);
  Outcome intercept_by_page(VirtualProcessor& vp, Vtl receiver, const abi::hv::Message& message,
                            Instant now);
  void update_interceptions(VpState& vp);
  /// An installed intercept of `type` whose parameter lies in [first, last].
  [[nodiscard]] std::optional<Receiver> installed(const VpState& vp, abi::hv::InterceptType type,
                                                  uint32_t access, uint64_t first,
                                                  uint64_t last) const;
  [[nodiscard]] std::optional<Vtl> register_receiver(const VpState& vp, uint64_t bit,
                                                     uint64_t changed) const;
  [[nodiscard]] std::optional<Receiver> msr_receiver(const VpState& vp, const Exit& exit) const;
  [[nodiscard]] std::optional<Receiver> unknown_msr_receiver(const VpState& vp, bool write) const;
  static void override_cpuid(const Partition& partition, uint32_t leaf, uint32_t subleaf,
                             CpuidResult& result);
  [[nodiscard]] bool is_known_msr(const VpState& vp, uint32_t msr) const;
  [[nodiscard]] std::optional<Receiver> cpuid_receiver(const VpState& vp, uint32_t leaf) const;
  [[nodiscard]] std::optional<Receiver> memory_receiver(const Partition& partition, Vtl accessor,
                                                        Gpa gpa, uint32_t rights) const;

  // MSRs of one VTL; empty or false is #GP.
  [[nodiscard]] std::optional<uint64_t> read_msr(VpState& vp, Vtl vtl, uint32_t msr, Instant now);
  [[nodiscard]] bool write_msr(VpState& vp, Vtl vtl, uint32_t msr, uint64_t value, Instant now);
  [[nodiscard]] std::optional<uint64_t> read_synthetic_msr(VpState& vp, Vtl vtl, uint32_t msr,
                                                           Instant now);
  [[nodiscard]] bool write_synthetic_msr(VpState& vp, Vtl vtl, uint32_t msr, uint64_t value,
                                         Instant now);
  [[nodiscard]] bool write_hypercall_msr(Partition& partition, Vtl vtl, uint64_t value);
  [[nodiscard]] bool write_reference_tsc_msr(VpState& vp, Vtl vtl, uint64_t value);
  [[nodiscard]] bool write_crash_msr(VpState& vp, uint32_t msr, uint64_t value, Instant now);
  [[nodiscard]] bool write_sint(VpState& vp, Vtl vtl, uint32_t index, uint64_t value, Instant now);
  Outcome guest_idle(VpState& vp, uint8_t length);
  [[nodiscard]] bool write_timer_msr(VpState& vp, Vtl vtl, uint32_t number, uint64_t value, Instant now);
  /// A register that enables a page of the hypervisor at a GPA. `page` is allocated at first use.
  [[nodiscard]] bool write_overlay_register(Partition& partition, Vtl vtl, uint64_t& stored, Spa& page,
                                            uint64_t value);
  [[nodiscard]] bool set_overlay(Partition& partition, Vtl vtl, Spa page, uint64_t before, uint64_t after,
                                 mmu::Rights rights);
  [[nodiscard]] ApicContext apic_context(VpState& vp, Vtl vtl, Instant now);
  void after_apic_access(VpState& vp, Vtl vtl, Instant now);
  void send(Partition& partition, Vtl vtl, const InterruptMessage& message, const VpState* sender);
  void deliver(VpState& vp, Vtl vtl, const InterruptMessage& message);
  [[nodiscard]] bool denies_startup(const Partition& partition, Vtl vtl) const;
  [[nodiscard]] std::optional<Vtl> startup_receiver(const VpState& vp, Vtl vtl) const;
  [[nodiscard]] bool load_pointers(const VirtualProcessor& vp, Vtl vtl, VtlContext& wanted) const;
  [[nodiscard]] CallResult tell_of_start(Vtl receiver, uint32_t target);
  [[nodiscard]] bool startup_denied(const VpState& vp, Vtl vtl) const;
  void initialise(VpState& vp, Vtl vtl);

  // Interrupts.
  [[nodiscard]] bool enter_for_interrupt(VirtualProcessor& vp, Instant now);
  void fire_timers(VpState& vp, Instant now);
  [[nodiscard]] std::optional<uint8_t> offered_vector(const VpState& vp) const;
  [[nodiscard]] std::optional<uint8_t> external_vector(const VpState& vp) const;
  void interrupt_accepted(VpState& vp, uint8_t vector, Instant now);
  void interrupt_arrived(VpState& vp, Vtl vtl);
  /// LocalApic::request() of one VTL, and what follows from it in higher ones.
  bool request_interrupt(VpState& vp, Vtl vtl, uint8_t vector, bool auto_eoi = false, bool level = false);
  void raise_vina(VpState& vp);

  // Messages, events, synthetic timers.
  void raise_sint(VpState& vp, Vtl vtl, uint8_t index);
  HvStatus post_message(VpState& vp, Vtl vtl, uint8_t index, const abi::hv::Message& message);
  HvStatus signal_event(VpState& vp, Vtl vtl, uint8_t index, uint16_t flag, bool& newly);
  void deliver_waiting(VpState& vp, Vtl vtl, Instant now);
  void post_timer_message(VpState& vp, Vtl vtl, uint8_t index, Instant now);
  void fire_synthetic_timers(VpState& vp, Vtl vtl, Instant now);
  [[nodiscard]] HvStatus find_sint(const CallContext& context, uint64_t partition,
                                   uint32_t vp_index, uint8_t vtl, uint32_t sint, VpState*& vp);
  /// A partition goes, and with it its ports, its connections and those to it.
  void drop_ports_of(Partition& gone);
  [[nodiscard]] HvStatus find_connection(const CallContext& context, uint32_t id,
                                         abi::hv::PortType type, const Port*& port, VpState*& vp);
  [[nodiscard]] UpperVtl upper(const VpState& vp, Vtl vtl) const;

  // Registers by name.
  [[nodiscard]] HvStatus find_target(const CallContext& context,
                                     const abi::hv::GetVpRegisters& input, VpState*& vp, Vtl& vtl);
  [[nodiscard]] HvStatus check_register(const CallContext& context, const VpState& target, Vtl vtl,
                                        uint32_t name) const;
  HvStatus get_register(VpState& vp, Vtl vtl, abi::hv::RegisterName name, Instant now,
                        abi::hv::RegisterValue& value);
  HvStatus set_register(VpState& vp, Vtl vtl, abi::hv::RegisterName name, Instant now,
                        const abi::hv::RegisterValue& value);
  [[nodiscard]] HvStatus get_vsm_register(VpState& vp, Vtl vtl, abi::hv::RegisterName name,
                                          uint64_t& value);
  [[nodiscard]] HvStatus set_vsm_register(VpState& vp, Vtl vtl, abi::hv::RegisterName name,
                                          uint64_t value);
  [[nodiscard]] HvStatus set_partition_config(Partition& partition, Vtl vtl, uint64_t value);
  [[nodiscard]] HvStatus set_secure_config(VpState& vp, Vtl vtl, Vtl lower, uint64_t value);
  [[nodiscard]] HvStatus set_pending_interruption(VpState& vp, Vtl vtl,
                                                  abi::hv::PendingInterruption wanted);
  [[nodiscard]] HvStatus set_pending_event(VpState& vp, Vtl vtl,
                                           const abi::hv::RegisterValue& value);

  // Flushes.
  [[nodiscard]] static bool tlb_locked(const VpState& vp, Vtl lower);
  [[nodiscard]] CallResult flush(const CallContext& context, uint64_t address_space,
                                 uint64_t wanted, const ProcessorSet& processors,
                                 std::span<const abi::hv::GvaRange> ranges, bool whole);

  // Interrupts by hypercall.
  [[nodiscard]] CallResult cluster_ipi(const CallContext& context, uint32_t vector,
                                       abi::hv::InputVtl target, bool reserved,
                                       const ProcessorSet& processors);
  [[nodiscard]] CallResult assert_local_interrupt(Partition& partition, Vtl vtl,
                                                  const InterruptMessage& where, unsigned pin);

  // Translations for others.
  struct TranslatedAddress {
    abi::hv::TranslateResult result{};
    Gpa gpa;
    bool ram{true}, overlay{};
    mmu::Fault fault;
  };
  [[nodiscard]] HvStatus find_translation_target(const CallContext& context,
                                                 const abi::hv::TranslateVirtualAddress& input,
                                                 VpState*& vp, Vtl& vtl);
  [[nodiscard]] TranslatedAddress translate_for_guest(const VpState& vp, Vtl vtl, uint64_t gva,
                                                      uint64_t wanted);
  [[nodiscard]] HvStatus answer_translation(const CallContext& context,
                                            const abi::hv::TranslateVirtualAddress& input,
                                            TranslatedAddress& answer);
  static void inhibit_flushes(const CallContext& context, VpState& vp, Vtl vtl);
  template <class Output>
  static void write_translation(const TranslatedAddress& answer, Output& output);
  [[nodiscard]] CpuidResult cpuid_of(const VpState& vp, Vtl vtl, uint32_t leaf,
                                     uint32_t subleaf) const;

  void emit(support::EventKind kind, const VirtualProcessor& vp, Instant now, uint64_t a = 0,
            uint64_t b = 0, uint64_t c = 0, std::string_view text = {});
  void emit_switch(support::EventKind kind, const VirtualProcessor& vp, Vtl from, uint64_t rip,
                   Instant now, uint64_t c);

  mmu::PhysicalMemory& memory_;
  mmu::Translator& translator_;
  support::EventSink* events_;
  HypervisorConfig config_;
  InterruptControllers* controllers_{};
  /// By id - 1. The root is always there.
  std::array<std::unique_ptr<Partition>, maximum_partitions> partitions_;
  Partition* root_;
  std::vector<Processor> processors_;  ///< by VirtualProcessor::number
  HypercallDispatcher dispatcher_;
  VtlSwitch switch_;
  InterceptRouter router_;
  HypervisorStatistics statistics_;
  uint64_t next_partition_id_{root_partition_id + 1};
  bool reset_requested_{};
  /// A StartVirtualProcessor that a VTL wants to see; never set between two exits.
  struct StartToTell {
    Vtl receiver{};
    uint32_t target{};
  };
  std::optional<StartToTell> start_to_tell_;
};

}  // namespace vtl
