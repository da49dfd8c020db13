// The hypervisor's loader (S48). A real one maps hvix64.exe and enters VMX root mode; this machine
// keeps its hypervisor outside, so the last act is a documented OUT to the machine, after which the
// same instruction stream is the root partition in VTL 0.
#include "abi/boot/launch_block.h"
#include "abi/boot/vsm_loader_block.h"
#include "boot/debug.h"
#include "boot/hvloader.h"
#include "rt/startup.h"

namespace {

using namespace abi::boot;

alignas(16) LaunchBlock launch_block;

// S58: boot options become the hypervisor's boot flags.
void HvlpInitializeBootParameters(const boot::HvLoaderParameters& parameters) {
  launch_block = {sizeof(LaunchBlock), 1, 0, {}};
  if (parameters.bcd_values[BcdHypervisorIommuPolicy] == 1) launch_block.flags |= LaunchIommuPolicy;
  // Default is on together with HVCI (S41, decisions 6); 2 is off.
  const bool hvci = parameters.bcd_values[BcdHypervisorEnforcedCodeIntegrity] != 0;
  auto wanted = [hvci](uint64_t element) { return element == 1 || (element == 0 && hvci); };
  if (wanted(parameters.bcd_values[BcdHypervisorMmioNxPolicy]))
    launch_block.flags |= LaunchMmioNxPolicy;
  if (wanted(parameters.bcd_values[BcdHypervisorMsrFilterPolicy]))
    launch_block.flags |= LaunchMsrFilterPolicy;
}

efi::Status HvlpLaunchHypervisor() {
  boot::milestone("hvloader: launching the hypervisor");
  // The loader is identity-mapped: the block's address is its GPA.
  arch::out32(hypervisor_launch_port, launch_hypervisor, reinterpret_cast<uint64_t>(&launch_block));
  const auto result = static_cast<LaunchResult>(arch::in32(hypervisor_launch_port));
  return result == LaunchResult::Launched ? efi::success : efi::device_error;
}

}  // namespace

extern "C" efi::Status HvLoaderMain(boot::HvLoaderParameters* parameters) {
  if (parameters->size != sizeof *parameters) return efi::invalid_parameter;
  switch (parameters->phase) {
    case boot::HvLoaderPhase::Prepare:
      rt::run_static_initializers();
      HvlpInitializeBootParameters(*parameters);
      return efi::success;
    case boot::HvLoaderPhase::Launch:
      return HvlpLaunchHypervisor();
  }
  return efi::invalid_parameter;
}
