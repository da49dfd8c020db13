#include <string.h>

#include "winload.h"

namespace osl {
namespace {

efi::Handle image_handle;
efi::SystemTable* system_table;
bool boot_services_gone;

// Loader data comes from one allocation, so that the lists of the loader blocks lie together.
constexpr uint64_t loader_data_pages = 64;
uint64_t loader_data, loader_data_used;

}  // namespace

efi::MemoryDescriptor firmware_map[128];
uint32_t firmware_map_count;

void services_initialize(efi::Handle image, efi::SystemTable* table) {
  image_handle = image;
  system_table = table;
  loader_data = allocate_pages(MemoryType::LoaderBlock, loader_data_pages);
}

uint64_t allocate_pages(MemoryType type, uint64_t pages, uint64_t alignment) {
  if (boot_services_gone) fail("memory", "asked for after ExitBootServices");
  const uint32_t efi_type = efi::OsLoaderTypes | static_cast<uint32_t>(type);
  const uint64_t extra = alignment / page - 1;
  uint64_t address{};
  if (efi::failed(system_table->boot_services->allocate_pages(efi::AllocateAnyPages, efi_type,
                                                              pages + extra, &address)))
    fail("memory", "not enough RAM");
  const uint64_t aligned = (address + alignment - 1) & ~(alignment - 1);
  const uint64_t front = (aligned - address) / page;
  if (front != 0) system_table->boot_services->free_pages(address, front);
  if (extra != front)
    system_table->boot_services->free_pages(aligned + pages * page, extra - front);
  memset(reinterpret_cast<void*>(aligned), 0, pages * page);
  return aligned;
}

void* allocate_loader_data(uint64_t size) {
  size = (size + 15) & ~15ull;
  if (size > loader_data_pages * page - loader_data_used)
    fail("loader block", "too many files or descriptors");
  auto data = reinterpret_cast<void*>(loader_data + loader_data_used);
  loader_data_used += size;
  return data;
}

void random_bytes(void* to, uint64_t size) {
  void* found{};
  if (efi::failed(
          system_table->boot_services->locate_protocol(&efi::rng_protocol, nullptr, &found)))
    fail("EFI_RNG_PROTOCOL", "the firmware has no random number generator");
  auto rng = static_cast<efi::RandomProtocol*>(found);
  if (efi::failed(rng->get_rng(rng, nullptr, size, static_cast<uint8_t*>(to))))
    fail("EFI_RNG_PROTOCOL", "failed");
}

bool read_variable(const char16_t* name, const efi::Guid& vendor, void* to, uint64_t size) {
  uint64_t actual = size;
  const efi::Status status =
      system_table->runtime_services->get_variable(name, &vendor, nullptr, &actual, to);
  return !efi::failed(status) && actual == size;
}

void write_variable(const char16_t* name, const efi::Guid& vendor, const void* from,
                    uint64_t size) {
  const uint32_t attributes = efi::NonVolatile | efi::BootServiceAccess;
  if (efi::failed(
          system_table->runtime_services->set_variable(name, &vendor, attributes, size, from)))
    fail("SetVariable", "failed");
}

void delete_variable(const char16_t* name, const efi::Guid& vendor) {
  system_table->runtime_services->set_variable(name, &vendor, 0, 0, nullptr);
}

void fail(std::string_view what, std::string_view why) {
  boot::milestone("winload: {}: {}", what, why);
  if (!boot_services_gone) {
    char text[256];
    char16_t wide[256];
    const std::string_view line = rt::print(text, "winload: {}: {}\r\n", what, why);
    for (size_t i = 0; i <= line.size(); ++i)
      wide[i] = static_cast<unsigned char>(text[i]);
    system_table->console_out->output_string(system_table->console_out, wide);
  }
  system_table->runtime_services->reset_system(efi::ResetCold, efi::load_error, 0, nullptr);
  arch::stop();
}

efi::Status exit_boot_services() {
  uint64_t size = sizeof firmware_map, key{}, descriptor_size{};
  uint32_t version{};
  efi::Status status = system_table->boot_services->get_memory_map(&size, firmware_map, &key,
                                                                   &descriptor_size, &version);
  if (efi::failed(status) || descriptor_size != sizeof(efi::MemoryDescriptor))
    return efi::load_error;
  firmware_map_count = static_cast<uint32_t>(size / descriptor_size);
  status = system_table->boot_services->exit_boot_services(image_handle, key);
  boot_services_gone = !efi::failed(status);
  return status;
}

// The head's own links are valid on both maps only through conversion: winload reads them with
// from_virtual.
void list_initialize(ListEntry* head) {
  head->flink = head->blink = to_virtual(head);
}

void list_append(ListEntry* head, ListEntry* entry) {
  auto last = from_virtual<ListEntry>(head->blink);
  entry->flink = to_virtual(head);
  entry->blink = to_virtual(last);
  last->flink = to_virtual(entry);
  head->blink = to_virtual(entry);
}

efi::BootServices* boot_services() {
  return system_table->boot_services;
}
efi::Handle boot_device() {
  void* found{};
  system_table->boot_services->handle_protocol(image_handle, &efi::loaded_image_protocol, &found);
  return found == nullptr ? nullptr : static_cast<efi::LoadedImage*>(found)->device;
}
uint64_t runtime_services_address() {
  return reinterpret_cast<uint64_t>(system_table->runtime_services);
}

}  // namespace osl
