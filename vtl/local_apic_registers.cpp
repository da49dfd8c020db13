// The local APIC's registers as a guest reads and writes them (SDM vol. 3, table 11-6).
#include "vtl/local_apic.h"

namespace vtl {
namespace {

constexpr uint32_t svr_enable = 1u << 8, lvt_mask = 1u << 16;
constexpr uint32_t lvt_timer_bits = 0xFF | lvt_mask | 3u << 17;
constexpr uint32_t lvt_bits = 0xFF | 7u << 8 | 1u << 13 | 1u << 15 | lvt_mask;
constexpr uint32_t icr_low_bits = 0xFF | 7u << 8 | 1u << 11 | 1u << 14 | 1u << 15 | 3u << 18;
/// Version 0x14 with six LVT entries.
constexpr uint32_t version_value = 0x14 | 5u << 16;

/// What a write through memory can change: reserved bits are ignored there, and #GP in an MSR.
uint32_t writable_bits(uint16_t number) {
  switch (number) {
    case apic::tpr:
      return 0xFF;
    case apic::svr:
      return 0xFF | svr_enable | 1u << 9;
    case apic::timer_divide:
      return 0xB;
    case apic::lvt_timer:
      return lvt_timer_bits;
    case apic::lvt_thermal:
    case apic::lvt_performance:
    case apic::lvt_lint0:
    case apic::lvt_lint1:
    case apic::lvt_error:
      return lvt_bits;
    default:
      return ~0u;
  }
}

}  // namespace

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
  if (value >> 32 != 0) return false;
  switch (number) {
    case apic::self_ipi:
      if (value > 0xFF) return false;
      send({.vector = static_cast<uint8_t>(value), .shorthand = Shorthand::Self});
      return true;
    case apic::eoi:
    case apic::esr:
      return value == 0 && write(number, value, context);
    case apic::ldr:
    case apic::dfr:
    case apic::icr_high:
      return false;
    default:
      return write(number, value, context);
  }
}

uint32_t LocalApic::read_mmio(uint16_t offset, const ApicContext& context) {
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
    case apic::apr:
    case apic::rrd:
    case apic::eoi:
      return 0;  // write-only, or never anything else
    default:
      break;
  }
  const auto value = read(number, context);
  if (!value) error(apic_error::illegal_register);
  return static_cast<uint32_t>(value.value_or(0));
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
    case apic::eoi:
      eoi();
      return;
    default:
      break;
  }
  // Reserved bits of a register that exists are ignored; a register that does not is an error.
  const uint32_t kept = value & writable_bits(number);
  if (!write(number, kept, context) && !read(number, context)) error(apic_error::illegal_register);
}

std::optional<uint64_t> LocalApic::read(uint16_t number, const ApicContext& context) const {
  if (number >= apic::isr && number < apic::isr + 8) return isr_.word32(number - apic::isr);
  if (number >= apic::tmr && number < apic::tmr + 8) return tmr_.word32(number - apic::tmr);
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
        for (uint32_t* entry : {&lvt_timer_, &lvt_thermal_, &lvt_performance_, &lvt_lint0_,
                                &lvt_lint1_, &lvt_error_}) {
          *entry |= lvt_mask;
        }
      }
      return true;
    case apic::esr:
      // SDM vol. 3, 11.5.3: a write shows what has gathered since the last one, and starts afresh.
      esr_ = errors_;
      errors_ = 0;
      return true;
    case apic::timer_initial:
      if (timer_mode() != TimerMode::TscDeadline) arm(low, context.now);
      return true;
    case apic::timer_divide:
      if ((low & ~0xBu) != 0) return false;
      set_divide(low, context.now);
      return true;
    default:
      return write_lvt(number, low);
  }
}

uint32_t* LocalApic::lvt(uint16_t number) {
  switch (number) {
    case apic::lvt_timer:
      return &lvt_timer_;
    case apic::lvt_thermal:
      return &lvt_thermal_;
    case apic::lvt_performance:
      return &lvt_performance_;
    case apic::lvt_lint0:
      return &lvt_lint0_;
    case apic::lvt_lint1:
      return &lvt_lint1_;
    case apic::lvt_error:
      return &lvt_error_;
    default:
      return nullptr;
  }
}

bool LocalApic::write_lvt(uint16_t number, uint32_t value) {
  uint32_t* const entry = lvt(number);
  if (entry == nullptr) return false;
  const uint32_t masked = (svr_ & svr_enable) != 0 ? 0 : lvt_mask;
  const uint32_t bits = number == apic::lvt_timer ? lvt_timer_bits : lvt_bits;
  const uint32_t status = 1u << 12 | 1u << 14;  // read-only
  if ((value & ~(bits | status)) != 0) return false;
  const TimerMode before = timer_mode();
  *entry = (value & bits) | masked;
  // SDM vol. 3, 11.5.4.1: going to or from TSC-deadline mode disarms the timer.
  if ((before == TimerMode::TscDeadline) != (timer_mode() == TimerMode::TscDeadline)) {
    expiry_ = support::never;
    initial_ = 0;
    tsc_deadline_ = 0;
  }
  return true;
}

}  // namespace vtl
