#pragma once
// What OslVsmSetup builds for the secure kernel (S51; decisions 5: contents known in kind, layout
// ours).
#include "abi/boot/loader_lists.h"

namespace abi::boot {

enum VsmLoaderFlags : uint64_t {
  VsmHvci = 1ull << 0,
  VsmHvciStrict = 1ull << 1,
  VsmSecureBoot = 1ull << 2,
  VsmTestSigning = 1ull << 3,
  VsmKernelDebug = 1ull << 4,
  VsmIommuInUse = 1ull << 5,
  VsmMmioNx = 1ull << 6,
  VsmMsrFilter = 1ull << 7,
  VsmUefiRuntimeInVtl1 = 1ull << 8,
  VsmFips = 1ull << 9,
  VsmCheckedBuild = 1ull << 10,
  VsmSkciSelfCheck = 1ull << 11,
  VsmKnownIdsOnly = 1ull << 12,
  VsmSecureBootEnforced = 1ull << 13,
  VsmTpmSealed = 1ull << 14,
  VsmIumCrashDumps = 1ull << 15,
};

/// One local key (S52). `first_boot` is the boot count at which it was made.
struct LocalKey {
  uint8_t key[32];
  uint64_t first_boot;
  uint32_t flags;
  uint32_t reserved;
};

/// The keys that seal trustlet data, newest and older ones (decisions 4).
struct LocalKeyArray {
  uint32_t count;    ///< 1..4, 0: not provisioned
  uint32_t current;  ///< index of the key that seals
  LocalKey keys[4];
};

/// RCX at the secure kernel's entry points here, EDX is its size; both pages and block lie in the
/// direct map. The secure kernel captures what it needs before VTL 0 runs again, and wipes the
/// keys.
struct VsmLoaderBlock {
  uint32_t size;                     // 000: 0x200
  uint16_t version;                  //      1
  uint16_t build;                    //      10240
  uint64_t flags;                    // 008: VsmLoaderFlags
  ListEntry module_list;             // 010: LoadedModule: secure kernel, SKCI, CNG
  ListEntry memory_descriptor_list;  // 020: MemoryDescriptor: the whole of RAM, sorted
  uint64_t nt_loader_block;          // 030: NtLoaderBlock
  uint64_t nt_image_list;            // 038: ListEntry head of NTOS and its boot drivers
  uint64_t boot_stack_base;      // 040: lowest address of the boot processor's first stack in VTL 1
  uint64_t boot_stack_size;      // 048: bytes
  uint64_t shared_buffer_vtl0;   // 050: virtual address in VTL 0
  uint64_t shared_buffer_vtl1;   // 058: 0: the secure kernel chooses
  uint64_t shared_buffer_pages;  // 060
  uint64_t shared_buffer_hint;   // 068: physical base
  uint64_t initial_cr3;          // 070: page tables in force at the entry
  uint64_t gdt_area;             // 078: zeroed pages inside the VSM memory
  uint64_t idt_area;             // 080
  uint64_t tss_area;             // 088
  uint32_t gdt_size;             // 090: bytes of each area
  uint32_t idt_size;             // 094
  uint32_t tss_size;             // 098
  uint32_t reserved_9c;          // 09C
  uint64_t acpi_root;            // 0A0
  uint64_t uefi_runtime_table;   // 0A8
  uint64_t firmware_map;         // 0B0: EFI memory map
  uint32_t firmware_map_size;    // 0B8
  uint32_t firmware_descriptor_size;  // 0BC
  uint64_t code_integrity_data;       // 0C0: roots, policy, revocations
  uint64_t code_integrity_size;       // 0C8
  uint64_t api_set_schema;            // 0D0
  uint64_t api_set_size;              // 0D8
  uint64_t vbs_policy;                // 0E0: variable VbsPolicy as read
  uint32_t bcd_values[6];             // 0E8: BcdValue
  LocalKeyArray local_keys;           // 100
  uint64_t identification_key;        // 1C8: IDK private key package, 0: not provisioned
  uint32_t identification_key_size;   // 1D0
  uint32_t reserved_1d4;              // 1D4
  uint64_t boot_entropy;              // 1D8
  uint32_t boot_entropy_size;         // 1E0: 64
  uint32_t reserved_1e4;              // 1E4
  uint64_t measured_log;              // 1E8
  uint32_t measured_log_size;         // 1F0
  uint32_t reserved_1f4;              // 1F4
  uint32_t boot_count;                // 1F8
  uint32_t crc;                       // 1FC: CRC-32 (IEEE) of 000..1FB
};
inline constexpr uint32_t vsm_loader_block_size = 0x200;

/// Index into bcd_values: the elements of S57.
enum BcdValue : uint32_t {
  BcdHypervisorLaunchType,             ///< 0x250000F0
  BcdVsmLaunchType,                    ///< 0x25000142
  BcdHypervisorIommuPolicy,            ///< 0x25000115
  BcdHypervisorMmioNxPolicy,           ///< 0x25000119
  BcdHypervisorMsrFilterPolicy,        ///< 0x25000118
  BcdHypervisorEnforcedCodeIntegrity,  ///< 0x25000144
};

static_assert(sizeof(VsmLoaderBlock) == vsm_loader_block_size);
static_assert(offsetof(VsmLoaderBlock, module_list) == 0x10);
static_assert(offsetof(VsmLoaderBlock, nt_loader_block) == 0x30);
static_assert(offsetof(VsmLoaderBlock, boot_stack_base) == 0x40);
static_assert(offsetof(VsmLoaderBlock, shared_buffer_vtl0) == 0x50);
static_assert(offsetof(VsmLoaderBlock, initial_cr3) == 0x70);
static_assert(offsetof(VsmLoaderBlock, acpi_root) == 0xA0);
static_assert(offsetof(VsmLoaderBlock, code_integrity_data) == 0xC0);
static_assert(offsetof(VsmLoaderBlock, api_set_schema) == 0xD0);
static_assert(offsetof(VsmLoaderBlock, vbs_policy) == 0xE0);
static_assert(offsetof(VsmLoaderBlock, local_keys) == 0x100);
static_assert(sizeof(LocalKeyArray) == 0xC8);
static_assert(offsetof(VsmLoaderBlock, identification_key) == 0x1C8);
static_assert(offsetof(VsmLoaderBlock, boot_entropy) == 0x1D8);
static_assert(offsetof(VsmLoaderBlock, measured_log) == 0x1E8);
static_assert(offsetof(VsmLoaderBlock, boot_count) == 0x1F8);
static_assert(offsetof(VsmLoaderBlock, crc) == 0x1FC);

}  // namespace abi::boot

