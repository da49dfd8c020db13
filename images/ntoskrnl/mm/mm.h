#pragma once
// Memory: physical pages, page tables, pool, address spaces, I/O space, transfer MDLs.
#include "abi/sk/structures.h"
#include "nt.h"

using PFN = uint64_t;

// ---- Physical pages (mm/pfn.cpp) ----

void MiInitializePfnDatabase();
/// Zeroed pages; never fails silently: running out is a bug check in this kernel.
PFN MiAllocatePage();
PFN MiAllocateContiguousPages(uint64_t count);
void MiFreePages(PFN first, uint64_t count);
uint64_t MmFreePageCount();
/// Gives back what only the loader needed.
void MmFreeLoaderMemory();

inline uint64_t MiDirectMap(uint64_t physical) {
  return abi::boot::direct_map_base + physical;
}
template <class T = void>
T* MiPhysicalToVirtual(uint64_t physical) {
  return reinterpret_cast<T*>(MiDirectMap(physical));
}

// ---- Page tables (mm/page_tables.cpp) ----

enum PteBit : uint64_t {
  PteValid = 1,
  PteWrite = 2,
  PteOwner = 4,
  PteWriteThrough = 8,
  PteCacheDisable = 0x10,
  PteAccessed = 0x20,
  PteDirty = 0x40,
  PteLarge = 0x80,
  PteNoExecute = 1ull << 63,
};
inline constexpr uint64_t PteFrameMask = 0x000FFFFFFFFFF000;

/// The leaf entry for a 4 KiB page, or null when an upper level is absent or large. With `create`,
/// tables are made.
uint64_t* MiGetPteAddress(uint64_t root, uint64_t address, bool create);
void MiMapPage(uint64_t root, uint64_t address, PFN pfn, uint64_t bits);
void MiUnmapPage(uint64_t root, uint64_t address);
void MiFlushAddress(uint64_t address);  ///< on every processor
/// Physical address of what `address` maps to in `root`, or ~0.
uint64_t MiTranslate(uint64_t root, uint64_t address);
extern "C" uint64_t MmGetPhysicalAddress(
    const void* address);  ///< in the current address space, or ~0
extern "C" void* MmGetVirtualForPhysical(uint64_t physical);  ///< in the direct map
void MiInitializeSystemAddressSpace();
uint64_t MiCreateAddressSpace();
void MiDeleteAddressSpace(uint64_t root);
extern uint64_t MiSystemRoot;

/// Reserves kernel addresses for images and I/O space.
uint64_t MiReserveSystemPages(uint64_t count);

enum class MmCacheType : uint32_t { NonCached = 0, Cached = 1 };
/// Maps physical memory, executable as the legacy call always did (S42); null when out of range.
extern "C" void* MmMapIoSpace(uint64_t physical, uint64_t bytes, MmCacheType cache);
extern "C" void MmUnmapIoSpace(void* address, uint64_t bytes);

// ---- Pool (mm/pool.cpp) ----

extern "C" void* ExAllocatePoolWithTag(uint32_t type, uint64_t bytes, uint32_t tag);
extern "C" void ExFreePoolWithTag(void* p, uint32_t tag);
template <class T>
T* ExAllocate(uint32_t tag) {
  return static_cast<T*>(ExAllocatePoolWithTag(0, sizeof(T), tag));
}

// ---- Process address spaces (mm/virtual.cpp) ----

struct MMVAD {
  uint64_t start, end;  ///< [start, end), page-aligned
  uint32_t protection;
  MMVAD* next;  ///< sorted by start
};

enum Protection : uint32_t {
  PAGE_NOACCESS = 1,
  PAGE_READONLY = 2,
  PAGE_READWRITE = 4,
  PAGE_EXECUTE = 0x10,
  PAGE_EXECUTE_READ = 0x20,
  PAGE_EXECUTE_READWRITE = 0x40,
};
enum AllocationType : uint32_t {
  MEM_COMMIT = 0x1000,
  MEM_RESERVE = 0x2000,
  MEM_DECOMMIT = 0x4000,
  MEM_RELEASE = 0x8000
};

inline constexpr uint64_t MmLowestUserAddress = 0x10000;
inline constexpr uint64_t MmHighestUserAddress = 0x7FFFFFFEFFFF;
inline constexpr uint64_t KUSER_SHARED_DATA_USER = 0x7FFE0000;
inline constexpr uint64_t KUSER_SHARED_DATA_KERNEL = 0xFFFFF78000000000;

/// Reserves and commits zeroed pages at once. *base 0: the kernel chooses. *base and *size come
/// back page-aligned.
NtStatus MmAllocateVirtualMemory(EPROCESS* process, uint64_t* base, uint64_t* size, uint32_t type,
                                 uint32_t protection);
NtStatus MmFreeVirtualMemory(EPROCESS* process, uint64_t base, uint64_t size, uint32_t type);
void MmCleanProcessAddressSpace(EPROCESS* process);
/// Whether [address, address + size) lies in committed user memory of the current process.
bool MmProbe(uint64_t address, uint64_t size, bool write);
PFN MmSharedUserDataPfn();

// ---- Transfers to the secure kernel (mm/mdl.cpp) ----

/// Describes `bytes` from a page-aligned address of the direct map; returns the page number of the
/// MDL, as services take it.
PFN MmBuildTransferMdl(const void* address, uint64_t bytes);
void MmFreeTransferMdl(PFN mdl);

void MmInitSystem();
