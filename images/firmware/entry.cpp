// From reset to the first instruction of winload.efi. The machine starts here in long mode with
// identity page tables; real firmware spends a hundred thousand lines getting that far.
#include <string.h>

#include "boot/debug.h"
#include "boot/pe_image.h"
#include "fat.h"
#include "firmware.h"
#include "rt/arch.h"
#include "rt/panic.h"
#include "rt/startup.h"

extern "C" const char __ImageBase;

namespace firmware {
namespace {

constexpr char16_t boot_path[] = u"\\EFI\\MICROSOFT\\BOOT\\winload.efi";

[[noreturn]] void stop(const char* what, const char* why) {
  print("\nfirmware: {}: {}\n", what, why);
  boot::milestone("firmware: {}: {}", what, why);
  reset_machine();
}

void on_panic(const char* text) {
  stop("panic", text);
}

// Reads the whole file into pages of its own.
const uint8_t* read_file(const FatNode& node) {
  uint64_t address{};
  const uint64_t pages = (node.size + 4095ull) / 4096;
  if (pages == 0 ||
      efi::failed(allocate_pages(efi::AllocateAnyPages, efi::BootServicesData, pages, &address)))
    return nullptr;
  const int64_t got = fat_read(node, 0, node.size, reinterpret_cast<void*>(address));
  return got == node.size ? reinterpret_cast<const uint8_t*>(address) : nullptr;
}

// What LoadImage does for the one image that is ever loaded.
efi::LoadedImage* load_boot_application(efi::ImageEntry* entry) {
  static efi::LoadedImage image;
  FatNode node;
  const int found = fat_find(fat_root(), boot_path, &node);
  if (found <= 0)
    stop("\\EFI\\MICROSOFT\\BOOT\\winload.efi", found == 0 ? "not found" : "damaged file system");
  const uint8_t* file = read_file(node);
  if (file == nullptr) stop("winload.efi", "cannot be read");
  pe::Headers headers;
  if (pe::Status status = pe::read_headers(file, node.size, headers); status != pe::Status::Ok)
    stop("winload.efi", pe::describe(status));

  uint64_t base{};
  const uint64_t pages = headers.image_size / 4096;
  if (efi::failed(allocate_pages(efi::AllocateAnyPages, efi::LoaderCode, pages, &base)))
    stop("winload.efi", "does not fit in memory");
  auto mapped = reinterpret_cast<void*>(base);
  pe::map_sections(headers, file, mapped);
  if (pe::Status status = pe::relocate(headers, mapped, base); status != pe::Status::Ok)
    stop("winload.efi", pe::describe(status));
  free_pages(reinterpret_cast<uint64_t>(file), (node.size + 4095ull) / 4096);

  image.revision = 0x1000;
  image.system_table = &system_table;
  image.device = &boot_volume;
  image.image_base = mapped;
  image.image_size = headers.image_size;
  image.code_type = efi::LoaderCode;
  image.data_type = efi::LoaderData;
  *entry = reinterpret_cast<efi::ImageEntry>(base + headers.entry_rva);
  boot::image_loaded("winload.efi", base, headers.image_size);
  return &image;
}

}  // namespace
}  // namespace firmware

extern "C" [[noreturn]] void FirmwareEntry(abi::boot::FirmwareHandoff* handoff) {
  using namespace firmware;
  rt::run_static_initializers();
  rt::set_panic_handler(on_panic);
  console_initialize();
  memory_initialize(handoff->memory_size);
  tables_initialize();
  random_initialize(handoff->machine_seed);
  variables_initialize(*handoff);
  memset(handoff->machine_seed, 0, sizeof handoff->machine_seed);  // secrets follow from it
  boot::milestone("firmware: UEFI services ready, {} MiB of RAM", handoff->memory_size >> 20);
  if (!disk_initialize()) stop("disk 0", "no ATA disk with DMA");
  if (!volume_mount()) stop("disk 0", "no FAT16 or FAT32 volume");

  efi::ImageEntry entry{};
  efi::LoadedImage* image = load_boot_application(&entry);
  boot::milestone("firmware: starting \\EFI\\MICROSOFT\\BOOT\\winload.efi");
  const efi::Status status = entry(image, &system_table);
  char text[64];
  rt::print(text, "returned status {:#x}", status);
  stop("winload.efi", text);
}
