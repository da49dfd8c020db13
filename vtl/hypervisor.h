#pragma once
// The hypervisor: what happens after an exit. Policy lives here; mechanism lives in the parts that
// it owns.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "abi/hv/hypercalls.h"
#include "abi/hv/vp_registers.h"
#include "mmu/translator.h"
#include "sim/support/events.h"
#include "sim/support/state_fields.h"
#include "vtl/cpuid.h"
#include "vtl/exit.h"
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

  /// Every VP of the machine, in order of their index from 0, before anything else. The object must
  /// stay where it is.
  void add_virtual_processor(VirtualProcessor& vp);

  /// Turns the bare machine into the root partition in VTL 0. False: it runs already, or its memory
  /// is too small.
  [[nodiscard]] bool launch(VirtualProcessor& vp);
  [[nodiscard]] bool launched() const { return partition_.memory != nullptr; }

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

  [[nodiscard]] const Partition& partition() const { return partition_; }
  [[nodiscard]] const HypervisorConfig& config() const { return config_; }
  [[nodiscard]] const HypervisorStatistics& statistics() const { return statistics_; }
  /// Everything that the hypervisor keeps. The virtual processors that were added are the machine's to visit.
  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [memory_, translator_, events_, config_, partition_, dispatcher_, switch_, router_, statistics_,
           reset_requested_] = self;
    visit.host(memory_, translator_, events_, config_, dispatcher_, switch_, router_);
    visit.group("partition", [&] {
      Partition::visit_state(visit, partition_, [&] {
        return std::make_unique<GuestMemory>(memory_, translator_, partition_.id, config_.guest_memory_bytes);
      });
    });
    visit("statistics", statistics_)("reset_requested", reset_requested_);
  }

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
  [[nodiscard]] VpState& state(const VirtualProcessor& vp) { return *partition_.vps[vp.index]; }
  [[nodiscard]] const VpState& state(const VirtualProcessor& vp) const {
    return *partition_.vps[vp.index];
  }

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
  [[nodiscard]] bool write_hypercall_msr(Vtl vtl, uint64_t value);
  [[nodiscard]] bool write_reference_tsc_msr(VpState& vp, Vtl vtl, uint64_t value);
  [[nodiscard]] bool write_crash_msr(VpState& vp, uint32_t msr, uint64_t value, Instant now);
  [[nodiscard]] bool write_sint(VtlState& state, uint32_t index, uint64_t value);
  /// A register that enables a page of the hypervisor at a GPA. `page` is allocated at first use.
  [[nodiscard]] bool write_overlay_register(Vtl vtl, uint64_t& stored, Spa& page, uint64_t value);
  [[nodiscard]] bool set_overlay(Vtl vtl, Spa page, uint64_t before, uint64_t after,
                                 mmu::Rights rights);
  [[nodiscard]] ApicContext apic_context(VpState& vp, Vtl vtl, Instant now);
  void send_interprocessor_interrupt(VpState& sender, Vtl vtl);

  // Interrupts.
  [[nodiscard]] bool enter_for_interrupt(VirtualProcessor& vp, Instant now);
  void raise_vina(VirtualProcessor& vp);
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
  [[nodiscard]] HvStatus set_partition_config(Vtl vtl, uint64_t value);
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
  Partition partition_;
  HypercallDispatcher dispatcher_;
  VtlSwitch switch_;
  InterceptRouter router_;
  HypervisorStatistics statistics_;
  bool reset_requested_{};
};

}  // namespace vtl
