#pragma once
// What winload hands to KiSystemStartup. Layout ours, after LOADER_PARAMETER_BLOCK.
#include "abi/boot/loader_lists.h"

namespace abi::boot {

enum NtLoaderFlags : uint64_t {
  NtHypervisorPresent = 1ull << 0,  ///< hvloader launched it: winload runs in the root partition
  NtVsmActive = 1ull << 1,          ///< the secure kernel's entry answered success
  NtHvci =
      1ull
      << 2,  ///< policy asks for it; whether it is in force the secure kernel says (service 231)
  NtHvciStrict = 1ull << 3,
  NtSecureBoot = 1ull << 4,
  NtTestSigning = 1ull << 5,
};

/// RCX at KiSystemStartup. All pointers lie in the direct map.
struct NtLoaderBlock {
  uint32_t size;
  uint32_t version;                  ///< 1
  uint64_t flags;                    ///< NtLoaderFlags
  ListEntry load_order_list;         ///< LoadedModule: ntoskrnl.exe first
  ListEntry memory_descriptor_list;  ///< MemoryDescriptor: the whole of RAM, sorted, without gaps
  ListEntry boot_file_list;          ///< BootFile
  uint64_t memory_size;              ///< bytes of RAM
  uint64_t page_table_root;          ///< CR3 at the hand-over
  uint64_t kernel_stack;             ///< top of the stack in use
  uint64_t kernel_stack_size;        ///< bytes
  uint64_t vsm_memory_base;          ///< physical, 0 with VSM off
  uint64_t vsm_memory_pages;
  uint32_t vsm_status;          ///< NTSTATUS of the secure kernel's entry
  uint32_t profile;             ///< 10240
  uint64_t uefi_runtime_table;  ///< physical
  uint8_t entropy[64];          ///< from the firmware's generator, for NTOS's own
};

}  // namespace abi::boot

ABI_FIELDS(abi::boot::NtLoaderBlock, 0xC0, (size, Count), (version, Plain), (flags, Flags),
           (load_order_list, Plain), (memory_descriptor_list, Plain), (boot_file_list, Plain),
           (memory_size, Count), (page_table_root, Gpa), (kernel_stack, Gva),
           (kernel_stack_size, Count), (vsm_memory_base, Gpa), (vsm_memory_pages, Count),
           (vsm_status, Plain), (profile, Plain), (uefi_runtime_table, Gpa), (entropy, Bytes));
