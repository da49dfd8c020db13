#pragma once
// The lists that winload hands over, to NTOS and to the secure kernel alike. Layouts ours; names
// after LOADER_PARAMETER_BLOCK.
#include "abi/layout/fields.h"

namespace abi::boot {

/// A doubly linked ring; both pointers are virtual addresses of other ListEntry structures. An
/// empty ring points at itself.
struct ListEntry {
  uint64_t flink;
  uint64_t blink;
};

/// What a run of physical pages holds when the loader leaves.
enum class MemoryType : uint32_t {
  Free = 1,               ///< nobody's: NTOS may use it
  FirmwarePermanent = 2,  ///< firmware code and data that stays, and holes
  LoadedProgram = 3,      ///< images of VTL 0: kernel and boot drivers
  LoaderHeap = 4,         ///< winload, its stack and heap: free once NTOS has copied what it wants
  LoaderBlock = 5,        ///< the loader blocks and everything that they point at
  BootFile = 6,           ///< raw bytes of files, see BootFile
  PageTable = 7,          ///< the page tables that are active at the hand-over
  KernelStack = 8,        ///< the stack that NTOS starts on
  SecureImage = 9,        ///< images of VTL 1, inside the VSM memory
  VsmMemory = 10,         ///< free memory of VTL 1
};

struct MemoryDescriptor {
  ListEntry entry;
  MemoryType type;
  uint32_t reserved;
  uint64_t base_page;  ///< physical page number
  uint64_t page_count;
};

/// An image that is mapped, relocated and bound.
struct LoadedModule {
  ListEntry entry;
  uint64_t base;           ///< virtual
  uint64_t physical_base;  ///< its pages are contiguous
  uint64_t entry_point;    ///< virtual
  uint64_t file;           ///< raw bytes as read from disk, page-aligned
  uint32_t file_size;
  uint32_t image_size;   ///< SizeOfImage, a multiple of 4096
  uint32_t name_length;  ///< bytes of `name` in use
  uint32_t flags;        ///< 0
  char name[64];         ///< file name without folder, lower case
};

/// The bytes of a file that is still on disk in a real system. NTOS has no file system: what it
/// opens later was read by winload.
struct BootFile {
  ListEntry entry;
  uint64_t data;  ///< virtual, page-aligned, zero-filled to the page
  uint64_t physical_base;
  uint64_t size;  ///< bytes
  uint32_t path_length;
  uint32_t reserved;
  char path[128];  ///< "\\Windows\\System32\\name", lower case
};

}  // namespace abi::boot

ABI_FIELDS(abi::boot::ListEntry, 0x10, (flink, Gva), (blink, Gva));
ABI_FIELDS(abi::boot::MemoryDescriptor, 0x28, (entry, Plain), (type, Plain), (reserved, Reserved),
           (base_page, Plain), (page_count, Count));
ABI_FIELDS(abi::boot::LoadedModule, 0x80, (entry, Plain), (base, Gva), (physical_base, Gpa),
           (entry_point, Gva), (file, Gva), (file_size, Count), (image_size, Count),
           (name_length, Count), (flags, Flags), (name, Bytes));
ABI_FIELDS(abi::boot::BootFile, 0xB0, (entry, Plain), (data, Gva), (physical_base, Gpa),
           (size, Count), (path_length, Count), (reserved, Reserved), (path, Bytes));
