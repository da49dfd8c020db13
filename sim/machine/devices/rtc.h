#pragma once
// The clock and CMOS memory of a PC at 0x70 and 0x71 (Motorola MC146818A data sheet).
#include <array>
#include <cstdint>

#include "sim/machine/devices/device_clock.h"
#include "sim/machine/devices/interrupt_lines.h"
#include "sim/machine/devices/io_device.h"

namespace machine {

/// Time of day runs with the machine's instants from a date that the configuration says. Interrupt line 8: periodic, alarm
/// and update-ended.
class Rtc : public IoDevice, public TimedDevice {
 public:
  static constexpr uint16_t index_port = 0x70;
  static constexpr unsigned line = 8;

  /// `seconds`: the date at instant 0, since 1970-01-01 00:00:00. Years 1900 to 9999 can be shown.
  Rtc(InterruptLines& lines, int64_t seconds);

  /// A byte of CMOS memory, as firmware writes it: index 0x0e to 0x7f.
  void set_memory(uint8_t index, uint8_t value) { memory_[index & 0x7f] = value; }

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;
  [[nodiscard]] support::Instant next_event() const override { return next_; }
  void advance(support::Instant now) override;

  STATE_FIELDS((lines_), memory_, index_, register_a_, register_b_, seconds_, set_at_, flags_from_, next_, asserted_)
  [[nodiscard]] const char* state_error() const {
    if (index_ >= memory_.size()) return "an index beyond the clock's registers";
    return seconds_ > -(int64_t{1} << 40) && seconds_ < int64_t{1} << 40 ? "" : "a date that no clock shows";
  }

 private:
  [[nodiscard]] int64_t now_seconds(support::Instant now) const;
  [[nodiscard]] uint8_t time_register(uint8_t index, support::Instant now) const;
  void set_time_register(uint8_t index, uint8_t value, support::Instant now);
  [[nodiscard]] uint8_t encode(uint32_t value) const;
  [[nodiscard]] uint32_t decode(uint8_t value) const;
  [[nodiscard]] bool set_mode() const { return (register_b_ & 0x80) != 0; }
  /// The first end of a period, second or alarmed second after `after`; never if there is none.
  [[nodiscard]] support::Instant next_periodic(support::Instant after) const;
  [[nodiscard]] support::Instant next_update(support::Instant after) const;
  [[nodiscard]] support::Instant next_alarm(support::Instant after) const;
  [[nodiscard]] bool alarm_matches(int64_t seconds) const;
  [[nodiscard]] uint8_t flags(support::Instant now) const;
  void plan(support::Instant now);
  uint8_t read_flags(support::Instant now);

  InterruptLines& lines_;
  std::array<uint8_t, 128> memory_{};  ///< alarm registers and everything from 0x0e on
  uint8_t index_{}, register_a_{0x26}, register_b_{0x02};
  int64_t seconds_;                    ///< the date at set_at_
  support::Instant set_at_{};
  support::Instant flags_from_{};      ///< register C tells what happened since then
  support::Instant next_{support::never};
  bool asserted_{};
};

}  // namespace machine
