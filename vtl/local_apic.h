#pragma once
// One local APIC: each VTL of each virtual processor has its own (TLFS 15.12; SDM vol. 3, chapter
// 11).
#include <array>
#include <cstdint>
#include <optional>

#include "sim/support/instant.h"
#include "sim/support/state_fields.h"
#include "vtl/external_interrupts.h"

namespace vtl {

using support::Instant;

/// Registers by their x2APIC number: the MSR is 0x800 + n, the xAPIC offset 16 * n (SDM vol. 3,
/// table 11-6).
namespace apic {
inline constexpr uint16_t id = 0x02, version = 0x03, tpr = 0x08, apr = 0x09, ppr = 0x0A, eoi = 0x0B,
                          rrd = 0x0C;
inline constexpr uint16_t ldr = 0x0D, dfr = 0x0E, svr = 0x0F, isr = 0x10, tmr = 0x18, irr = 0x20,
                          esr = 0x28;
inline constexpr uint16_t lvt_cmci = 0x2F, icr = 0x30, icr_high = 0x31, lvt_timer = 0x32,
                          lvt_thermal = 0x33;
inline constexpr uint16_t lvt_performance = 0x34, lvt_lint0 = 0x35, lvt_lint1 = 0x36,
                          lvt_error = 0x37;
inline constexpr uint16_t timer_initial = 0x38, timer_current = 0x39, timer_divide = 0x3E,
                          self_ipi = 0x3F;
inline constexpr uint32_t msr_base = 0x1B, msr_tsc_deadline = 0x6E0, msr_x2apic = 0x800,
                          msr_x2apic_last = 0x83F;
inline constexpr uint64_t mmio_base = 0xFEE00000;
}  // namespace apic

/// ESR bits (SDM vol. 3, figure 11-9).
namespace apic_error {
inline constexpr uint32_t send_illegal_vector = 1u << 5, receive_illegal_vector = 1u << 6,
                          illegal_register = 1u << 7;
}  // namespace apic_error

/// IA32_APIC_BASE bits.
namespace apic_base {
inline constexpr uint64_t bootstrap = 1u << 8, x2apic = 1u << 10, enable = 1u << 11;
}  // namespace apic_base

/// Whom an ICR write means besides its destination field (SDM vol. 3, 11.6.1).
enum class Shorthand : uint8_t { None = 0, Self = 1, All = 2, AllButSelf = 3 };

/// What travels between APICs: an ICR write, or the message of an I/O APIC or of a device (MSI).
struct InterruptMessage {
  uint8_t vector{};
  DeliveryMode mode{};
  Shorthand shorthand{};  ///< ICR only
  bool logical{};
  bool wide{};  ///< `destination` has 32 bits (the sender is in x2APIC mode), else 8
  bool level{};  ///< level-triggered: its end is told to the I/O APICs
  uint32_t destination{};
  STATE_FIELDS(vector, mode, shorthand, logical, wide, level, destination)
};

/// A set of 256 vectors.
class VectorSet {
 public:
  void set(uint8_t vector) { words_[vector / 64] |= uint64_t{1} << (vector % 64); }
  void clear(uint8_t vector) { words_[vector / 64] &= ~(uint64_t{1} << (vector % 64)); }
  [[nodiscard]] bool has(uint8_t vector) const {
    return (words_[vector / 64] >> (vector % 64)) & 1;
  }
  [[nodiscard]] std::optional<uint8_t> highest() const;
  [[nodiscard]] uint32_t word32(unsigned index) const {
    return static_cast<uint32_t>(words_[index / 2] >> (32 * (index % 2)));
  }
  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [words_] = self;
    visit.visit(words_);
  }

 private:
  std::array<uint64_t, 4> words_{};
};

/// What an access needs to know besides the APIC itself. The task priority is a register of the VTL
/// (CR8).
struct ApicContext {
  Instant now;
  uint64_t tsc_offset{};
  uint8_t* tpr{};
};

class LocalApic {
 public:
  /// In the state after power-up: xAPIC mode, software-disabled.
  LocalApic() : LocalApic(0, false) {}
  LocalApic(uint8_t id, bool bootstrap);
  /// After INIT: as after power-up, but ID and IA32_APIC_BASE stay (SDM vol. 3, 11.4.7.3).
  void initialise() { reset(); }

