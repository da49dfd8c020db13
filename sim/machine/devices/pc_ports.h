#pragma once
// The small devices of a PC that exist for one register each: ways to end a run, the ACPI timer, wires for tests.
#include <cstdint>
#include <optional>

#include "sim/machine/devices/interrupt_lines.h"
#include "sim/machine/devices/io_device.h"
#include "sim/machine/devices/platform.h"

namespace machine {

/// The exit port that test suites use: a write of any width ends the run with exit status (value << 1) | 1.
class DebugExit : public IoDevice {
 public:
  static constexpr uint16_t port = 0xf4, size = 4;

  uint32_t io_read(const IoContext&, uint16_t, uint8_t) override { return 0; }
  void io_write(const IoContext&, uint16_t, uint8_t, uint32_t value) override {
    requested_ = true;
    code_ = value;
  }

  [[nodiscard]] bool requested() const { return requested_; }
  /// What a process can answer: the low eight bits of (code << 1) | 1.
  [[nodiscard]] uint8_t status() const { return static_cast<uint8_t>(code_ << 1 | 1); }

  STATE_FIELDS(requested_, code_)

 private:
  bool requested_{};
  uint32_t code_{};
};

/// ACPI fixed hardware (ACPI 6.5, 4.8) and the other doors to power off and reset:
///   0x600 PM1a event block, 0x604 PM1a control: SLP_EN with SLP_TYP 0 or 5 is \_S5; 0x608 PM timer, 24 bits
///   0xb004 the same control at the older address; 0xcf9 reset control; 0x92 fast reset and A20; 0x64 keyboard controller,
///   whose command 0xfe pulses the reset line.
/// A20 is always open.
class PcPower : public IoDevice {
 public:
  static constexpr uint16_t pm1a_event = 0x600, pm1a_control = 0x604, pm_timer = 0x608, old_control = 0xb004;
  static constexpr uint16_t reset_control = 0xcf9, port_a = 0x92, keyboard_data = 0x60, keyboard_command = 0x64;
  static constexpr uint64_t timer_hertz = 3'579'545;

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  [[nodiscard]] PowerRequest request() const { return request_; }

  STATE_FIELDS(request_, enable_, control_, reset_)

 private:
  PowerRequest request_{PowerRequest::None};
  uint16_t enable_{};
  uint16_t control_{1};  ///< SCI_EN
  uint8_t reset_{};
};

/// Wires that a test kernel pulls itself: port 0x2000 + n sets interrupt line n to the value's bit 0; 0xe0 to 0xe3 are four
/// bytes that read back.
class TestWires : public IoDevice {
 public:
  static constexpr uint16_t lines_base = 0x2000, line_count = 24, bytes_base = 0xe0, byte_count = 4;

  explicit TestWires(InterruptLines& lines) : lines_{lines} {}

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((lines_), bytes_)

 private:
  InterruptLines& lines_;
  uint32_t bytes_{};
};

}  // namespace machine
