#include "vtl/local_apic.h"

#include <bit>

namespace vtl {
namespace {

constexpr uint32_t svr_enable = 1u << 8, lvt_mask = 1u << 16;
constexpr uint32_t lvt_timer_bits = 0xFF | lvt_mask | 3u << 17;
constexpr uint32_t lvt_bits = 0xFF | 7u << 8 | 1u << 13 | 1u << 15 | lvt_mask;
constexpr uint32_t icr_low_bits = 0xFF | 7u << 8 | 1u << 11 | 1u << 14 | 1u << 15 | 3u << 18;
/// Version 0x14 with six LVT entries.
constexpr uint32_t version_value = 0x14 | 5u << 16;

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
  reset(true);
}

void LocalApic::reset(bool keep_base) {
  const uint64_t base = base_;
  irr_ = isr_ = auto_eoi_ = {};
  svr_ = 0xFF;
  ldr_ = esr_ = divide_ = initial_ = 0;
  dfr_ = 0xFFFFFFFF;
  icr_ = 0;
  lvt_timer_ = lvt_thermal_ = lvt_performance_ = lvt_lint0_ = lvt_lint1_ = lvt_error_ = lvt_mask;
  expiry_ = support::never;
  tsc_deadline_ = 0;
  outgoing_.reset();
  if (keep_base) base_ = base;
}

bool LocalApic::enabled() const {
  return globally_enabled() && (svr_ & svr_enable) != 0;
}

bool LocalApic::request(uint8_t vector, bool auto_eoi) {
  if (!enabled() || vector < 16) return false;
  irr_.set(vector);
  if (auto_eoi) {
    auto_eoi_.set(vector);
  } else {
    auto_eoi_.clear(vector);
  }
  return true;
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
  if (!auto_eoi_.has(vector)) isr_.set(vector);
}

void LocalApic::eoi() {
  if (const auto vector = isr_.highest()) isr_.clear(*vector);
}

bool LocalApic::matches(const InterprocessorInterrupt& interrupt) const {
  const uint32_t destination = interrupt.destination;
  if (!interrupt.logical)
    return destination == id_ || destination == (in_x2apic_mode() ? 0xFFFFFFFFu : 0xFFu);
  if (in_x2apic_mode()) {
    return (destination >> 16) == (id_ >> 4u) && ((destination >> (id_ & 15u)) & 1) != 0;
  }
  const uint32_t logical = ldr_ >> 24;
  if ((dfr_ >> 28) == 0xF) return (logical & destination) != 0;
  return (logical >> 4) == (destination >> 4) && (logical & destination & 0xF) != 0;
}

bool LocalApic::write_icr(uint64_t value) {
  const auto low = static_cast<uint32_t>(value);
  if ((low & ~icr_low_bits & ~(1u << 12)) != 0) return false;
  icr_ = (value & 0xFFFFFFFF00000000) | (low & icr_low_bits);
  const auto high = static_cast<uint32_t>(value >> 32);
  outgoing_ = InterprocessorInterrupt{.vector = static_cast<uint8_t>(low),
                                      .delivery_mode = static_cast<uint8_t>((low >> 8) & 7),
                                      .shorthand = static_cast<uint8_t>((low >> 18) & 3),
                                      .logical = (low & (1u << 11)) != 0,
                                      .destination = in_x2apic_mode() ? high : high >> 24};
  return true;
}

std::optional<InterprocessorInterrupt> LocalApic::take_interprocessor_interrupt() {
  auto interrupt = outgoing_;
  outgoing_.reset();
  return interrupt;
}

bool LocalApic::write_base(uint64_t value) {
  using namespace apic_base;
  if ((value & ~(bootstrap | x2apic | enable)) != apic::mmio_base) return false;
  const bool was_enabled = (base_ & enable) != 0, now_enabled = (value & enable) != 0;
  const bool was_x2 = in_x2apic_mode(), now_x2 = (value & x2apic) != 0;
  // SDM vol. 3, figure 11-27: x2APIC mode is entered from xAPIC mode and left only by disabling.
  if (now_x2 && !now_enabled) return false;
  if (now_x2 && !was_enabled) return false;
  if (was_x2 && now_enabled && !now_x2) return false;
  base_ = (value & ~bootstrap) | (base_ & bootstrap);
  if (!now_enabled && was_enabled) reset(true);
  return true;
}

std::optional<uint64_t> LocalApic::read_msr(uint32_t msr, const ApicContext& context) const {
  if (msr == apic::msr_base) return base_;
  if (msr == apic::msr_tsc_deadline) {
    return timer_mode() == TimerMode::TscDeadline ? tsc_deadline_ : 0;
  }
  if (!in_x2apic_mode() || msr < apic::msr_x2apic || msr > apic::msr_x2apic_last)
    return std::nullopt;
  const auto number = static_cast<uint16_t>(msr - apic::msr_x2apic);
  switch (number) {
    case apic::id:
      return id_;
    case apic::ldr:
      return (static_cast<uint64_t>(id_) >> 4) << 16 | uint64_t{1} << (id_ & 15);
    case apic::icr:
      return icr_;
    case apic::dfr:
    case apic::icr_high:
    case apic::apr:
    case apic::rrd:
    case apic::eoi:
    case apic::self_ipi:
      return std::nullopt;
    default:
      return read(number, context);
  }
}

bool LocalApic::write_msr(uint32_t msr, uint64_t value, const ApicContext& context) {
  if (msr == apic::msr_base) return write_base(value);
  if (msr == apic::msr_tsc_deadline) {
    if (timer_mode() == TimerMode::TscDeadline) tsc_deadline_ = value;
    return true;
  }
  if (!in_x2apic_mode() || msr < apic::msr_x2apic || msr > apic::msr_x2apic_last) return false;
  const auto number = static_cast<uint16_t>(msr - apic::msr_x2apic);
  if (number == apic::icr) return write_icr(value);
  if (number == apic::self_ipi) {
    if (value > 0xFF) return false;
    outgoing_ = InterprocessorInterrupt{.vector = static_cast<uint8_t>(value), .shorthand = 1};
    return true;
  }
  if (number == apic::eoi && value != 0) return false;
  if (number == apic::ldr || number == apic::dfr || number == apic::icr_high) return false;
  if (value >> 32 != 0) return false;
  return write(number, value, context);
}

uint32_t LocalApic::read_mmio(uint16_t offset, const ApicContext& context) const {
  if (in_x2apic_mode() || !globally_enabled()) return 0xFFFFFFFF;
  if (offset % 16 != 0) return 0;
  const auto number = static_cast<uint16_t>(offset / 16);
  switch (number) {
    case apic::id:
      return static_cast<uint32_t>(id_) << 24;
    case apic::ldr:
      return ldr_;
    case apic::dfr:
      return dfr_;
    case apic::icr:
      return static_cast<uint32_t>(icr_);
    case apic::icr_high:
      return static_cast<uint32_t>(icr_ >> 32);
    default:
      return static_cast<uint32_t>(read(number, context).value_or(0));
  }
}

void LocalApic::write_mmio(uint16_t offset, uint32_t value, const ApicContext& context) {
  if (in_x2apic_mode() || !globally_enabled() || offset % 16 != 0) return;
  const auto number = static_cast<uint16_t>(offset / 16);
  switch (number) {
    case apic::ldr:
      ldr_ = value & 0xFF000000;
      return;
    case apic::dfr:
      dfr_ = value | 0x0FFFFFFF;
      return;
    case apic::icr:
      (void)write_icr((icr_ & 0xFFFFFFFF00000000) | (value & (icr_low_bits | 1u << 12)));
      return;
    case apic::icr_high:
      icr_ = (icr_ & 0xFFFFFFFF) | uint64_t{value & 0xFF000000} << 32;
      return;
    default:
      (void)write(number, value, context);
  }
}

std::optional<uint64_t> LocalApic::read(uint16_t number, const ApicContext& context) const {
  if (number >= apic::isr && number < apic::isr + 8) return isr_.word32(number - apic::isr);
  if (number >= apic::tmr && number < apic::tmr + 8)
    return 0;  // every interrupt here is edge-triggered
  if (number >= apic::irr && number < apic::irr + 8) return irr_.word32(number - apic::irr);
  switch (number) {
    case apic::version:
      return version_value;
    case apic::tpr:
      return *context.tpr;
    case apic::ppr:
      return processor_priority(*context.tpr);
    case apic::svr:
      return svr_;
    case apic::esr:
      return esr_;
    case apic::lvt_timer:
      return lvt_timer_;
    case apic::lvt_thermal:
      return lvt_thermal_;
    case apic::lvt_performance:
      return lvt_performance_;
    case apic::lvt_lint0:
      return lvt_lint0_;
    case apic::lvt_lint1:
      return lvt_lint1_;
    case apic::lvt_error:
      return lvt_error_;
    case apic::timer_initial:
      return initial_;
    case apic::timer_current:
      return timer_count(context.now);
    case apic::timer_divide:
      return divide_;
    default:
      return std::nullopt;
  }
}

bool LocalApic::write(uint16_t number, uint64_t value, const ApicContext& context) {
  const auto low = static_cast<uint32_t>(value);
  switch (number) {
    case apic::tpr:
      if (value > 0xFF) return false;
      *context.tpr = static_cast<uint8_t>(value);
      return true;
    case apic::eoi:
      eoi();
      return true;
    case apic::svr:
      if ((low & ~(0xFFu | svr_enable | 1u << 9)) != 0) return false;
      svr_ = low;
      if ((svr_ & svr_enable) == 0) {  // SDM vol. 3, 11.4.7.2: all local sources become masked
        for (uint32_t* lvt : {&lvt_timer_, &lvt_thermal_, &lvt_performance_, &lvt_lint0_,
                              &lvt_lint1_, &lvt_error_}) {
          *lvt |= lvt_mask;
        }
      }
      return true;
    case apic::esr:
      esr_ = 0;
      return true;
    case apic::timer_initial:
      if (timer_mode() != TimerMode::TscDeadline) arm(low, context.now);
      return true;
    case apic::timer_divide:
      if ((low & ~0xBu) != 0) return false;
      divide_ = low;
      return true;
    default:
      return write_lvt(number, low);
  }
}

bool LocalApic::write_lvt(uint16_t number, uint32_t value) {
  const uint32_t masked = (svr_ & svr_enable) != 0 ? 0 : lvt_mask;
  const uint32_t bits = number == apic::lvt_timer ? lvt_timer_bits : lvt_bits;
  const uint32_t status = 1u << 12 | 1u << 14;  // read-only
  if ((value & ~(bits | status)) != 0) return false;
  const uint32_t stored = (value & bits) | masked;
  switch (number) {
    case apic::lvt_timer: {
      const TimerMode before = timer_mode();
      lvt_timer_ = stored;
      // SDM vol. 3, 11.5.4.1: going to or from TSC-deadline mode disarms the timer.
      if ((before == TimerMode::TscDeadline) != (timer_mode() == TimerMode::TscDeadline)) {
        expiry_ = support::never;
        initial_ = 0;
        tsc_deadline_ = 0;
      }
      return true;
    }
    case apic::lvt_thermal:
      lvt_thermal_ = stored;
      return true;
    case apic::lvt_performance:
      lvt_performance_ = stored;
      return true;
    case apic::lvt_lint0:
      lvt_lint0_ = stored;
      return true;
    case apic::lvt_lint1:
      lvt_lint1_ = stored;
      return true;
    case apic::lvt_error:
      lvt_error_ = stored;
      return true;
    default:
      return false;
  }
}

}  // namespace vtl
