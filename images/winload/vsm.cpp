// OslVsmSetup: what the secure kernel receives, and the call of its entry (S51, S53; decisions 5).
// winload never enables a VTL.
#include <string.h>

#include "winload.h"

namespace osl {

uint64_t vsm_base, vsm_used_pages;

efi::BootServices* boot_services();

namespace {

VsmLoaderBlock* block;

constexpr uint64_t boot_stack_pages = 8;
constexpr uint64_t shared_pages = 16;
constexpr uint64_t region_alignment = 2 << 20;

uint64_t take_vsm_pages(uint64_t pages) {
  if (vsm_used_pages + pages > abi::boot::vsm_memory_size / page)
    fail("VSM memory", "the secure images do not fit");
  const uint64_t address = vsm_base + vsm_used_pages * page;
  vsm_used_pages += pages;
  return address;
}

void load_secure_image(const char* name, uint64_t base) {
  load_image(name, base, take_vsm_pages(image_pages(name)), &block->module_list);
}

bool secure_images_exist() {
  for (const char* name : {"securekernel.exe", "skci.dll", "cng.sys"}) {
    if (find_boot_file(name) != nullptr) continue;
    if (policy.vsm_mandatory) fail(name, "not found, and VSM is mandatory");
    boot::milestone("winload: {} not found: this boot has no VSM", name);
    return false;
  }
  return true;
}

// Phase 0: the block, one contiguous region for all that VTL 1 owns, and the three images that bind
// to each other.
void create_block_and_load_images() {
  block = static_cast<VsmLoaderBlock*>(allocate_loader_data(sizeof(VsmLoaderBlock)));
  block->size = sizeof(VsmLoaderBlock);
  block->version = 1;
  block->build = static_cast<uint16_t>(policy.build);
  list_initialize(&block->module_list);
  list_initialize(&block->memory_descriptor_list);

  vsm_base =
      allocate_pages(MemoryType::VsmMemory, abi::boot::vsm_memory_size / page, region_alignment);
  load_secure_image("securekernel.exe", abi::boot::secure_kernel_base);
  load_secure_image("skci.dll", abi::boot::skci_base);
  load_secure_image("cng.sys", abi::boot::cng_base);
  bind_images(&block->module_list);
}

uint64_t vsm_area(uint64_t pages) {
  return take_vsm_pages(pages) + abi::boot::direct_map_base;
}

uint64_t flags_of_policy() {
  using namespace abi::boot;
  uint64_t flags = 0;
  if (policy.hvci) flags |= VsmHvci | VsmMsrFilter | VsmMmioNx;  // S41
  if (policy.hvci_strict) flags |= VsmHvciStrict;
  if (policy.secure_boot) flags |= VsmSecureBoot;
  if (policy.test_signing) flags |= VsmTestSigning;
  return flags;
}

// Phase 1: everything else but the keys.
void fill_block() {
  block->flags = flags_of_policy();
  block->nt_loader_block = to_virtual(nt_block);
  block->nt_image_list = to_virtual(&nt_block->load_order_list);
  block->boot_stack_base = vsm_area(boot_stack_pages);
  block->boot_stack_size = boot_stack_pages * page;
  block->gdt_area = vsm_area(1);
  block->idt_area = vsm_area(1);
  block->tss_area = vsm_area(1);
  block->gdt_size = block->idt_size = block->tss_size = page;

  const uint64_t shared = allocate_pages(MemoryType::LoaderBlock, shared_pages);
  block->shared_buffer_vtl0 = shared + abi::boot::direct_map_base;
  block->shared_buffer_hint = shared;
  block->shared_buffer_pages = shared_pages;

  if (const BootFile* roots = find_boot_file("roots.bin"); roots != nullptr) {
    block->code_integrity_data = roots->data;
    block->code_integrity_size = roots->size;
  }
  block->uefi_runtime_table = nt_block->uefi_runtime_table + abi::boot::direct_map_base;
  block->vbs_policy = policy.vbs_policy;
  for (int i = 0; i < 6; ++i)
    block->bcd_values[i] = static_cast<uint32_t>(policy.bcd_values[i]);
  block->boot_entropy_size = 64;
  void* entropy = allocate_loader_data(block->boot_entropy_size);
  random_bytes(entropy, block->boot_entropy_size);
  block->boot_entropy = to_virtual(entropy);
  nt_block->vsm_memory_base = vsm_base;
  nt_block->vsm_memory_pages = abi::boot::vsm_memory_size / page;
}

// CRC-32 as IEEE 802.3 and zlib have it.
uint32_t crc32(const void* data, size_t size) {
  auto bytes = static_cast<const uint8_t*>(data);
  uint32_t crc = ~0u;
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

// Phase 2: keys into the block as late as possible, then the entry, here in VTL 0, with the block
// in RCX and its size in EDX.
void call_secure_kernel() {
  OslBuildMemoryDescriptors(&block->memory_descriptor_list);
  block->initial_cr3 = page_table_root;
  block->local_keys = local_keys;
  block->boot_count = boot_count;
  block->crc = crc32(block, offsetof(VsmLoaderBlock, crc));
  local_keys = {};

  const auto* kernel = from_virtual<LoadedModule>(block->module_list.flink);
  using SecureKernelEntry = uint32_t (*)(uint64_t loader_block, uint32_t size);
  boot::milestone("winload: OslVsmSetup(2): calling securekernel.exe in VTL 0");
  const auto entry = reinterpret_cast<SecureKernelEntry>(kernel->entry_point);
  nt_block->vsm_status = entry(to_virtual(block), abi::boot::vsm_loader_block_size);
  if (nt_block->vsm_status == 0) {
    nt_block->flags |= abi::boot::NtVsmActive;
    boot::milestone("winload: the secure kernel runs in VTL 1");
    return;
  }
  // Whatever it did with its copy: the keys do not stay behind in memory that VTL 0 owns.
  memset(&block->local_keys, 0, sizeof block->local_keys);
  boot::milestone("winload: securekernel.exe answered {:#010x}: this boot has no VSM",
                  nt_block->vsm_status);
  if (policy.vsm_mandatory) fail("VSM", "mandatory, and the secure kernel did not start");
}

}  // namespace

ListEntry* secure_module_list() {
  return block == nullptr ? nullptr : &block->module_list;
}

void OslVsmSetup(uint32_t phase) {
  if (!policy.launch_vsm) return;
  if (phase == 0 && !secure_images_exist()) {
    policy.launch_vsm = policy.hvci = policy.hvci_strict = false;
    nt_block->flags &= ~(abi::boot::NtHvci | abi::boot::NtHvciStrict);
    return;
  }
  if (phase == 2 && !hypervisor_running) return;
  if (phase != 2) boot::milestone("winload: OslVsmSetup({})", phase);
  if (phase == 0) create_block_and_load_images();
  if (phase == 1) fill_block();
  if (phase == 2) call_secure_kernel();
}

}  // namespace osl
