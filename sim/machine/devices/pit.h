#pragma once
// The 8254 timer of a PC, channels 0 (interrupt line 0) and 2 (speaker), and port 0x61 that gates the latter
// (Intel 8254 data sheet; ICH9 data sheet, 13.3 and 13.7.1).
#include <array>
#include <cstdint>

#include "sim/machine/devices/device_clock.h"
#include "sim/machine/devices/interrupt_lines.h"
#include "sim/machine/devices/io_device.h"

namespace machine {

/// One counter. Its time are whole cycles of the input clock since the machine began.
class PitCounter {
 public:
  using Cycles = uint64_t;
  static constexpr Cycles never = ~Cycles{0};

  /// The low six bits of a control word: access, mode, BCD. Counting stops until a count is written.
  void set_control(uint8_t word);
  void write(uint8_t value, Cycles now, bool gate);
  [[nodiscard]] uint8_t read(Cycles now, bool gate);
  void latch_count(Cycles now, bool gate);
  void latch_status(Cycles now, bool gate);
  /// The gate changed at `now`.
  void set_gate(bool before, bool gate, Cycles now);

  [[nodiscard]] bool out(Cycles now, bool gate) const;
  /// The first cycle after `now` with a rising edge of OUT; never if none comes by itself.
  [[nodiscard]] Cycles next_rise(Cycles now, bool gate) const;

  STATE_FIELDS(control_, reload_, written_low_, low_next_, read_low_next_, started_, paused_, latched_, latched_bytes_, latched_status_,
               has_status_, loaded_)
  [[nodiscard]] const char* state_error() const {
    constexpr Cycles last = Cycles{1} << 60;  // longer than any run: sums with it do not overflow
    if (reload_ == 0 || reload_ > 0x10000) return "a counter with a period of nothing";
    return (started_ <= last || started_ == never) && (paused_ <= last || paused_ == never)
               ? ""
               : "a counter that begins after the end of time";
  }

 private:
  [[nodiscard]] unsigned mode() const;
  [[nodiscard]] unsigned access() const { return (control_ >> 4) & 3; }
  [[nodiscard]] Cycles period() const { return reload_; }
  [[nodiscard]] uint16_t count(Cycles now, bool gate) const;
  [[nodiscard]] Cycles elapsed(Cycles now, bool gate) const;
  void load(uint16_t value, Cycles now, bool gate);

  uint8_t control_{0x30};
  uint32_t reload_{0x10000};  ///< 1 to 0x10000, in binary whatever the counter counts in
  uint8_t written_low_{};
  bool low_next_{true}, read_low_next_{true};  ///< both bytes: the low one comes next
  Cycles started_{};          ///< when the count was loaded; what passed while the gate was shut is added
  Cycles paused_{};           ///< with the gate shut: when that was
  uint16_t latched_{};
  uint8_t latched_bytes_{};   ///< how many bytes of it were not read yet
  uint8_t latched_status_{};
  bool has_status_{}, loaded_{};
};

class Pit : public IoDevice, public TimedDevice {
 public:
  static constexpr uint16_t counters = 0x40, port_b = 0x61;
  static constexpr uint64_t hertz = 1'193'182;
  static constexpr unsigned line = 0;

  /// Channel 0 runs in mode 2 with the full count from the beginning, as firmware leaves it.
  explicit Pit(InterruptLines& lines);

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;
  [[nodiscard]] support::Instant next_event() const override { return next_; }
  void advance(support::Instant now) override;

  STATE_FIELDS((lines_), channels_, next_, port_b_)

 private:
  [[nodiscard]] bool gate(unsigned channel) const { return channel != 2 || (port_b_ & 1) != 0; }
  void write_control(uint8_t value, PitCounter::Cycles now);
  void read_back(uint8_t value, PitCounter::Cycles now);
  void plan(PitCounter::Cycles now);
  void lower_line(PitCounter::Cycles now);

  InterruptLines& lines_;
  std::array<PitCounter, 3> channels_;
  support::Instant next_{support::never};  ///< the next rising edge of channel 0
  uint8_t port_b_{};                       ///< bits 1:0 of port 0x61
};

}  // namespace machine