  // --- Interrupts.
  /// Makes `vector` pending. A software-disabled APIC takes none: false; nor does any take a vector
  /// below 16, which is an error (ESR). With `auto_eoi` the vector is not in service after it was
  /// accepted. A `level` interrupt is told to the I/O APICs when it ends: see
  /// take_ended_level_interrupt().
  bool request(uint8_t vector, bool auto_eoi = false, bool level = false);
  /// Withdraws a vector that is pending and not yet accepted (HvCallClearVirtualInterrupt).
  void withdraw(uint8_t vector) { irr_.clear(vector); }
  /// The vector that the processor would take now, if its priority is above the processor's (TPR
  /// and what is in service).
  [[nodiscard]] std::optional<uint8_t> deliverable(uint8_t tpr) const;
  /// The processor took `vector`: from IRR to ISR.
  void accept(uint8_t vector);
  /// Ends the interrupt in service with the highest priority.
  void eoi();
  /// The level-triggered vector that the last EOI ended; taken once.
  [[nodiscard]] std::optional<uint8_t> take_ended_level_interrupt();
  [[nodiscard]] bool pending(uint8_t vector) const { return irr_.has(vector); }
  [[nodiscard]] bool in_service(uint8_t vector) const { return isr_.has(vector); }
  [[nodiscard]] bool enabled() const;  ///< globally and by software
  [[nodiscard]] bool globally_enabled() const { return (base_ & apic_base::enable) != 0; }
  [[nodiscard]] uint8_t id() const { return id_; }
  [[nodiscard]] bool bootstrap() const { return (base_ & apic_base::bootstrap) != 0; }
  /// Whether the destination field of a message means this APIC; a globally disabled one hears
  /// nothing.
  [[nodiscard]] bool matches(const InterruptMessage& message) const;
  /// PPR: the priority below which nothing is delivered; what lowest-priority delivery compares.
  [[nodiscard]] uint8_t processor_priority(uint8_t tpr) const;
  /// LINT0 takes an 8259's interrupts: as ExtINT, or as the INTR pin of a processor whose APIC is
  /// off (SDM vol. 3, 11.4.3).
  [[nodiscard]] bool takes_external() const;
  /// What a signal at LINT0 or LINT1 asks for: mode and vector of the entry; empty if it is masked.
  [[nodiscard]] std::optional<InterruptMessage> local_interrupt(unsigned pin) const;

  // --- Registers. A false or empty answer is #GP for an MSR; over MMIO such accesses have no
  // effect.
  [[nodiscard]] std::optional<uint64_t> read_msr(uint32_t msr, const ApicContext& context) const;
  [[nodiscard]] bool write_msr(uint32_t msr, uint64_t value, const ApicContext& context);
  [[nodiscard]] uint32_t read_mmio(uint16_t offset, const ApicContext& context);
  void write_mmio(uint16_t offset, uint32_t value, const ApicContext& context);
  /// The ICR as one 64-bit register of x2APIC form (HV_X64_MSR_ICR).
  [[nodiscard]] uint64_t icr() const { return icr_; }
  [[nodiscard]] bool write_icr(uint64_t value);
  /// What the last ICR or self-IPI write asked for; taken once.
  [[nodiscard]] std::optional<InterruptMessage> take_outgoing();

  // --- Timer, in ticks of the machine.
  /// When the timer fires next; support::never if it is not armed. `tsc_offset`: TSC = ticks +
  /// tsc_offset.
  [[nodiscard]] Instant next_timer(uint64_t tsc_offset) const {
    return timer_mode() != TimerMode::TscDeadline ? expiry_ : next_deadline(tsc_offset);
  }
  /// Fires what is due at `now`; a periodic timer that missed periods fires once. True: a vector
  /// became pending.
  bool advance(Instant now, uint64_t tsc_offset);

  STATE_FIELDS(id_, base_, irr_, isr_, tmr_, auto_eoi_, svr_, ldr_, dfr_, esr_, errors_, icr_, lvt_timer_, lvt_thermal_,
               lvt_performance_, lvt_lint0_, lvt_lint1_, lvt_error_, divide_, initial_, expiry_, tsc_deadline_,
               outgoing_, ended_level_)

 private:
  enum class TimerMode : uint8_t { OneShot = 0, Periodic = 1, TscDeadline = 2, Reserved = 3 };
  [[nodiscard]] bool in_x2apic_mode() const { return (base_ & apic_base::x2apic) != 0; }
  [[nodiscard]] Instant next_deadline(uint64_t tsc_offset) const;
  [[nodiscard]] TimerMode timer_mode() const {
    return static_cast<TimerMode>((lvt_timer_ >> 17) & 3);
  }
  [[nodiscard]] uint64_t ticks_per_count() const;
  [[nodiscard]] uint32_t timer_count(Instant now) const;
  [[nodiscard]] bool write_base(uint64_t value);
  [[nodiscard]] std::optional<uint64_t> read(uint16_t number, const ApicContext& context) const;
  [[nodiscard]] bool write(uint16_t number, uint64_t value, const ApicContext& context);
  [[nodiscard]] bool write_lvt(uint16_t number, uint32_t value);
  void arm(uint32_t initial, Instant now);
  void set_divide(uint32_t value, Instant now);
  void reset();
  /// Bits of ESR: seen by the guest after it writes ESR; LVT error fires.
  void error(uint32_t bits);
  void send(const InterruptMessage& message);
  [[nodiscard]] uint32_t* lvt(uint16_t number);

  uint8_t id_;
  uint64_t base_;
  VectorSet irr_, isr_, tmr_, auto_eoi_;
  uint32_t svr_{0xFF}, ldr_{}, dfr_{0xFFFFFFFF}, esr_{};
  uint32_t errors_{};  ///< since ESR was last written
  uint64_t icr_{};
  uint32_t lvt_timer_{}, lvt_thermal_{}, lvt_performance_{}, lvt_lint0_{}, lvt_lint1_{},
      lvt_error_{};
  uint32_t divide_{}, initial_{};
  Instant expiry_{support::never};  ///< one-shot and periodic
  uint64_t tsc_deadline_{};         ///< 0 = not armed
  std::optional<InterruptMessage> outgoing_;
  std::optional<uint8_t> ended_level_;
};

}  // namespace vtl
