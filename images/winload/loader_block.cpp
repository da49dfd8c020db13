// The NT loader block, the kernel image, and the memory descriptors that both kernels read.
#include "winload.h"

namespace osl {

NtLoaderBlock* nt_block;

uint64_t runtime_services_address();

namespace {

constexpr uint64_t kernel_stack_pages = 8;

// The end of RAM as the firmware's map shows it.
uint64_t ram_size();

MemoryType type_of(const efi::MemoryDescriptor& d) {
  if ((d.type & efi::OsLoaderTypes) != 0)
    return static_cast<MemoryType>(d.type & ~efi::OsLoaderTypes);
  switch (d.type) {
    case efi::ConventionalMemory:
      return MemoryType::Free;
    case efi::LoaderCode:
    case efi::LoaderData:
    case efi::BootServicesCode:
    case efi::BootServicesData:
      return MemoryType::LoaderHeap;
    default:
      return MemoryType::FirmwarePermanent;
  }
}

void append(ListEntry* head, MemoryType type, uint64_t start, uint64_t pages) {
  if (pages == 0) return;
  // Neighbours of one type become one descriptor.
  if (head->blink != to_virtual(head)) {
    auto last = from_virtual<abi::boot::MemoryDescriptor>(head->blink);
    if (last->type == type && last->base_page + last->page_count == start / page) {
      last->page_count += pages;
      return;
    }
  }
  auto d = static_cast<abi::boot::MemoryDescriptor*>(
      allocate_loader_data(sizeof(abi::boot::MemoryDescriptor)));
  d->type = type;
  d->base_page = start / page;
  d->page_count = pages;
  list_append(head, &d->entry);
}

}  // namespace

efi::BootServices* boot_services();

namespace {
uint64_t ram_size() {
  uint64_t size = sizeof firmware_map, key{}, descriptor_size{}, end = 0;
  uint32_t version{};
  if (efi::failed(
          boot_services()->get_memory_map(&size, firmware_map, &key, &descriptor_size, &version)))
    fail("GetMemoryMap", "failed");
  for (uint64_t i = 0; i < size / sizeof(efi::MemoryDescriptor); ++i) {
    const uint64_t d_end = firmware_map[i].physical_start + firmware_map[i].number_of_pages * page;
    if (firmware_map[i].type != efi::MemoryMappedIo && d_end > end) end = d_end;
  }
  return end;
}
}  // namespace

void OslCreateNtLoaderBlock() {
  nt_block = static_cast<NtLoaderBlock*>(allocate_loader_data(sizeof(NtLoaderBlock)));
  nt_block->size = sizeof(NtLoaderBlock);
  nt_block->version = 1;
  nt_block->profile = policy.build;
  list_initialize(&nt_block->load_order_list);
  list_initialize(&nt_block->memory_descriptor_list);
  list_initialize(&nt_block->boot_file_list);
  nt_block->memory_size = ram_size();
  nt_block->uefi_runtime_table = runtime_services_address();
  random_bytes(nt_block->entropy, sizeof nt_block->entropy);
  using namespace abi::boot;
  if (policy.hvci) nt_block->flags |= NtHvci;
  if (policy.hvci_strict) nt_block->flags |= NtHvciStrict;
  if (policy.secure_boot) nt_block->flags |= NtSecureBoot;
  if (policy.test_signing) nt_block->flags |= NtTestSigning;
}

void OslLoadNtKernel() {
  const uint64_t physical = allocate_pages(MemoryType::LoadedProgram, image_pages("ntoskrnl.exe"));
  load_image("ntoskrnl.exe", abi::boot::kernel_image_base, physical, &nt_block->load_order_list);
  bind_images(&nt_block->load_order_list);
  const uint64_t stack = allocate_pages(MemoryType::KernelStack, kernel_stack_pages);
  nt_block->kernel_stack_size = kernel_stack_pages * page;
  nt_block->kernel_stack = stack + abi::boot::direct_map_base + nt_block->kernel_stack_size;
}

void OslBuildMemoryDescriptors(ListEntry* head) {
  for (uint32_t i = 0; i < firmware_map_count; ++i) {
    const efi::MemoryDescriptor& d = firmware_map[i];
    const MemoryType type = type_of(d);
    if (type == MemoryType::VsmMemory && d.physical_start == vsm_base) {
      // One region to the firmware; to the kernels, what the loader filled and what is left.
      append(head, MemoryType::SecureImage, vsm_base, vsm_used_pages);
      append(head, MemoryType::VsmMemory, vsm_base + vsm_used_pages * page,
             d.number_of_pages - vsm_used_pages);
    } else {
      append(head, type, d.physical_start, d.number_of_pages);
    }
  }
}

}  // namespace osl
