#pragma once
// The OS loader. Names with Osl and Bl prefixes are Windows' own where a seed mentions them
// (S48..S58); the order of the steps is decisions 5, and main.cpp shows it on one page.
#include <string_view>

#include "abi/boot/nt_loader_block.h"
#include "abi/boot/virtual_layout.h"
#include "abi/boot/vsm_loader_block.h"
#include "boot/debug.h"
#include "boot/efi.h"
#include "boot/pe_image.h"

namespace osl {

using abi::boot::BootFile;
using abi::boot::ListEntry;
using abi::boot::LoadedModule;
using abi::boot::MemoryType;
using abi::boot::NtLoaderBlock;
using abi::boot::VsmLoaderBlock;

inline constexpr uint64_t page = 4096;

/// What the machine is to become, from variables and boot configuration (policy.cpp).
struct BootPolicy {
  bool launch_hypervisor;
  bool launch_vsm;
  bool hvci;
  bool hvci_strict;
  bool secure_boot;
  bool test_signing;
  bool vsm_mandatory;
  uint32_t build;
  uint64_t vbs_policy;     ///< BlVsmpSystemPolicy
  uint64_t bcd_values[6];  ///< by abi::boot::BcdValue
};
extern BootPolicy policy;
void OslSetVsmPolicy();

// services.cpp: what the loader asks of the firmware, and of nobody after ExitBootServices
void services_initialize(efi::Handle image, efi::SystemTable* table);
/// Zeroed physical pages that the hand-over lists under `type`. Stops the boot when memory runs
/// out.
uint64_t allocate_pages(MemoryType type, uint64_t pages, uint64_t alignment = page);
/// Memory inside the loader blocks: lives until NTOS has read it.
void* allocate_loader_data(uint64_t size);
void random_bytes(void* to, uint64_t size);
/// False when the variable does not exist or has another size.
bool read_variable(const char16_t* name, const efi::Guid& vendor, void* to, uint64_t size);
void write_variable(const char16_t* name, const efi::Guid& vendor, const void* from, uint64_t size);
void delete_variable(const char16_t* name, const efi::Guid& vendor);
/// Prints to the firmware's console and the observation port, then gives the machine back to the
/// firmware.
[[noreturn]] void fail(std::string_view what, std::string_view why);
efi::Status exit_boot_services();
/// Firmware's memory map as it was at exit_boot_services.
extern efi::MemoryDescriptor firmware_map[128];
extern uint32_t firmware_map_count;

/// Pointers in loader blocks are addresses of the direct map; the loader itself runs on the
/// identity map.
inline uint64_t to_virtual(const void* p) {
  return reinterpret_cast<uint64_t>(p) + abi::boot::direct_map_base;
}
template <class T>
T* from_virtual(uint64_t address) {
  return reinterpret_cast<T*>(address - abi::boot::direct_map_base);
}
void list_initialize(ListEntry* head);
void list_append(ListEntry* head, ListEntry* entry);

// files.cpp
/// Reads every image of the system folders into the boot-file list: NTOS has no file system.
void OslLoadBootFiles();
/// A file of the list by its name without folder, or null.
const BootFile* find_boot_file(const char* name);
/// Reads one file from the loader's own folder; null when it does not exist. `*size` in bytes.
const void* read_boot_folder_file(const char16_t* path, uint64_t* size);

// image.cpp
/// Maps the boot file `name` at `base` in pages that `place` chose, relocates it and appends it to
/// `list`; binding comes later.
LoadedModule* load_image(const char* name, uint64_t base, uint64_t physical, ListEntry* list);
uint32_t image_pages(const char* name);
/// Binds all images of the list to each other; cyclic imports are normal (securekernel, skci, cng).
void bind_images(ListEntry* list);

// page_tables.cpp
void page_tables_initialize();
void map_image(const LoadedModule& module);
/// From here on the direct map and the images' addresses exist.
void page_tables_activate();
extern uint64_t page_table_root;

// loader_block.cpp
extern NtLoaderBlock* nt_block;
void OslCreateNtLoaderBlock();
void OslLoadNtKernel();
/// Turns the firmware's map into the descriptors that both kernels read.
void OslBuildMemoryDescriptors(ListEntry* head);

// keys.cpp
void OslProvisionLocalKeys();
extern abi::boot::LocalKeyArray local_keys;
extern uint32_t boot_count;

// hypervisor.cpp, vsm.cpp
void OslArchHypervisorSetup(uint32_t phase);
extern bool hypervisor_running;
void OslVsmSetup(uint32_t phase);
/// The contiguous region of VTL 1, and how many pages of it the loader has filled.
extern uint64_t vsm_base, vsm_used_pages;

// transfer.S
/// Loads RSP, then jumps to the kernel with the loader block in RCX. Does not return.
extern "C" [[noreturn]] void OslArchTransferToKernel(uint64_t loader_block, uint64_t entry,
                                                     uint64_t stack);

}  // namespace osl
