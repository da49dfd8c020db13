#include "sim/machine/devices/pc_ports.h"

#include "sim/machine/devices/device_clock.h"

namespace machine {
namespace {

constexpr uint32_t sleep_enable = 1u << 13;
constexpr uint32_t timer_mask = 0xff'ffff;
constexpr uint8_t pulse_reset = 0xfe;

bool is_soft_off(uint32_t control) {
  const uint32_t type = (control >> 10) & 7;
  return (control & sleep_enable) != 0 && (type == 0 || type == 5);
}

}  // namespace

uint32_t PcPower::io_read(const IoContext& context, uint16_t port, uint8_t size) {
  switch (port) {
    case pm1a_event: return size == 4 ? uint32_t{enable_} << 16 : 0;  // no event is ever pending
    case pm1a_event + 2: return enable_;
    case pm1a_control: return control_;
    case pm_timer: return static_cast<uint32_t>(cycles_in(context.now.ticks, timer_hertz)) & timer_mask;
    case reset_control: return reset_;
    case port_a: return 2;                // A20 is open
    case keyboard_command: return 0x14;   // nothing to read, ready for commands, not locked
    case keyboard_data: return 0;
    default: return all_ones(size);
  }
}

void PcPower::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  switch (port) {
    case pm1a_event: if (size == 4) enable_ = static_cast<uint16_t>(value >> 16); break;
    case pm1a_event + 2: enable_ = static_cast<uint16_t>(value); break;
    case pm1a_control: control_ = static_cast<uint16_t>((value & ~sleep_enable) | 1); [[fallthrough]];
    case old_control:
      if (size >= 2 && is_soft_off(value)) request_ = PowerRequest::PowerOff;
      break;
    case reset_control:
      // Bit 2 starts the reset that bit 1 describes: here every one is the whole machine.
      reset_ = static_cast<uint8_t>(value) & 0x0e;
      if ((value & 4) != 0) request_ = PowerRequest::Reset;
      break;
    case port_a: if ((value & 1) != 0) request_ = PowerRequest::Reset; break;
    case keyboard_command: if (value == pulse_reset) request_ = PowerRequest::Reset; break;
    default: break;
  }
}

uint32_t TestWires::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (port >= lines_base) return all_ones(size);
  return bytes_ >> (8 * (port - bytes_base)) & all_ones(size);
}

void TestWires::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  if (port >= lines_base) return lines_.set_line(port - lines_base, (value & 1) != 0);
  const unsigned shift = 8u * (port - bytes_base);
  bytes_ = (bytes_ & ~(all_ones(size) << shift)) | (value << shift);
}

}  // namespace machine
