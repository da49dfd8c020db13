// The system table and its two service tables. The order of entries is in boot/efi.h; here is who
// answers.
#include "firmware.h"
#include "rt/arch.h"

namespace firmware {
namespace {

efi::Status not_implemented() {
  return efi::unsupported;
}

efi::Status handle_protocol(efi::Handle handle, const efi::Guid* protocol, void** interface_) {
  // A handle of this firmware is the pointer to the protocol's owner: the image, or the boot
  // volume.
  if (*protocol == efi::loaded_image_protocol && handle != &boot_volume) {
    *interface_ = handle;
    return efi::success;
  }
  if (*protocol == efi::simple_file_system_protocol && handle == &boot_volume) {
    *interface_ = &boot_volume;
    return efi::success;
  }
  return efi::unsupported;
}

efi::Status locate_protocol(const efi::Guid* protocol, void*, void** interface_) {
  if (*protocol == efi::rng_protocol) {
    *interface_ = &random_generator;
  } else if (*protocol == efi::simple_file_system_protocol) {
    *interface_ = &boot_volume;
  } else {
    return efi::not_found;
  }
  return efi::success;
}

efi::Status exit_boot_services(efi::Handle, uint64_t key) {
  // A stale key means that the caller's map no longer describes memory (UEFI 7.4).
  if (key != memory_map_key()) return efi::invalid_parameter;
  variables_drop_boot_services();
  random_wipe();
  return efi::success;
}

efi::Status stall(uint64_t microseconds) {
  const uint64_t until = arch::read_tsc() + microseconds * 2000;  // 2 GHz
  while (arch::read_tsc() < until)
    arch::pause();
  return efi::success;
}

void reset_system(uint32_t type, efi::Status, uint64_t, void*) {
  if (type == efi::ResetShutdown) power_off();
  reset_machine();
}

efi::BootServices boot_services;
efi::RuntimeServices runtime_services;

// Every entry answers unsupported until its owner is written over it.
template <class Table>
void fill(Table& table, uint64_t signature) {
  auto slots = reinterpret_cast<void**>(&table);
  for (size_t i = sizeof(efi::TableHeader) / 8; i < sizeof(Table) / 8; ++i)
    slots[i] = reinterpret_cast<void*>(&not_implemented);
  table.header = {signature, 0x20046, sizeof(Table), 0, 0};
}

}  // namespace

efi::SystemTable system_table;

void tables_initialize() {
  fill(boot_services, efi::boot_services_signature);
  boot_services.allocate_pages = allocate_pages;
  boot_services.free_pages = free_pages;
  boot_services.get_memory_map = get_memory_map;
  boot_services.allocate_pool = allocate_pool;
  boot_services.free_pool = free_pool;
  boot_services.handle_protocol = handle_protocol;
  boot_services.locate_protocol = locate_protocol;
  boot_services.exit_boot_services = exit_boot_services;
  boot_services.stall = stall;

  fill(runtime_services, efi::runtime_services_signature);
  runtime_services.get_variable = get_variable;
  runtime_services.set_variable = set_variable;
  runtime_services.reset_system = reset_system;

  system_table.header = {efi::system_table_signature, 0x20046, sizeof system_table, 0, 0};
  system_table.firmware_vendor = u"Airlock";
  system_table.firmware_revision = 1;
  system_table.console_out = &console_output;
  system_table.standard_error = &console_output;
  system_table.boot_services = &boot_services;
  system_table.runtime_services = &runtime_services;
}

void power_off() {
  arch::out16(0x604, 0x3400);  // ACPI PM1a control: SLP_EN with SLP_TYP 5
  arch::stop();
}

void reset_machine() {
  arch::out8(0xCF9, 6);  // reset control: hard reset
  arch::stop();
}

}  // namespace firmware
