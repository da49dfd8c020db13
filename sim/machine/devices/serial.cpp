#include "sim/machine/devices/serial.h"

namespace machine {
namespace {

constexpr size_t longest_line = 512;
constexpr uint8_t divisor_latch = 0x80;      // LCR bit 7
constexpr uint8_t transmitter_empty = 0x60;  // LSR bits 5 and 6

/// Collects one byte; a whole line becomes a DebugPrint event.
void collect(std::string& line, char byte, const IoContext& context, support::EventSink* events) {
  if (byte == '\r') return;
  if (byte != '\n') line.push_back(byte);
  if (byte != '\n' && line.size() < longest_line) return;
  if (events != nullptr) {
    events->on({.at = context.now,
                .vp = context.vp.index,
                .vtl = context.vp.active,
                .kind = support::EventKind::DebugPrint,
                .rip = context.vp.context().rip,
                .text = line});
  }
  line.clear();
}

}  // namespace

uint32_t SerialPort::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (size != 1) return all_ones(size);
  const bool latch = (line_control_ & divisor_latch) != 0;
  switch (port - base_) {
    case 0: return latch ? divisor_ & 0xffu : 0u;
    case 1: return latch ? divisor_ >> 8 : interrupt_enable_;
    case 2: return 0x01;  // no interrupt pending
    case 3: return line_control_;
    case 4: return modem_control_;
    case 5: return transmitter_empty;
    case 6: return 0xb0;  // carrier, data set ready, clear to send
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
      else collect(line_, static_cast<char>(byte), context, events_);
      break;
    case 1:
      if (latch) divisor_ = static_cast<uint16_t>((divisor_ & 0x00ff) | (byte << 8));
      else interrupt_enable_ = byte & 0x0f;
      break;
    case 3: line_control_ = byte; break;
    case 4: modem_control_ = byte & 0x1f; break;
    case 7: scratch_ = byte; break;
    default: break;
  }
}

void DebugConsole::io_write(const IoContext& context, uint16_t, uint8_t size, uint32_t value) {
  if (size == 1) collect(line_, static_cast<char>(value), context, events_);
}

}  // namespace machine
