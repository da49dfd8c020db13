// User address spaces: a sorted list of ranges, backed at once. There is no paging: what is
// reserved is committed.
#include "ke/ke.h"
#include "mm/mm.h"
#include "ps/ps.h"

namespace {

constexpr uint32_t vad_tag = 0x20646156;        // "Vad "
constexpr uint64_t first_choice = 0x200000000;  // where the kernel starts to look for room

PFN shared_user_data;

uint64_t pte_bits(uint32_t protection) {
  uint64_t bits = PteOwner;
  if ((protection & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0) bits |= PteWrite;
  if ((protection & (PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE)) == 0)
    bits |= PteNoExecute;
  return bits;
}

bool overlaps(const EPROCESS* process, uint64_t start, uint64_t end) {
  for (const MMVAD* v = process->vads; v != nullptr; v = v->next)
    if (v->start < end && start < v->end) return true;
  return false;
}

uint64_t choose(const EPROCESS* process, uint64_t size) {
  uint64_t start = first_choice;
  for (const MMVAD* v = process->vads; v != nullptr; v = v->next) {
    if (v->end <= start) continue;
    if (v->start >= start + size) break;
    start = (v->end + 0xFFFF) & ~0xFFFFull;  // 64 KiB allocation granularity
  }
  return start;
}

MMVAD* insert(EPROCESS* process, uint64_t start, uint64_t end, uint32_t protection) {
  auto vad = ExAllocate<MMVAD>(vad_tag);
  MMVAD** link = &process->vads;
  while (*link != nullptr && (*link)->start < start)
    link = &(*link)->next;
  *vad = {start, end, protection, *link};
  *link = vad;
  return vad;
}

void release(EPROCESS* process, MMVAD** link) {
  MMVAD* vad = *link;
  for (uint64_t a = vad->start; a < vad->end; a += PAGE_SIZE) {
    uint64_t* pte = MiGetPteAddress(process->directory_table_base, a, false);
    if (pte == nullptr || (*pte & PteValid) == 0) continue;
    const PFN pfn = page_of(*pte & PteFrameMask);
    *pte = 0;
    MiFlushAddress(a);
    MiFreePages(pfn, 1);
  }
  *link = vad->next;
  ExFreePoolWithTag(vad, vad_tag);
}

}  // namespace

NtStatus MmAllocateVirtualMemory(EPROCESS* process, uint64_t* base, uint64_t* size, uint32_t type,
                                 uint32_t protection) {
  if (*size == 0 || *size > 1ull << 32 || (type & (MEM_COMMIT | MEM_RESERVE)) == 0)
    return NtStatus::InvalidParameter;
  const uint64_t length = (*size + *base % PAGE_SIZE + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
  const uint64_t start = *base == 0 ? choose(process, length) : *base & ~(PAGE_SIZE - 1);
  if (start < MmLowestUserAddress || start >= MmHighestUserAddress ||
      length > MmHighestUserAddress - start)
    return NtStatus::InvalidParameter;
  if (overlaps(process, start, start + length)) return NtStatus::ConflictingAddresses;
  if (page_of(length) + 256 > MmFreePageCount()) return NtStatus::NoMemory;
  insert(process, start, start + length, protection);
  for (uint64_t a = start; a < start + length; a += PAGE_SIZE)
    MiMapPage(process->directory_table_base, a, MiAllocatePage(), pte_bits(protection));
  *base = start;
  *size = length;
  return NtStatus::Success;
}

NtStatus MmFreeVirtualMemory(EPROCESS* process, uint64_t base, uint64_t size, uint32_t type) {
  for (MMVAD** link = &process->vads; *link != nullptr; link = &(*link)->next) {
    MMVAD* vad = *link;
    if (base < vad->start || base >= vad->end) continue;
    // Whole ranges only: size 0 with MEM_RELEASE, or exactly what was allocated.
    if (base != vad->start || (size != 0 && pages_for(size) * PAGE_SIZE != vad->end - vad->start) ||
        type != MEM_RELEASE)
      return NtStatus::InvalidParameter;
    release(process, link);
    return NtStatus::Success;
  }
  return NtStatus::InvalidParameter;
}

void MmCleanProcessAddressSpace(EPROCESS* process) {
  while (process->vads != nullptr)
    release(process, &process->vads);
  // Shared user data is not the process's own page: only the entry goes.
  if (uint64_t* pte = MiGetPteAddress(process->directory_table_base, KUSER_SHARED_DATA_USER, false);
      pte != nullptr)
    *pte = 0;
  MiDeleteAddressSpace(process->directory_table_base);
  process->directory_table_base = MiSystemRoot;
}

bool MmProbe(uint64_t address, uint64_t size, bool write) {
  if (size == 0) return true;
  const uint64_t end = address + size;
  if (end < address || end > MmHighestUserAddress) return false;
  for (const MMVAD* v = PsGetCurrentProcess()->vads; v != nullptr && address < end; v = v->next) {
    if (address < v->start || address >= v->end) continue;
    if (write && (v->protection & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) == 0) return false;
    if (v->protection == PAGE_NOACCESS) return false;
    address = v->end;
  }
  return address >= end;
}

PFN MmSharedUserDataPfn() {
  return shared_user_data;
}

void MmInitSystem() {
  MiInitializeSystemAddressSpace();
  shared_user_data = MiAllocatePage();
  MiMapPage(MiSystemRoot, KUSER_SHARED_DATA_KERNEL, shared_user_data, PteWrite | PteNoExecute);
  // The published head of KUSER_SHARED_DATA that user code reads: version at +26C, processor count
  // at +3C0.
  auto data = reinterpret_cast<uint8_t*>(KUSER_SHARED_DATA_KERNEL);
  *reinterpret_cast<uint32_t*>(data + 0x260) = KeLoaderBlock->profile;
  *reinterpret_cast<uint32_t*>(data + 0x26C) = 10;
  *reinterpret_cast<uint32_t*>(data + 0x3C0) = 1;
}

// Read-only and at the same address in every process.
void MmMapSharedUserData(EPROCESS* process) {
  MiMapPage(process->directory_table_base, KUSER_SHARED_DATA_USER, shared_user_data,
            PteOwner | PteNoExecute);
}
