#include "sim/machine/devices/io_apic.h"

#include <algorithm>

namespace machine {
namespace {

// Redirection table entry (82093AA, 3.2.4).
constexpr uint64_t remote_irr = 1u << 14, level_triggered = 1u << 15, mask_bit = 1u << 16, logical = 1u << 11;
/// What software may write: delivery status and remote IRR are the chip's.
constexpr uint64_t writable = 0xff00'0000'0001'afff;

constexpr uint8_t id_register = 0x00, version_register = 0x01, arbitration_register = 0x02, first_entry = 0x10;
constexpr uint32_t version = 0x20 | (IoApic::pins - 1) << 16;

constexpr uint16_t select_offset = 0x00, window_offset = 0x10, eoi_offset = 0x40;

bool is_level(uint64_t entry) {
  const auto mode = static_cast<vtl::DeliveryMode>((entry >> 8) & 7);
  // Level is for fixed and lowest priority alone: the other modes are edges whatever the bit says.
  return (entry & level_triggered) != 0 &&
         (mode == vtl::DeliveryMode::Fixed || mode == vtl::DeliveryMode::LowestPriority);
}

}  // namespace

void IoApic::send(uint64_t entry) const {
  bus_.send({.destination = static_cast<uint32_t>(entry >> 56),
             .logical = (entry & logical) != 0,
             .delivery_mode = static_cast<vtl::DeliveryMode>((entry >> 8) & 7),
             .vector = static_cast<uint8_t>(entry),
             .level = is_level(entry)});
}

/// A level that is there and was not sent yet.
void IoApic::service(unsigned pin) {
  uint64_t& entry = redirection_[pin];
  if (!is_level(entry) || (entry & (mask_bit | remote_irr)) != 0 || ((levels_ >> pin) & 1) == 0) return;
  entry |= remote_irr;
  send(entry);
}

void IoApic::set_pin(unsigned pin, bool asserted) {
  if (pin >= pins) return;
  const bool was = ((levels_ >> pin) & 1) != 0;
  if (was == asserted) return;
  levels_ ^= 1u << pin;
  const uint64_t entry = redirection_[pin];
  if (is_level(entry)) service(pin);
  else if (asserted && (entry & mask_bit) == 0) send(entry);
}

void IoApic::end_of_interrupt(uint8_t vector) {
  for (unsigned pin = 0; pin < pins; ++pin) {
    uint64_t& entry = redirection_[pin];
    if (static_cast<uint8_t>(entry) != vector || (entry & remote_irr) == 0) continue;
    entry &= ~remote_irr;
    service(pin);
  }
}

bool IoApic::may_send_nmi() const {
  return std::any_of(redirection_.begin(), redirection_.end(), [](uint64_t entry) {
    const auto mode = static_cast<vtl::DeliveryMode>((entry >> 8) & 7);
    return (entry & mask_bit) == 0 && mode != vtl::DeliveryMode::Fixed && mode != vtl::DeliveryMode::LowestPriority;
  });
}

uint32_t IoApic::read_register() const {
  switch (select_) {
    case id_register:
    case arbitration_register: return uint32_t{id_} << 24;
    case version_register: return version;
    default: break;
  }
  const unsigned index = select_ - first_entry;
  if (select_ < first_entry || index / 2 >= pins) return 0;
  return static_cast<uint32_t>(redirection_[index / 2] >> (32 * (index & 1)));
}

void IoApic::write_register(uint32_t value) {
  if (select_ == id_register) id_ = (value >> 24) & 0x0f;
  const unsigned index = select_ - first_entry;
  if (select_ < first_entry || index / 2 >= pins) return;
  uint64_t& entry = redirection_[index / 2];
  const unsigned shift = 32 * (index & 1);
  const uint64_t allowed = writable & (uint64_t{0xffff'ffff} << shift);
  entry = (entry & ~allowed) | ((uint64_t{value} << shift) & allowed);
  // An interrupt that was sent as a level has nothing to wait for once the pin is an edge.
  if (!is_level(entry)) entry &= ~remote_irr;
  service(index / 2);
}

uint64_t IoApic::mmio_read(uint16_t offset, uint8_t size) const {
  if (size != 4) return ~uint64_t{0};
  if (offset == select_offset) return select_;
  return offset == window_offset ? read_register() : 0;
}

void IoApic::mmio_write(uint16_t offset, uint8_t size, uint64_t value) {
  if (size != 4) return;
  if (offset == select_offset) select_ = static_cast<uint8_t>(value);
  else if (offset == window_offset) write_register(static_cast<uint32_t>(value));
  else if (offset == eoi_offset) end_of_interrupt(static_cast<uint8_t>(value));
}

}  // namespace machine
