// The machine file: any text is a machine within its bounds, or a message with a place.
#include <cstdlib>

#include "sim/loader/machine_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config =
      loader::parse_machine_text({reinterpret_cast<const char*>(data), size}, "dir/machine.toml");
  if (!config) {
    if (config.error().message.rfind("dir/machine.toml:", 0) != 0) std::abort();
    return 0;
  }
  const loader::MachineConfig& machine = config.value();
  const bool sound = machine.memory_bytes >= loader::minimum_memory &&
                     machine.memory_bytes <= loader::maximum_memory &&
                     machine.memory_bytes % loader::memory_granule == 0 &&
                     machine.seed <= ~uint64_t{0} >> 1 &&
                     (machine.vsm_launch_type == loader::LaunchType::Off ||
                      machine.hypervisor_launch_type == loader::LaunchType::Auto);
  if (!sound) std::abort();
  return 0;
}
