// Starting the hypervisor, in two phases around ExitBootServices (S48, S49).
#include "boot/hvloader.h"
#include "winload.h"

namespace osl {

bool hypervisor_running;

namespace {

boot::HvLoaderEntry hvloader;
boot::HvLoaderParameters parameters;

constexpr uint32_t leaf_features = 1, leaf_vendor = 0x40000000;

// CPUID.1:ECX[31], then the vendor leaf: what any guest does to learn of a hypervisor (TLFS 2.2).
bool hypervisor_present() {
  if ((arch::cpuid(leaf_features).ecx >> 31) == 0) return false;
  const arch::Cpuid vendor = arch::cpuid(leaf_vendor);
  return vendor.ebx == 0x7263694D && vendor.ecx == 0x666F736F &&
         vendor.edx == 0x76482074;  // "Microsoft Hv"
}

// Loads \EFI\MICROSOFT\BOOT\hvloader.efi at any address: like winload it runs on the identity map.
void HvlpLaunchHvLoader() {
  uint64_t size{};
  const void* file = read_boot_folder_file(u"\\efi\\microsoft\\boot\\hvloader.efi", &size);
  if (file == nullptr) fail("hvloader.efi", "not found, and hypervisorlaunchtype is auto");
  pe::Headers headers;
  if (pe::Status status = pe::read_headers(file, size, headers); status != pe::Status::Ok)
    fail("hvloader.efi", pe::describe(status));
  const uint64_t base = allocate_pages(MemoryType::LoaderHeap, headers.image_size / page);
  pe::map_sections(headers, file, reinterpret_cast<void*>(base));
  if (pe::Status status = pe::relocate(headers, reinterpret_cast<void*>(base), base);
      status != pe::Status::Ok)
    fail("hvloader.efi", pe::describe(status));
  boot::image_loaded("hvloader.efi", base, headers.image_size);
  hvloader = reinterpret_cast<boot::HvLoaderEntry>(base + headers.entry_rva);
}

}  // namespace

void OslArchHypervisorSetup(uint32_t phase) {
  if (!policy.launch_hypervisor) return;
  boot::milestone("winload: OslArchHypervisorSetup({})", phase);
  if (phase == 0) {
    HvlpLaunchHvLoader();
    parameters.size = sizeof parameters;
    for (int i = 0; i < 6; ++i)
      parameters.bcd_values[i] = policy.bcd_values[i];
  }
  parameters.phase = static_cast<boot::HvLoaderPhase>(phase);
  const efi::Status status = hvloader(&parameters);
  if (phase == 0) {
    if (efi::failed(status)) fail("hvloader.efi", "refused its parameters");
    return;
  }
  hypervisor_running = !efi::failed(status) && hypervisor_present();
  if (!hypervisor_running) {
    // As on a machine without virtualisation: the boot goes on without hypervisor, and without VSM.
    boot::milestone("winload: the hypervisor did not start (status {:#x})", status);
    return;
  }
  nt_block->flags |= abi::boot::NtHypervisorPresent;
}

}  // namespace osl
