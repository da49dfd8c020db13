// VBS policy: which of the three worlds this boot becomes (S47, S50, S54..S58).
#include "winload.h"

namespace osl {

BootPolicy policy;

namespace {

/// Bits of VbsPolicy. The variable is known (S54), its encoding is ours.
enum VbsPolicyBit : uint64_t {
  VbsEnabled = 1,
  VbsRequireSecureBoot = 2,
  VbsRequireDmaProtection = 4,
  VbsMandatory = 8,
  VbsHvci = 16,
  VbsHvciStrict = 32,
};

template <class T>
T element(const char16_t* name, T otherwise) {
  T value{};
  return read_variable(name, efi::boot_configuration, &value, sizeof value) ? value : otherwise;
}

// The variable wins over the registry when both speak: it was written to make the setting permanent
// (S56, Unlocked).
uint64_t BlVsmGetSystemPolicy(uint64_t from_registry) {
  uint64_t permanent{};
  return read_variable(u"VbsPolicy", efi::microsoft_policy, &permanent, sizeof permanent)
             ? permanent | from_registry
             : from_registry;
}

// S57: the policy becomes boot options, which HvlpInitializeBootParameters of the hypervisor's
// loader turns into flags.
void VsmpSetBootOptionsForPolicy() {
  using namespace abi::boot;
  policy.bcd_values[BcdHypervisorLaunchType] = element<uint64_t>(u"250000F0", 0);
  policy.bcd_values[BcdVsmLaunchType] = element<uint64_t>(u"25000142", 0);
  policy.bcd_values[BcdHypervisorIommuPolicy] = element<uint64_t>(u"25000115", 0);
  policy.bcd_values[BcdHypervisorMmioNxPolicy] = element<uint64_t>(u"25000119", 0);
  policy.bcd_values[BcdHypervisorMsrFilterPolicy] = element<uint64_t>(u"25000118", 0);
  policy.bcd_values[BcdHypervisorEnforcedCodeIntegrity] = element<uint64_t>(u"25000144", 0);
}

// Collects the options that are in force; BlVsmpSystemPolicy caches them (S54).
void BlVsmSetSystemPolicy(uint64_t vbs_policy) {
  policy.vbs_policy = vbs_policy;
  policy.launch_hypervisor = policy.bcd_values[abi::boot::BcdHypervisorLaunchType] != 0;
  // VSM needs the hypervisor, and either the policy or the boot option asks for it (S50).
  policy.launch_vsm = policy.launch_hypervisor &&
                      policy.bcd_values[abi::boot::BcdVsmLaunchType] != 0 &&
                      (vbs_policy & VbsEnabled) != 0;
  policy.hvci = policy.launch_vsm && (vbs_policy & VbsHvci) != 0;
  policy.hvci_strict = policy.hvci && (vbs_policy & VbsHvciStrict) != 0;
  policy.vsm_mandatory = (vbs_policy & VbsMandatory) != 0;
}

}  // namespace

void OslSetVsmPolicy() {
  uint8_t disabled{};
  const bool opted_out =
      read_variable(u"VbsPolicyDisabled", efi::microsoft_policy, &disabled, sizeof disabled);
  if (opted_out) {
    // One boot without, then the variable is gone (S54; section 9.3).
    delete_variable(u"VbsPolicyDisabled", efi::microsoft_policy);
    delete_variable(u"VbsPolicy", efi::microsoft_policy);
  }
  // HKLM\SYSTEM\CurrentControlSet\Control\DeviceGuard (S55, S56)
  uint64_t registry = 0;
  if (element<uint32_t>(u"EnableVirtualizationBasedSecurity", 0) != 0) registry |= VbsEnabled;
  const uint32_t features = element<uint32_t>(u"RequirePlatformSecurityFeatures", 0);
  if ((features & 1) != 0) registry |= VbsRequireSecureBoot;
  if ((features & 2) != 0) registry |= VbsRequireDmaProtection;
  const uint32_t hvci = element<uint32_t>(u"HypervisorEnforcedCodeIntegrity", 0);
  if (hvci >= 1) registry |= VbsHvci;
  if (hvci >= 2) registry |= VbsHvciStrict;
  if (element<uint32_t>(u"Mandatory", 0) != 0) registry |= VbsMandatory;

  VsmpSetBootOptionsForPolicy();
  BlVsmSetSystemPolicy(opted_out ? 0 : BlVsmGetSystemPolicy(registry));

  uint8_t secure_boot{};
  read_variable(u"SecureBoot", efi::global_variable, &secure_boot, sizeof secure_boot);
  policy.secure_boot = secure_boot == 1;
  policy.test_signing = element<uint64_t>(u"16000049", 0) != 0;
  policy.build = element<uint32_t>(u"Build", 10240);
  boot::milestone("winload: OslSetVsmPolicy: hypervisor {}, VSM {}, HVCI {}",
                  policy.launch_hypervisor ? "auto" : "off", policy.launch_vsm ? "auto" : "off",
                  !policy.hvci         ? "off"
                  : policy.hvci_strict ? "strict"
                                       : "on");
}

}  // namespace osl
