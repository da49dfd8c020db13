#pragma once
#include <string>

#include "sim/machine/devices/io_device.h"

namespace machine {

/// A 16550 UART without interrupts: the transmitter is always ready, the receiver always empty.
/// Registers at base + 0..7 (National Semiconductor PC16550D, table 2). Bytes sent are handed on line by line.
class SerialPort : public IoDevice {
 public:
  static constexpr uint16_t com1 = 0x3f8;

  SerialPort(uint16_t base, support::EventSink* events) : base_{base}, events_{events} {}

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((base_), (events_), divisor_, interrupt_enable_, line_control_, modem_control_, scratch_, line_)

 private:

  uint16_t base_;
  support::EventSink* events_;
  uint16_t divisor_{12};
  uint8_t interrupt_enable_{}, line_control_{3}, modem_control_{}, scratch_{};
  std::string line_;  ///< bytes since the last line feed; a line is cut at 512 bytes
};

/// One byte out is one character: the console that kernels use before they have drivers. Reads answer 0xe9.
class DebugConsole : public IoDevice {
 public:
  static constexpr uint16_t port = 0x402;

  explicit DebugConsole(support::EventSink* events) : events_{events} {}

  uint32_t io_read(const IoContext&, uint16_t, uint8_t) override { return 0xe9; }
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((events_), line_)

 private:
  support::EventSink* events_;
  std::string line_;
};

}  // namespace machine
