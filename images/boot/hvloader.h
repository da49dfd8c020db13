#pragma once
// Between winload.efi and hvloader.efi: one entry point, called once in each phase of
// OslArchHypervisorSetup (S48). Layout ours.
#include "boot/efi.h"

namespace boot {

enum class HvLoaderPhase : uint32_t {
  Prepare = 0,  ///< boot services exist: boot options become launch flags
  Launch = 1,   ///< nothing of the firmware is left: start the hypervisor
};

struct HvLoaderParameters {
  uint32_t size;
  HvLoaderPhase phase;
  uint64_t bcd_values[6];  ///< by abi::boot::BcdValue
};

using HvLoaderEntry = efi::Status (*)(HvLoaderParameters* parameters);

}  // namespace boot