ABI_FIELDS(abi::boot::LocalKey, 0x30, (key, Bytes), (first_boot, Plain), (flags, Flags),
           (reserved, Reserved));
ABI_FIELDS(abi::boot::LocalKeyArray, 0xC8, (count, Count), (current, Plain), (keys, Bytes));
ABI_FIELDS(abi::boot::VsmLoaderBlock, 0x200, (size, Count), (version, Plain), (build, Plain),
           (flags, Flags), (module_list, Plain), (memory_descriptor_list, Plain),
           (nt_loader_block, Gva), (nt_image_list, Gva), (boot_stack_base, Gva),
           (boot_stack_size, Count), (shared_buffer_vtl0, Gva), (shared_buffer_vtl1, Gva),
           (shared_buffer_pages, Count), (shared_buffer_hint, Gpa), (initial_cr3, Gpa),
           (gdt_area, Gva), (idt_area, Gva), (tss_area, Gva), (gdt_size, Count), (idt_size, Count),
           (tss_size, Count), (reserved_9c, Reserved), (acpi_root, Gva), (uefi_runtime_table, Gva),
           (firmware_map, Gva), (firmware_map_size, Count), (firmware_descriptor_size, Count),
           (code_integrity_data, Gva), (code_integrity_size, Count), (api_set_schema, Gva),
           (api_set_size, Count), (vbs_policy, Plain), (bcd_values, Plain), (local_keys, Bytes),
           (identification_key, Gva), (identification_key_size, Count), (reserved_1d4, Reserved),
           (boot_entropy, Gva), (boot_entropy_size, Count), (reserved_1e4, Reserved),
           (measured_log, Gva), (measured_log_size, Count), (reserved_1f4, Reserved),
           (boot_count, Plain), (crc, Plain));
