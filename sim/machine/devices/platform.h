#pragma once
// The small fixed devices of the platform: power, reset, clock, interrupt controller masks.
#include <array>

#include "sim/machine/devices/io_device.h"

namespace machine {

/// Why the guest ended the run.
enum class PowerRequest : uint8_t { None, PowerOff, Reset };

/// ACPI PM1a control block at 0x604 and the reset control register at 0xcf9 (ACPI 6.5, 4.8.3.2; ICH9, 13.7.5).
class PowerControl : public IoDevice {
 public:
  static constexpr uint16_t pm1a_control = 0x604, reset_control = 0xcf9;

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  [[nodiscard]] PowerRequest request() const { return request_; }

  STATE_FIELDS(request_, control_)

 private:
  PowerRequest request_{PowerRequest::None};
  uint16_t control_{1};  ///< SCI_EN
};

/// The CMOS clock at 0x70/0x71, standing at 2026-01-01 00:00:00: time of day is an input that nothing here varies.
class CmosClock : public IoDevice {
 public:
  static constexpr uint16_t index_port = 0x70;

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS(index_)

 private:
  uint8_t index_{};
};

/// The two 8259A as far as a kernel that masks them needs: the mask registers hold what is written, nothing is raised.
class MaskedPic : public IoDevice {
 public:
  static constexpr uint16_t primary = 0x20, secondary = 0xa0;

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS(masks_)

 private:
  std::array<uint8_t, 2> masks_{0xff, 0xff};
};

}  // namespace machine
