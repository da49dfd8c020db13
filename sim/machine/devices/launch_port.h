#pragma once
#include <functional>

#include "abi/boot/launch_block.h"
#include "sim/machine/devices/io_device.h"

namespace machine {

/// The door through which hvloader.efi turns the bare machine into a root partition (abi/boot/launch_block.h). It opens once,
/// from CPL 0; a malformed block, a second launch or one from inside a partition is refused and changes nothing.
class LaunchPort : public IoDevice {
 public:
  /// `launch` performs the change and answers whether it happened.
  LaunchPort(DmaBus& memory, std::function<bool(vtl::VirtualProcessor&)> launch)
      : memory_{memory}, launch_{std::move(launch)} {}

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((memory_), (launch_), result_)

 private:
  DmaBus& memory_;
  std::function<bool(vtl::VirtualProcessor&)> launch_;
  abi::boot::LaunchResult result_{abi::boot::LaunchResult::Refused};
};

}  // namespace machine
