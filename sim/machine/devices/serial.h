#pragma once
#include <functional>
#include <string>

#include "sim/machine/devices/interrupt_lines.h"
#include "sim/machine/devices/io_device.h"

namespace machine {

/// A 16550 UART that takes no time: the transmitter is always ready, what is received waits until it is read.
/// Registers at base + 0..7 (National Semiconductor PC16550D, table 2). Bytes sent are handed on line by line, and one by
/// one to who listens.
class SerialPort : public IoDevice {
 public:
  static constexpr uint16_t com1 = 0x3f8;
  static constexpr unsigned com1_line = 4;

  SerialPort(uint16_t base, support::EventSink* events) : base_{base}, events_{events} {}

  /// Where its interrupt goes, behind OUT2 of the modem control register. Without, it raises none.
  void connect(InterruptLines& lines, unsigned line) {
    lines_ = &lines;
    line_number_ = line;
  }
  /// Sees each byte that leaves the port. Observation only.
  void listen(std::function<void(uint8_t)> listener) { listener_ = std::move(listener); }
  /// A byte arrives from outside. Beyond 4096 that were not read it is lost, and LSR says overrun.
  void receive(uint8_t byte);

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((base_), (events_), (lines_), (line_number_), (listener_), divisor_, interrupt_enable_, line_control_,
               modem_control_, scratch_, fifo_enabled_, transmitter_empty_pending_,
               overrun_, received_, line_)

 private:
  [[nodiscard]] bool loops_back() const { return (modem_control_ & 0x10) != 0; }
  [[nodiscard]] uint8_t pending_interrupt() const;
  [[nodiscard]] uint8_t modem_status() const;
  void queue(uint8_t byte);
  void send(const IoContext& context, uint8_t byte);
  void signal();

  uint16_t base_;
  support::EventSink* events_;
  InterruptLines* lines_{};
  unsigned line_number_{};
  std::function<void(uint8_t)> listener_;
  uint16_t divisor_{12};
  uint8_t interrupt_enable_{}, line_control_{3}, modem_control_{}, scratch_{};
  bool fifo_enabled_{};
  bool transmitter_empty_pending_{};  ///< the interrupt that says so was not read yet
  bool overrun_{};
  std::string received_;              ///< what was not read yet
  std::string line_;  ///< bytes since the last line feed; a line is cut at 512 bytes
};

/// One byte out is one character: the console that kernels use before they have drivers. Reads answer 0xe9.
class DebugConsole : public IoDevice {
 public:
  static constexpr uint16_t port = 0x402, bochs_port = 0xe9;

  explicit DebugConsole(support::EventSink* events) : events_{events} {}

  uint32_t io_read(const IoContext&, uint16_t, uint8_t) override { return 0xe9; }
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((events_), line_)

 private:
  support::EventSink* events_;
  std::string line_;
};

}  // namespace machine
