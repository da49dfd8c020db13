// The variable store (UEFI 8.2): what the machine file says, under the names that winload asks for.
// It lives until power-off.
#include <string.h>

#include "firmware.h"

namespace firmware {
namespace {

struct Variable {
  efi::Guid vendor;
  char16_t name[40];
  uint32_t attributes;
  uint32_t size;
  uint8_t data[512];
};
constexpr uint32_t max_variables = 48;
Variable store[max_variables];
uint32_t count;

bool same_name(const char16_t* a, const char16_t* b) {
  while (*a != 0 && *a == *b)
    ++a, ++b;
  return *a == *b;
}

Variable* find(const char16_t* name, const efi::Guid& vendor) {
  for (uint32_t i = 0; i < count; ++i)
    if (store[i].vendor == vendor && same_name(store[i].name, name)) return &store[i];
  return nullptr;
}

template <class T>
void put(const char16_t* name, const efi::Guid& vendor, T value) {
  set_variable(name, &vendor, efi::NonVolatile | efi::BootServiceAccess, sizeof value, &value);
}

}  // namespace

efi::Status get_variable(const char16_t* name, const efi::Guid* vendor, uint32_t* attributes,
                         uint64_t* size, void* data) {
  const Variable* variable = find(name, *vendor);
  if (variable == nullptr) return efi::not_found;
  const uint64_t offered = *size;
  *size = variable->size;
  if (offered < variable->size) return efi::buffer_too_small;
  memcpy(data, variable->data, variable->size);
  if (attributes != nullptr) *attributes = variable->attributes;
  return efi::success;
}

efi::Status set_variable(const char16_t* name, const efi::Guid* vendor, uint32_t attributes,
                         uint64_t size, const void* data) {
  uint32_t length = 0;
  while (length < 40 && name[length] != 0)
    ++length;
  if (length == 0 || length == 40) return efi::invalid_parameter;
  if (size > sizeof store[0].data) return efi::out_of_resources;
  Variable* variable = find(name, *vendor);
  if (size == 0) {  // deletion
    if (variable == nullptr) return efi::not_found;
    *variable = store[--count];
    return efi::success;
  }
  if (variable == nullptr) {
    if (count == max_variables) return efi::out_of_resources;
    variable = &store[count++];
    variable->vendor = *vendor;
    memcpy(variable->name, name, (length + 1) * sizeof(char16_t));
  }
  variable->attributes = attributes;
  variable->size = static_cast<uint32_t>(size);
  memcpy(variable->data, data, size);
  return efi::success;
}

void variables_drop_boot_services() {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; ++i)
    if ((store[i].attributes & efi::RuntimeAccess) != 0) store[kept++] = store[i];
  memset(store + kept, 0, (max_variables - kept) * sizeof(Variable));
  count = kept;
}

void variables_initialize(const abi::boot::FirmwareHandoff& handoff) {
  const bool hvci = (handoff.flags & abi::boot::FirmwareHvci) != 0;
  const bool strict = (handoff.flags & abi::boot::FirmwareHvciStrict) != 0;
  const bool secure_boot = (handoff.flags & abi::boot::FirmwareSecureBoot) != 0;
  const bool test_signing = (handoff.flags & abi::boot::FirmwareTestSigning) != 0;
  put(u"SecureBoot", efi::global_variable, static_cast<uint8_t>(secure_boot));
  // Boot configuration elements of the osloader entry (section 9.3).
  put(u"250000F0", efi::boot_configuration, static_cast<uint64_t>(handoff.hypervisor_launch_type));
  put(u"25000142", efi::boot_configuration, static_cast<uint64_t>(handoff.vsm_launch_type));
  put(u"25000144", efi::boot_configuration, static_cast<uint64_t>(hvci));
  put(u"16000049", efi::boot_configuration,
      static_cast<uint64_t>(test_signing));  // AllowPrereleaseSignatures
  // What HKLM\SYSTEM\CurrentControlSet\Control\DeviceGuard says on this machine (S56): the registry
  // hive is not on this disk, its values travel as variables of our namespace.
  put(u"EnableVirtualizationBasedSecurity", efi::boot_configuration,
      static_cast<uint32_t>(handoff.vsm_launch_type == abi::boot::LaunchType::Auto));
  put(u"HypervisorEnforcedCodeIntegrity", efi::boot_configuration,
      static_cast<uint32_t>(!hvci    ? 0
                            : strict ? 2
                                     : 1));
  put(u"RequirePlatformSecurityFeatures", efi::boot_configuration,
      static_cast<uint32_t>(secure_boot ? 1 : 0));
  put(u"Build", efi::boot_configuration, handoff.profile);
}

}  // namespace firmware
