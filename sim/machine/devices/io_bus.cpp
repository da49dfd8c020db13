#include "sim/machine/devices/io_bus.h"

#include <ranges>

namespace machine {

void IoBus::claim(uint16_t first, uint16_t count, IoDevice& device) {
  claims_.push_back({first, count, &device});
}

IoDevice* IoBus::find(uint16_t port) const {
  for (const Claim& claim : std::views::reverse(claims_)) {
    if (port >= claim.first && port - claim.first < claim.count) return claim.device;
  }
  return nullptr;
}

uint32_t IoBus::read(const IoContext& context, uint16_t port, uint8_t size) const {
  IoDevice* device = find(port);
  return (device != nullptr ? device->io_read(context, port, size) : ~0u) & all_ones(size);
}

void IoBus::write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) const {
  if (IoDevice* device = find(port)) device->io_write(context, port, size, value & all_ones(size));
}

}  // namespace machine
