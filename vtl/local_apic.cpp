#include "vtl/local_apic.h"

#include <bit>

namespace vtl {
namespace {

constexpr uint32_t svr_enable = 1u << 8, lvt_mask = 1u << 16;
constexpr uint32_t icr_low_bits = 0xFF | 7u << 8 | 1u << 11 | 1u << 14 | 1u << 15 | 3u << 18;
constexpr uint8_t first_legal_vector = 16;

/// Bits 10:8 of an ICR or LVT entry.
constexpr DeliveryMode mode_of(uint32_t low) {
  return static_cast<DeliveryMode>((low >> 8) & 7);
}

}  // namespace

std::optional<uint8_t> VectorSet::highest() const {
  for (unsigned i = 4; i-- > 0;) {
    if (words_[i] != 0)
      return static_cast<uint8_t>(64 * i + 63 - static_cast<unsigned>(std::countl_zero(words_[i])));
  }
  return std::nullopt;
}

LocalApic::LocalApic(uint8_t id, bool bootstrap)
    : id_{id}, base_{apic::mmio_base | apic_base::enable | (bootstrap ? apic_base::bootstrap : 0)} {
  reset();
}

/// Everything but ID and IA32_APIC_BASE.
void LocalApic::reset() {
  irr_ = isr_ = tmr_ = auto_eoi_ = {};
  svr_ = 0xFF;
  ldr_ = esr_ = errors_ = divide_ = initial_ = 0;
  dfr_ = 0xFFFFFFFF;
  icr_ = 0;
  lvt_timer_ = lvt_thermal_ = lvt_performance_ = lvt_lint0_ = lvt_lint1_ = lvt_error_ = lvt_mask;
  expiry_ = support::never;
  tsc_deadline_ = 0;
  outgoing_.reset();
  ended_level_.reset();
}

bool LocalApic::enabled() const {
  return globally_enabled() && (svr_ & svr_enable) != 0;
}

bool LocalApic::request(uint8_t vector, bool auto_eoi, bool level) {
  if (!enabled()) return false;
  if (vector < first_legal_vector) {
    error(apic_error::receive_illegal_vector);
    return false;
  }
  irr_.set(vector);
  if (level) {
    tmr_.set(vector);
  } else {
    tmr_.clear(vector);
  }
  if (auto_eoi) {
    auto_eoi_.set(vector);
  } else {
    auto_eoi_.clear(vector);
  }
  return true;
}

void LocalApic::error(uint32_t bits) {
  errors_ |= bits;
  const auto vector = static_cast<uint8_t>(lvt_error_);
  // An illegal vector in the entry itself is one more error, and no interrupt.
  if ((lvt_error_ & lvt_mask) != 0 || !enabled()) return;
  if (vector < first_legal_vector) {
    errors_ |= apic_error::receive_illegal_vector;
  } else {
    request(vector);
  }
}

uint8_t LocalApic::processor_priority(uint8_t tpr) const {
  const uint8_t in_service = isr_.highest().value_or(0);
  // SDM vol. 3, 11.8.3.1: the higher class of both; sub-class only from the TPR.
  return (tpr >> 4) >= (in_service >> 4) ? tpr : static_cast<uint8_t>(in_service & 0xF0);
}

std::optional<uint8_t> LocalApic::deliverable(uint8_t tpr) const {
  if (!globally_enabled()) return std::nullopt;
  const auto vector = irr_.highest();
  if (!vector || (*vector >> 4) <= (processor_priority(tpr) >> 4)) return std::nullopt;
  return vector;
}

void LocalApic::accept(uint8_t vector) {
  irr_.clear(vector);
  if (!auto_eoi_.has(vector)) {
    isr_.set(vector);
  } else if (tmr_.has(vector)) {
    ended_level_ = vector;
  }
}

void LocalApic::eoi() {
  const auto vector = isr_.highest();
  if (!vector) return;
  isr_.clear(*vector);
  if (tmr_.has(*vector)) ended_level_ = vector;
}

std::optional<uint8_t> LocalApic::take_ended_level_interrupt() {
  const auto vector = ended_level_;
  ended_level_.reset();
  return vector;
}

bool LocalApic::matches(const InterruptMessage& message) const {
  if (!globally_enabled()) return false;
  const uint32_t destination = message.destination;
  if (destination == (message.wide ? 0xFFFFFFFFu : 0xFFu)) return true;
  if (!message.logical) return destination == id_;
  if (in_x2apic_mode()) {
    return (destination >> 16) == (id_ >> 4u) && ((destination >> (id_ & 15u)) & 1) != 0;
  }
  if (destination > 0xFF) return false;
  const uint32_t logical = ldr_ >> 24;
  if ((dfr_ >> 28) == 0xF) return (logical & destination) != 0;
  return (logical >> 4) == (destination >> 4) && (logical & destination & 0xF) != 0;
}

bool LocalApic::takes_external() const {
  if (!globally_enabled()) return true;
  return (lvt_lint0_ & lvt_mask) == 0 && mode_of(lvt_lint0_) == DeliveryMode::ExtInt;
}

std::optional<InterruptMessage> LocalApic::local_interrupt(unsigned pin) const {
  const uint32_t entry = pin == 0 ? lvt_lint0_ : lvt_lint1_;
  if (!globally_enabled()) {  // the pins are INTR and NMI again
    if (pin == 0) return std::nullopt;
    return InterruptMessage{.mode = DeliveryMode::Nmi};
  }
  if ((entry & lvt_mask) != 0) return std::nullopt;
  return InterruptMessage{.vector = static_cast<uint8_t>(entry), .mode = mode_of(entry)};
}

bool LocalApic::write_icr(uint64_t value) {
  const auto low = static_cast<uint32_t>(value);
  constexpr uint32_t delivery_status = 1u << 12, level_trigger = 1u << 15, assert_level = 1u << 14;
  if ((low & ~icr_low_bits & ~delivery_status) != 0) return false;
  icr_ = (value & 0xFFFFFFFF00000000) | (low & icr_low_bits);
  const auto high = static_cast<uint32_t>(value >> 32);
  const bool wide = in_x2apic_mode();
  const InterruptMessage message{.vector = static_cast<uint8_t>(low),
                                 .mode = mode_of(low),
                                 .shorthand = static_cast<Shorthand>((low >> 18) & 3),
                                 .logical = (low & (1u << 11)) != 0,
                                 .wide = wide,
                                 .level = false,  // the trigger mode of an IPI means INIT alone
                                 .destination = wide ? high : high >> 24};
  // INIT level de-assert: processors since the Pentium 4 ignore it.
  if (message.mode == DeliveryMode::Init && (low & level_trigger) != 0 && (low & assert_level) == 0)
    return true;
  send(message);
  return true;
}

void LocalApic::send(const InterruptMessage& message) {
  const bool has_vector =
      message.mode == DeliveryMode::Fixed || message.mode == DeliveryMode::LowestPriority;
  if (has_vector && message.vector < first_legal_vector) {
    error(apic_error::send_illegal_vector);
    return;
  }
  outgoing_ = message;
}

std::optional<InterruptMessage> LocalApic::take_outgoing() {
  auto message = outgoing_;
  outgoing_.reset();
  return message;
}

bool LocalApic::write_base(uint64_t value) {
  constexpr uint64_t bsp = apic_base::bootstrap;
  if ((value & ~(bsp | apic_base::x2apic | apic_base::enable)) != apic::mmio_base) return false;
  const bool was_enabled = (base_ & apic_base::enable) != 0;
  const bool now_enabled = (value & apic_base::enable) != 0;
  const bool was_x2 = in_x2apic_mode(), now_x2 = (value & apic_base::x2apic) != 0;
  // SDM vol. 3, figure 11-27: x2APIC mode is entered from xAPIC mode and left only by disabling.
  if (now_x2 && !now_enabled) return false;
  if (now_x2 && !was_enabled) return false;
  if (was_x2 && now_enabled && !now_x2) return false;
  base_ = (value & ~bsp) | (base_ & bsp);
  if (!now_enabled && was_enabled) reset();
  if (now_x2 && !was_x2) icr_ = static_cast<uint32_t>(icr_);  // 11.12.5.1: the destination is new
  return true;
}

}  // namespace vtl
