#include "sim/machine/devices/platform.h"

namespace machine {
namespace {

constexpr uint32_t sleep_enable = 1u << 13;
constexpr uint32_t soft_off = 5;  // SLP_TYP of \_S5

}  // namespace

uint32_t PowerControl::io_read(const IoContext&, uint16_t port, uint8_t size) {
  return port == pm1a_control && size == 2 ? control_ : 0;
}

void PowerControl::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  if (port == pm1a_control && size == 2) {
    control_ = static_cast<uint16_t>((value & ~sleep_enable) | 1);
    if ((value & sleep_enable) != 0 && ((value >> 10) & 7) == soft_off) request_ = PowerRequest::PowerOff;
  }
  // Bits 1 and 2 together ask for a hard reset; the run ends there, a second boot is a second run.
  if (port == reset_control && size == 1 && (value & 6) == 6) request_ = PowerRequest::Reset;
}

uint32_t CmosClock::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (size != 1) return all_ones(size);
  if (port == index_port) return index_;
  switch (index_) {  // MC146818A registers, BCD, 24 hours
    case 0x06: return 0x05;  // Thursday
    case 0x07: return 0x01;
    case 0x08: return 0x01;
    case 0x09: return 0x26;
    case 0x0b: return 0x02;
    case 0x0d: return 0x80;
    case 0x32: return 0x20;
    default: return 0;
  }
}

void CmosClock::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  if (port == index_port && size == 1) index_ = value & 0x7f;
}

uint32_t MaskedPic::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (size != 1) return all_ones(size);
  const size_t which = port >= secondary ? 1 : 0;
  return (port & 1) != 0 ? masks_[which] : 0u;
}

void MaskedPic::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  if (size == 1 && (port & 1) != 0) masks_[port >= secondary ? 1 : 0] = static_cast<uint8_t>(value);
}

}  // namespace machine
