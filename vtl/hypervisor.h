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
  [[nodiscard]] const HypervisorConfig& config() const { return config_; }
  [[nodiscard]] const HypervisorStatistics& statistics() const { return statistics_; }
  /// Everything that the hypervisor keeps. The virtual processors that were added are the machine's to visit.
  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [memory_, translator_, events_, config_, controllers_, partitions_, root_, processors_,
           dispatcher_, switch_, router_, statistics_, reset_requested_] = self;
    visit.host(memory_, translator_, events_, config_, controllers_, root_, dispatcher_, switch_, router_);
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
    visit("statistics", statistics_)("reset_requested", reset_requested_);
  }
  /// After a restore from bytes that nobody vouches for, memory and registers included: empty, or what is wrong.
  [[nodiscard]] const char* what_is_unsound() const;

  // --- Handlers: one per row of hypercalls.def, called by its thunk.
  template <CallCode Code>
  using Tag = CallTag<Code>;
  CallResult on(Tag<CallCode::EnablePartitionVtl>, const CallContext&,
                const abi::hv::EnablePartitionVtl&);
  CallResult on(Tag<CallCode::EnableVpVtl>, const CallContext&, const abi::hv::EnableVpVtl&);
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
      return std::make_unique<GuestMemory>(self.memory_, self.translator_, id, self.config_.guest_memory_bytes);
    });
  }
  [[nodiscard]] std::unique_ptr<Partition> make_partition(uint8_t id) const;
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
  Outcome handle_cpuid(const Exit& exit, VirtualProcessor& vp);
  Outcome handle_msr_read(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_msr_write(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome handle_slat_violation(const Exit& exit, VirtualProcessor& vp, Instant now);
  Outcome intercept(VirtualProcessor& vp, Vtl receiver, const abi::hv::Message& message,
                    Instant now);
  [[nodiscard]] bool intercepts_apic_base(const VpState& vp, Vtl vtl, bool write) const;

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
  [[nodiscard]] bool write_sint(VtlState& state, uint32_t index, uint64_t value);
  /// A register that enables a page of the hypervisor at a GPA. `page` is allocated at first use.
  [[nodiscard]] bool write_overlay_register(Partition& partition, Vtl vtl, uint64_t& stored, Spa& page,
                                            uint64_t value);
  [[nodiscard]] bool set_overlay(Partition& partition, Vtl vtl, Spa page, uint64_t before, uint64_t after,
                                 mmu::Rights rights);
  [[nodiscard]] ApicContext apic_context(VpState& vp, Vtl vtl, Instant now);
  void after_apic_access(VpState& vp, Vtl vtl);
  void send(Partition& partition, Vtl vtl, const InterruptMessage& message, const VpState* sender);
  void deliver(VpState& vp, Vtl vtl, const InterruptMessage& message);
  [[nodiscard]] bool startup_denied(const VpState& vp, Vtl vtl) const;
  void initialise(VpState& vp, Vtl vtl);

  // Interrupts.
  [[nodiscard]] bool enter_for_interrupt(VirtualProcessor& vp, Instant now);
  void fire_timers(VpState& vp, Instant now);
  [[nodiscard]] std::optional<uint8_t> offered_vector(const VpState& vp) const;
  [[nodiscard]] std::optional<uint8_t> external_vector(const VpState& vp) const;
  void interrupt_accepted(VpState& vp, uint8_t vector);
  void interrupt_arrived(VpState& vp, Vtl vtl);
  /// LocalApic::request() of one VTL, and what follows from it in higher ones.
  bool request_interrupt(VpState& vp, Vtl vtl, uint8_t vector, bool auto_eoi = false, bool level = false);
  void raise_vina(VpState& vp);
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
  [[nodiscard]] HvStatus set_pending_event(VpState& vp, Vtl vtl,
                                           const abi::hv::RegisterValue& value);

  // Flushes.
  [[nodiscard]] CallResult flush(const CallContext& context,
                                 const abi::hv::FlushVirtualAddressSpace& input,
                                 std::span<const abi::hv::GvaRange> ranges, bool whole);

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
  bool reset_requested_{};
};

}  // namespace vtl
