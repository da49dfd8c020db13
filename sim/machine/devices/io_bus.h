#pragma once
#include <cstdint>
#include <vector>

#include "sim/machine/devices/io_device.h"

namespace machine {

/// Which device answers which port. A port that nobody claims reads all ones and drops writes, as on a PC.
class IoBus {
 public:
  /// Gives `count` ports from `first` to `device`, which must outlive the bus. The last claim of a port wins.
  void claim(uint16_t first, uint16_t count, IoDevice& device);

  [[nodiscard]] uint32_t read(const IoContext& context, uint16_t port, uint8_t size) const;
  void write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) const;

 private:
  struct Claim {
    uint16_t first, count;
    IoDevice* device;
  };
  [[nodiscard]] IoDevice* find(uint16_t port) const;

  std::vector<Claim> claims_;
};

}  // namespace machine
