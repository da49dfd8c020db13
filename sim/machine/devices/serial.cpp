#include "sim/machine/devices/serial.h"

namespace machine {
namespace {

constexpr size_t longest_line = 512, longest_queue = 4096;
constexpr uint8_t divisor_latch = 0x80;      // LCR bit 7
constexpr uint8_t transmitter_empty = 0x60;  // LSR bits 5 and 6
constexpr uint8_t data_ready = 0x01, overrun = 0x02;  // LSR bits 0 and 1
constexpr uint8_t enable_received = 0x01, enable_transmitter = 0x02;  // IER
constexpr uint8_t no_interrupt = 0x01, transmitter_interrupt = 0x02, received_interrupt = 0x04;  // IIR
constexpr uint8_t out2 = 0x08;               // MCR bit 3: lets the interrupt out

/// Collects one byte; a whole line becomes a DebugPrint event.
void collect(std::string& line, char byte, const IoContext& context, support::EventSink* events) {
  if (byte == '\r') return;
  if (byte != '\n') line.push_back(byte);
  if (byte != '\n' && line.size() < longest_line) return;
  if (events != nullptr) {
    events->on({.at = context.now,
                .vp = context.vp.number,
                .vtl = context.vp.active,
                .kind = support::EventKind::DebugPrint,
                .rip = context.vp.context().rip,
                .text = line});
  }
  line.clear();
}

}  // namespace

/// The most urgent interrupt as IIR bits 3:1 say it; 1 is none. Line errors raise none, modem lines do not change.
uint8_t SerialPort::pending_interrupt() const {
  if ((interrupt_enable_ & enable_received) != 0 && !received_.empty()) return received_interrupt;
  if ((interrupt_enable_ & enable_transmitter) != 0 && transmitter_empty_pending_) return transmitter_interrupt;
  return no_interrupt;
}

void SerialPort::signal() {
  if (lines_ == nullptr) return;
  const bool gated = (modem_control_ & out2) != 0 && !loops_back();
  lines_->set_line(line_number_, gated && pending_interrupt() != no_interrupt);
}

uint8_t SerialPort::modem_status() const {
  if (!loops_back()) return 0xb0;  // carrier, data set ready, clear to send
  const uint8_t mcr = modem_control_;
  return static_cast<uint8_t>((mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 4) << 4 | (mcr & 8) << 4);
}

void SerialPort::queue(uint8_t byte) {
  if (received_.size() >= longest_queue) overrun_ = true;
  else received_.push_back(static_cast<char>(byte));
}

void SerialPort::receive(uint8_t byte) {
  if (loops_back()) return;  // the input is disconnected
  queue(byte);
  signal();
}

void SerialPort::send(const IoContext& context, uint8_t byte) {
  transmitter_empty_pending_ = true;
  if (loops_back()) {
    queue(byte);
    return;
  }
  if (listener_) listener_(byte);
  collect(line_, static_cast<char>(byte), context, events_);
}

uint32_t SerialPort::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (size != 1) return all_ones(size);
  const bool latch = (line_control_ & divisor_latch) != 0;
  switch (port - base_) {
    case 0: {
      if (latch) return divisor_ & 0xffu;
      if (received_.empty()) return 0;
      const auto byte = static_cast<uint8_t>(received_.front());
      received_.erase(0, 1);
      signal();
      return byte;
    }
    case 1: return latch ? divisor_ >> 8 : interrupt_enable_;
    case 2: {
      const uint8_t pending = pending_interrupt();
      if (pending == transmitter_interrupt) transmitter_empty_pending_ = false;  // reading it is the answer
      signal();
      return pending | (fifo_enabled_ ? 0xc0u : 0u);
    }
    case 3: return line_control_;
    case 4: return modem_control_;
    case 5: {
      const uint32_t status = transmitter_empty | (received_.empty() ? 0u : data_ready) | (overrun_ ? overrun : 0u);
      overrun_ = false;
      return status;
    }
    case 6: return modem_status();
    default: return scratch_;
  }
}

void SerialPort::io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) {
  if (size != 1) return;
  const auto byte = static_cast<uint8_t>(value);
  const bool latch = (line_control_ & divisor_latch) != 0;
  switch (port - base_) {
    case 0:
      if (latch) divisor_ = static_cast<uint16_t>((divisor_ & 0xff00) | byte);
      else send(context, byte);
      break;
    case 1:
      if (latch) {
        divisor_ = static_cast<uint16_t>((divisor_ & 0x00ff) | (byte << 8));
        break;
      }
      // Enabling the transmitter's interrupt raises it at once, as it is empty.
      if ((byte & ~interrupt_enable_ & enable_transmitter) != 0) transmitter_empty_pending_ = true;
      interrupt_enable_ = byte & 0x0f;
      break;
    case 2:
      fifo_enabled_ = (byte & 1) != 0;
      if ((byte & 2) != 0) received_.clear();
      break;
    case 3: line_control_ = byte; break;
    case 4: modem_control_ = byte & 0x1f; break;
    case 7: scratch_ = byte; break;
    default: break;
  }
  signal();
}

void DebugConsole::io_write(const IoContext& context, uint16_t, uint8_t size, uint32_t value) {
  if (size == 1) collect(line_, static_cast<char>(value), context, events_);
}

}  // namespace machine
